// SPDX-License-Identifier: MIT
// The head of distillation: the student's logits z = hidden weight^T and the teacher's w = teacher_hidden
// teacher_weight^T, a block of rows of each at a time, become the divergence of softmax(z / T) and softmax(w / T) and
// the student's gradient, in one pass.
//   loss = alpha T^2 D + (1 - alpha) (lse(z) - z_target)
//   dD/dz_j = (q_j - p_j) / T                    forward, KL(p, q) = sum p log(p / q)
//             q_j (log(q_j / p_j) - D) / T       reverse, KL(q, p) = sum q log(q / p)
//             q_j (g_j - sum q g) / T            jsd, m = (p + q) / 2, g = log(q / m) / 2
// Arithmetic is ordered so that a student that is its own teacher has D = 0 and no gradient, exactly.
#pragma once
#include "temper/backend/cpu/head.hpp"

namespace temper {

// c + log(1 + w) for w in [0, 1]: 2 artanh(s) with s = w / (2 + w), free of branches; the last product is fused with c.
inline float log_one_plus(float w, float c = 0) {
  const float s = w / (2.0f + w), square = s * s;
  float p = 2.0f / 13;
  p = multiply_add(p, square, 2.0f / 11);
  p = multiply_add(p, square, 2.0f / 9);
  p = multiply_add(p, square, 2.0f / 7);
  p = multiply_add(p, square, 2.0f / 5);
  p = multiply_add(p, square, 2.0f / 3);
  return multiply_add(s, multiply_add(p, square, 2.0f), c);
}
inline double log_one_plus(double w, double c = 0) { return c + std::log1p(w); }

// log(2 / (1 + e^-d)): what log(p / m) is for d = log(p / q). Zero for zero.
template <class Real>
Real log_over_mean(Real d) {
  const Real below = d < 0 ? -d : Real(0), size = d < 0 ? -d : d;
  return log_one_plus(Real(1)) - log_one_plus(exponential(-size), below);
}

// softmax(z / T) of one row.
template <class Real>
struct SoftRow {
  const Real* z;
  Real maximum, cold;  // 1 / T
  double sum = 0;      // of exp((z - maximum) / T)

