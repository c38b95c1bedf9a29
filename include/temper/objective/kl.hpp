// SPDX-License-Identifier: MIT
// How far a policy has gone from its reference, told from the log-probabilities of tokens that the policy drew
// (Schulman, 'Approximating KL divergence', 2020), and a coefficient that holds it at a distance (Ziegler et al.,
// 'Fine-tuning language models from human preferences', 2019).
#pragma once
#include <algorithm>
#include <cmath>

#include "temper/core/error.hpp"

namespace temper {

// k1 = log(p / p_ref): its mean is the divergence, one token may be below 0.
// k3 = p_ref / p - 1 + log(p / p_ref): the same mean, less spread, never below 0.
enum class KlEstimator { k1, k3 };

inline double kl_of_token(KlEstimator estimator, double logp, double reference) {
  const double apart = logp - reference;
  return estimator == KlEstimator::k1 ? apart : std::expm1(-apart) + apart;
}
// Its derivative by logp, for losses that have it as a term.
inline double kl_slope(KlEstimator estimator, double logp, double reference) {
  return estimator == KlEstimator::k1 ? 1 : -std::expm1(reference - logp);
}

// Raises the coefficient where the divergence of a response is above the target and lowers it where it is below, by at
// most a fifth in 'horizon' responses; more than these at once count as so many, so that it stays above 0.
struct AdaptiveKl {
  double target = 6;
  double horizon = 10'000;

  double next(double coefficient, double divergence, double responses) const {
    require(target > 0 && horizon > 0, Fault::usage, "ppo.adaptive_kl",
            "an adaptive KL coefficient with target {} and horizon {}; expected both above 0", target, horizon);
    const double counted = std::min(responses, horizon);
    return coefficient * (1 + std::clamp(divergence / target - 1, -0.2, 0.2) * counted / horizon);
  }
};

}  // namespace temper
