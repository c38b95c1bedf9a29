// SPDX-License-Identifier: MIT
// Counter-based random numbers: Philox4x32-10 (Salmon et al., 'Parallel random numbers: as easy as 1, 2, 3', SC 2011).
// A number is a pure function of (seed, site, step, element), so there is no generator state to save, to restore too
// early, or to share between threads; every backend gives the same bits.
#pragma once
#include <array>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <string_view>

namespace temper {

using Random4 = std::array<std::uint32_t, 4>;

constexpr Random4 philox(Random4 counter, std::uint64_t key) {
  auto key0 = static_cast<std::uint32_t>(key), key1 = static_cast<std::uint32_t>(key >> 32);
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t a = std::uint64_t{0xD2511F53u} * counter[0], b = std::uint64_t{0xCD9E8D57u} * counter[2];
    counter = {static_cast<std::uint32_t>(b >> 32) ^ counter[1] ^ key0, static_cast<std::uint32_t>(b),
               static_cast<std::uint32_t>(a >> 32) ^ counter[3] ^ key1, static_cast<std::uint32_t>(a)};
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
  return counter;
}

// The same for neighbours: counter[0] goes up by one from lane to lane, which must not carry. Word by word, so that
// compilers compute lanes side by side.
template <std::size_t Lanes>
constexpr void philox_lanes(std::uint32_t (&words)[4][Lanes], Random4 first, std::uint64_t key) {
  auto key0 = static_cast<std::uint32_t>(key), key1 = static_cast<std::uint32_t>(key >> 32);
  for (std::size_t i = 0; i < Lanes; ++i) {
    words[0][i] = first[0] + static_cast<std::uint32_t>(i);
    words[1][i] = first[1], words[2][i] = first[2], words[3][i] = first[3];
  }
  for (int round = 0; round < 10; ++round) {
    for (std::size_t i = 0; i < Lanes; ++i) {
      const std::uint64_t a = std::uint64_t{0xD2511F53u} * words[0][i], b = std::uint64_t{0xCD9E8D57u} * words[2][i];
      words[0][i] = static_cast<std::uint32_t>(b >> 32) ^ words[1][i] ^ key0;
      words[1][i] = static_cast<std::uint32_t>(b);
      words[2][i] = static_cast<std::uint32_t>(a >> 32) ^ words[3][i] ^ key1;
      words[3][i] = static_cast<std::uint32_t>(a);
    }
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
}

// A place that draws numbers, known by its name ('model.layers.3.self_attn.q_proj dropout'): FNV-1a, 32 bits. With
// 'before' the site of a first part, that of the two parts together.
constexpr std::uint32_t random_site(std::string_view name, std::uint32_t before = 2166136261u) {
  std::uint32_t hash = before;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619u;
  return hash;
}

// The same of a number.
constexpr std::uint32_t random_site(std::uint64_t number, std::uint32_t before) {
  std::uint32_t hash = before;
  for (int byte = 0; byte < 8; ++byte) hash = (hash ^ static_cast<std::uint8_t>(number >> (8 * byte))) * 16777619u;
  return hash;
}

// One stream of numbers. Elements are 64 bits wide; four neighbours share one Philox block.
struct Random {
  std::uint64_t seed = 0;
  std::uint32_t site = 0;
  std::uint32_t step = 0;

  constexpr Random4 block(std::uint64_t index) const {
    return philox({static_cast<std::uint32_t>(index), static_cast<std::uint32_t>(index >> 32), step, site}, seed);
  }
  constexpr std::uint32_t bits(std::uint64_t element) const { return block(element / 4)[element % 4]; }

  // Sixteen bits an element: eight neighbours share one block.
  static constexpr std::uint16_t bits16(const Random4& block, std::uint64_t element) {
    return static_cast<std::uint16_t>(block[element / 2 % 4] >> (element % 2 * 16));
  }
  constexpr std::uint16_t bits16(std::uint64_t element) const { return bits16(block(element / 8), element); }

  // Uniform in [0, 1) with 24 bits, exact in float and double alike.
  constexpr double uniform(std::uint64_t element) const { return static_cast<double>(bits(element) >> 8) * 0x1p-24; }

  // Box-Muller on 53-bit uniforms: elements 2i and 2i + 1 share a block.
  double normal(std::uint64_t element) const {
    const Random4 r = block(element / 2);
    const double u = (static_cast<double>(r[0]) + 0.5) * 0x1p-32, v = static_cast<double>(r[1]) * 0x1p-32;
    const double radius = std::sqrt(-2 * std::log(u)), angle = 2 * std::numbers::pi * v;
    return element % 2 == 0 ? radius * std::cos(angle) : radius * std::sin(angle);
  }

  // A number in [0, bound), bound < 2^32, without the bias of a remainder (Lemire's multiplication, 64-bit product; the
  // bias left is below bound / 2^64).
  constexpr std::uint64_t below(std::uint64_t element, std::uint32_t bound) const {
    const Random4 r = block(element);
    const std::uint64_t low = std::uint64_t{r[1]} * bound;
    return (std::uint64_t{r[0]} * bound + (low >> 32)) >> 32;  // bits 64 and up of (r0 2^32 + r1) * bound
  }
};

}  // namespace temper
