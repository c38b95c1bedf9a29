// SPDX-License-Identifier: MIT
// Cross-entropy by chunks of the vocabulary against double. Bound of lse: each exponent is off by at most 4 roundings
// of its range and a power of two by 2 more, sums by one a column; a factor within exp(e) of the sum is e in its
// logarithm. A bound on the logits and a temperature add the error of a hyperbolic tangent, a few roundings of the
// bound, and one of the product.
#pragma once
#include <algorithm>

#include "kernel/kernel_cases.hpp"
#include "temper/kernel/cross_entropy.cuh"

namespace temper::test::kernels {

// kernel::LogitForm in double, and how far that may be off in float.
struct ExactForm {
  kernel::LogitForm form;
  double z(double logit) const {
    const double cap = number(form.cap);
    return cap > 0 ? cap * std::tanh(logit / cap) : logit;
  }
  double slope(double logit) const {
    const double bend = form.cap > 0 ? z(logit) / number(form.cap) : 0.0;
    return 1 - bend * bend;
  }
  double operator()(double logit) const { return z(logit) * number(form.cold); }
  double error() const { return 0x1p-24 * 16 * number(form.cap) * number(form.cold); }
  double slope_error() const { return form.cap > 0 ? 0x1p-24 * 36 : 0.0; }
};

template <class T>
Outcome cross_entropy(device::Stream& stream, int rows, const std::vector<int>& chunks, float size,
                      const kernel::LogitForm& form = {}) {
  int vocabulary = 0;
  for (const int columns : chunks) vocabulary += columns;
  Numbers numbers(static_cast<std::uint64_t>(rows + vocabulary));
  const auto weight = numbers.many<float>(at(rows));
  std::vector<std::int32_t> labels(at(rows));
  for (auto& label : labels) label = numbers.below(vocabulary);
  if (rows > 2) labels[1] = -100;
  std::vector<std::vector<T>> logits;
  for (const int columns : chunks) logits.push_back(numbers.many<T>(size_of(rows, columns), size));

  device::Buffer<std::int32_t> on_labels(labels);
  device::Buffer<float> on_weight(weight), on_lse(at(rows)), on_log_p(at(rows));
  device::Buffer<kernel::LogitSum> sums(at(rows));
  std::vector<std::vector<T>> gradient;
  int first = 0;
  for (std::size_t i = 0; i < chunks.size(); ++i) {
    device::Buffer<T> on_logits(logits[i]);
    device::launch(stream, {rows, 1, 1},
                   kernel::LogitSums<T>{on_logits.data(), on_labels.data(), sums.data(), chunks[i], first,
                                        i == 0 ? kernel::LogitChunk::first : kernel::LogitChunk::further, form});
    stream.wait();
    first += chunks[i];
  }
  device::launch(stream, {kernel::LogProbabilities::grid(rows), 1, 1},
                 kernel::LogProbabilities{sums.data(), on_labels.data(), on_lse.data(), on_log_p.data(), rows});
  first = 0;
  for (std::size_t i = 0; i < chunks.size(); ++i) {
    device::Buffer<T> on_logits(logits[i]);
    device::launch(stream, {rows, 1, 1},
                   kernel::LogitGradient<T>{on_logits.data(), on_labels.data(), on_lse.data(), on_weight.data(),
                                            chunks[i], first, form});
    gradient.push_back(on_logits.download(stream));
    first += chunks[i];
  }
  const auto lse = on_lse.download(stream), log_p = on_log_p.download(stream);

  const double u = 0x1p-24;
  const ExactForm exact_form{form};
  Outcome outcome;
  for (int row = 0; row < rows; ++row) {
    double largest = -1e300, smallest = 1e300, sum = 0, of_label = 0;
    const auto over_row = [&](const auto& work) {
      for (std::size_t i = 0, column = 0; i < chunks.size(); ++i)
        for (int c = 0; c < chunks[i]; ++c, ++column)
          work(number(logits[i][at(row, chunks[i], c)]), static_cast<int>(column), gradient[i][at(row, chunks[i], c)]);
    };
    over_row([&](double logit, int column, T) {
      const double z = exact_form(logit);
      largest = std::max(largest, z);
      smallest = std::min(smallest, z);
      if (column == labels[at(row)]) of_label = z;
    });
    over_row([&](double logit, int, T) { sum += std::exp(exact_form(logit) - largest); });
    const double exact = largest + std::log(sum), range = largest - smallest, magnitude = std::abs(largest) + range;
    const double steps = vocabulary / 256.0 + 2.0 * static_cast<double>(chunks.size()) + 10;
    const double of_form = exact_form.error() + u * magnitude;
    const double of_lse =
        of_form + u * (4 * range + 3 * steps + vocabulary + 8 * (std::abs(exact) + std::abs(largest) + 1));
    const bool counts = labels[at(row)] >= 0;
    outcome.compare(number(lse[at(row)]), exact, of_lse);
    outcome.compare(number(log_p[at(row)]), counts ? of_label - exact : 0.0,
                    counts ? of_form + of_lse + u * std::abs(of_label - exact) : 0.0);
    over_row([&](double logit, int column, T found) {
      const double p = std::exp(exact_form(logit) - exact), w = counts ? number(weight[at(row)] * form.cold) : 0.0;
      const double step = p - (column == labels[at(row)] ? 1 : 0), expected = step * w * exact_form.slope(logit);
      const double inner = std::abs(w) * (p * std::expm1(of_form + of_lse + 4 * u * (magnitude + 2)) + 3 * u * (p + 1) +
                                          exact_form.slope_error() * std::abs(step));
      outcome.compare(number(found), expected, 1.01 * (inner + (std::abs(expected) + inner) * unit_roundoff<T>)+1e-30);
    });
  }
  return outcome;
}

inline KernelCases cross_entropy_cases() {
  using device::Stream;
  return {
      {"cross_entropy: bf16, three chunks",
       [](Stream& s) {
         return cross_entropy<bf16>(s, 5, {512, 512, 104}, 2);
       }},
      {"cross_entropy: float, one chunk, large logits",
       [](Stream& s) { return cross_entropy<float>(s, 3, {2500}, 20); }},
      {"cross_entropy: bf16, chunks that are not aligned",
       [](Stream& s) {
         return cross_entropy<bf16>(s, 4, {37, 1, 300}, 1);
       }},
      {"cross_entropy: bf16, logits bounded by 30",
       [](Stream& s) {
         return cross_entropy<bf16>(s, 3, {256, 40}, 25, {30, 1});
       }},
      {"cross_entropy: float, logits bounded by 5, at a temperature of 2",
       [](Stream& s) {
         return cross_entropy<float>(s, 3, {301}, 4, {5, 0.5f});
       }},
      {"cross_entropy: one row, one word", [](Stream& s) { return cross_entropy<float>(s, 1, {1}, 1); }},
  };
}

}  // namespace temper::test::kernels
