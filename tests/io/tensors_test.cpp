// SPDX-License-Identifier: MIT
#include "temper/io/tensors.hpp"

#include <doctest/doctest.h>

#include <limits>

#include "io/scratch.hpp"

namespace tensors_test {

using namespace temper;
using test::code_of;
using test::thrown_by;

template <class T>
TensorInfo tensor_of(const std::vector<T>& values, Element element) {
  TensorInfo tensor;
  tensor.name = "w";
  tensor.dtype = name_of(element);
  tensor.element = element;
  tensor.shape = {static_cast<Index>(values.size())};
  tensor.bytes = std::as_bytes(std::span(values));
  return tensor;
}

// Checks each position of one bad value, around the borders of blocks.
template <class T>
void check_scan(Element element, T good, const std::vector<T>& bad) {
  std::vector<T> values(9000, good);
  CHECK(!first_non_finite(tensor_of(values, element)));
  for (const T value : bad)
    for (const std::size_t at : {0u, 1u, 4095u, 4096u, 8191u, 8999u}) {
      values[at] = value;
      CHECK(first_non_finite(tensor_of(values, element)) == static_cast<Index>(at));
      values[at] = good;
    }
}

TEST_CASE("tensors: NaN and infinity are found at every place, the largest finite value is not") {
  constexpr float inf = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
  check_scan<float>(Element::f32, std::numeric_limits<float>::max(), {inf, -inf, nan, -nan});
  check_scan<double>(Element::f64, std::numeric_limits<double>::max(), {double{inf}, -double{inf}, double{nan}});
  check_scan<bf16>(Element::bf16, bf16{0x7f7f}, {bf16{0x7f80}, bf16{0xff80}, bf16{0x7f81}, bf16{0xffff}});
  check_scan<f16>(Element::f16, f16{0x7bff}, {f16{0x7c00}, f16{0xfc00}, f16{0x7c01}, f16{0xffff}});
}

TEST_CASE("tensors: the error names tensor, element and value") {
  const std::vector<float> values{1, 2, -std::numeric_limits<float>::infinity()};
  const auto thrown = thrown_by([&] { refuse_non_finite(tensor_of(values, Element::f32)); });
  CHECK(thrown.code == "safetensors.not_finite");
  CHECK(thrown.fault == Fault::data);
  CHECK(thrown.message.find("tensor 'w': element 2 is -infinity") != std::string::npos);
}

TEST_CASE("tensors: widening is exact and takes any part") {
  const std::vector<bf16> narrow{to_bf16(1.5f), to_bf16(-2), to_bf16(0.25f)};
  CHECK(widen(tensor_of(narrow, Element::bf16)) == std::vector<float>{1.5f, -2, 0.25f});
  const std::vector<f16> half{to_f16(1.5f), f16{1}};
  CHECK(widen(tensor_of(half, Element::f16)) == std::vector<float>{1.5f, 0x1p-24f});
  const std::vector<double> wide{0.1, 1e300};
  CHECK(widen<double>(tensor_of(wide, Element::f64)) == wide);
  float part[2];
  widen(tensor_of(narrow, Element::bf16), 1, std::span(part));
  CHECK(part[1] == 0.25f);
  CHECK(code_of([&] { widen(tensor_of(narrow, Element::bf16), 2, std::span(part)); }) == "safetensors.range");
  CHECK(code_of([&] { widen(tensor_of(narrow, Element::bf16), -1, std::span(part)); }) == "safetensors.range");
}

TEST_CASE("tensors: bytes may lie at odd addresses") {
  const std::vector<float> values{1.25f, -3};
  std::vector<std::byte> shifted(9);
  std::memcpy(shifted.data() + 1, values.data(), 8);
  TensorInfo tensor = tensor_of(values, Element::f32);
  tensor.bytes = std::span(shifted).subspan(1);
  CHECK(widen(tensor) == values);
  CHECK(!first_non_finite(tensor));
}

TEST_CASE("tensors: a type that temper does not compute with is refused when it is used") {
  TensorInfo tensor;
  tensor.name = "steps";
  tensor.dtype = "I64";
  CHECK(code_of([&] { widen(tensor); }) == "safetensors.element");
  CHECK(thrown_by([&] { require_element(tensor); }).message.find("'steps' has type I64") != std::string::npos);
}

TEST_CASE("tensors: a table finds by name and sees a name that repeats") {
  std::vector<TensorInfo> tensors(3);
  tensors[0].name = "b";
  tensors[1].name = "a";
  tensors[2].name = "c";
  CHECK(TensorTable(tensors).find("a")->name == "a");
  CHECK(TensorTable(tensors).find("d") == nullptr);
  CHECK(TensorTable(tensors).repeated_name() == nullptr);
  tensors[2].name = "b";
  CHECK(*TensorTable(tensors).repeated_name() == "b");
}

}  // namespace tensors_test
