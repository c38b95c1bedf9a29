// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "temper/kernel/nf4_matmul.cuh"

namespace temper::test::kernels::nf4_tiles_test {

TEST_CASE("nf4 tiles: parts are whole groups of scales, follow from the weight alone and make few blocks") {
  for (const int features : {1, 128, 1000, 4096, 14336, 128256}) {
    for (const int width : {64, 512, 576, 2048, 4096, 14336}) {
      CAPTURE(features);
      CAPTURE(width);
      const int part = kernel::nf4_part(features, width), slices = width / kernel::nf4_block;
      const int parts = device::divide_up(slices, part), tiles = device::divide_up(features, kernel::Nf4Tile16::n);
      CHECK(part >= 8);
      CHECK(part % 8 == 0);
      CHECK(parts * tiles <= std::max(256, tiles));
      if (width == 4096 && features <= 4096) CHECK(parts == 8);
      const auto floats = static_cast<std::size_t>(features) * static_cast<std::size_t>(parts);
      CHECK(kernel::nf4_partial(1, features, width) == (parts > 1 ? floats : 0));
      CHECK(kernel::nf4_partial(64, features, width) == (parts > 1 ? 64 * floats : 0));
      CHECK(kernel::nf4_partial(65, features, width) == (parts > 1 && features <= 1000 ? 65 * floats : 0));
    }
  }
  CHECK(kernel::nf4_partial(256, 1024, 4096) == 256u * 1024 * 8);  // 64 tiles
  CHECK(kernel::nf4_partial(257, 1024, 4096) == 0);                // 80
  CHECK(kernel::nf4_partial(4, 4096, 4100) == 0);
  CHECK(kernel::nf4_part(0, 0) == 8);
}

template <int Threads>
void every_byte_has_its_pair() {
  const auto table = std::make_unique<kernel::Nf4PairTable>();
  for (int thread = 0; thread < Threads; ++thread) table->fill<Threads>(thread);
  bool right = true;
  for (unsigned byte = 0; byte < 256; ++byte) {
    const std::uint32_t pair = device::bf16_pair(kernel::nf4_value(byte >> 4), kernel::nf4_value(byte & 15u));
    for (int lane = 0; lane < device::warp_size; ++lane) {
      for (int which = 0; which < 4; ++which) {
        const std::uint32_t others = 0xa5c3965au;
        const std::uint32_t word = (others & ~(255u << (8 * which))) | byte << (8 * which);
        right = right && table->of(word, which, lane) == pair;
      }
    }
  }
  CHECK(right);
}
TEST_CASE("nf4 tiles: the table has the pair of every byte of a word for every lane, however many threads fill it") {
  every_byte_has_its_pair<128>();
  every_byte_has_its_pair<256>();
}

TEST_CASE("nf4 tiles: a product of low rank beside a width of no whole blocks is refused") {
  device::Stream stream;
  bf16 x[8] = {};
  unsigned char codes[8] = {};
  float scale = 1, y = 0;
  CHECK_THROWS_WITH_AS(
      kernel::nf4_matmul<float>(stream, x, {codes, {&scale}}, &y, 1, 1, 8, {}, {}, {{x, 8}, {x, 8}, 1}),
      doctest::Contains("the width must be a multiple of 64"), Error);
}

TEST_CASE("nf4 tiles: room for parts that is made for fewer tokens is refused before anything is written") {
  device::Stream stream;
  alignas(16) const bf16 x[8] = {};
  alignas(16) const unsigned char codes[16] = {};
  const float scale = 1;
  float y = 0;
  std::vector<float> partial(kernel::nf4_partial(1, 1, 1024));
  CHECK(partial.size() == 2);
  CHECK_THROWS_WITH_AS(kernel::nf4_matmul<float>(stream, x, {codes, {&scale}}, &y, 33, 1, 1024, partial),
                       doctest::Contains("2 floats for the parts of a product in NF4, 33 tokens x 1 features x 1024; "
                                         "give nf4_partial's 66"),
                       Error);
}

}  // namespace temper::test::kernels::nf4_tiles_test
