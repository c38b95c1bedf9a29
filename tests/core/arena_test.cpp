// SPDX-License-Identifier: MIT
#include "temper/core/arena.hpp"

#include <doctest/doctest.h>

#include <cstring>
#include <memory>

namespace arena_test {

using namespace temper;

constexpr std::size_t unit = Arena::alignment;

struct Block {
  explicit Block(std::size_t units)
      : memory(std::aligned_alloc(unit, units * unit), &std::free), arena(memory.get(), units * unit) {}
  std::unique_ptr<void, decltype(&std::free)> memory;
  Arena arena;
};

TEST_CASE("arena: what is kept comes from the left and scratch from the right") {
  Block block(4);
  auto* base = static_cast<std::byte*>(block.memory.get());
  CHECK(block.arena.keep(1) == base);
  CHECK(block.arena.keep(unit) == base + unit);
  CHECK(block.arena.scratch(unit) == base + 3 * unit);
  CHECK(block.arena.scratch(5) == base + 2 * unit);
  CHECK(block.arena.kept() == 2 * unit);
  CHECK(block.arena.scratched() == 2 * unit);
  CHECK(block.arena.capacity() == 4 * unit);
}

TEST_CASE("arena: what is released is given again") {
  Block block(4);
  const std::size_t kept = (block.arena.keep(unit), block.arena.kept());
  void* first = block.arena.keep(unit);
  block.arena.release_keep(kept);
  CHECK(block.arena.keep(unit) == first);
  const std::size_t scratched = block.arena.scratched();
  void* last = block.arena.scratch(unit);
  block.arena.release_scratch(scratched);
  CHECK(block.arena.scratched() == 0);
  CHECK(block.arena.scratch(unit) == last);
}

TEST_CASE("arena: a full one is an error of memory, which says how it stands, and leaves it as it was") {
  Block block(4);
  block.arena.keep(2 * unit);
  block.arena.scratch(unit);
  for (const std::size_t more : {unit + 1, 2 * unit, std::size_t(-1), std::size_t(-1) - unit + 2}) {
    CAPTURE(more);
    try {
      block.arena.keep(more);
      FAIL("nothing was thrown");
    } catch (const Error& error) {
      CHECK(error.fault() == Fault::out_of_memory);
      CHECK(error.code() == "arena.full");
      CHECK(std::string(error.what()).find("1024 bytes is full: 512 kept, 256 scratch") != std::string::npos);
    }
    CHECK_THROWS_AS(block.arena.scratch(more), Error);
  }
  CHECK(block.arena.kept() == 2 * unit);
  CHECK(block.arena.scratched() == unit);
  CHECK_NOTHROW(block.arena.scratch(unit));
}

TEST_CASE("arena: the peak is of both ends together, and says how much of it was kept") {
  Block block(8);
  block.arena.keep(2 * unit);
  block.arena.scratch(3 * unit);
  block.arena.release_scratch(0);
  block.arena.keep(unit);
  block.arena.scratch(unit);
  CHECK(block.arena.peak() == 5 * unit);
  CHECK(block.arena.kept_at_peak() == 2 * unit);
  block.arena.forget_peak();
  CHECK(block.arena.peak() == 0);
  block.arena.scratch(unit);
  CHECK(block.arena.peak() == 5 * unit);
  CHECK(block.arena.kept_at_peak() == 3 * unit);
}

TEST_CASE("arena: an imaginary one plans petabytes without memory") {
  Arena arena = Arena::imaginary();
  constexpr std::size_t terabyte = std::size_t{1} << 40;
  const auto first = reinterpret_cast<std::uintptr_t>(arena.keep(terabyte));
  for (std::uintptr_t i = 1; i < 100; ++i)
    CHECK(reinterpret_cast<std::uintptr_t>(arena.keep(terabyte)) == first + i * terabyte);
  arena.scratch(terabyte);
  CHECK(arena.peak() == 101 * terabyte);
  CHECK_THROWS_AS(arena.keep(Arena::imaginary_bytes), Error);
}

TEST_CASE("arena: nothing takes no room") {
  Block block(1);
  block.arena.keep(unit);
  CHECK_NOTHROW(block.arena.keep(0));
  CHECK_NOTHROW(block.arena.scratch(0));
  CHECK(block.arena.peak() == unit);
}

}  // namespace arena_test
