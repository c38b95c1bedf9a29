// SPDX-License-Identifier: MIT
// The 256 numbers of bitsandbytes' dynamic data type (Dettmers et al. 2022, 8-bit Optimizers via Block-wise
// Quantization): seven decades down from 1, each with twice the steps of the one below it; zero and one are exact. The
// code of x is the number nearest to it: how many of the 255 midpoints lie below x.
#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "temper/core/view.hpp"

namespace temper {

enum class Signs { both, positive };

struct DynamicMap {
  static constexpr std::size_t codes = 256, decades = 7;
  std::array<float, codes> value{};
  std::array<float, codes - 1> midpoint{};

  // In float, and rounded where torch.linspace rounds.
  explicit constexpr DynamicMap(Signs signs) {
    constexpr std::array<float, decades> scale = {1e-6f, 1e-5f, 1e-4f, 1e-3f, 1e-2f, 1e-1f, 1e0f};
    std::size_t count = 0;
    for (std::size_t decade = 0; decade < decades; ++decade) {
      const std::size_t steps = std::size_t{1} << (decade + (signs == Signs::both ? 0 : 1));
      for (std::size_t i = 0; i < steps; ++i) {
        const float mean = (boundary(i, steps) + boundary(i + 1, steps)) / 2;
        value[count++] = scale[decade] * mean;
        if (signs == Signs::both) value[count++] = -(scale[decade] * mean);
      }
    }
    value[count++] = 0;
    value[count++] = 1;
    std::sort(value.begin(), value.end());
    for (std::size_t i = 0; i < midpoint.size(); ++i) midpoint[i] = (value[i] + value[i + 1]) / 2;
  }

 private:
  // Element i of linspace(0.1, 1, steps + 1): counted from the nearer end, each product and sum rounded once.
  static constexpr float boundary(std::size_t i, std::size_t steps) {
    const float step = (1.0f - 0.1f) / static_cast<float>(steps);
    const auto from = [step](std::size_t count) { return static_cast<double>(step) * static_cast<double>(count); };
    if (i < (steps + 1) / 2) return static_cast<float>(static_cast<double>(0.1f) + from(i));
    return static_cast<float>(1.0 - from(steps - i));
  }
};

template <Signs S>
inline constexpr DynamicMap dynamic_map{S};

// Elements that share a scale: the largest magnitude among them, in which their codes count.
inline constexpr Index code_block = 256;
constexpr Index code_blocks(Index elements) { return (elements + code_block - 1) / code_block; }

// Encodes up to 256 numbers; their largest magnitude, in which the codes count.
template <Signs S, class Real>
Real encode_block(const Real* x, Index count, std::uint8_t* codes) {
  constexpr Real least = static_cast<Real>(1e-38f);
  Real largest = 0;
  for (Index i = 0; i < count; ++i) largest = std::max(largest, std::abs(x[i]));
  // A block that is cut short is divided by its scale, a whole one multiplied with the reciprocal, as bitsandbytes
  // rounds them.
  const bool whole = count == code_block;
  if (!whole) largest = std::max(largest, least);
  const Real reciprocal = 1 / std::max(largest, least);
  Real shares[code_block] = {};
  std::int32_t code[code_block] = {};
  for (Index i = 0; i < count; ++i)
    shares[i] = std::clamp(whole ? x[i] * reciprocal : x[i] / largest, Real(-1), Real(1));
  for (std::int32_t step = 128; step > 0; step /= 2)
    for (Index i = 0; i < code_block; ++i) {
      const float middle = dynamic_map<S>.midpoint[static_cast<std::size_t>(code[i] + step - 1)];
      code[i] += static_cast<Real>(middle) < shares[i] ? step : 0;
    }
  for (Index i = 0; i < count; ++i) codes[i] = static_cast<std::uint8_t>(code[i]);
  return largest;
}

template <Signs S, class Real>
void decode_block(const std::uint8_t* codes, Index count, Real scale, Real* x) {
  for (Index i = 0; i < count; ++i) x[i] = static_cast<Real>(dynamic_map<S>.value[codes[i]]) * scale;
}

template <class B>
struct CodedVector {
  View<B, std::uint8_t, 1> codes;
  View<B, typename B::Activation, 1> scales;
};

}  // namespace temper
