// SPDX-License-Identifier: MIT
#include "temper/backend/cpu/dora.hpp"

#include <doctest/doctest.h>

#include "support/workbench.hpp"

namespace dora_test {

using namespace temper;

TEST_CASE_TEMPLATE("dora: norms are those of the rows of w + s b a", Real, float, double) {
  const double tolerance = sizeof(Real) == 4 ? 1e-6 : 1e-14;
  for (const auto& [rows, cols, rank] :
       {std::array<Index, 3>{1, 1, 1}, {5, 7, 2}, {70, 255, 3}, {3, 257, 16}, {130, 600, 4}}) {
    Workbench<Real> bench(2);
    const auto w = bench.matrix(rows, cols, 1), a = bench.matrix(rank, cols, 2), b = bench.matrix(rows, rank, 3);
    const auto norms = bench.unset(rows);
    dora_norms(bench.ctx, norms, w, a, b, Real(1.5));
    for (Index o = 0; o < rows; ++o) {
      double squares = 0;
      for (Index i = 0; i < cols; ++i) {
        double sum = static_cast<double>(w(o, i));
        for (Index r = 0; r < rank; ++r) sum += 1.5 * static_cast<double>(b(o, r)) * static_cast<double>(a(r, i));
        squares += sum * sum;
      }
      CHECK(std::abs(static_cast<double>(norms(o)) - std::sqrt(squares)) < tolerance * std::sqrt(squares));
    }
  }
}

TEST_CASE("dora: a row's norm has the same bits on any number of threads, alone, and with b zero or absent") {
  Workbench<float> bench(1), other(3);
  const auto w = bench.matrix(100, 300, 1), a = bench.matrix(4, 300, 2), b = bench.matrix(100, 4, 3);
  const auto norms = bench.unset(100), threaded = bench.unset(100), alone = bench.unset(1);
  dora_norms(bench.ctx, norms, w, a, b, 2.0f);
  dora_norms(other.ctx, threaded, w, a, b, 2.0f);
  CHECK(same_bits(norms, threaded));
  for (const Index o : {0, 63, 64, 99}) {
    dora_norms(bench.ctx, alone, View<Cpu<float>, float, 2>(w.slice(o, o + 1)), a, b.slice(o, o + 1), 2.0f);
    CHECK(alone(0) == norms(o));
  }
  std::fill_n(b.data, b.size(), 0.0f);
  dora_norms(bench.ctx, norms, w, a, b, 2.0f);
  dora_norms(bench.ctx, threaded, w, a.slice(0, 0), reshape(b, 100, 0), 2.0f);
  CHECK(same_bits(norms, threaded));
}

TEST_CASE("dora: weights of two bytes are widened") {
  Workbench<float> bench;
  const auto wide = bench.matrix(9, 300, 1), a = bench.matrix(2, 300, 2), b = bench.matrix(9, 2, 3);
  std::vector<bf16> narrow;
  for (Index i = 0; i < wide.size(); ++i) {
    narrow.push_back(to_bf16(wide.data[i]));
    wide.data[i] = to_float(narrow.back());
  }
  const auto norms = bench.unset(9), expected = bench.unset(9);
  dora_norms(bench.ctx, norms, DenseMatrix<Cpu<float>>(narrow.data(), Element::bf16, 9, 300), a, b, 1.0f);
  dora_norms(bench.ctx, expected, wide, a, b, 1.0f);
  CHECK(same_bits(norms, expected));
}

TEST_CASE("dora: factor and the magnitude's gradient; a norm of zero counts as one") {
  Workbench<double> bench;
  const auto m = bench.vector(5, 1), norms = bench.vector(5, 2), dm = bench.vector(5, 3), factor = bench.unset(5);
  for (Index o = 0; o < 5; ++o) norms(o) = o == 2 ? 0 : std::abs(norms(o)) + 0.1;
  const auto dy = bench.matrix(3, 5, 4), u = bench.matrix(3, 5, 5);
  const auto before = bench.clone(dm);
  dora_factor(bench.ctx, factor, m, norms);
  dora_magnitude_backward(bench.ctx, onto(dm), dy, u, norms);
  for (Index o = 0; o < 5; ++o) {
    const double norm = o == 2 ? 1 : norms(o);
    CHECK(factor(o) == m(o) / norm);
    double sum = before(o);
    for (Index t = 0; t < 3; ++t) sum += dy(t, o) * u(t, o) / norm;
    CHECK(dm(o) == doctest::Approx(sum).epsilon(1e-14));
  }
  dora_factor(bench.ctx, factor, norms, norms, 1.0);
  CHECK(factor(0) == 0);
}

TEST_CASE("dora: shapes that do not fit are refused") {
  Workbench<float> bench;
  const auto w = bench.matrix(4, 6, 1), a = bench.matrix(2, 6, 2), b = bench.matrix(4, 2, 3);
  CHECK_THROWS_AS(dora_norms(bench.ctx, bench.unset(3), w, a, b, 1.0f), Error);
  CHECK_THROWS_AS(dora_norms(bench.ctx, bench.unset(4), w, b, a, 1.0f), Error);
  CHECK_THROWS_AS(dora_factor(bench.ctx, bench.unset(3), bench.unset(4), bench.unset(4)), Error);
  CHECK_THROWS_AS(dora_magnitude_backward(bench.ctx, into(bench.unset(5)), w, w, bench.unset(6)), Error);
}

}  // namespace dora_test
