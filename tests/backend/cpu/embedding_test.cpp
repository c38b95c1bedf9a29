// SPDX-License-Identifier: MIT
#include "temper/backend/cpu/embedding.hpp"

#include <doctest/doctest.h>

#include "support/workbench.hpp"

namespace embedding_test {

using namespace temper;

constexpr Index table_rows = 11, width = 150;
const std::vector<TokenId> tokens = {3, 0, 10, 3, 3, 7, 0};

TEST_CASE("gather: takes rows of tables of every element") {
  Workbench<float> bench(2);
  const auto table = bench.matrix(table_rows, width, 1), y = bench.unset(7, width);
  std::vector<bf16> brain;
  std::vector<f16> half;
  std::vector<double> wide;
  for (Index i = 0; i < table.size(); ++i) {
    table.data[i] = to_float(to_bf16(table.data[i]));
    brain.push_back(to_bf16(table.data[i]));
    half.push_back(to_f16(table.data[i]));
    wide.push_back(static_cast<double>(table.data[i]));
  }
  const DenseMatrix<Cpu<float>> tables[] = {table,
                                            {brain.data(), Element::bf16, table_rows, width},
                                            {half.data(), Element::f16, table_rows, width},
                                            {wide.data(), Element::f64, table_rows, width}};
  for (const auto& each : tables) {
    gather(bench.ctx, y, each, list_of(tokens, 0.0f));
    for (Index t = 0; t < 7; ++t)
      for (Index j = 0; j < width; ++j) {
        const float stored = table(tokens[static_cast<std::size_t>(t)], j);
        REQUIRE(y(t, j) == (each.element == Element::f16 ? to_float(to_f16(stored)) : stored));
      }
  }
}

TEST_CASE("gather: a token outside the table is refused") {
  Workbench<float> bench;
  const auto table = bench.matrix(table_rows, width, 1), y = bench.unset(1, width);
  for (const TokenId bad : {-1, 11}) {
    const std::vector<TokenId> one = {bad};
    CHECK_THROWS_AS(gather(bench.ctx, y, table, list_of(one, 0.0f)), Error);
    CHECK_THROWS_AS(scatter_add(bench.ctx, table, y, list_of(one, 0.0f)), Error);
  }
  CHECK_THROWS_AS(gather(bench.ctx, y, table, list_of(tokens, 0.0f)), Error);
}

TEST_CASE("scatter_add: adds in token order, with the same bits for any threads and for two halves") {
  const auto scattered = [](int threads, Index cut) {
    Workbench<float> bench(threads);
    const auto table = bench.matrix(table_rows, width, 1), dy = bench.matrix(7, width, 2);
    const auto all = list_of(tokens, 0.0f);
    scatter_add(bench.ctx, table, dy.slice(0, cut), all.slice(0, cut));
    scatter_add(bench.ctx, table, dy.slice(cut, 7), all.slice(cut, 7));
    return std::vector<float>(table.data, table.data + table.size());
  };
  Workbench<float> bench;
  const auto table = bench.matrix(table_rows, width, 1), dy = bench.matrix(7, width, 2);
  for (Index t = 0; t < 7; ++t)
    for (Index j = 0; j < width; ++j) table(tokens[static_cast<std::size_t>(t)], j) += dy(t, j);
  const std::vector<float> expected(table.data, table.data + table.size());
  for (const int threads : {1, 2, 3})
    for (const Index cut : {0, 4, 7}) CHECK(scattered(threads, cut) == expected);
}

TEST_CASE("gather_rows and scatter_rows: rows out, gradients back, zero elsewhere") {
  Workbench<float> bench(2);
  const std::vector<std::int32_t> rows = {0, 2, 3, 399};
  const auto x = bench.matrix(400, width, 1), y = bench.unset(4, width), dx = bench.unset(400, width);
  gather_rows(bench.ctx, y, x, list_of(rows, 0.0f));
  scatter_rows(bench.ctx, dx, y, list_of(rows, 0.0f));
  for (Index t = 0; t < 400; ++t) {
    const auto found = std::find(rows.begin(), rows.end(), t);
    for (Index j = 0; j < width; ++j) REQUIRE(dx(t, j) == (found == rows.end() ? 0.0f : x(t, j)));
    if (found != rows.end())
      CHECK(same_bits(y.slice(found - rows.begin(), found - rows.begin() + 1), x.slice(t, t + 1)));
  }
  const std::vector<std::int32_t> falling = {0, 3, 2, 5}, outside = {0, 1, 2, 400}, none;
  CHECK_THROWS_AS(scatter_rows(bench.ctx, dx, y, list_of(falling, 0.0f)), Error);
  CHECK_THROWS_AS(scatter_rows(bench.ctx, dx, y, list_of(outside, 0.0f)), Error);
  CHECK_THROWS_AS(gather_rows(bench.ctx, y, x, list_of(outside, 0.0f)), Error);
  scatter_rows(bench.ctx, dx, y.slice(0, 0), list_of(none, 0.0f));
  for (Index i = 0; i < dx.size(); ++i) REQUIRE(dx.data[i] == 0);
}

}  // namespace embedding_test
