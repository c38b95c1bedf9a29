// SPDX-License-Identifier: MIT
#include "temper/backend/cpu/coded.hpp"

#include <doctest/doctest.h>

#include "support/coded_weights.hpp"

namespace coded_test {

using namespace temper_test;

// Products of a coded matrix and of the dense floats that it stands for.
template <class Real>
void check_products(Index rows, Index out, Index in, int threads) {
  using B = Cpu<Real>;
  CAPTURE(rows);
  CAPTURE(out);
  CAPTURE(in);
  const OneWeight source(out, in);
  for (const AnyStorage& storage : coded_storages()) {
    Memory<B> memory(Execution::running);
    Threads stream(threads);
    Builder<B> build(memory, stream, &source, 1);
    const WeightMatrix<B> coded = storage.matrix(build, "p", out, in);
    CAPTURE(name_of(coded.codes.coding));
    const std::vector<float> dense = decoded(coded);
    const WeightMatrix<B> same(dense.data(), Element::f32, out, in);
    const auto x = LayerBench<Real>::numbers(rows * in, 1), dy = LayerBench<Real>::numbers(rows * out, 2);
    Arena none = Arena::imaginary();
    Context<B> ctx(stream, none, 0, Execution::running);
    const View<B, const Real, 2> x_view(x.data(), {rows, in}), dy_view(dy.data(), {rows, out});
    for (const bool add : {false, true}) {
      const auto product = [&](const WeightMatrix<B>& w) {
        auto y = LayerBench<Real>::numbers(rows * out, 3), dx = LayerBench<Real>::numbers(rows * in, 4);
        matmul(ctx, Target<B, Real, 2>{{y.data(), {rows, out}}, add}, x_view, w, Real(0.5));
        matmul_transposed(ctx, Target<B, Real, 2>{{dx.data(), {rows, in}}, add}, dy_view, w);
        y.insert(y.end(), dx.begin(), dx.end());
        return y;
      };
      CHECK(product(coded) == product(same));
    }
  }
}

TEST_CASE_TEMPLATE("coded: a product with codes has the bits of the dense product with what they decode to", Real,
                   float, double) {
  for (const Index rows : {1, 2, 3, 4, 7, 14, 16, 33})
    for (const auto& [out, in] : std::vector<std::pair<Index, Index>>{
             {1, 1}, {5, 7}, {16, 64}, {33, 128}, {64, 65}, {31, 192}, {100, 130}, {70, 1088}, {3, 2112}, {64, 100}})
      check_products<Real>(rows, out, in, 1);
}

TEST_CASE("coded: many rows and columns, on one thread and on three") {
  check_products<float>(120, 600, 1216, 1);
  check_products<float>(120, 600, 1216, 3);
}

TEST_CASE("coded: a matrix brings what is computed with its codes, a dense one has none") {
  const OneWeight source(4, 64);
  LayerBench<float> bench(1, &source);
  CHECK(Nf4{}.matrix(bench.build, "p", 4, 64).products == &cpu_coded_products);
  CHECK(WeightMatrix<Cpu<float>>(Dense{}.matrix(bench.build, "p", 4, 64)).products == nullptr);
}

}  // namespace coded_test
