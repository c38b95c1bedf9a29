// SPDX-License-Identifier: MIT
// Distillation by chunks of the vocabulary against double, from the same lse. Bound: log p and log q are off by what
// the form of a logit is and two roundings, a factor within exp(e) of p and q; sums by a rounding a term of a thread,
// the tree and the chunks.
#pragma once
#include "kernel/cross_entropy_cases.hpp"
#include "temper/kernel/divergence.cuh"

namespace temper::test::kernels {

struct Taught {
  std::vector<int> chunks;
  int rows;
  float size;
  kernel::LogitDivergence kind;
  kernel::LogitForm of_student{}, of_teacher{};
  enum class Teacher { another, itself } teacher = Teacher::another;
  enum class Hard { no, yes } hard = Hard::no;  // is cross-entropy a part of the loss?
};

// A number with how far it may be off.
struct Bounded {
  double value = 0, error = 0;
};
inline Bounded operator*(const Bounded& a, const Bounded& b) {
  const double value = a.value * b.value;
  return {value, std::abs(a.value) * b.error + (std::abs(b.value) + b.error) * a.error + 0x1p-24 * std::abs(value)};
}
inline Bounded operator-(const Bounded& a, const Bounded& b) {
  const double value = a.value - b.value;
  return {value, a.error + b.error + 0x1p-24 * std::abs(value)};
}
// log(p / m) for d = log(p / q): its slope is within 1.
inline Bounded over_mean(const Bounded& d) {
  const double value = -std::log((1 + std::exp(-d.value)) / 2);
  return {value, d.error + 0x1p-24 * (8 + 2 * std::abs(d.value))};
}

template <class T>
Outcome distillation(device::Stream& stream, const Taught& taught) {
  const int rows = taught.rows;
  int vocabulary = 0;
  for (const int columns : taught.chunks) vocabulary += columns;
  Numbers numbers(static_cast<std::uint64_t>(rows + vocabulary));
  const bool same = taught.teacher == Taught::Teacher::itself, hard = taught.hard == Taught::Hard::yes;
  const auto soft = numbers.many<float>(at(rows)), weight = numbers.many<float>(at(rows));
  std::vector<std::int32_t> labels(at(rows));
  for (auto& label : labels) label = numbers.below(vocabulary);
  if (rows > 2) labels[1] = -100;
  std::vector<std::vector<T>> student, teacher;
  for (const int columns : taught.chunks) {
    student.push_back(numbers.many<T>(size_of(rows, columns), taught.size));
    teacher.push_back(same ? student.back() : numbers.many<T>(size_of(rows, columns), taught.size));
  }
  const ExactForm own{taught.of_student}, other{taught.of_teacher};
  std::vector<float> own_lse(at(rows)), other_lse(at(rows)), plain_lse(at(rows));
  for (int row = 0; row < rows; ++row) {
    double sums[3] = {};
    for (std::size_t i = 0; i < student.size(); ++i) {
      for (int c = 0; c < taught.chunks[i]; ++c) {
        const double z = number(student[i][at(row, taught.chunks[i], c)]);
        sums[0] += std::exp(own(z));
        sums[1] += std::exp(other(number(teacher[i][at(row, taught.chunks[i], c)])));
        sums[2] += std::exp(own.z(z));
      }
    }
    own_lse[at(row)] = static_cast<float>(std::log(sums[0]));
    other_lse[at(row)] = static_cast<float>(std::log(sums[1]));
    plain_lse[at(row)] = static_cast<float>(std::log(sums[2]));
  }

  device::Buffer<std::int32_t> on_labels(labels);
  device::Buffer<float> on_soft(soft), on_weight(weight), on_own(own_lse), on_other(other_lse), on_plain(plain_lse);
  device::Buffer<kernel::DivergenceSum> on_sums(at(rows));
  std::vector<std::vector<T>> gradient;
  for (std::size_t i = 0; i < student.size(); ++i) {
    device::Buffer<T> on_student(student[i]), on_teacher(teacher[i]);
    const auto chunk = i == 0 ? kernel::LogitChunk::first : kernel::LogitChunk::further;
    device::launch(
        stream, {rows, 1, 1},
        kernel::DivergenceSums<T>{on_student.data(), on_teacher.data(), on_own.data(), on_other.data(), on_sums.data(),
                                  taught.chunks[i], taught.kind, chunk, taught.of_student, taught.of_teacher});
    stream.wait();
  }
  int first = 0;
  for (std::size_t i = 0; i < student.size(); ++i) {
    device::Buffer<T> on_student(student[i]), on_teacher(teacher[i]);
    device::launch(stream, {rows, 1, 1},
                   kernel::DivergenceGradient<T>{on_student.data(), on_teacher.data(), on_own.data(), on_other.data(),
                                                 on_sums.data(), on_soft.data(), hard ? on_weight.data() : nullptr,
                                                 on_plain.data(), on_labels.data(), taught.chunks[i], first,
                                                 taught.kind, taught.of_student, taught.of_teacher});
    gradient.push_back(on_student.download(stream));
    first += taught.chunks[i];
  }
  const auto found_sums = on_sums.download(stream);

  const double u = 0x1p-24, underflow = 1e-30;
  const double steps = vocabulary / 256.0 + 8 + 10 + static_cast<double>(student.size());
  using Kind = kernel::LogitDivergence;
  Outcome outcome;
  for (int row = 0; row < rows; ++row) {
    struct Token {
      Bounded p, q, d;  // d = log(p / q)
    };
    const auto log_of = [&](const ExactForm& form, double logit, float lse) {
      const double value = form(logit) - number(lse);
      return Bounded{value, form.error() + u * (std::abs(form(logit)) + std::abs(value))};
    };
    const auto exponential = [&](const Bounded& x) {
      const double p = std::exp(x.value);
      return Bounded{p, p * std::expm1(x.error + u * (2 * std::abs(x.value) + 4))};
    };
    const auto over_row = [&](const auto& work) {  // work(token, logit, column, gradient)
      for (std::size_t i = 0, column = 0; i < student.size(); ++i) {
        for (int c = 0; c < taught.chunks[i]; ++c, ++column) {
          const auto place = at(row, taught.chunks[i], c);
          const double logit = number(student[i][place]);
          const Bounded log_q = log_of(own, logit, own_lse[at(row)]),
                        log_p = log_of(other, number(teacher[i][place]), other_lse[at(row)]);
          work(Token{exponential(log_p), exponential(log_q), log_p - log_q}, logit, static_cast<int>(column),
               gradient[i][place]);
        }
      }
    };
    const auto minus = [](const Bounded& x) { return Bounded{-x.value, x.error}; };
    Bounded of_teacher, of_student;
    const auto add = [&](Bounded& sum, const Bounded& term) {
      sum.value += term.value;
      sum.error += term.error + steps * u * (std::abs(term.value) + term.error);
    };
    over_row([&](const Token& t, double, int, T) {
      add(of_teacher, t.p * (taught.kind == Kind::jsd ? over_mean(t.d) : t.d));
      add(of_student, t.q * (taught.kind == Kind::jsd ? over_mean(minus(t.d)) : minus(t.d)));
    });
    const auto found_sum = found_sums[at(row)];
    outcome.compare(number(found_sum.of_teacher), of_teacher.value, same ? 0 : of_teacher.error);
    outcome.compare(number(found_sum.of_student), of_student.value, same ? 0 : of_student.error);
    const Bounded half{(of_teacher.value + of_student.value) / 2, (of_teacher.error + of_student.error) / 2};
    const Bounded whole = taught.kind == Kind::forward ? of_teacher : taught.kind == Kind::reverse ? of_student : half;
    outcome.compare(number(found_sum.value(taught.kind)), whole.value,
                    same ? 0 : whole.error + u * std::abs(whole.value));

    const bool counts = labels[at(row)] >= 0;
    const Bounded of_soft{number(soft[at(row)]) * number(taught.of_student.cold), u * 4};
    over_row([&](const Token& t, double logit, int column, T found) {
      Bounded slope = t.q - t.p;
      if (taught.kind == Kind::reverse) slope = t.q * (minus(t.d) - of_student);
      if (taught.kind == Kind::jsd) slope = t.q * (over_mean(minus(t.d)) - of_student) * Bounded{0.5, 0};
      slope = slope * of_soft;
      if (hard) {
        const Bounded z{own.z(logit), own.error() / number(taught.of_student.cold)};
        const Bounded p = exponential(z - Bounded{number(plain_lse[at(row)]), 0});
        const Bounded step =
            (p - Bounded{column == labels[at(row)] ? 1.0 : 0.0, 0}) * Bounded{number(weight[at(row)]), 0};
        slope = slope - minus(step);
      }
      slope = slope * Bounded{own.slope(logit), own.slope_error()};
      if (!counts || (same && !hard)) slope = {0, 0};
      outcome.compare(number(found), slope.value,
                      1.01 * (slope.error + (std::abs(slope.value) + slope.error) * unit_roundoff<T>)+underflow);
    });
  }
  return outcome;
}

inline KernelCases divergence_cases() {
  using device::Stream;
  using Kind = kernel::LogitDivergence;
  using Hard = Taught::Hard;
  using Teacher = Taught::Teacher;
  const Taught forward{{512, 104}, 4, 2, Kind::forward}, reverse{{512, 104}, 4, 2, Kind::reverse};
  const Taught jsd{{300, 1, 37}, 3, 3, Kind::jsd, {0, 0.5f}, {0, 0.5f}, Teacher::another, Hard::yes};
  const Taught bounded{{264}, 3, 20, Kind::forward, {30, 0.5f}, {50, 0.5f}, Teacher::another, Hard::yes};
  const Taught sharp{{264}, 3, 20, Kind::reverse, {30, 2}, {0, 2}};
  const Taught one{{1}, 1, 1, Kind::jsd};
  KernelCases cases{
      {"divergence: forward, bf16, two chunks", [=](Stream& s) { return distillation<bf16>(s, forward); }},
      {"divergence: reverse, bf16, two chunks", [=](Stream& s) { return distillation<bf16>(s, reverse); }},
      {"divergence: jsd at a temperature of 2, with cross-entropy, chunks that are not aligned",
       [=](Stream& s) { return distillation<bf16>(s, jsd); }},
      {"divergence: forward at a temperature of 2, with cross-entropy, logits bounded by 30 and 50, float",
       [=](Stream& s) { return distillation<float>(s, bounded); }},
      {"divergence: reverse at a temperature of a half, the student's logits bounded, float",
       [=](Stream& s) { return distillation<float>(s, sharp); }},
      {"divergence: one row, one word", [=](Stream& s) { return distillation<float>(s, one); }},
  };
  for (const auto kind : {Kind::forward, Kind::reverse, Kind::jsd}) {
    const Taught itself{{128, 9}, 2, 5, kind, {30, 0.7f}, {30, 0.7f}, Teacher::itself};
    cases.push_back({"divergence: a student that is its own teacher, kind " + std::to_string(static_cast<int>(kind)),
                     [=](Stream& s) { return distillation<bf16>(s, itself); }});
  }
  return cases;
}

}  // namespace temper::test::kernels
