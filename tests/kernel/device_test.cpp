// SPDX-License-Identifier: MIT
#include "kernel/device_cases.hpp"
#include "kernel/on_fibers.hpp"
#include "support/refusal.hpp"
#include "temper/device/swizzle.cuh"

namespace temper::test::kernels::device_test {

TEST_CASE("device layer: every word means what its comment says") { agree_on_fibers(device_cases()); }

// Eight rows' pieces of a column, and eight neighbours of a row, lie in eight groups of banks; all in their tile.
template <int Columns>
void lies_well() {
  using Tile = device::SwizzledTile<bf16, 32, Columns>;
  CAPTURE(Columns);
  std::vector<int> times(std::size_t{32 * Tile::pieces});
  for (int row = 0; row < 32; ++row) {
    for (int p = 0; p < Tile::pieces; ++p) {
      const int place = Tile::place(row, p) / Tile::width;
      REQUIRE((place >= 0 && place < 32 * Tile::pieces));
      ++times[at(place)];
      CHECK(Tile::place(row / 16 * 16, p / 2 * 2, row % 16, p % 2) == place * Tile::width);
      unsigned down = 0, along = 0;
      for (int i = 0; i < 8; ++i) {
        const int number = row * Tile::pieces + p + i, last = 32 * Tile::pieces;
        down |= 1u << (Tile::place(row / 8 * 8 + i, p) / Tile::width % 8);
        if (number % 8 == i && number < last)
          along |= 1u << (Tile::place(number / Tile::pieces, number % Tile::pieces) / Tile::width % 8);
      }
      CHECK(down == 0xffu);
      if ((row * Tile::pieces + p) % 8 == 0) CHECK(along == 0xffu);
    }
  }
  for (const int n : times) CHECK(n == 1);
}
TEST_CASE("swizzled tile: no two of eight rows or neighbours meet in a group of banks, whatever the width") {
  lies_well<16>();
  lies_well<32>();
  lies_well<64>();
  lies_well<80>();
  lies_well<96>();
  lies_well<128>();
  lies_well<160>();
  lies_well<256>();
}

struct HalfWaits {
  static constexpr int threads = 128;
  using Shared = device::NoShared;
  void operator()(device::Block<HalfWaits>& block) const {
    if (block.thread() < 64) block.sync();
  }
};
struct TwoPlaces {
  static constexpr int threads = 64;
  using Shared = device::NoShared;
  void operator()(device::Block<TwoPlaces>& block) const {
    if (block.thread() % 2 == 0) {
      block.sync();
    } else {
      block.sync();
    }
  }
};
struct Fine {
  static constexpr int threads = 96;
  struct Shared {
    float partial[3];
  };
  float* out;
  void operator()(device::Block<Fine>& block) const {
    const float sum = block_sum(block, 1.0f, block.shared.partial);
    if (block.thread() == 0) out[block.index().x] = sum;
  }
};

TEST_CASE("fibers: a barrier that half of the block reaches is named, and the stream can be used again") {
  for (const auto order : {device::Order::forward, device::Order::reverse, device::Order::shuffled}) {
    device::Stream stream(order);
    for (int again = 0; again < 2; ++again) {
      const std::string said = refusal([&] { device::launch(stream, {2, 1, 1}, HalfWaits{}); });
      CAPTURE(said);
      CHECK(said.find("kernel.stuck | temper: thread 0 waits at block.sync() of line ") == 0);
      CHECK(said.find("which 64 of 128 threads of the block have reached; 64 of 128 threads have returned") !=
            said.npos);
      device::Buffer<float> out(5);
      device::launch(stream, {5, 1, 1}, Fine{out.data()});
      CHECK(out.download(stream) == std::vector<float>(5, 96.0f));
    }
  }
}

TEST_CASE("fibers: threads that meet at two different barriers are named") {
  device::Stream stream;
  const std::string said = refusal([&] { device::launch(stream, {}, TwoPlaces{}); });
  CAPTURE(said);
  CHECK(said.find("kernel.divergent | temper: thread 1 is at block.sync() of line ") == 0);
}

TEST_CASE("fibers: a grid without blocks runs nothing, and every block of a grid is run once") {
  device::Stream stream(device::Order::shuffled, 9);
  device::launch(stream, {0, 4, 1}, HalfWaits{});
  device::Buffer<float> out(130);
  device::launch(stream, {130, 1, 1}, Fine{out.data()});
  CHECK(out.download(stream) == std::vector<float>(130, 96.0f));
}

}  // namespace temper::test::kernels::device_test
