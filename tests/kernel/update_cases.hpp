// SPDX-License-Identifier: MIT
// Optimizers over tables of tensors. Each formula is written here once for float and double: the kernels must have the
// bits of float, as each operation is rounded by itself, and float must be as near to double as the formula says: each
// operation rounds once, u = 2^-24, divisions and roots exactly so. 'size' is the sum of the magnitudes that are added.
#pragma once
#include <memory>

#include "kernel/kernel_cases.hpp"
#include "temper/kernel/update.cuh"

namespace temper::test::kernels {

template <class Real>
struct Moved {
  Real value, first = 0, second = 0;
};
template <class Real>
void move(kernel::AdamW, Moved<Real>& e, Real g, const kernel::AdamW::Factors& f) {
  e.first = std::fma(Real(f.new_first), g - e.first, e.first);
  e.second = std::fma(Real(f.new_second) * g, g, e.second * Real(f.old_second));
  const Real spread = std::sqrt(e.second) / Real(f.root_correction);
  e.value = std::fma(e.value, Real(f.kept), Real(f.size) * e.first / (spread + Real(f.epsilon)));
}
template <class Real>
void move(kernel::Lion, Moved<Real>& e, Real g, const kernel::Lion::Factors& f) {
  const Real way = std::fma(Real(f.new_way), g, e.first * Real(f.old_way));
  e.value = std::fma(-Real(f.rate), way > 0 ? Real(1) : way < 0 ? Real(-1) : Real(0), e.value * Real(f.kept));
  e.first = std::fma(Real(f.new_mean), g, e.first * Real(f.old_mean));
}
template <class Real>
void move(kernel::Sgd, Moved<Real>& e, Real g, const kernel::Sgd::Factors& f) {
  e.value = std::fma(Real(f.rate), std::fma(Real(f.decay), e.value, g), e.value);
}
template <class Real>
void move(kernel::MomentumSgd, Moved<Real>& e, Real g, const kernel::Sgd::Factors& f) {
  const Real decayed = std::fma(Real(f.decay), e.value, g);
  e.first = f.kept == 0 ? decayed : std::fma(Real(f.kept), e.first, decayed);
  const Real ahead = std::fma(Real(f.momentum), e.first, decayed);
  e.value = std::fma(Real(f.rate), f.kind == Momentum::nesterov ? ahead : e.first, e.value);
}

// Factors of a step, counted from 1; the second group has no decay and half the rate.
inline kernel::AdamW::Factors factors_of(kernel::AdamW, int step, int group) {
  return kernel::AdamW::factors({1e-2 / (1 + group), 0.9, 0.999, 1e-8, group == 0 ? 0.1 : 0.0, 1 - std::pow(0.9, step),
                                 1 - std::pow(0.999, step)},
                                0.5);
}
inline kernel::Lion::Factors factors_of(kernel::Lion, int, int group) {
  return kernel::Lion::factors({1e-2 / (1 + group), 0.9, 0.99, group == 0 ? 0.1 : 0.0}, 0.5);
}
inline kernel::Sgd::Factors factors_of(kernel::Sgd, int, int group) {
  return kernel::Sgd::factors({1e-2 / (1 + group), 0, group == 0 ? 0.1 : 0.0}, 0.5);
}
inline kernel::Sgd::Factors factors_of(kernel::MomentumSgd, int step, int group) {
  return kernel::MomentumSgd::factors({1e-2 / (1 + group), 0.9, group == 0 ? 0.1 : 0.0,
                                       group == 0 ? Momentum::nesterov : Momentum::classical, step == 1},
                                      0.5);
}

// Up where the sixteen bits carry, down elsewhere.
template <class T>
T at_random(float x, const Random& random, std::size_t element) {
  if constexpr (sizeof(T) == 4) {
    return x;
  } else {
    const std::uint32_t word = random.block(element / 8)[element / 2 % 4], bits = std::bit_cast<std::uint32_t>(x);
    const std::uint32_t sixteen = element % 2 == 0 ? word & 0xffffu : word >> 16;
    return bf16{static_cast<std::uint16_t>((bits >> 16) + ((bits & 0xffffu) + sixteen > 0xffffu ? 1 : 0))};
  }
}

// The tensors of a table, on the host and on the device. 'shift' elements before the first are not the tensor's.
template <class T, class G>
struct TrainedOnDevice {
  std::size_t shift;
  std::vector<T> value;
  std::vector<G> gradient;
  std::vector<float> first, second;
  device::Buffer<T> on_value;
  device::Buffer<G> on_gradient;
  device::Buffer<float> on_first, on_second;

