// SPDX-License-Identifier: MIT
#include "temper/storage/weight_matrix.hpp"

#include <doctest/doctest.h>

namespace weight_matrix_test {

using namespace temper;

struct Host {};

// A backend with products of its own type.
struct Multiplies {
  struct Products {};
  static constexpr Products own{};
  static const Products* coded_products() { return &own; }
};

TEST_CASE("weight matrix: a coded one brings what its backend computes with codes, of the backend's type") {
  using Matrix = WeightMatrix<Multiplies>;
  CHECK(Matrix(nullptr, Codes{Coding::nf4}, 1, 64).products == &Multiplies::own);
  CHECK(Matrix(nullptr, Element::f32, 1, 64).products == nullptr);
  CHECK(WeightMatrix<Host>(nullptr, Codes{Coding::nf4}, 1, 64).products == nullptr);
}

TEST_CASE("weight matrix: bytes of dense and of coded matrices") {
  CHECK(WeightMatrix<Host>(nullptr, Element::bf16, 3, 5).bytes() == 30);
  CHECK(WeightMatrix<Host>().bytes() == 0);
  const auto bytes = [](Coding coding, ScaleForm form, Index rows, Index cols) {
    return WeightMatrix<Host>(nullptr, Codes{coding, {.form = form}}, rows, cols).bytes();
  };
  CHECK(bytes(Coding::nf4, ScaleForm::plain, 4096, 4096) == 8388608 + 4 * 262144);
  CHECK(bytes(Coding::nf4, ScaleForm::coded, 4096, 4096) == 8388608 + 262144 + 4 * 1024);
  CHECK(bytes(Coding::fp4, ScaleForm::plain, 7, 9) == 32 + 4);
  CHECK(bytes(Coding::int8, ScaleForm::plain, 7, 9) == 63 + 28);
}

TEST_CASE("weight matrix: a dense matrix and a view become one") {
  float values[6] = {};
  const View<Host, float, 2> view(values, {2, 3});
  const WeightMatrix<Host> a(view), b{DenseMatrix<Host>(view)};
  for (const auto& w : {a, b}) {
    CHECK(w.data == values);
    CHECK(w.element == Element::f32);
    CHECK(w.rows == 2);
    CHECK(w.cols == 3);
    CHECK(w.codes.coding == Coding::dense);
  }
}

TEST_CASE("weight matrix: coded scales are a share of their block's, and the offset") {
  const float values[] = {2, 3};
  std::uint8_t codes[300] = {};
  codes[1] = 255, codes[299] = 255;
  const Scales scales{ScaleForm::coded, values, codes, 0.5f};
  CHECK(scales(1) == 2.5f);
  CHECK(scales(299) == 3.5f);
  CHECK(scales(0) == dynamic_map<Signs::both>.value[0] * 2 + 0.5f);
  CHECK(Scales{.values = values}(1) == 3);
}

TEST_CASE("weight matrix: codings have names") {
  CHECK(name_of(Coding::dense) == "dense");
  CHECK(name_of(Coding::nf4) == "nf4");
  CHECK(name_of(Coding::fp4) == "fp4");
  CHECK(name_of(Coding::int8) == "int8");
}

}  // namespace weight_matrix_test
