// SPDX-License-Identifier: MIT
// Rotary position embedding (Su et al. 2021) in Hugging Face's layout: channel c of the first half of a head turns with
// channel c of the second half by position * frequency[c]. Scalings follow transformers' modeling_rope_utils, in float
// where it computes in float.
#pragma once
#include <cmath>
#include <numbers>
#include <vector>

#include "temper/model/config.hpp"

namespace temper {

// One frequency for each pair of channels. 'length' is that of the document: only dynamic scaling depends on it. Real
// is the precision of the backend: with float every step rounds where transformers rounds, with double none does.
template <class Real>
void rope_frequencies(const Rope& rope, Index head_width, Index length, std::vector<Real>& frequencies) {
  frequencies.resize(static_cast<std::size_t>(head_width / 2));
  const auto width = static_cast<double>(head_width);
  double theta = rope.theta;
  if (rope.kind == Rope::Kind::dynamic && length > rope.original_positions) {
    const double stretch = rope.factor * static_cast<double>(length) / static_cast<double>(rope.original_positions);
    theta *= std::pow(stretch - (rope.factor - 1), width / (width - 2));
  }
  for (std::size_t c = 0; c < frequencies.size(); ++c) {
    double f = static_cast<Real>(1 / std::pow(theta, 2 * static_cast<double>(c) / width));
    if (rope.kind == Rope::Kind::linear) f /= rope.factor;
    if (rope.kind == Rope::Kind::llama3) {
      // Wavelengths beyond the trained length are stretched, short ones stay, those between are blended.
      const auto original = static_cast<double>(rope.original_positions);
      const double wavelength = 2 * std::numbers::pi / f;
      const double blend = (original / wavelength - rope.low_frequency) / (rope.high_frequency - rope.low_frequency);
      if (wavelength > original / rope.low_frequency)
        f /= rope.factor;
      else if (wavelength >= original / rope.high_frequency)
        f = (1 - blend) * f / rope.factor + blend * f;
    }
    frequencies[c] = static_cast<Real>(f);
  }
}

// Fills one row of the tables: cosines and sines of one position.
template <class Real>
void rope_row(const std::vector<Real>& frequencies, Index position, Real* cosines, Real* sines) {
  for (std::size_t c = 0; c < frequencies.size(); ++c) {
    const Real angle = static_cast<Real>(position) * frequencies[c];
    cosines[c] = static_cast<Real>(std::cos(static_cast<double>(angle)));
    sines[c] = static_cast<Real>(std::sin(static_cast<double>(angle)));
  }
}

}  // namespace temper
