// SPDX-License-Identifier: MIT
// The CPU backend: host memory, and a pool of threads as its stream. Cpu<float> trains; Cpu<double> is its twin for
// gradient checks and the oracle of every other path.
#pragma once
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "temper/backend/cpu/threads.hpp"
#include "temper/core/arena.hpp"
#include "temper/core/context.hpp"

namespace temper {

struct CpuCodedProducts;  // pack.hpp

template <class Real>
struct Cpu {
  static constexpr std::string_view name = "cpu";
  using Activation = Real;
  using Stream = Threads;

  static void* allocate(std::size_t bytes) {
    void* memory = std::aligned_alloc(Arena::alignment, Arena::rounded(bytes == 0 ? 1 : bytes));
    require(memory != nullptr, Fault::out_of_memory, "cpu.allocate",
            "the host refused {} bytes; use a smaller batch or a shorter max_length", bytes);
    return memory;
  }
  static void free(void* memory) { std::free(memory); }
  // memcpy takes no null pointers, not even for no bytes.
  static void upload(Stream&, void* to, const void* from, std::size_t bytes) {
    if (bytes > 0) std::memcpy(to, from, bytes);
  }
  static void download(Stream& stream, void* to, const void* from, std::size_t bytes) {
    upload(stream, to, from, bytes);
  }
  static void wait(Stream&) {}
  static const CpuCodedProducts* coded_products();  // coded.hpp
};

}  // namespace temper
