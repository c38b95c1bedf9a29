// SPDX-License-Identifier: MIT
// Learning rates as functions of the optimizer step, counted from 0. Values are transformers' get_scheduler's, digit
// for digit: with warm-up, step 0 has rate 0.
#pragma once
#include <algorithm>
#include <cmath>
#include <concepts>
#include <numbers>

#include "temper/core/types.hpp"

namespace temper {

template <class S>
concept Schedule = requires(const S& schedule, Step step) {
  { schedule(step) } -> std::same_as<double>;
};

// The share of the peak while the rate climbs; 1 afterwards.
inline double warmup_share(Step step, Step warmup) {
  return step < warmup ? static_cast<double>(step) / static_cast<double>(std::max<Step>(1, warmup)) : 1;
}

// share (1 - lowest) + lowest, rounded twice as Python rounds it: volatile keeps compilers from fusing the two.
inline double above_floor(double share, double lowest) {
  const volatile double scaled = share * (1 - lowest);
  return scaled + lowest;
}

struct Constant {
  double peak = 1e-4;
  Step warmup = 0;
  double operator()(Step step) const { return peak * warmup_share(step, warmup); }
};

// A schedule that falls: the warm-up, and 'after' it.
template <class After>
double after_warmup(double peak, Step warmup, Step step, After after) {
  return step < warmup ? peak * warmup_share(step, warmup) : after();
}

// The share of a fall over 'length' steps that 'step' of them have done.
inline double share_done(Step step, Step length) {
  return static_cast<double>(step) / static_cast<double>(std::max<Step>(1, length));
}

// From the peak to zero in a line; 'floor' lies under it.
struct Linear {
  double peak = 1e-4;
  Step warmup = 0, total = 0;
  double floor = 0;
  double operator()(Step step) const {
    return after_warmup(peak, warmup, step, [&] {
      return std::max(floor, peak * std::max(0.0, share_done(total - step, total - warmup)));
    });
  }
};

// Half a cosine from the peak to the floor.
struct Cosine {
  double peak = 1e-4;
  Step warmup = 0, total = 0;
  double floor = 0;
  double operator()(Step step) const {
    return after_warmup(peak, warmup, step, [&] {
      const double done = share_done(step - warmup, total - warmup);
      const double share = 0.5 * (1 + std::cos(std::numbers::pi * 0.5 * 2 * done));
      return peak * std::max(0.0, above_floor(share, floor / peak));
    });
  }
};

// Warm up, stay, decay in a line over the last tenth of the steps.
struct WarmupStableDecay {
  double peak = 1e-4;
  Step warmup = 0, total = 0;
  double floor = 0;
  double operator()(Step step) const {
    return after_warmup(peak, warmup, step, [&] {
      const Step decay = total / 10, fall = total - decay;
      if (step < fall) return peak;
      if (step >= fall + decay) return floor;
      return peak * std::max(0.0, above_floor(1 - share_done(step - fall, decay), floor / peak));
    });
  }
};

}  // namespace temper
