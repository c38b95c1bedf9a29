// SPDX-License-Identifier: MIT
#include "temper/core/weight_account.hpp"

#include <doctest/doctest.h>

namespace weight_account_test {

using namespace temper;

class Two : public WeightSource {
 public:
  std::string description() const override { return "two.safetensors"; }
  std::optional<StoredTensor> find(std::string_view name) const override {
    if (name != "a" && name != "old.b") return std::nullopt;
    return StoredTensor{Element::f32, {2, 3}, values_};
  }
  std::vector<std::string> names() const override { return {"a", "old.b"}; }

 private:
  float values_[6] = {};
};

TEST_CASE("weight account: every slot filled and every tensor used is a bijection") {
  const Two source;
  WeightAccount account(&source);
  CHECK(account.take("a", {2, 3})->data != nullptr);
  CHECK_THROWS_WITH_AS(account.finish(), doctest::Contains("missing: none; not used: old.b"), Error);
  account.allow_left_over(".b");
  CHECK_NOTHROW(account.finish());
}

TEST_CASE("weight account: what is missing is said once, in the order in which it was wanted") {
  const Two source;
  WeightAccount account(&source);
  for (const char* name : {"z", "c", "z"}) CHECK(!account.take(name, {1}));
  CHECK_THROWS_WITH_AS(account.finish(), doctest::Contains("missing: z, c; not used: a, old.b"), Error);
}

TEST_CASE("weight account: another shape is refused at once, and without a source there is nothing to hold") {
  const Two source;
  WeightAccount account(&source);
  CHECK_THROWS_WITH_AS(account.take("a", {3, 2}), doctest::Contains("has shape [2, 3] but config.json wants [3, 2]"),
                       Error);
  WeightAccount none(nullptr);
  CHECK(!none.take("a", {2, 3}));
  CHECK_NOTHROW(none.finish());
}

}  // namespace weight_account_test
