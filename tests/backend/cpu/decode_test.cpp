// SPDX-License-Identifier: MIT
#include "temper/backend/cpu/decode.hpp"

#include <doctest/doctest.h>

#include "support/coded_weights.hpp"

namespace decode_test {

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

TEST_CASE_TEMPLATE("decode: a product with codes has the bits of the dense product with what they decode to", Real,
                   float, double) {
  for (const Index rows : {1, 2, 3, 4, 7, 14, 16, 33})
    for (const auto& [out, in] : std::vector<std::pair<Index, Index>>{
             {1, 1}, {5, 7}, {16, 64}, {33, 128}, {64, 65}, {31, 192}, {100, 130}, {70, 1088}, {3, 2112}, {64, 100}})
      check_products<Real>(rows, out, in, 1);
}

TEST_CASE("decode: many rows and columns, on one thread and on three") {
  check_products<float>(120, 600, 1216, 1);
  check_products<float>(120, 600, 1216, 3);
}

TEST_CASE("decode: a stretch is what the whole decodes to, wherever it begins") {
  const OneWeight source(6, 200);
  for (const AnyStorage& storage : coded_storages()) {
    LayerBench<float> bench(1, &source);
    const auto w = storage.matrix(bench.build, "p", 6, 200);
    const auto all = decoded(w);
    for (const Index row : {0, 3, 5})
      for (const Index begin : {0, 1, 16, 63, 64, 100})
        for (const Index count : {1, 2, 15, 16, 17, 64, 99}) {
          std::vector<float> part(static_cast<std::size_t>(count));
          decode_stretch({static_cast<const std::uint8_t*>(w.data), w.codes, 200}, row * 200 + begin, count,
                         part.data());
          CHECK(std::equal(part.begin(), part.end(), all.begin() + row * 200 + begin));
        }
  }
}

TEST_CASE("decode: the norms of DoRA are those of the floats that the codes stand for") {
  const OneWeight source(9, 300);
  for (const AnyStorage& storage : coded_storages()) {
    LayerBench<float> bench(1, &source);
    const auto w = storage.matrix(bench.build, "p", 9, 300);
    const auto dense = decoded(w);
    const auto a = bench.filled(2, 300, 1), b = bench.filled(9, 2, 2);
    std::vector<float> first(9), second(9);
    dora_norms(bench.ctx, {first.data(), {9}}, w, a, b, 0.5f);
    dora_norms(bench.ctx, {second.data(), {9}}, {dense.data(), Element::f32, 9, 300}, a, b, 0.5f);
    CHECK(first == second);
  }
}

}  // namespace decode_test