  TrainedOnDevice(Numbers& numbers, int count, int shifted)
      : shift(at(shifted)),
        value(numbers.many<T>(at(count + shifted))),
        gradient(value.size()),
        first(value.size()),
        second(value.size()),
        on_value(value),
        on_gradient(value.size()),
        on_first(value.size()),
        on_second(value.size()) {}
  void draw_gradient(Numbers& numbers) {
    gradient = numbers.many<G>(gradient.size(), 0.1f);
    if (gradient.size() > 2) gradient[gradient.size() / 2] = G{};
    on_gradient.upload(gradient);
  }
};

struct UpdateShape {
  std::vector<int> counts;
  int shift = 0, steps = 3;
};
inline constexpr float clipping = 0.75f;
inline std::uint32_t site_of(std::size_t tensor) { return 77u + static_cast<std::uint32_t>(tensor); }

template <class Rule, class T, class G = float>
Outcome update_case(device::Stream& stream, const UpdateShape& shape) {
  using Kernel = kernel::Update<Rule, T, G>;
  Numbers numbers(shape.counts.size());
  std::vector<std::unique_ptr<TrainedOnDevice<T, G>>> tensors;
  std::vector<typename Kernel::Tensor> table;
  std::vector<kernel::TablePiece> pieces;
  for (const int count : shape.counts) {
    const auto i = tensors.size();
    tensors.push_back(std::make_unique<TrainedOnDevice<T, G>>(numbers, count, shape.shift));
    auto& tensor = *tensors.back();
    if (!std::is_same_v<Rule, kernel::MomentumSgd>) {  // whose first step must not read it
      tensor.on_first.upload(tensor.first);
      tensor.on_second.upload(tensor.second);
    }
    table.push_back({tensor.on_value.data() + shape.shift,
                     tensor.on_gradient.data() + shape.shift,
                     {Rule::moments > 0 ? tensor.on_first.data() + shape.shift : nullptr,
                      Rule::moments > 1 ? tensor.on_second.data() + shape.shift : nullptr},
                     count,
                     static_cast<std::int32_t>(i % 2),
                     site_of(i)});
    kernel::add_table_pieces(pieces, static_cast<int>(i), count);
  }
  Outcome outcome;
  device::Buffer<typename Kernel::Tensor> on_table(table);
  device::Buffer<kernel::TablePiece> on_pieces(pieces);
  device::Buffer<kernel::GlobalNorm> on_norm(std::vector<kernel::GlobalNorm>{{1, clipping}});
  // As a graph has it that is replayed: one launch for all steps, which differ by what lies in device memory.
  device::Buffer<typename Rule::Factors> on_factors(2);
  device::Buffer<std::uint32_t> on_step(1);
  const Kernel same{{on_table.data(), on_pieces.data(), on_factors.data(), on_norm.data(), 99,
                     sizeof(T) == 2 ? on_step.data() : nullptr}};
  for (int step = 1; step <= shape.steps; ++step) {
    for (auto& tensor : tensors) tensor->draw_gradient(numbers);
    const std::vector<typename Rule::Factors> factors{factors_of(Rule{}, step, 0), factors_of(Rule{}, step, 1)};
    on_factors.upload(factors);
    on_step.upload({static_cast<std::uint32_t>(step)});
    device::launch(stream, {static_cast<int>(pieces.size()), 1, 1}, same);
    for (std::size_t t = 0; t < tensors.size(); ++t) {
      auto& tensor = *tensors[t];
      const auto& f = factors[t % 2];
      const Random random{99, site_of(t), static_cast<std::uint32_t>(step)};
      const auto value = tensor.on_value.download(stream);
      const auto first = Rule::moments > 0 ? tensor.on_first.download(stream) : tensor.first;
      const auto second = Rule::moments > 1 ? tensor.on_second.download(stream) : tensor.second;
      for (std::size_t i = tensor.shift; i < value.size(); ++i) {
        const float scale = f.gradient_scale * clipping;
        Moved<float> one{static_cast<float>(number(tensor.value[i])), tensor.first[i], tensor.second[i]};
        Moved<double> exact{number(tensor.value[i]), number(one.first), number(one.second)};
        const Moved<double> before = exact;
        move(Rule{}, one, static_cast<float>(number(tensor.gradient[i])) * scale, f);
        const double g = number(tensor.gradient[i]) * number(scale), u = 0x1p-24;
        move(Rule{}, exact, g, f);
        outcome.compare(number(value[i]), number(at_random<T>(one.value, random, i - tensor.shift)), 0);
        if (Rule::moments > 0) outcome.compare(number(first[i]), number(one.first), 0);
        if (Rule::moments > 1) outcome.compare(number(second[i]), number(one.second), 0);
        const double size = std::abs(before.first) + std::abs(before.value) + std::abs(g), of_first = size * 6 * u;
        if (Rule::moments > 0) outcome.compare(number(first[i]), exact.first, of_first + 1e-40);
        if (Rule::moments > 1) outcome.compare(number(second[i]), exact.second, exact.second * 8 * u + 1e-40);
        // A move by a ratio has the relative error of what it divides.
        const double moved = std::abs(exact.value - before.value) + std::abs(before.value) * 1e-3;
        const double inherited = Rule::moments > 1 ? moved * of_first / (std::abs(exact.first) + 1e-40) : 0.0;
        const double of_value = (moved + size) * 8 * u + inherited;
        const double narrowed = sizeof(T) == 2 ? (std::abs(exact.value) + of_value) * 0x1p-7 : 0.0;
        outcome.compare(number(value[i]), exact.value, of_value + narrowed);
        tensor.value[i] = value[i];
        tensor.first[i] = one.first;
        tensor.second[i] = one.second;
      }
    }
  }
  return outcome;
}

inline KernelCases update_cases() {
  using device::Stream;
  using kernel::AdamW, kernel::Lion, kernel::Sgd, kernel::MomentumSgd;
  const UpdateShape many{{17000, 1, 0, 64, 301}, 0, 2}, shifted{{70, 1030}, 3};
  return {
      {"update: AdamW, float", [=](Stream& s) { return update_case<AdamW, float>(s, many); }},
      {"update: AdamW, float, not aligned", [=](Stream& s) { return update_case<AdamW, float>(s, shifted); }},
      {"update: AdamW, bf16", [=](Stream& s) { return update_case<AdamW, bf16>(s, many); }},
      {"update: AdamW, bf16, not aligned", [=](Stream& s) { return update_case<AdamW, bf16>(s, shifted); }},
      {"update: AdamW, bf16, gradients in bf16",
       [=](Stream& s) { return update_case<AdamW, bf16, bf16>(s, {{1030}}); }},
      {"update: Lion, float", [=](Stream& s) { return update_case<Lion, float>(s, shifted); }},
      {"update: Lion, bf16",
       [=](Stream& s) {
         return update_case<Lion, bf16>(s, {{1030, 5}});
       }},
      {"update: SGD, float",
       [=](Stream& s) {
         return update_case<Sgd, float>(s, {{1030, 5}});
       }},
      {"update: SGD with momentum, float",
       [=](Stream& s) {
         return update_case<MomentumSgd, float>(s, {{1030, 50}});
       }},
      {"update: SGD with momentum, bf16",
       [=](Stream& s) {
         return update_case<MomentumSgd, bf16>(s, {{1031, 6}});
       }},
      {"update: no tensor",
       [](Stream& s) {
         Outcome outcome = update_case<AdamW, float>(s, {{}});
         outcome.compare(0, 0, 0);
         return outcome;
       }},
  };
}

}  // namespace temper::test::kernels
