// SPDX-License-Identifier: MIT
// NF4 products against double, on the weights as the kernels define them: the value of a code in bf16, times absmax.
// Bound: at most width + width / 64 + 8 additions that may truncate and roundings of the scales, 2^-23 each.
#pragma once
#include "kernel/nf4_cases.hpp"
#include "temper/kernel/nf4_matmul.cuh"

namespace temper::test::kernels {

template <class Out>
Outcome nf4_product(device::Stream& stream, int tokens, int features, int width, bool terms,
                    ScaleForm form = ScaleForm::plain, int rank = 0) {
  Numbers numbers(static_cast<std::uint64_t>(tokens * 10000 + features * 100 + width));
  const auto x = numbers.many<bf16>(size_of(tokens, width));
  const auto bias = numbers.many<bf16>(at(features));
  const auto add = numbers.many<Out>(size_of(tokens, features));
  Nf4Weights weights = nf4_on_host(numbers.many<float>(size_of(features, width), 0.02f));
  const auto left = numbers.many<bf16>(size_of(tokens, rank)),
             right = numbers.many<bf16>(size_of(features, rank), 0.1f);
  const auto columns = numbers.many<float>(at(features));
  device::Buffer<float> on_columns(columns);
  device::Buffer<bf16> on_x(x), on_bias(bias), on_left(left), on_right(right);
  Nf4OnDevice on_device(weights, form);
  device::Buffer<Out> on_y(add);
  kernel::Epilogue<Out> epilogue;
  if (terms) epilogue = {0.5f, on_bias.data(), on_y.data(), on_columns.data()};
  device::Buffer<float> partial(kernel::nf4_partial(tokens, features, width));
  kernel::nf4_matmul<Out>(stream, on_x.data(), {on_device.codes(), on_device.scales()}, on_y.data(), tokens, features,
                          width, {partial.data(), partial.size()}, epilogue,
                          {{on_left.data(), rank}, {on_right.data(), rank}, rank});
  const auto y = on_y.download(stream);
  std::vector<double> weight(size_of(features, width));
  for (std::size_t i = 0; i < weight.size(); ++i)
    weight[i] = number(to_bf16(kernel::nf4_value(nf4_code_of(weights, i)))) * number(weights.absmax[i / 64]);
  Outcome outcome;
  for (int t = 0; t < tokens; ++t) {
    for (int f = 0; f < features; ++f) {
      double sum = 0, size = 0;
      for (int k = 0; k < width; ++k) {
        const double product = number(x[at(t, width, k)]) * weight[at(f, width, k)];
        sum += product;
        size += std::abs(product);
      }
      for (int r = 0; r < rank; ++r) {
        const double product = number(left[at(t, rank, r)]) * number(right[at(f, rank, r)]);
        sum += product;
        size += std::abs(product);
      }
      double after = 0;
      if (terms) {
        const double scale = number(columns[at(f)]) / 2;
        sum = sum * scale + number(bias[at(f)]) + number(add[at(t, features, f)]);
        size *= std::abs(scale);
        after = size + std::abs(number(bias[at(f)])) + std::abs(number(add[at(t, features, f)]));
      }
      const double adding = size * (width + width / 64 + rank + 8) * 0x1p-23 + 4 * after * 0x1p-24;
      outcome.compare(number(y[at(t, features, f)]), sum,
                      adding + (std::abs(sum) + adding) * unit_roundoff<Out> * 1.01);
    }
  }
  return outcome;
}

// What a row becomes is its own affair: the same bits, whichever tile makes it, wherever in the tile it stands and
// whoever makes the parts of a long sum. In float, as bf16 would hide nearly every difference.
inline Outcome nf4_rows_alone(device::Stream& stream) {
  constexpr int most = 65, features = 72, width = 1088, rank = 8;  // in three parts, the last of one slice
  Numbers numbers(7);
  device::Buffer<bf16> x(numbers.many<bf16>(size_of(most, width))), left(numbers.many<bf16>(size_of(most, rank))),
      right(numbers.many<bf16>(size_of(features, rank), 0.1f)), bias(numbers.many<bf16>(at(features)));
  device::Buffer<float> add(numbers.many<float>(size_of(most, features))), columns(numbers.many<float>(at(features)));
  Nf4Weights weights = nf4_on_host(numbers.many<float>(size_of(features, width), 0.02f));
  Nf4OnDevice on_device(weights, ScaleForm::plain);
  enum class Parts { at_once, apart };
  const auto rows = [&](int first, int tokens, Parts parts) {
    device::Buffer<float> y(size_of(tokens, features));
    device::Buffer<float> partial(kernel::nf4_partial(tokens, features, width));
    kernel::nf4_matmul<float>(stream, x.data() + Index{first} * width, {on_device.codes(), on_device.scales()},
                              y.data(), tokens, features, width,
                              {partial.data(), parts == Parts::apart ? partial.size() : 0},
                              {0.3f, bias.data(), add.data() + Index{first} * features, columns.data()},
                              {{left.data() + Index{first} * rank, rank}, {right.data(), rank}, rank});
    return y.download(stream);
  };
  const std::vector<float> expected = rows(0, most, Parts::at_once);
  Outcome outcome;
  const auto compare = [&](int first, int tokens, Parts parts) {
    const std::vector<float> some = rows(first, tokens, parts);
    for (std::size_t i = 0; i < some.size(); ++i)
      outcome.compare(number(some[i]), number(expected[size_of(first, features) + i]), 0);
  };
  for (const int tokens : {1, 5, 16, 17, 31, 32, 33, most}) compare(0, tokens, Parts::apart);
  for (const int tokens : {8, 32}) compare(0, tokens, Parts::at_once);
  compare(37, 1, Parts::apart);
  compare(3, 20, Parts::apart);
  compare(5, 33, Parts::at_once);
  return outcome;
}

inline KernelCases nf4_matmul_cases() {
  KernelCases cases;
  const auto add = [&](int tokens, int features, int width) {
    const std::string shape = std::to_string(tokens) + " x " + std::to_string(features) + " x " + std::to_string(width);
    cases.push_back({"nf4_matmul: bf16 " + shape,
                     [=](device::Stream& s) { return nf4_product<bf16>(s, tokens, features, width, false); }});
    cases.push_back({"nf4_matmul: float, bias, sum and scale " + shape,
                     [=](device::Stream& s) { return nf4_product<float>(s, tokens, features, width, true); }});
  };
  add(1, 5, 64);
  add(1, 40, 328);  // blocks of 64 that run on into the next feature
  add(3, 9, 77);    // rows that begin inside a byte
  add(5, 7, 128);
  add(16, 128, 64);  // one tile of 16 rows, of 32, of 64
  add(32, 128, 64);
  add(64, 64, 64);
  add(17, 130, 192);  // tails of each
  add(31, 70, 192);
  add(33, 70, 192);
  add(9, 20, 1088);  // in three parts
  add(19, 3, 40);    // many tokens, but no whole blocks
  cases.push_back({"nf4_matmul: a row has the same bits in every tile, in parts and at once",
                   [](device::Stream& s) { return nf4_rows_alone(s); }});
  cases.push_back({"nf4_matmul: nested scales, 70 x 70 x 320",
                   [](device::Stream& s) { return nf4_product<bf16>(s, 70, 70, 320, false, ScaleForm::coded); }});
  cases.push_back({"nf4_matmul: nested scales in three parts, 9 x 70 x 1088",
                   [](device::Stream& s) { return nf4_product<bf16>(s, 9, 70, 1088, false, ScaleForm::coded); }});
  cases.push_back({"nf4_matmul: low rank 8, bias, sum and scale",
                   [](device::Stream& s) { return nf4_product<float>(s, 33, 70, 128, true, ScaleForm::plain, 8); }});
  cases.push_back({"nf4_matmul: low rank 77 behind three parts, bias, sum and scale",
                   [](device::Stream& s) { return nf4_product<float>(s, 9, 20, 1088, true, ScaleForm::plain, 77); }});
  cases.push_back({"nf4_matmul: low rank 77, nested scales",
                   [](device::Stream& s) { return nf4_product<bf16>(s, 65, 10, 64, false, ScaleForm::coded, 77); }});
  return cases;
}

}  // namespace temper::test::kernels
