// SPDX-License-Identifier: MIT
// The values of 4-bit codes and the midpoints between them, as bitsandbytes has them. The CPU backend and the kernels
// read the same tables, so nothing but the language is needed here.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>

namespace temper {

using FourBitTable = std::array<float, 16>;

// NormalFloat (Dettmers et al. 2023): quantiles of a normal distribution between -1 and 1, zero among them.
inline constexpr FourBitTable nf4_table = {-1.0f,
                                           -0.6961928009986877f,
                                           -0.5250730514526367f,
                                           -0.39491748809814453f,
                                           -0.28444138169288635f,
                                           -0.18477343022823334f,
                                           -0.09105003625154495f,
                                           0.0f,
                                           0.07958029955625534f,
                                           0.16093020141124725f,
                                           0.24611230194568634f,
                                           0.33791524171829224f,
                                           0.44070982933044434f,
                                           0.5626170039176941f,
                                           0.7229568362236023f,
                                           1.0f};

// A sign, two bits of exponent and one of mantissa, over 12: the order of codes is not that of values.
inline constexpr FourBitTable fp4_table = {0.0f,       0.0625f / 12, 8.0f / 12,  1.0f,          4.0f / 12,  6.0f / 12,
                                           2.0f / 12,  3.0f / 12,    -0.0f,      -0.0625f / 12, -8.0f / 12, -1.0f,
                                           -4.0f / 12, -6.0f / 12,   -2.0f / 12, -3.0f / 12};

// Steps up from the smallest value (of the smallest magnitude with fp4): past how many midpoints a number lies.
template <std::size_t N>
constexpr std::array<float, N - 1> midpoints(const std::array<float, N>& ascending) {
  std::array<float, N - 1> middle{};
  for (std::size_t i = 0; i + 1 < N; ++i) middle[i] = (ascending[i] + ascending[i + 1]) / 2;
  return middle;
}
inline constexpr std::array<float, 15> nf4_midpoints = midpoints(nf4_table);
// What the CUDA kernel of bitsandbytes compares with: midpoints written as decimals, of which four round to the float
// next to the midpoint. A number that ties has another code there than in its formula for the CPU.
inline constexpr std::array<float, 15> nf4_cuda_thresholds = {
    -0.8480964004993439f,  -0.6106329262256622f,   -0.4599952697753906f, -0.33967943489551544f, -0.23460740596055984f,
    -0.13791173323988914f, -0.045525018125772476f, 0.03979014977812767f, 0.1202552504837513f,   0.2035212516784668f,
    0.2920137718319893f,   0.3893125355243683f,    0.5016634166240692f,  0.6427869200706482f,   0.8614784181118011f};

inline constexpr std::array<std::uint8_t, 8> fp4_codes = {0, 1, 6, 7, 4, 5, 2, 3};  // by magnitude
inline constexpr std::array<float, 7> fp4_midpoints = [] {
  std::array<float, 8> ascending{};
  for (std::size_t i = 0; i < 8; ++i) ascending[i] = fp4_table[fp4_codes[i]];
  return midpoints(ascending);
}();

}  // namespace temper
