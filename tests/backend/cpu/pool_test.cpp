// SPDX-License-Identifier: MIT
#include "temper/backend/cpu/pool.hpp"

#include <doctest/doctest.h>

#include "temper/backend/cpu/activation.hpp"
#include "temper/backend/cpu/memory.hpp"

namespace pool_test {

using namespace temper;
using B = Cpu<float>;

// Three documents of 3, 1 and 4 rows, two columns wide.
struct Bench {
  std::vector<float> x = {1, 2, 3, 4, 8, 9, 5, -5, 1, 0, 2, 0, 3, 0, 6, 1}, y = std::vector<float>(6, 7);
  std::vector<AttentionSpan> spans = {{0, 3, 0, 3}, {3, 4, 3, 4}, {4, 8, 4, 8}};
  std::vector<std::byte> memory = std::vector<std::byte>(4096);
  Threads stream;
  Arena arena{memory.data(), memory.size()};
  Context<B> ctx{stream, arena, 0, Execution::running};

  explicit Bench(int threads = 1) : stream(threads) {}
  View<B, float, 2> rows() { return {x.data(), {8, 2}}; }
  View<B, float, 2> pooled() { return {y.data(), {3, 2}}; }
  View<B, const AttentionSpan, 1> documents() const { return {spans.data(), {std::ssize(spans)}}; }
};

TEST_CASE("pool: the mean is taken over a document's rows, but those before its tokens") {
  for (const int threads : {1, 3}) {
    Bench bench(threads);
    mean_rows(bench.ctx, bench.pooled(), In<B>(bench.rows()), bench.documents());
    CHECK(bench.y == std::vector<float>{4, 5, 5, -5, 3, 0.25f});
    bench.spans = {{0, 3, 0, 3}, {4, 8, 4, 8}};
    mean_rows(bench.ctx, bench.pooled().slice(0, 2), In<B>(bench.rows()), bench.documents(), 2);
    CHECK(std::vector<float>(bench.y.begin(), bench.y.begin() + 4) == std::vector<float>{8, 9, 4.5f, 0.5f});
  }
}

TEST_CASE("pool: a gradient is shared by the rows that count, and the others have none") {
  Bench bench;
  bench.y = {3, 6, 1, 2, 4, 8};
  mean_rows_backward(bench.ctx, bench.rows(), In<B>(bench.pooled()), bench.documents());
  CHECK(bench.x == std::vector<float>{1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2});
  bench.spans = {{0, 3, 0, 3}, {4, 8, 4, 8}};
  mean_rows_backward(bench.ctx, bench.rows(), In<B>(bench.pooled().slice(0, 2)), bench.documents(), 2);
  CHECK(bench.x == std::vector<float>{0, 0, 0, 0, 3, 6, 0, 0, 0, 0, 0, 0, 0.5f, 1, 0.5f, 1});
}

TEST_CASE("pool: documents without rows that count, and results of another size, are refused") {
  Bench bench;
  CHECK_THROWS_WITH_AS(mean_rows(bench.ctx, bench.pooled(), In<B>(bench.rows()), bench.documents(), 1),
                       doctest::Contains("expected one at least that does"), Error);
  bench.spans.pop_back();
  CHECK_THROWS_WITH_AS(mean_rows(bench.ctx, bench.pooled(), In<B>(bench.rows()), bench.documents()),
                       doctest::Contains("expected a row for each"), Error);
}

}  // namespace pool_test
