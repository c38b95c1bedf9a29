// SPDX-License-Identifier: MIT
#include "temper/storage/any_storage.hpp"

#include <doctest/doctest.h>

#include "support/coded_weights.hpp"

namespace any_storage_test {

using namespace temper_test;

TEST_CASE("any storage: it makes what the chosen one makes") {
  const OneWeight source(16, 128);
  const auto coding = [&](const AnyStorage& storage) {
    LayerBench<float> bench(1, &source);
    return storage.matrix(bench.build, "p", 16, 128).codes.coding;
  };
  CHECK(coding({}) == Coding::dense);
  CHECK(coding({Nf4{}}) == Coding::nf4);
  CHECK(coding({Fp4{}}) == Coding::fp4);
  CHECK(coding({Int8{}}) == Coding::int8);
  CHECK(coding({Int8{.skip = {"p"}}}) == Coding::dense);
  CHECK_NOTHROW(AnyStorage{}.check_names({}));
  CHECK_THROWS_AS(AnyStorage{Nf4{.skip = {"q"}}}.check_names({}), Error);
}

}  // namespace any_storage_test
