// SPDX-License-Identifier: MIT
// AdamW with 8-bit moments: the values, codes and scales are those that encode_block and decode_block make of the same
// arithmetic in float, bit for bit.
#pragma once
#include <algorithm>

#include "kernel/update_cases.hpp"
#include "temper/kernel/update_8bit.cuh"

namespace temper::test::kernels {

template <class T, class G>
struct CodedOnDevice {
  TrainedOnDevice<T, G> plain;
  std::vector<unsigned char> first_codes, second_codes;
  std::vector<float> first_scales, second_scales;
  device::Buffer<unsigned char> on_first_codes, on_second_codes;
  device::Buffer<float> on_first_scales, on_second_scales;

  CodedOnDevice(Numbers& numbers, int count, int shift)
      : plain(numbers, count, shift),
        first_codes(at(count + shift)),
        second_codes(at(count + shift)),
        first_scales(static_cast<std::size_t>(code_blocks(count))),
        second_scales(first_scales.size()),
        on_first_codes(first_codes),
        on_second_codes(second_codes),
        on_first_scales(first_scales),
        on_second_scales(second_scales) {}
};

template <class T, class G>
void move_coded(CodedOnDevice<T, G>& tensor, const kernel::AdamW::Factors& f, const Random& random) {
  const std::size_t count = tensor.plain.value.size() - tensor.plain.shift;
  for (std::size_t begin = 0; begin < count; begin += code_block) {
    const std::size_t size = std::min(count - begin, static_cast<std::size_t>(code_block));
    float first[code_block], second[code_block];
    unsigned char* first_codes = tensor.first_codes.data() + tensor.plain.shift + begin;
    unsigned char* second_codes = tensor.second_codes.data() + tensor.plain.shift + begin;
    float &first_scale = tensor.first_scales[begin / code_block],
          &second_scale = tensor.second_scales[begin / code_block];
    decode_block<Signs::both>(first_codes, static_cast<Index>(size), first_scale, first);
    decode_block<Signs::positive>(second_codes, static_cast<Index>(size), second_scale, second);
    for (std::size_t i = 0; i < size; ++i) {
      const std::size_t place = tensor.plain.shift + begin + i;
      const float g = static_cast<float>(number(tensor.plain.gradient[place])) * (f.gradient_scale * clipping);
      Moved<float> one{static_cast<float>(number(tensor.plain.value[place])), first[i], second[i]};
      one.first = first[i] = std::fma(f.new_first, g, first[i] * f.old_first);
      one.second = second[i] = std::fma(f.new_second * g, g, second[i] * f.old_second);
      one.value =
          std::fma(one.value, f.kept, f.size * one.first / (std::sqrt(one.second) / f.root_correction + f.epsilon));
      tensor.plain.value[place] = at_random<T>(one.value, random, begin + i);
    }
    first_scale = encode_block<Signs::both>(first, static_cast<Index>(size), first_codes);
    second_scale = encode_block<Signs::positive>(second, static_cast<Index>(size), second_codes);
  }
}

template <class T, class G = float>
Outcome update_8bit_case(device::Stream& stream, const UpdateShape& shape) {
  using Kernel = kernel::Update8bit<T, G>;
  Numbers numbers(shape.counts.size());
  std::vector<std::unique_ptr<CodedOnDevice<T, G>>> tensors;
  std::vector<typename Kernel::Tensor> table;
  std::vector<kernel::TablePiece> pieces;
  for (const int count : shape.counts) {
    const auto i = tensors.size();
    tensors.push_back(std::make_unique<CodedOnDevice<T, G>>(numbers, count, shape.shift));
    auto& tensor = *tensors.back();
    table.push_back({tensor.plain.on_value.data() + shape.shift,
                     tensor.plain.on_gradient.data() + shape.shift,
                     {tensor.on_first_codes.data() + shape.shift, tensor.on_second_codes.data() + shape.shift,
                      tensor.on_first_scales.data(), tensor.on_second_scales.data()},
                     count,
                     static_cast<std::int32_t>(i % 2),
                     site_of(i)});
    kernel::add_table_pieces(pieces, static_cast<int>(i), count);
  }
  const auto map = [](const auto& of) { return std::vector<float>{of.value.begin(), of.value.end()}; };
  device::Buffer<float> both_map(map(dynamic_map<Signs::both>)), positive_map(map(dynamic_map<Signs::positive>));
  device::Buffer<typename Kernel::Tensor> on_table(table);
  device::Buffer<kernel::TablePiece> on_pieces(pieces);
  device::Buffer<kernel::GlobalNorm> on_norm(std::vector<kernel::GlobalNorm>{{1, clipping}});
  device::Buffer<kernel::AdamW::Factors> on_factors(2);
  device::Buffer<std::uint32_t> on_step(1);
  const Kernel same{{on_table.data(), on_pieces.data(), on_factors.data(), on_norm.data(), 99,
                     sizeof(T) == 2 ? on_step.data() : nullptr},
                    both_map.data(),
                    positive_map.data()};
  Outcome outcome;
  for (int step = 1; step <= shape.steps; ++step) {
    for (auto& tensor : tensors) tensor->plain.draw_gradient(numbers);
    const kernel::AdamW rule;
    const std::vector<kernel::AdamW::Factors> factors{factors_of(rule, step, 0), factors_of(rule, step, 1)};
    on_factors.upload(factors);
    on_step.upload({static_cast<std::uint32_t>(step)});
    device::launch(stream, {static_cast<int>(pieces.size()), 1, 1}, same);
    for (std::size_t t = 0; t < tensors.size(); ++t) {
      auto& tensor = *tensors[t];
      move_coded(tensor, factors[t % 2], Random{99, site_of(t), static_cast<std::uint32_t>(step)});
      outcome.equal(tensor.on_first_scales.download(stream), tensor.first_scales);
      outcome.equal(tensor.on_second_scales.download(stream), tensor.second_scales);
      outcome.equal(tensor.on_first_codes.download(stream), tensor.first_codes);
      outcome.equal(tensor.on_second_codes.download(stream), tensor.second_codes);
      const auto value = tensor.plain.on_value.download(stream);
      for (std::size_t i = 0; i < value.size(); ++i)
        outcome.compare(number(value[i]), number(tensor.plain.value[i]), 0);
    }
  }
  return outcome;
}

// Encoding by arithmetic and two midpoints finds the code that searching all of them does: at every value and every
// midpoint, at the floats beside them, and between.
struct EncodeMoments {
  static constexpr int threads = 256;
  struct Shared {
    kernel::MomentMaps maps;
  };
  const float* both_map;
  const float* positive_map;
  const float* x;
  std::int32_t* both;
  std::int32_t* positive;
  int count;
  TEMPER_DEVICE void operator()(device::Block<EncodeMoments>& block) const {
    block.shared.maps.fill(block, both_map, positive_map);
    block.sync();
    for (int i = block.thread(); i < count; i += threads) {
      both[i] = block.shared.maps.code<Signs::both>(x[i], block.lane());
      positive[i] = block.shared.maps.code<Signs::positive>(x[i], block.lane());
    }
  }
};

inline Outcome encode_moments(device::Stream& stream) {
  std::vector<float> x{0, 1, -1, 1e-45f, 1e-9f, std::numeric_limits<float>::quiet_NaN()};
  const auto add = [&](const DynamicMap& map) {
    for (const auto* some : {map.value.data(), map.midpoint.data()})
      for (std::size_t i = 0; i < map.midpoint.size(); ++i)
        for (const float y : {std::nextafter(some[i], -1.0f), some[i], std::nextafter(some[i], 1.0f)})
          for (const float signed_y : {y, -y}) x.push_back(signed_y);
  };
  add(dynamic_map<Signs::both>);
  add(dynamic_map<Signs::positive>);
  Numbers numbers(1);
  for (float decade = 1; decade > 1e-9f; decade *= 0.1f) {
    for (const float y : {std::nextafter(decade, 0.0f), decade, std::min(1.0f, std::nextafter(decade, 1.0f))})
      for (const float signed_y : {y, -y}) x.push_back(signed_y);
    for (int i = 0; i < 100; ++i) x.push_back((2 * numbers.uniform() - 1) * decade);
  }
  const auto map = [](const auto& of) { return std::vector<float>{of.value.begin(), of.value.end()}; };
  device::Buffer<float> both_map(map(dynamic_map<Signs::both>)), positive_map(map(dynamic_map<Signs::positive>));
  device::Buffer<float> on_x(x);
  device::Buffer<std::int32_t> both(x.size()), positive(x.size());
  device::launch(stream, {},
                 EncodeMoments{both_map.data(), positive_map.data(), on_x.data(), both.data(), positive.data(),
                               static_cast<int>(x.size())});
  const auto count = [&](const DynamicMap& of) {
    std::vector<std::int32_t> codes;
    for (const float y : x)
      codes.push_back(static_cast<std::int32_t>(
          std::count_if(of.midpoint.begin(), of.midpoint.end(), [y](float middle) { return middle < y; })));
    return codes;
  };
  Outcome outcome;
  outcome.equal(both.download(stream), count(dynamic_map<Signs::both>));
  outcome.equal(positive.download(stream), count(dynamic_map<Signs::positive>));
  return outcome;
}

inline KernelCases update_8bit_cases() {
  using device::Stream;
  const UpdateShape many{{17000, 1, 0, 64, 301}, 0, 2}, shifted{{70, 1030}, 3};
  return {
      {"update_8bit: codes of the dynamic maps", encode_moments},
      {"update_8bit: float", [=](Stream& s) { return update_8bit_case<float>(s, many); }},
      {"update_8bit: float, not aligned", [=](Stream& s) { return update_8bit_case<float>(s, shifted); }},
      {"update_8bit: bf16",
       [=](Stream& s) {
         return update_8bit_case<bf16>(s, {{17000, 1, 0, 512, 301}, 0, 3});
       }},
      {"update_8bit: bf16, not aligned", [=](Stream& s) { return update_8bit_case<bf16>(s, shifted); }},
      {"update_8bit: bf16, gradients in bf16", [=](Stream& s) { return update_8bit_case<bf16, bf16>(s, {{1030}}); }},
  };
}

}  // namespace temper::test::kernels