  SoftRow(const Real* row, Index n, double temperature)
      : z(row), maximum(maximum_of(row, n)), cold(static_cast<Real>(1 / temperature)) {
    sum = sum_of_row<Real>(n, [this](Index j) { return exponent(j); });
  }
  Real exponent(Index j) const { return exponential((z[j] - maximum) * cold); }
};

// The divergence of one row, and dz[j] = soft dD/dz_j T + hard exp(z_j - highest) in the student's place.
struct RowGradient {
  double soft, hard, highest;
};
template <class Real>
double distill_row(Real* z, const Real* w, Index n, const Distill& settings, const RowGradient* gradient) {
  const SoftRow<Real> student(z, n, settings.temperature), teacher(w, n, settings.temperature);
  const Real shift = static_cast<Real>(std::log(student.sum) - std::log(teacher.sum));
  // d = log(p / q); with equal rows 0, whatever is fused.
  const auto difference = [&](Index j) {
    return multiply_add((w[j] - teacher.maximum) - (z[j] - student.maximum), student.cold, shift);
  };
  const auto fill = [&](auto slope) {
    if (!gradient) return;
    const Real hard = static_cast<Real>(gradient->hard), highest = static_cast<Real>(gradient->highest);
    for (Index j = 0; j < n; ++j) {
      const Real own = slope(j);
      z[j] = multiply_add(hard, exponential(z[j] - highest), own);
    }
  };
  const double soft = gradient ? gradient->soft : 0;
  const Real share = static_cast<Real>(soft / student.sum);
  switch (settings.divergence) {
    case Divergence::forward: {
      const double sum =
          chains_of_row<Real>(
              n, [&](Index j, Real chain) { return multiply_add(teacher.exponent(j), difference(j), chain); }) /
          teacher.sum;
      const Real ratio = static_cast<Real>(student.sum / teacher.sum);
      fill([&](Index j) { return share * multiply_add(-ratio, teacher.exponent(j), student.exponent(j)); });
      return sum;
    }
    case Divergence::reverse: {
      const double sum = -chains_of_row<Real>(n, [&](Index j, Real chain) {
        return multiply_add(student.exponent(j), difference(j), chain);
      }) / student.sum;
      const Real mean = static_cast<Real>(sum);
      fill([&](Index j) { return share * student.exponent(j) * (-difference(j) - mean); });
      return sum;
    }
    case Divergence::jsd:
      break;
  }
  const double from_teacher =
      chains_of_row<Real>(
          n, [&](Index j, Real sum) { return multiply_add(teacher.exponent(j), log_over_mean(difference(j)), sum); }) /
      teacher.sum;
  const double from_student =
      chains_of_row<Real>(
          n, [&](Index j, Real sum) { return multiply_add(student.exponent(j), log_over_mean(-difference(j)), sum); }) /
      student.sum;
  const Real mean = static_cast<Real>(from_student), half = share / 2;
  fill([&](Index j) { return half * student.exponent(j) * (log_over_mean(-difference(j)) - mean); });
  return (from_teacher + from_student) / 2;
}

inline void check_distill(const Distill& settings) {
  require(settings.temperature > 0 && std::isfinite(settings.temperature) && settings.alpha >= 0 && settings.alpha <= 1,
          Fault::usage, "distillation.settings",
          "distillation at temperature {} with alpha {}; expected a temperature above 0 and alpha from 0 to 1",
          settings.temperature, settings.alpha);
}

// Rows of logits that are held at a time, of student and teacher each: together as many bytes as logits_rows allows.
constexpr Index distilled_rows(Index vocabulary) { return logits_rows(2 * vocabulary); }

// loss, divergence (at the temperature, without T^2), nll (= -log p of the target, at temperature 1) and correct (the
// target has the largest logit, and the lowest index among equals) [S].
template <class Real>
struct DistilledRows {
  OutVector<Real> loss, divergence, nll;
  OutList<Real, std::int32_t> correct;
};

// 'judge_of(begin, end)' is asked once for each block of 'at_once' rows, and gives what is asked for each of them:
// judge(z, row of the block, gradient or null), as distill_row.
template <class Real, class JudgeOf>
void distill_rows(Context<Cpu<Real>>& ctx, const DistilledRows<Real>& result, TargetMatrix<Real> dhidden,
                  OntoGradient<Real> dweight, InMatrix<Real> hidden, InTable<Real> weight,
                  InList<Real, TokenId> targets, Distill settings, std::type_identity_t<Real> gradient_scale,
                  Index at_once, JudgeOf judge_of) {
  check_head<Real>("distillation", hidden, weight, targets);
  check_distill(settings);
  const Index count = hidden.rows(), vocabulary = weight.rows;
  const auto& [loss, divergence, nll, correct] = result;
  require(loss.size() == count && divergence.size() == count && nll.size() == count && correct.size() == count,
          Fault::usage, "head.shape",
          "distillation: there are {} rows but {} losses, {} divergences, {} nll and {} correct; expected equal", count,
          loss.size(), divergence.size(), nll.size(), correct.size());
  const bool gradient = !dhidden.view.empty() || !dweight.empty();
  const auto on_block = [&](OutMatrix<Real> logits, Index begin, Index end) {
    const auto scope = ctx.scope();
    const auto judge = judge_of(begin, end);
    const double size = static_cast<double>(logits.size());
    ctx.run("distillation", {(gradient ? 140 : 100) * size, (gradient ? 3 : 2) * bytes_of_all(logits)}, [&] {
      check_targets<Real>("distillation", targets.slice(begin, end), vocabulary);
      over_rows(ctx, end - begin, vocabulary, [&](Index row) {
        Real* z = &logits(row, 0);
        const Index i = begin + row, target = targets(i);
        const Real own = z[target];
        const bool first = std::find(z, z + target, own) == z + target;
        const RowOfLogits plain = reduce_logits(z, vocabulary, Exponentials::dropped);
        const double temperature = settings.temperature, hard = 1 - settings.alpha;
        const double scale = static_cast<double>(gradient_scale), cross = plain.log_sum() - static_cast<double>(own);
        const RowGradient slopes{scale * settings.alpha * temperature, scale * hard / plain.sum, plain.maximum};
        const double apart = judge(z, row, gradient ? &slopes : nullptr);
        if (gradient) z[target] -= static_cast<Real>(scale * hard);
        result.loss(i) = static_cast<Real>(settings.alpha * temperature * temperature * apart + hard * cross);
        result.divergence(i) = static_cast<Real>(apart);
        result.nll(i) = static_cast<Real>(cross);
        result.correct(i) = first && static_cast<double>(own) == plain.maximum ? 1 : 0;
      });
    });
  };
  over_logits(ctx, dhidden, dweight, hidden, weight, on_block, 1, at_once);
}

// Gradients of the sum of losses, times gradient_scale, go to dhidden and onto dweight; either may be empty.
template <class Real>
void distillation(Context<Cpu<Real>>& ctx, OutVector<Real> loss, OutVector<Real> divergence, OutVector<Real> nll,
                  OutList<Real, std::int32_t> correct, TargetMatrix<Real> dhidden, OntoGradient<Real> dweight,
                  InMatrix<Real> hidden, InTable<Real> weight, InMatrix<Real> teacher_hidden,
                  InTable<Real> teacher_weight, InList<Real, TokenId> targets, Distill settings,
                  std::type_identity_t<Real> gradient_scale) {
  check_head<Real>("distillation", teacher_hidden, teacher_weight, targets);
  const Index vocabulary = weight.rows;
  require(teacher_weight.rows == vocabulary, Fault::usage, "head.shape",
          "distillation: the student has {} tokens and the teacher {}; expected equal", vocabulary,
          teacher_weight.rows);
  const auto judge_of = [&](Index begin, Index end) {
    const OutMatrix<Real> taught = scratch<Real>(ctx, end - begin, vocabulary);
    matmul(ctx, into(taught), teacher_hidden.slice(begin, end), teacher_weight);
    return [=, &settings](Real* z, Index row, const RowGradient* gradient) {
      return distill_row(z, &taught(row, 0), vocabulary, settings, gradient);
    };
  };
  distill_rows(ctx, DistilledRows<Real>{loss, divergence, nll, correct}, dhidden, dweight, hidden, weight, targets,
               settings, gradient_scale, distilled_rows(vocabulary), judge_of);
}

}  // namespace temper
