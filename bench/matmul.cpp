// SPDX-License-Identifier: MIT
// Products of a linear layer in GFLOP/s, beside the machine's own peak (a loop of multiply-adds in registers) and
// Eigen's float product, all in this run. Build with -O3 -march=native. The best of the rounds counts, the median is
// shown too: on a shared machine the best is what the code can do. Arguments: threads (default: 1 and all), rounds
// (default 9).
#include <fmt/format.h>

#include <Eigen/Core>
#include <chrono>
#include <cstdlib>
#include <vector>

#include "temper/backend/cpu/linear.hpp"

using namespace temper;
using Backend = Cpu<float>;

namespace {

struct Times {
  double best, median;
};

template <class F>
Times time_of(int rounds, F&& f) {
  std::vector<double> seconds;
  for (int i = 0; i <= rounds; ++i) {
    const auto start = std::chrono::steady_clock::now();
    f();
    seconds.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  seconds.erase(seconds.begin());  // the first touches memory
  std::sort(seconds.begin(), seconds.end());
  return {seconds.front(), seconds[seconds.size() / 2]};
}

// Twelve chains a thread keep two units of latency four busy, with some to spare.
double peak(Threads& threads, int rounds) {
  constexpr Index steps = 1'000'000, chains = 12;
  std::vector<float> sink(static_cast<std::size_t>(threads.count()));
  const Times t = time_of(rounds, [&] {
    threads.parallel(threads.count(), [&](Index piece) {
      Floats sum[chains];
      for (Index j = 0; j < chains; ++j) sum[j] = broadcast(static_cast<float>(j));  // equal chains would be merged
      const Floats x = broadcast(1.0f), y = broadcast(0.5f);
      for (Index i = 0; i < steps; ++i) {
#pragma GCC unroll 16
        for (Index j = 0; j < chains; ++j) sum[j] = fma(x, y, sum[j]);
      }
      for (Index j = 0; j < chains; ++j) sink[static_cast<std::size_t>(piece)] += sum[j][0];
    });
  });
  return 2.0 * static_cast<double>(steps * chains * lanes * threads.count()) / t.best / 1e9;
}

enum class Kind { matmul, transposed, outer };

struct Case {
  std::string_view name;
  Kind kind;
  Index rows, cols, depth;  // of the product: y is [rows, cols]
  Element weights = Element::f32;
};

const Case cases[] = {
    {"up/gate", Kind::matmul, 1024, 4864, 896},
    {"up/gate bf16", Kind::matmul, 1024, 4864, 896, Element::bf16},
    {"down", Kind::matmul, 1024, 896, 4864},
    {"q/o", Kind::matmul, 1024, 896, 896},
    {"q/o bf16", Kind::matmul, 1024, 896, 896, Element::bf16},
    {"up backward", Kind::transposed, 1024, 896, 4864},
    {"down backward", Kind::transposed, 1024, 4864, 896},
    {"lora A", Kind::matmul, 1024, 16, 896},
    {"lora B", Kind::matmul, 1024, 896, 16},
    {"lora dA", Kind::outer, 16, 896, 1024},
    {"lora dB", Kind::outer, 896, 16, 1024},
    {"weight gradient", Kind::outer, 4864, 896, 1024},
    {"8 rows", Kind::matmul, 8, 8192, 2048},
    {"32 rows", Kind::matmul, 32, 8192, 2048},
    {"decode", Kind::matmul, 1, 4864, 896},
    {"decode bf16", Kind::matmul, 1, 4864, 896, Element::bf16},
    {"decode head", Kind::matmul, 1, 151936, 896},
    {"decode head bf16", Kind::matmul, 1, 151936, 896, Element::bf16},
    {"head", Kind::matmul, 256, 151936, 896},
    {"head bf16", Kind::matmul, 256, 151936, 896, Element::bf16},
    {"head backward", Kind::transposed, 256, 896, 151936},
    {"head backward bf16", Kind::transposed, 256, 896, 151936, Element::bf16},
};

template <class T>
std::vector<T> numbers(Index count) {
  std::vector<T> x(static_cast<std::size_t>(count));
  std::uint32_t state = 1;
  for (T& value : x) {
    state = state * 1664525u + 1013904223u;
    const float f = static_cast<float>(state >> 8) * 0x1p-24f - 0.5f;
    if constexpr (std::is_same_v<T, float>)
      value = f;
    else
      value = to_bf16(f);
  }
  return x;
}

double eigen(const Case& c, const std::vector<float>& a, const std::vector<float>& b, std::vector<float>& y,
             int rounds) {
  using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  Eigen::Map<Matrix> out(y.data(), c.rows, c.cols);
  const bool outer = c.kind == Kind::outer, inner = c.kind == Kind::matmul;
  const Eigen::Map<const Matrix> left(a.data(), outer ? c.depth : c.rows, outer ? c.rows : c.depth);
  const Eigen::Map<const Matrix> right(b.data(), inner ? c.cols : c.depth, inner ? c.depth : c.cols);
  const Times t = time_of(rounds, [&] {
    if (outer)
      out.noalias() = left.transpose() * right;
    else if (inner)
      out.noalias() = left * right.transpose();
    else
      out.noalias() = left * right;
  });
  return t.best;
}

void measure(Threads& threads, int rounds, std::string_view only) {
  Arena none = Arena::imaginary();
  Context<Backend> ctx(threads, none, 0, Execution::running);
  const double limit = peak(threads, rounds);
  fmt::print("\n{} thread(s), peak {:.0f} GFLOP/s measured, best (median) of {} rounds\n", threads.count(), limit,
             rounds);
  fmt::print("{:<20} {:>22} {:>10} {:>10} {:>9} {:>7} {:>8} {:>16}\n", "product", "rows x cols x depth", "best ms",
             "median ms", "GFLOP/s", "% peak", "GB/s", "Eigen 1 thread");
  for (const Case& c : cases) {
    if (c.name.find(only) == std::string_view::npos) continue;
    const std::vector<float> a = numbers<float>(c.rows * c.depth);
    std::vector<float> y(static_cast<std::size_t>(c.rows * c.cols)), b32;
    std::vector<bf16> b16;
    const bool half = c.weights == Element::bf16;
    if (half)
      b16 = numbers<bf16>(c.cols * c.depth);
    else
      b32 = numbers<float>(c.cols * c.depth);
    const bool outer = c.kind == Kind::outer, inner = c.kind == Kind::matmul;
    const void* const weights = half ? static_cast<const void*>(b16.data()) : b32.data();
    const View<Backend, const float, 2> left(a.data(), {outer ? c.depth : c.rows, outer ? c.rows : c.depth});
    const DenseMatrix<Backend> right(weights, c.weights, inner ? c.cols : c.depth, inner ? c.depth : c.cols);
    const View<Backend, float, 2> out(y.data(), {c.rows, c.cols});
    const double flops = 2.0 * static_cast<double>(c.rows) * static_cast<double>(c.cols) * static_cast<double>(c.depth);
    const int repeats = flops > 1e10 ? std::max(3, rounds / 2) : flops < 1e8 ? 20 * rounds : rounds;
    const Times t = time_of(repeats, [&] {
      switch (c.kind) {
        case Kind::matmul:
          return matmul(ctx, into(out), left, right);
        case Kind::transposed:
          return matmul_transposed(ctx, into(out), left, right);
        case Kind::outer:
          return matmul_outer(ctx, into(out), left, {b32.data(), {c.depth, c.cols}});
      }
    });
    const double bytes = static_cast<double>(right.bytes()) + static_cast<double>(a.size() + y.size()) * sizeof(float);
    fmt::print("{:<20} {:>22} {:>10.3f} {:>10.3f} {:>9.1f} {:>7.1f} {:>8.1f}", c.name,
               fmt::format("{} x {} x {}", c.rows, c.cols, c.depth), t.best * 1e3, t.median * 1e3, flops / t.best / 1e9,
               100 * flops / t.best / 1e9 / limit, bytes / t.best / 1e9);
    if (!half && flops < 1e10) fmt::print(" {:>16.1f}", flops / eigen(c, a, b32, y, repeats) / 1e9);
    fmt::print("\n");
    std::fflush(stdout);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const int count = argc > 1 ? std::atoi(argv[1]) : 0, rounds = argc > 2 ? std::atoi(argv[2]) : 9;
  const std::string_view only = argc > 3 ? argv[3] : "";
  if (count == 0) {
    Threads one(1);
    measure(one, rounds, only);
  }
  Threads threads(count);
  measure(threads, rounds, only);
}
