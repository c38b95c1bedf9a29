// SPDX-License-Identifier: MIT
// Distillation over logits [rows, columns] that are a chunk of the vocabulary, of a student, z, and its teacher, w:
// with log q = z / T - lse(z / T) and log p = w / T - lse(w / T), both lse from LogitSums over all chunks before,
//   forward   D = sum p log(p / q)                              dD/d(z / T) = q - p
//   reverse   D = sum q log(q / p)                                            q (log(q / p) - D)
//   jsd       D = sum p log(p / m) / 2 + sum q log(q / m) / 2                 q (log(q / m) - sum q log(q / m)) / 2
// where m = (p + q) / 2. A pass over the chunks makes the sums, another the gradient in the student's place, to which
// it adds that of the cross-entropy; forward needs the sums only to tell the loss. A block takes a row. A student that
// is its own teacher has D = 0 and no gradient, exactly: equal logits go through equal operations.
#pragma once
#include "temper/kernel/cross_entropy.cuh"

namespace temper::kernel {
inline namespace TEMPER_TARGET {

enum class LogitDivergence { forward, reverse, jsd };

// Of a row, over the chunks so far: what p and what q weigh.
struct DivergenceSum {
  float of_teacher, of_student;
  // D, of all chunks.
  TEMPER_BOTH float value(LogitDivergence kind) const {
    if (kind == LogitDivergence::forward) return of_teacher;
    return kind == LogitDivergence::reverse ? of_student : (of_teacher + of_student) / 2;
  }
};

// log(p / m) for d = log(p / q).
TEMPER_DEVICE float log_over_mean(float d) {
  if (d == 0) return 0;
  const float smaller = device::power_of_two(-device::magnitude(d) * log2_of_e);
  return log_of_2 * (1.0f - device::logarithm_of_two(1.0f + smaller)) - (d < 0 ? -d : 0.0f);
}
// What has no weight adds nothing, even where x is infinite.
TEMPER_DEVICE float weighed(float p, float x) { return p == 0 ? 0.0f : p * x; }

// A student's and a teacher's chunk of one row, and both lse at the temperature.
struct DistilledRow {
  LogitForm of_student, of_teacher;
  float student_lse, teacher_lse;

  struct Token {
    float p, q, d;  // d = log(p / q)
  };
  TEMPER_DEVICE Token of(float z, float w) const {
    // By themselves, so that both are rounded alike.
    const float log_q = device::difference(device::product(z, of_student.cold), student_lse);
    const float log_p = device::difference(device::product(w, of_teacher.cold), teacher_lse);
    return {device::power_of_two(log_p * log2_of_e), device::power_of_two(log_q * log2_of_e), log_p - log_q};
  }
};

template <class T>
struct DivergenceSums {
  static constexpr int threads = 256, warps = threads / device::warp_size, width = 16 / int{sizeof(T)};
  struct Shared {
    float of_teacher[warps], of_student[warps];
  };
  const T* student;
  const T* teacher;
  const float* student_lse;
  const float* teacher_lse;
  DivergenceSum* sums;  // [rows]
  int columns;
  LogitDivergence kind;
  LogitChunk chunk;
  LogitForm of_student{}, of_teacher{};

  TEMPER_DEVICE void operator()(device::Block<DivergenceSums>& block) const {
    const Index row = block.index().x;
    const T *z = student + row * columns, *w = teacher + row * columns;
    const DistilledRow distilled{of_student, of_teacher, student_lse[row], teacher_lse[row]};
    DivergenceSum sum{0, 0};
    const auto add = [&](T own, T other) {
      const auto token =
          distilled.of(of_student.shaped(device::widen(own)).z, of_teacher.shaped(device::widen(other)).z);
      if (kind == LogitDivergence::jsd) {
        sum.of_teacher += weighed(token.p, log_over_mean(token.d));
        sum.of_student += weighed(token.q, log_over_mean(-token.d));
      } else {
        sum.of_teacher += weighed(token.p, token.d);
        sum.of_student += weighed(token.q, -token.d);
      }
    };
    const auto piece = [&](int first) {
      const auto own = device::load<width>(z + first), other = device::load<width>(w + first);
      TEMPER_UNROLL
      for (int e = 0; e < width; ++e) add(own[e], other[e]);
    };
    over_row<width>(block, columns, whole_pieces<width>(columns, student, teacher), piece,
                    [&](int c) { add(z[c], w[c]); });
    sum.of_teacher = block_sum(block, sum.of_teacher, block.shared.of_teacher);
    sum.of_student = block_sum(block, sum.of_student, block.shared.of_student);
    if (block.thread() != 0) return;
    const DivergenceSum before = chunk == LogitChunk::further ? sums[row] : DivergenceSum{0, 0};
    sums[row] = {before.of_teacher + sum.of_teacher, before.of_student + sum.of_student};
  }
};

// Of soft[row] D + hard[row] (lse(z) - z[label]), in the place of the student's logits. A label below 0 is none: its
// row has gradient 0.
template <class T>
struct DivergenceGradient {
  static constexpr int threads = 256, width = 16 / int{sizeof(T)};
  using Shared = device::NoShared;
  T* student;
  const T* teacher;
  const float* student_lse;
  const float* teacher_lse;
  const DivergenceSum* sums;  // not read for forward
  const float* soft;
  const float* hard;  // null: no cross-entropy
  const float* lse;   // of the student at temperature 1, for that
  const std::int32_t* labels;
  int columns;
  std::int32_t first_column;
  LogitDivergence kind;
  LogitForm of_student{}, of_teacher{};

  TEMPER_DEVICE void operator()(device::Block<DivergenceGradient>& block) const {
    const Index row = block.index().x;
    T* z = student + row * columns;
    const T* w = teacher + row * columns;
    const DistilledRow distilled{of_student, of_teacher, student_lse[row], teacher_lse[row]};
    const LabelInChunk label(labels[row], first_column);
    const float mean = kind == LogitDivergence::forward ? 0.0f : sums[row].of_student;
    const float of_soft = soft[row] * of_student.cold, of_hard = hard != nullptr ? hard[row] : 0.0f;
    const float of_all = hard != nullptr ? lse[row] : 0.0f;
    const auto of = [&](T own, T other, int column) {
      if (!label.counts) return device::narrow<T>(0.0f);
      const auto shaped = of_student.shaped(device::widen(own));
      const auto token = distilled.of(shaped.z, of_teacher.shaped(device::widen(other)).z);
      float slope = token.q - token.p;
      if (kind == LogitDivergence::reverse) slope = weighed(token.q, -token.d - mean);
      if (kind == LogitDivergence::jsd) slope = weighed(token.q, log_over_mean(-token.d) - mean) / 2;
      slope *= of_soft;
      if (hard != nullptr) {
        const float p = device::power_of_two((shaped.z - of_all) * log2_of_e);
        slope += (p - label.at(column)) * of_hard;
      }
      return device::narrow<T>(slope * shaped.slope);
    };
    const auto piece = [&](int first) {
      auto own = device::load<width>(z + first);
      const auto other = device::load<width>(w + first);
      TEMPER_UNROLL
      for (int e = 0; e < width; ++e) own[e] = of(own[e], other[e], first + e);
      device::store(z + first, own);
    };
    over_row<width>(block, columns, whole_pieces<width>(columns, student, teacher), piece,
                    [&](int c) { z[c] = of(z[c], w[c], c); });
  }
};

}  // namespace TEMPER_TARGET
}  // namespace temper::kernel
