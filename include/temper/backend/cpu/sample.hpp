// SPDX-License-Identifier: MIT
// A token drawn for each row of hidden [S, D] from p = exp(z - lse), z = scale hidden weight^T, by inverse transform in
// the order of ids: the token at which the sum of p passes the row's uniform number. With it log p of that token, with
// the bits of log_probs, and the entropy of the row. Each row by itself, whatever stands beside it.
#pragma once
#include "temper/backend/cpu/head.hpp"

namespace temper {

// Which token of a row holds the place 'uniform' in [0, 1). What rounding leaves over goes to the likeliest.
template <class Real>
TokenId draw_token(const Real* z, Index n, const RowOfLogits& row, double uniform) {
  const Real maximum = static_cast<Real>(row.maximum);
  const auto weight = [=](Index j) { return exponential(z[j] - maximum); };
  double left = uniform * row.sum;
  for (Index begin = 0; begin < n; begin += row_stretch) {
    const Index count = std::min(row_stretch, n - begin);
    const auto sum = static_cast<double>(sum_over<Real>(count, [&](Index j) { return weight(begin + j); }));
    if (left >= sum) {
      left -= sum;
      continue;
    }
    for (Index j = begin; j < begin + count; ++j)
      if ((left -= static_cast<double>(weight(j))) < 0) return static_cast<TokenId>(j);
    break;
  }
  // Where no logit is a number there is no likeliest either, and log p says so.
  return static_cast<TokenId>(std::min(std::find(z, z + n, maximum) - z, n - 1));
}

// tokens, logp and entropy [S]; uniforms [S].
template <class Real>
void sample(Context<Cpu<Real>>& ctx, OutList<Real, TokenId> tokens, OutVector<Real> logp, OutVector<Real> entropy,
            InMatrix<Real> hidden, InTable<Real> weight, InList<Real, double> uniforms,
            std::type_identity_t<Real> scale = 1) {
  const Index rows = hidden.rows();
  require(hidden.cols() == weight.cols && weight.rows > 0, Fault::usage, "sample.shape",
          "sample: hidden is [{}, {}] and weight [{}, {}]; expected equal columns, and a vocabulary", rows,
          hidden.cols(), weight.rows, weight.cols);
  require(tokens.size() == rows && logp.size() == rows && entropy.size() == rows && uniforms.size() == rows,
          Fault::usage, "sample.shape",
          "sample: there are {} rows but {} tokens, {} logp, {} entropies and {} uniform numbers; expected equal", rows,
          tokens.size(), logp.size(), entropy.size(), uniforms.size());
  const auto on_block = [&](OutMatrix<Real> logits, Index begin, Index end) {
    ctx.run("sample", {54 * static_cast<double>(logits.size()), bytes_of_all(logits)}, [&] {
      over_rows(ctx, end - begin, weight.rows, [&](Index row) {
        Real* z = &logits(row, 0);
        const Index i = begin + row;
        const RowOfLogits reduced = reduce_logits(z, weight.rows, Exponentials::dropped);
        tokens(i) = draw_token(z, weight.rows, reduced, uniforms(i));
        logp(i) = static_cast<Real>(static_cast<double>(z[tokens(i)]) - reduced.log_sum());
        entropy(i) = static_cast<Real>(entropy_of_logits(z, weight.rows, reduced));
      });
    });
  };
  over_logits(ctx, {}, {}, hidden, weight, on_block, scale);
}

}  // namespace temper
