// SPDX-License-Identifier: MIT
// The numbers of temper::Random (Philox4x32-10, Salmon et al. 2011) in kernels, by seed, site, step and element, and
// the stochastic rounding that takes sixteen bits of them an element; both have the bits of the host's.
#pragma once
#include "temper/core/random.hpp"
#include "temper/device/vector.cuh"

namespace temper::kernel {
inline namespace TEMPER_TARGET {

// Random::block(index).
TEMPER_BOTH device::Vector<std::uint32_t, 4> random_block(const Random& random, std::uint64_t index) {
  auto key0 = static_cast<std::uint32_t>(random.seed), key1 = static_cast<std::uint32_t>(random.seed >> 32);
  std::uint32_t c0 = static_cast<std::uint32_t>(index), c1 = static_cast<std::uint32_t>(index >> 32), c2 = random.step,
                c3 = random.site;
  TEMPER_UNROLL
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t a = std::uint64_t{0xD2511F53u} * c0, b = std::uint64_t{0xCD9E8D57u} * c2;
    c0 = static_cast<std::uint32_t>(b >> 32) ^ c1 ^ key0;
    c1 = static_cast<std::uint32_t>(b);
    c2 = static_cast<std::uint32_t>(a >> 32) ^ c3 ^ key1;
    c3 = static_cast<std::uint32_t>(a);
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
  return {{c0, c1, c2, c3}};
}

// Up or down with the probability of nearness: to_bf16(x, random). Finite values stay finite: above the largest of bf16
// they are cut to it.
TEMPER_BOTH bf16 rounded_at_random(float x, std::uint32_t sixteen_bits) {
  const std::uint32_t bits = device::bits_of(x), magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return {static_cast<std::uint16_t>((bits >> 16) | 0x40u)};
  return {static_cast<std::uint16_t>((bits + (magnitude < 0x7f7f0000u ? sixteen_bits : 0u)) >> 16)};
}

// Eight neighbours share a block: element i takes half i % 2 of word i / 2 % 4 of block i / 8.
TEMPER_BOTH std::uint32_t sixteen_of(std::uint32_t word, int which) {
  return which % 2 == 0 ? word & 0xffffu : word >> 16;
}

}  // namespace TEMPER_TARGET
}  // namespace temper::kernel
