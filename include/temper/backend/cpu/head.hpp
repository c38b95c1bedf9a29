// SPDX-License-Identifier: MIT
// The language head and what is made of its logits z = hidden weight^T, never held all at once: blocks of rows are
// computed, reduced, and turned into gradients in place. hidden [S, D] holds supervised rows only; weight [V, D];
// targets [S].
//   lse = log sum exp(z)        log p = z_target - lse        p = exp(z - lse)
//   cross entropy = (1 - smoothing) (lse - z_target) + smoothing (lse - mean z) + z_loss lse^2
// Log-probabilities may be those at a temperature: then z = scale hidden weight^T with scale = 1 / temperature.
// Sums over a row go in stretches of 1024: each a fixed tree in Real, the stretches in order in double.
#pragma once
#include "temper/backend/cpu/gradient.hpp"
#include "temper/backend/cpu/linear.hpp"
#include "temper/backend/cpu/math.hpp"
#include "temper/backend/cpu/operands.hpp"
#include "temper/backend/operations.hpp"

namespace temper {

// Rows of logits that are held at a time, a function of the vocabulary alone: about 160 MB in float, at most 1024 rows.
constexpr Index logits_rows(Index vocabulary) {
  const Index fitting = 40'000'000 / std::max<Index>(1, vocabulary);
  return fitting >= 1024 ? 1024 : fitting >= 128 ? fitting / 64 * 64 : std::max<Index>(16, fitting / 16 * 16);
}

template <class Real>
void check_head(std::string_view name, InMatrix<Real> hidden, InTable<Real> weight, InList<Real, TokenId> targets) {
  require(hidden.cols() == weight.cols && targets.size() == hidden.rows(), Fault::usage, "head.shape",
          "{}: hidden is [{}, {}], weight [{}, {}] and there are {} targets; expected equal columns and a target a row",
          name, hidden.rows(), hidden.cols(), weight.rows, weight.cols, targets.size());
}

template <class Real>
void check_targets(std::string_view name, InList<Real, TokenId> targets, Index vocabulary) {
  for (Index i = 0; i < targets.size(); ++i)
    require(targets(i) >= 0 && targets(i) < vocabulary, Fault::usage, "head.target",
            "{}: target {} at place {} is no token; expected 0 to {}; check that the tokenizer belongs to the model",
            name, targets(i), i, vocabulary - 1);
}

// The chains of next(j, sum) over a row, accurate for long rows; and the sum of term(j).
inline constexpr Index row_stretch = 1024;
template <class Real, class Next>
double chains_of_row(Index n, Next next) {
  double sum = 0;
  for (Index begin = 0; begin < n; begin += row_stretch)
    sum += static_cast<double>(chains_over<Real>(std::min(row_stretch, n - begin),
                                                 [&](Index j, Real of_chain) { return next(begin + j, of_chain); }));
  return sum;
}
template <class Real, class Term>
double sum_of_row(Index n, Term term) {
  return chains_of_row<Real>(n, [&](Index j, Real sum) { return sum + term(j); });
}

// One row of logits; afterwards the row holds exp(z - maximum) if it is to be kept.
enum class Exponentials { dropped, kept };
struct RowOfLogits {
  double maximum = 0, sum = 0;  // of z, and of exp(z - maximum)
  double log_sum() const { return maximum + std::log(sum); }
};
template <class Real>
RowOfLogits reduce_logits(Real* z, Index n, Exponentials exponentials) {
  const Real maximum = maximum_of(z, n);
  const double sum = exponentials == Exponentials::kept
                         ? sum_of_row<Real>(n, [=](Index j) { return z[j] = exponential(z[j] - maximum); })
                         : sum_of_row<Real>(n, [=](Index j) { return exponential(z[j] - maximum); });
  return {static_cast<double>(maximum), sum};
}

// -sum p log p of a row that still holds z.
template <class Real>
double entropy_of_logits(const Real* z, Index n, const RowOfLogits& row) {
  const Real maximum = static_cast<Real>(row.maximum);
  const double below = chains_of_row<Real>(
      n, [=](Index j, Real sum) { return multiply_add(exponential(z[j] - maximum), z[j] - maximum, sum); });
  return std::log(row.sum) - below / row.sum;
}

// Calls on_block(logits, begin, end) for blocks of rows of z = scale hidden weight^T; then, if there is a place for
// them, takes what it left in the logits for their gradient: dhidden (+)= scale dz weight, dweight += scale dz^T
// hidden.
template <class Real, class OnBlock>
void over_logits(Context<Cpu<Real>>& ctx, TargetMatrix<Real> dhidden, OntoGradient<Real> dweight, InMatrix<Real> hidden,
                 InTable<Real> weight, OnBlock on_block, std::type_identity_t<Real> scale = 1, Index at_once = 0) {
  require(dhidden.view.empty() || dhidden.view.shape == hidden.shape, Fault::usage, "head.shape",
          "head: dhidden is [{}, {}] but hidden is [{}, {}]; expected equal, or no dhidden", dhidden.view.rows(),
          dhidden.view.cols(), hidden.rows(), hidden.cols());
  require(dweight.empty() || (dweight.rows() == weight.rows && dweight.cols() == weight.cols), Fault::usage,
          "head.shape", "head: dweight is [{}, {}] but weight is [{}, {}]; expected equal, or no dweight",
          dweight.rows(), dweight.cols(), weight.rows, weight.cols);
  const auto scope = ctx.scope();
  const Pieces blocks = Pieces::of(hidden.rows(), at_once > 0 ? at_once : logits_rows(weight.rows));
  const OutMatrix<Real> all = scratch<Real>(ctx, std::min(blocks.total, blocks.each), weight.rows);
  for (Index block = 0; block < blocks.count(); ++block) {
    const Index begin = blocks.begin(block), end = blocks.end(block);
    const OutMatrix<Real> logits = all.slice(0, end - begin);
    matmul(ctx, into(logits), hidden.slice(begin, end), weight, scale);
    on_block(logits, begin, end);
    if (!dhidden.view.empty())
      matmul_transposed(ctx, {dhidden.view.slice(begin, end), dhidden.add}, logits, weight, scale);
    if (!dweight.empty()) matmul_outer(ctx, dweight.addend(block), logits, hidden.slice(begin, end), scale);
  }
}

// loss, nll (= -log p) and correct (the target has the largest logit, and the lowest index among equals) [S]. Gradients
// of the sum of losses, times gradient_scale, go to dhidden and onto dweight; either may be empty.
template <class Real>
void cross_entropy(Context<Cpu<Real>>& ctx, OutVector<Real> loss, OutVector<Real> nll,
                   OutList<Real, std::int32_t> correct, TargetMatrix<Real> dhidden, OntoGradient<Real> dweight,
                   InMatrix<Real> hidden, InTable<Real> weight, InList<Real, TokenId> targets, CrossEntropy settings,
                   std::type_identity_t<Real> gradient_scale) {
  check_head<Real>("cross_entropy", hidden, weight, targets);
  require(loss.size() == hidden.rows() && nll.size() == hidden.rows() && correct.size() == hidden.rows(), Fault::usage,
          "head.shape", "cross_entropy: there are {} rows but {} losses, {} nll and {} correct; expected equal",
          hidden.rows(), loss.size(), nll.size(), correct.size());
  const bool gradient = !dhidden.view.empty() || !dweight.empty();
  over_logits(ctx, dhidden, dweight, hidden, weight, [&](OutMatrix<Real> logits, Index begin, Index end) {
    const double size = static_cast<double>(logits.size());
    ctx.run("cross_entropy", {(gradient ? 20 : 18) * size, (gradient ? 2 : 1) * bytes_of_all(logits)}, [&] {
      check_targets<Real>("cross_entropy", targets.slice(begin, end), weight.rows);
      const Index vocabulary = weight.rows;
      over_rows(ctx, end - begin, vocabulary, [&](Index row) {
        Real* z = &logits(row, 0);
        const Index i = begin + row, target = targets(i);
        const Real own = z[target];
        const double z_target = static_cast<double>(own), count = static_cast<double>(vocabulary);
        const double mean =
            settings.smoothing == 0 ? 0 : sum_of_row<Real>(vocabulary, [=](Index j) { return z[j]; }) / count;
        // Looked for before the logits are overwritten.
        const bool first = std::find(z, z + target, own) == z + target;
        const RowOfLogits reduced = reduce_logits(z, vocabulary, gradient ? Exponentials::kept : Exponentials::dropped);
        const double lse = reduced.log_sum(), plain = lse - z_target;
        nll(i) = static_cast<Real>(plain);
        loss(i) = static_cast<Real>((1 - settings.smoothing) * plain + settings.smoothing * (lse - mean) +
                                    settings.z_loss * lse * lse);
        correct(i) = first && z_target == reduced.maximum ? 1 : 0;
        if (!gradient) return;
        const double scale = static_cast<double>(gradient_scale);
        const Real factor = static_cast<Real>(scale * (1 + 2 * settings.z_loss * lse) / reduced.sum);
        const Real offset = static_cast<Real>(-scale * settings.smoothing / count);
        for (Index j = 0; j < vocabulary; ++j) z[j] = multiply_add(z[j], factor, offset);
        z[target] -= static_cast<Real>(scale * (1 - settings.smoothing));
      });
    });
  });
}

// logp = z_target - lse, lse, and where there is a place for it the entropy -sum p log p, all [S].
template <class Real>
void log_probs(Context<Cpu<Real>>& ctx, OutVector<Real> logp, OutVector<Real> lse, InMatrix<Real> hidden,
               InTable<Real> weight, InList<Real, TokenId> targets, std::type_identity_t<Real> scale = 1,
               OutVector<Real> entropy = {}) {
  check_head<Real>("log_probs", hidden, weight, targets);
  require(logp.size() == hidden.rows() && lse.size() == hidden.rows() &&
              (entropy.empty() || entropy.size() == hidden.rows()),
          Fault::usage, "head.shape",
          "log_probs: there are {} rows but {} logp, {} lse and {} entropies; expected equal, or no entropies",
          hidden.rows(), logp.size(), lse.size(), entropy.size());
  const auto on_block = [&](OutMatrix<Real> logits, Index begin, Index end) {
    const double each = entropy.empty() ? 18 : 36;
    ctx.run("log_probs", {each * static_cast<double>(logits.size()), bytes_of_all(logits)}, [&] {
      check_targets<Real>("log_probs", targets.slice(begin, end), weight.rows);
      over_rows(ctx, end - begin, weight.rows, [&](Index row) {
        Real* z = &logits(row, 0);
        const RowOfLogits reduced = reduce_logits(z, weight.rows, Exponentials::dropped);
        const double log_sum = reduced.log_sum();
        lse(begin + row) = static_cast<Real>(log_sum);
        logp(begin + row) = static_cast<Real>(static_cast<double>(z[targets(begin + row)]) - log_sum);
        if (!entropy.empty()) entropy(begin + row) = static_cast<Real>(entropy_of_logits(z, weight.rows, reduced));
      });
    });
  };
  over_logits(ctx, {}, {}, hidden, weight, on_block, scale);
}

// dz = dlogp (1 at the target - p), with the logits computed once more.
template <class Real>
void log_probs_backward(Context<Cpu<Real>>& ctx, OutMatrix<Real> dhidden, OntoGradient<Real> dweight,
                        InVector<Real> dlogp, InVector<Real> lse, InMatrix<Real> hidden, InTable<Real> weight,
                        InList<Real, TokenId> targets, std::type_identity_t<Real> scale = 1) {
  check_head<Real>("log_probs_backward", hidden, weight, targets);
  require(dlogp.size() == hidden.rows() && lse.size() == hidden.rows(), Fault::usage, "head.shape",
          "log_probs_backward: there are {} rows but {} dlogp and {} lse; expected equal", hidden.rows(), dlogp.size(),
          lse.size());
  const auto on_block = [&](OutMatrix<Real> logits, Index begin, Index end) {
    ctx.run("log_probs_backward", {18 * static_cast<double>(logits.size()), 2 * bytes_of_all(logits)}, [&] {
      check_targets<Real>("log_probs_backward", targets.slice(begin, end), weight.rows);
      over_rows(ctx, end - begin, weight.rows, [&](Index row) {
        Real* z = &logits(row, 0);
        const Real normaliser = lse(begin + row), factor = dlogp(begin + row);
        for (Index j = 0; j < weight.rows; ++j) z[j] = -factor * exponential(z[j] - normaliser);
        z[targets(begin + row)] += factor;
      });
    });
  };
  over_logits(ctx, into(dhidden), dweight, hidden, weight, on_block, scale);
}

// y = hidden weight^T, all of it: for generation.
template <class Real>
void logits(Context<Cpu<Real>>& ctx, OutMatrix<Real> y, InMatrix<Real> hidden, InTable<Real> weight) {
  matmul(ctx, into(y), hidden, weight);
}

}  // namespace temper
