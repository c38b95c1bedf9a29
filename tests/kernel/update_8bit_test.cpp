// SPDX-License-Identifier: MIT
#include "kernel/on_fibers.hpp"
#include "kernel/update_8bit_cases.hpp"
#include "support/workbench.hpp"
#include "temper/backend/cpu/adamw_8bit.hpp"
#include "temper/backend/cpu/update.hpp"

namespace temper::test::kernels::update_8bit_test {

TEST_CASE("update_8bit: codes, scales and values have the bits of the host's, in every order of threads") {
  agree_on_fibers(update_8bit_cases());
}

#ifdef __FMA__
constexpr int count = 3001;
constexpr auto blocks = static_cast<std::size_t>(code_blocks(count));

// A step of a rule by the kernel, on what the CPU's operation will move next.
template <class Kernel, class Rule, class State>
std::vector<float> moved_by_kernel(Rule, const std::vector<float>& value, const std::vector<float>& gradient,
                                   const typename Rule::Factors& factors, State state, auto... maps) {
  device::Stream stream;
  device::Buffer<float> on_value(value), on_gradient(gradient);
  device::Buffer<typename Kernel::Tensor> table(
      std::vector<typename Kernel::Tensor>{{on_value.data(), on_gradient.data(), state, std::ssize(value), 0, 0}});
  std::vector<kernel::TablePiece> pieces;
  kernel::add_table_pieces(pieces, 0, std::ssize(value));
  device::Buffer<kernel::TablePiece> on_pieces(pieces);
  device::Buffer<typename Rule::Factors> on_factors(std::vector<typename Rule::Factors>{factors});
  device::launch(stream, {static_cast<int>(pieces.size()), 1, 1},
                 Kernel{{table.data(), on_pieces.data(), on_factors.data(), nullptr}, maps...});
  return on_value.download(stream);
}
std::vector<float> copied(View<Cpu<float>, float, 1> v) { return {v.data, v.data + v.size()}; }

TEST_CASE("update_8bit: kernels move parameters as the CPU backend does, bit for bit") {
  Workbench<float> bench(2);
  const auto p = bench.vector(count, 1), zeros = bench.unset(count);
  std::fill_n(zeros.data, count, 0.0f);
  const double scale = 0.25;
  const auto check = [&](auto rule, auto make, auto step_of, auto move) {
    const auto value = bench.clone(p), first = bench.clone(zeros), second = bench.clone(zeros);
    using Rule = decltype(rule);
    for (int t = 1; t <= 3; ++t) {
      CAPTURE(t);
      const auto g = bench.vector(count, static_cast<std::uint32_t>(10 + t));
      device::Buffer<float> on_first(copied(first)), on_second(copied(second));
      const auto step = step_of(t);
      const auto expected = moved_by_kernel<kernel::Update<Rule, float>>(
          rule, copied(value), copied(g), make(step), kernel::FloatState{on_first.data(), on_second.data()});
      move(value, g, first, second, step);
      CHECK(copied(value) == expected);
    }
  };
  const auto adamw_step = [](int t) {
    return AdamWStep{0.01, 0.9, 0.999, 1e-8, 0.1, 1 - std::pow(0.9, t), 1 - std::pow(0.999, t)};
  };
  check(
      kernel::AdamW{}, [&](const AdamWStep& s) { return kernel::AdamW::factors(s, scale); }, adamw_step,
      [&](auto v, auto g, auto first, auto second, auto s) { adamw(bench.ctx, v, g, first, second, s, scale); });
  check(
      kernel::Lion{}, [&](const LionStep& s) { return kernel::Lion::factors(s, scale); },
      [](int) {
        return LionStep{0.01, 0.9, 0.99, 0.1};
      },
      [&](auto v, auto g, auto first, auto, auto s) { lion(bench.ctx, v, g, first, s, scale); });
  check(
      kernel::MomentumSgd{}, [&](const SgdStep& s) { return kernel::Sgd::factors(s, scale); },
      [](int t) {
        return SgdStep{0.01, 0.9, 0.1, Momentum::nesterov, t == 1};
      },
      [&](auto v, auto g, auto first, auto, auto s) { sgd(bench.ctx, v, g, first, s, scale); });
}

TEST_CASE("update_8bit: three steps have the codes and scales of the CPU backend") {
  Workbench<float> bench(2);
  const auto p = bench.vector(count, 1);
  std::vector<unsigned char> first(count), second(count);
  std::vector<float> first_scales(blocks), second_scales(blocks);
  const auto map = [](const auto& of) { return std::vector<float>{of.value.begin(), of.value.end()}; };
  device::Buffer<float> both(map(dynamic_map<Signs::both>)), positive(map(dynamic_map<Signs::positive>));
  device::Stream stream;
  for (int t = 1; t <= 3; ++t) {
    CAPTURE(t);
    const auto g = bench.vector(count, static_cast<std::uint32_t>(20 + t));
    const AdamWStep step{0.01, 0.9, 0.999, 1e-8, 0.1, 1 - std::pow(0.9, t), 1 - std::pow(0.999, t)};
    device::Buffer<unsigned char> on_first(first), on_second(second);
    device::Buffer<float> on_first_scales(first_scales), on_second_scales(second_scales);
    const auto expected = moved_by_kernel<kernel::Update8bit<float>>(
        kernel::AdamW{}, copied(p), copied(g), kernel::AdamW::factors(step, 0.5),
        kernel::CodedState{on_first.data(), on_second.data(), on_first_scales.data(), on_second_scales.data()},
        static_cast<const float*>(both.data()), static_cast<const float*>(positive.data()));
    const auto list = [](auto& x) {
      return View<Cpu<float>, std::decay_t<decltype(x[0])>, 1>{x.data(), {std::ssize(x)}};
    };
    adamw_8bit(bench.ctx, p, g, {list(first), list(first_scales)}, {list(second), list(second_scales)}, step, 0.5);
    CHECK(copied(p) == expected);
    CHECK(on_first.download(stream) == first);
    CHECK(on_second.download(stream) == second);
    CHECK(on_first_scales.download(stream) == first_scales);
    CHECK(on_second_scales.download(stream) == second_scales);
  }
}
#endif

}  // namespace temper::test::kernels::update_8bit_test
