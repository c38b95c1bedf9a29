// SPDX-License-Identifier: MIT
#include "machine.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <fstream>
#include <limits>
#include <string>
#include <vector>

#include "temper/backend/cpu.hpp"

namespace temper_cli {
namespace {

std::size_t number_in(const std::string& text) {
  const std::size_t first = text.find_first_of("0123456789");
  std::size_t value = 0;
  if (first == std::string::npos) return std::numeric_limits<std::size_t>::max();
  std::from_chars(text.data() + first, text.data() + text.size(), value);
  return value;
}

std::size_t first_number_of(const char* file) {
  std::ifstream in(file);
  std::string text;
  return in && std::getline(in, text) ? number_in(text) : std::numeric_limits<std::size_t>::max();
}

}  // namespace

std::size_t available_memory() {
  std::size_t available = std::numeric_limits<std::size_t>::max();
  std::ifstream in("/proc/meminfo");
  for (std::string line; std::getline(in, line);)
    if (line.starts_with("MemAvailable:")) available = number_in(line) * 1024;
  const std::size_t limit = first_number_of("/sys/fs/cgroup/memory.max");  // the word 'max' is no limit
  return std::min(available, limit);
}

double measured_flops_per_second(int threads) {
  using B = temper::Cpu<float>;
  using temper::Index;
  constexpr Index size = 384;
  typename B::Stream stream(threads);
  std::vector<float> memory(4 * static_cast<std::size_t>(size * size), 0.5f);
  std::vector<std::byte> scratch(std::size_t{1} << 22);
  temper::Arena arena(scratch.data(), scratch.size());
  temper::Context<B> ctx(stream, arena, 0, temper::Execution::running);
  const auto matrix = [&](Index at) {
    return temper::View<B, float, 2>(memory.data() + at * size * size, {size, size});
  };
  double best = 0;
  for (int turn = 0; turn < 6; ++turn) {
    const auto start = std::chrono::steady_clock::now();
    matmul(ctx, temper::into(matrix(0)), temper::In<B>(matrix(1)), temper::DenseMatrix<B>(matrix(2)));
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    best = std::max(best, 2.0 * static_cast<double>(size * size * size) / std::max(seconds, 1e-9));
  }
  return best;
}

double measured_bytes_per_second(int threads) {
  using B = temper::Cpu<float>;
  using temper::Index;
  constexpr Index depth = 1024, outputs = 16384, rows = 4;  // 64 MiB
  typename B::Stream stream(threads);
  std::vector<float> weight(static_cast<std::size_t>(outputs * depth), 0.5f), x(rows * depth, 0.5f), y(rows * outputs);
  std::vector<std::byte> scratch(std::size_t{1} << 22);
  temper::Arena arena(scratch.data(), scratch.size());
  temper::Context<B> ctx(stream, arena, 0, temper::Execution::running);
  const temper::View<B, float, 2> matrix(weight.data(), {outputs, depth});
  double best = 0;
  for (int turn = 0; turn < 3; ++turn) {
    const auto start = std::chrono::steady_clock::now();
    matmul(ctx, temper::into(temper::View<B, float, 2>(y.data(), {rows, outputs})),
           temper::In<B>(temper::View<B, float, 2>(x.data(), {rows, depth})), temper::DenseMatrix<B>(matrix));
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    best = std::max(best, static_cast<double>(matrix.bytes()) / std::max(seconds, 1e-9));
  }
  return best;
}

}  // namespace temper_cli
