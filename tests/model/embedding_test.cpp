// SPDX-License-Identifier: MIT
#include "temper/model/embedding.hpp"

#include "support/layer_bench.hpp"
#include "temper/adapter/full.hpp"
#include "temper/adapter/lora.hpp"

namespace embedding_test {

using namespace temper_test;

TEST_CASE_TEMPLATE("embedding: each token gets its row, from a trained and a frozen table", Real, float, double) {
  LayerBench<Real> bench;
  auto trained = embedding(bench.build, Full{}, "model.embed_tokens", 5, 3);
  auto frozen = embedding(bench.build, Lora<>{}, "model.embed_tokens", 5, 3);
  CHECK(names_of(trained) == std::vector<std::string>{"model.embed_tokens.weight"});
  CHECK(names_of(frozen).empty());
  const std::vector<TokenId> tokens = {4, 0, 4};
  const View<Cpu<Real>, const TokenId, 1> ids(tokens.data(), {3});
  const auto a = bench.filled(3, 3, 1), b = bench.filled(3, 3, 2);
  trained.forward(bench.ctx, ids, a);
  frozen.forward(bench.ctx, ids, b);
  for (Index t = 0; t < 3; ++t)
    for (Index i = 0; i < 3; ++i) {
      CHECK(a(t, i) == trained.trained->value(tokens[static_cast<std::size_t>(t)], i));
      CHECK(b(t, i) == a(t, i));
    }
}

TEST_CASE("embedding: the gradient of a row is the sum over its tokens, and a frozen table has none") {
  LayerBench<double> bench;
  auto layer = embedding(bench.build, Full{}, "model.embed_tokens", 5, 2);
  auto frozen = embedding(bench.build, Lora<>{}, "model.embed_tokens", 5, 2);
  std::fill_n(layer.trained->gradient.data, 10, 1.0);
  const std::vector<TokenId> tokens = {4, 0, 4};
  const std::vector<double> dy = {1, 2, 3, 4, 5, 6};
  const View<Cpu<double>, const TokenId, 1> ids(tokens.data(), {3});
  layer.backward(bench.ctx, {dy.data(), {3, 2}}, ids);
  CHECK_NOTHROW(frozen.backward(bench.ctx, {dy.data(), {3, 2}}, ids));
  const double* g = layer.trained->gradient.data;
  CHECK(std::vector<double>(g, g + 10) == std::vector<double>{4, 5, 1, 1, 1, 1, 1, 1, 7, 9});
}

}  // namespace embedding_test
