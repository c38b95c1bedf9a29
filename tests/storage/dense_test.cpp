// SPDX-License-Identifier: MIT
#include "temper/storage/dense.hpp"

#include <doctest/doctest.h>

namespace dense_test {

using namespace temper;

struct Host {
  using Activation = float;
};

TEST_CASE("dense: the element follows from the type of a view, readable or writable") {
  static_assert(element_of<float> == Element::f32);
  static_assert(element_of<double> == Element::f64);
  static_assert(element_of<bf16> == Element::bf16);
  static_assert(element_of<f16> == Element::f16);
  bf16 values[6] = {};
  const View<Host, bf16, 2> writable(values, {2, 3});
  const DenseMatrix<Host> a(writable), b(View<Host, const bf16, 2>{writable});
  for (const auto& m : {a, b}) {
    CHECK(m.element == Element::bf16);
    CHECK(m.rows == 2);
    CHECK(m.cols == 3);
    CHECK(m.data == values);
  }
}

TEST_CASE("dense: bytes are those of the element") {
  for (const auto& [element, bytes] :
       {std::pair{Element::f32, 24u}, {Element::f64, 48u}, {Element::bf16, 12u}, {Element::f16, 12u}})
    CHECK(DenseMatrix<Host>(nullptr, element, 2, 3).bytes() == bytes);
  CHECK(DenseMatrix<Host>().bytes() == 0);
}

TEST_CASE("dense: as a storage it has a name and a matrix") { CHECK(Dense::name == "dense"); }

}  // namespace dense_test
