// SPDX-License-Identifier: MIT
// Products with quantized weights beside the dense ones of the same shape in the same run: milliseconds, and how fast a
// form is relative to dense float. Build with -O3 -march=native. Rounds alternate between the forms, so that a busy
// machine slows all of them; the median counts. Arguments: threads (default 1), rounds (default 7), the largest number
// of rows of x (default 512).
#include <fmt/format.h>
#include <time.h>

#include <algorithm>
#include <cstdlib>
#include <vector>

#include "temper/backend/cpu/linear.hpp"
#include "temper/storage/any_storage.hpp"

using namespace temper;
using Backend = Cpu<float>;

namespace {

enum class Direction { forward, backward };

std::vector<float> numbers(Index count) {
  std::vector<float> x(static_cast<std::size_t>(count));
  std::uint32_t state = 1;
  for (float& value : x) {
    state = state * 1664525u + 1013904223u;
    value = static_cast<float>(state >> 8) * 0x1p-24f - 0.5f;
  }
  return x;
}

// Of one thread the time that it ran, which other programs do not lengthen; of several the time on the wall.
double now(int threads) {
  timespec time{};
  ::clock_gettime(threads == 1 ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

double seconds_of(int threads, auto&& work) {
  const double start = now(threads);
  work();
  return now(threads) - start;
}

void measure(Threads& threads, int rounds, Index most, Index out, Index in) {
  Memory<Backend> memory(Execution::running);
  Builder<Backend> build(memory, threads, nullptr, 1);
  const AnyStorage storages[] = {{}, {Nf4{}}, {Nf4{.double_quantized = false}}, {Fp4{}}, {Int8{}}};
  const char* const names[] = {"f32", "nf4", "nf4 plain", "fp4", "int8"};
  std::vector<WeightMatrix<Backend>> weights;
  for (const AnyStorage& storage : storages) {
    const double seconds = seconds_of(threads.count(), [&] { weights.push_back(storage.matrix(build, "w", out, in)); });
    const auto name = names[weights.size() - 1];
    fmt::print("{:<10} {} x {}: {:.1f} MB, made in {:.2f} s (its random numbers among it)\n", name, out, in,
               static_cast<double>(weights.back().bytes()) / 1e6, seconds);
  }
  Arena none = Arena::imaginary();
  Context<Backend> ctx(threads, none, 0, Execution::running);
  for (const Direction direction : {Direction::forward, Direction::backward})
    for (const Index rows : {1, 2, 4, 16, 128, 512}) {
      if (rows > most) continue;
      const Index from = direction == Direction::forward ? in : out, to = direction == Direction::forward ? out : in;
      const auto x = numbers(rows * from);
      std::vector<float> y(static_cast<std::size_t>(rows * to));
      const View<Backend, float, 2> y_view(y.data(), {rows, to});
      std::vector<std::vector<double>> seconds(weights.size());
      for (int round = 0; round < rounds; ++round)
        for (std::size_t w = 0; w < weights.size(); ++w)
          seconds[w].push_back(seconds_of(threads.count(), [&] {
            if (direction == Direction::forward)
              matmul(ctx, into(y_view), {x.data(), {rows, from}}, weights[w]);
            else
              matmul_transposed(ctx, into(y_view), {x.data(), {rows, from}}, weights[w]);
          }));
      std::vector<double> median;
      for (std::vector<double>& of_form : seconds) {
        std::nth_element(of_form.begin(), of_form.begin() + rounds / 2, of_form.end());
        median.push_back(of_form[static_cast<std::size_t>(rounds / 2)]);
      }
      fmt::print("{:<9} M {:>4}", direction == Direction::forward ? "y = x W^T" : "dx = dy W", rows);
      for (std::size_t w = 0; w < weights.size(); ++w)
        fmt::print("  {:>9} {:>8.3f} ms {:>5.2f}x", names[w], median[w] * 1e3, median[0] / median[w]);
      fmt::print("\n");
    }
}

}  // namespace

int main(int count, char** arguments) {
  Threads threads(count > 1 ? std::atoi(arguments[1]) : 1);
  const int rounds = count > 2 ? std::atoi(arguments[2]) : 7;
  const Index most = count > 3 ? std::atol(arguments[3]) : 512;
  for (const auto& [out, in] : {std::pair<Index, Index>{2048, 2048}, {11008, 4096}, {4096, 11008}})
    measure(threads, rounds, most, out, in);
}
