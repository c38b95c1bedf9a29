// SPDX-License-Identifier: MIT
#include "temper/core/view.hpp"

#include <doctest/doctest.h>

#include <type_traits>
#include <vector>

namespace view_test {

using namespace temper;

struct Host {
  using Activation = float;
};
struct Device {
  using Activation = float;
};

TEST_CASE("view: elements are found row by row") {
  std::vector<int> values = {0, 1, 2, 3, 4, 5};
  const View<Host, int, 2> m(values.data(), {2, 3});
  CHECK(m.rows() == 2);
  CHECK(m.cols() == 3);
  CHECK(m.size() == 6);
  CHECK(m.bytes() == 6 * sizeof(int));
  CHECK(m(0, 2) == 2);
  CHECK(m(1, 0) == 3);
  m(1, 2) = 7;
  CHECK(values[5] == 7);
}

TEST_CASE("view: a slice is rows of a matrix, or elements of a vector") {
  std::vector<int> values = {0, 1, 2, 3, 4, 5};
  const View<Host, int, 2> m(values.data(), {3, 2});
  const auto rows = m.slice(1, 3);
  CHECK(rows.rows() == 2);
  CHECK(rows.cols() == 2);
  CHECK(rows(0, 0) == 2);
  const auto elements = flat(m).slice(4, 6);
  CHECK(elements.size() == 2);
  CHECK(elements(0) == 4);
  CHECK(m.slice(1, 1).empty());
}

TEST_CASE("view: another shape sees the same elements") {
  std::vector<int> values = {0, 1, 2, 3, 4, 5};
  const View<Host, int, 2> m(values.data(), {3, 2});
  CHECK(flat(m).size() == 6);
  CHECK(flat(m)(3) == 3);
  const auto wide = reshape(m, 2, 3);
  CHECK(wide(1, 0) == 3);
  CHECK(wide.data == m.data);
}

TEST_CASE("view: one without elements is empty") {
  CHECK(View<Host, int, 2>().empty());
  CHECK(View<Host, int, 2>(nullptr, {0, 5}).empty());
  CHECK(View<Host, int, 1>(nullptr, {0}).bytes() == 0);
}

TEST_CASE("view: a writable view is readable, and neither the other way nor another backend's") {
  using Writable = View<Host, float, 2>;
  using Readable = View<Host, const float, 2>;
  static_assert(std::is_convertible_v<Writable, Readable>);
  static_assert(!std::is_convertible_v<Readable, Writable>);
  static_assert(!std::is_convertible_v<View<Device, float, 2>, Readable>);
  static_assert(!std::is_convertible_v<View<Host, double, 2>, Readable>);
  static_assert(std::is_trivially_copyable_v<Writable>);
  float value = 3;
  const Readable readable = Writable(&value, {1, 1});
  CHECK(readable(0, 0) == 3);
}

TEST_CASE("view: a target says whether it is overwritten or added to") {
  float value = 3;
  const View<Host, float, 1> v(&value, {1});
  CHECK_FALSE(into(v).add);
  CHECK(onto(v).add);
  CHECK(onto(v).view.data == &value);
}

}  // namespace view_test
