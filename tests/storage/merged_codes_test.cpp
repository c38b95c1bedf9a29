// SPDX-License-Identifier: MIT
#include "temper/storage/merged_codes.hpp"

#include <doctest/doctest.h>

namespace merged_codes_test {

using temper::Coding, temper::MergedCodes, temper::ScaleForm;

TEST_CASE("merged codes: scales stay as they were, but for what is asked for and what int8 has not kept") {
  const MergedCodes own{.coding = Coding::nf4};
  CHECK_FALSE(own.then(Coding::fp4).form.has_value());
  CHECK(own.then(Coding::nf4, ScaleForm::plain).then(Coding::nf4).form == ScaleForm::plain);
  CHECK(own.then(Coding::nf4, ScaleForm::plain).then(Coding::int8).then(Coding::nf4).form == ScaleForm::coded);
  CHECK(own.then(Coding::int8).then(Coding::fp4, ScaleForm::plain).form == ScaleForm::plain);
}

TEST_CASE("merged codes: what lay in 8 bits in between is not forgotten") {
  const MergedCodes own{.coding = Coding::nf4};
  CHECK(own.then(Coding::nf4).then(Coding::dense).through == Coding::dense);
  const MergedCodes dense = own.then(Coding::int8).then(Coding::nf4).then(Coding::dense);
  CHECK(dense.coding == Coding::dense);
  CHECK(dense.through == Coding::int8);
}

}  // namespace merged_codes_test
