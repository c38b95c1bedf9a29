// SPDX-License-Identifier: MIT
#include "temper/core/memory.hpp"

#include <doctest/doctest.h>

#include <map>

#include "temper/backend/cpu/memory.hpp"

namespace memory_test {

using namespace temper;

// A backend that knows what it gave and what it got back.
struct Counted {
  using Activation = float;
  struct Stream {};
  static inline std::map<void*, std::size_t> live;
  static void* allocate(std::size_t bytes) {
    void* memory = Cpu<float>::allocate(bytes);
    live[memory] = bytes;
    return memory;
  }
  static void free(void* memory) {
    live.erase(memory);
    Cpu<float>::free(memory);
  }
};

std::size_t of(const BytesByHolder& bytes, Holder holder) { return bytes[static_cast<std::size_t>(holder)]; }

TEST_CASE("memory: bytes are counted by holder, rounded up, and freed at the end") {
  {
    Memory<Counted> memory(Execution::running);
    const auto a = memory.allocate<float, 2>(Holder::gradients, {3, 5});
    const auto b = memory.allocate<double, 1>(Holder::optimizer, {100});
    CHECK(a.rows() == 3);
    CHECK(a.cols() == 5);
    CHECK(b.size() == 100);
    CHECK(reinterpret_cast<std::uintptr_t>(b.data) % Arena::alignment == 0);
    for (Index i = 0; i < a.size(); ++i) a.data[i] = 1;
    for (Index i = 0; i < b.size(); ++i) b.data[i] = 2;
    memory.note(Holder::frozen_weights, 17);
    CHECK(of(memory.bytes(), Holder::gradients) == 256);
    CHECK(of(memory.bytes(), Holder::optimizer) == 1024);
    CHECK(of(memory.bytes(), Holder::frozen_weights) == 17);
    CHECK(of(memory.bytes(), Holder::scratch) == 0);
    CHECK(Counted::live.size() == 2);
  }
  CHECK(Counted::live.empty());
}

TEST_CASE("memory: planning counts the same bytes and allocates none") {
  Memory<Counted> memory(Execution::planning);
  const auto huge = memory.allocate<float, 2>(Holder::trained_weights, {Index{1} << 30, 1024});
  CHECK(memory.planning());
  CHECK(huge.data == nullptr);
  CHECK(huge.cols() == 1024);
  CHECK(of(memory.bytes(), Holder::trained_weights) == std::size_t{1} << 42);
  CHECK(Counted::live.empty());
}

TEST_CASE("memory: moving it moves what it holds") {
  Memory<Counted> first(Execution::running);
  const auto a = first.allocate<float, 1>(Holder::scratch, {4});
  a(3) = 5;
  {
    const Memory<Counted> second = std::move(first);
    CHECK(a(3) == 5);
    CHECK(Counted::live.size() == 1);
  }
  CHECK(Counted::live.empty());
}

}  // namespace memory_test
