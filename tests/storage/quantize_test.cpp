// SPDX-License-Identifier: MIT
#include "temper/storage/quantize.hpp"

#include <doctest/doctest.h>

#include <filesystem>

#include "temper/io/safetensors.hpp"

namespace quantize_test {

using namespace temper;

const std::filesystem::path golden = std::filesystem::path(TEMPER_TESTS) / "golden/storage/matrices.safetensors";

struct Shape {
  const char* name;
  Index rows, cols;
};
constexpr Shape shapes[] = {
    {"whole", 32, 64}, {"rows", 48, 100}, {"short", 7, 9}, {"many", 300, 256}, {"zeros", 2, 64}};

// numbers() of make.py
std::vector<float> numbers(const Shape& shape) {
  std::vector<float> values;
  for (Index i = 0; i < shape.rows * shape.cols; ++i) {
    const Index whole = ((i * 7919) % 10007 - 5003) * (1 + i / 64 % 7);
    values.push_back(std::string_view(shape.name) == "zeros" ? 0.0f : static_cast<float>(whole) * 0x1p-18f);
  }
  return values;
}

template <class T>
std::vector<T> recorded(const SafetensorsFile& file, const std::string& name) {
  const TensorInfo* tensor = file.find(name);
  REQUIRE_MESSAGE(tensor, name);
  std::vector<T> values(tensor->bytes.size() / sizeof(T));
  std::memcpy(values.data(), tensor->bytes.data(), tensor->bytes.size());
  return values;
}

struct Coded {
  std::vector<std::uint8_t> codes;
  std::vector<float> scales;
};
Coded coded(Coding coding, const Shape& shape, const std::vector<float>& values) {
  Coded result;
  result.codes.resize(values.size() + 1);
  result.scales.resize(static_cast<std::size_t>(scales_of(coding, shape.rows, shape.cols)));
  if (coding == Coding::int8) {
    for (Index r = 0; r < shape.rows; ++r)
      quantize(
          coding,
          std::span(values).subspan(static_cast<std::size_t>(r * shape.cols), static_cast<std::size_t>(shape.cols)),
          result.codes.data() + r * shape.cols, &result.scales[static_cast<std::size_t>(r)]);
    result.codes.resize(values.size());
  } else {
    result.codes.resize(quantize(coding, values, result.codes.data(), result.scales.data()));
  }
  return result;
}

std::vector<float> decoded(const std::vector<std::uint8_t>& data, const Codes& codes, const Shape& shape) {
  std::vector<float> values(static_cast<std::size_t>(shape.rows * shape.cols));
  decode(data.data(), codes, shape.cols, 0, std::ssize(values), values.data());
  return values;
}

TEST_CASE("quantize: codes, scales and decoded values in 4 bits are those of bitsandbytes, bit for bit") {
  const SafetensorsFile file(golden);
  for (const Coding coding : {Coding::nf4, Coding::fp4})
    for (const Shape& shape : shapes) {
      const std::string name = shape.name, at = std::string(name_of(coding)) + "." + name + ".";
      CAPTURE(at);
      Coded found = coded(coding, shape, numbers(shape));
      auto expected = recorded<std::uint8_t>(file, at + "codes");
      // The zeros of fp4: bitsandbytes' CUDA kernel takes the number's sign, as we do, its other quantizer the
      // opposite.
      if (coding == Coding::fp4)
        for (auto* codes : {&found.codes, &expected})
          for (std::uint8_t& pair : *codes) {
            if ((pair & 7) == 0) pair &= 0xf0;
            if ((pair & 0x70) == 0) pair &= 0x0f;
          }
      CHECK(found.codes == expected);
      CHECK(found.scales == recorded<float>(file, name + ".scales"));
      const Codes plain{coding, {.values = found.scales.data()}};
      if (file.find(at + "decoded")) CHECK(decoded(expected, plain, shape) == recorded<float>(file, at + "decoded"));

      std::vector<std::uint8_t> scale_codes(found.scales.size());
      std::vector<float> scale_scales(static_cast<std::size_t>(code_blocks(std::ssize(found.scales))));
      const float offset = quantize_scales(found.scales, scale_codes.data(), scale_scales.data());
      CHECK(offset == recorded<float>(file, name + ".offset")[0]);
      CHECK(scale_codes == recorded<std::uint8_t>(file, name + ".scale_codes"));
      CHECK(scale_scales == recorded<float>(file, name + ".scale_scales"));
      const Codes nested{coding, {ScaleForm::coded, scale_scales.data(), scale_codes.data(), offset}};
      if (file.find(at + "decoded_nested"))
        CHECK(decoded(expected, nested, shape) == recorded<float>(file, at + "decoded_nested"));
    }
}

TEST_CASE("quantize: rows in int8 are those of bitsandbytes, bit for bit") {
  const SafetensorsFile file(golden);
  for (const Shape& shape : shapes) {
    const std::string at = std::string("int8.") + shape.name + ".";
    if (!file.find(at + "codes")) continue;
    CAPTURE(at);
    const Coded found = coded(Coding::int8, shape, numbers(shape));
    CHECK(found.codes == recorded<std::uint8_t>(file, at + "codes"));
    CHECK(found.scales == recorded<float>(file, at + "scales"));
    const Codes codes{Coding::int8, {.values = found.scales.data()}};
    if (file.find(at + "decoded")) CHECK(decoded(found.codes, codes, shape) == recorded<float>(file, at + "decoded"));
  }
}

TEST_CASE("quantize: tables and midpoints are bitsandbytes'") {
  const SafetensorsFile file(golden);
  for (const Coding coding : {Coding::nf4, Coding::fp4}) {
    const auto table = recorded<float>(file, std::string(name_of(coding)) + ".table");
    CHECK(std::vector<float>(table_of(coding).begin(), table_of(coding).end()) == table);
  }
  CHECK(nf4_midpoints[8] == (0.07958029955625534f + 0.16093020141124725f) / 2);
  CHECK(fp4_midpoints[0] == fp4_table[1] / 2);
}

TEST_CASE("quantize: what a code decodes to has that code again, and the same scale") {
  const Shape shape{"many", 8, 256};
  const auto values = numbers(shape);
  for (const Coding coding : {Coding::nf4, Coding::fp4, Coding::int8}) {
    CAPTURE(name_of(coding));
    const Coded once = coded(coding, shape, values);
    const Codes codes{coding, {.values = once.scales.data()}};
    const auto first = decoded(once.codes, codes, shape);
    const Coded twice = coded(coding, shape, first);
    const auto second = decoded(twice.codes, {coding, {.values = twice.scales.data()}}, shape);
    for (std::size_t i = 0; i < first.size(); ++i) CHECK(second[i] == doctest::Approx(first[i]).epsilon(1e-6));
    if (coding != Coding::fp4) CHECK(twice.codes == once.codes);
    if (coding != Coding::int8) CHECK(first == second);
  }
}

TEST_CASE("quantize: rows and blocks of zeros, of subnormal numbers and of huge ones decode to finite numbers") {
  for (const float size : {0.0f, 1e-45f, 1e-39f, 1e36f})
    for (const Coding coding : {Coding::nf4, Coding::fp4, Coding::int8}) {
      CAPTURE(size);
      const Shape shape{"", 2, 70};
      std::vector<float> values(140);
      for (std::size_t i = 0; i < values.size(); ++i) values[i] = i % 3 == 0 ? size : i % 3 == 1 ? -size : size / 2;
      const Coded found = coded(coding, shape, values);
      for (const float value : decoded(found.codes, {coding, {.values = found.scales.data()}}, shape)) {
        CHECK(std::isfinite(value));
        CHECK(std::abs(value) <=
              std::max(size, size > 0 ? 1e-38f : 0.0f));  // a scale that is cut short is 1e-38 or more
        if (size == 0) CHECK(value == 0);
      }
    }
}

TEST_CASE("quantize: int8 rounds to the nearest, ties to even") {
  const float row[] = {127, 0.5f, 1.5f, 2.5f, -0.5f, -1.5f, 63.49f};
  std::int8_t codes[7];
  CHECK(quantize_row(row, 7, codes) == 127.0f);
  const int expected[] = {127, 0, 2, 2, 0, -2, 63};
  for (std::size_t i = 0; i < 7; ++i) CHECK(codes[i] == expected[i]);
}

TEST_CASE("quantize: the mean of many numbers is near the exact one, and that of one is itself") {
  std::vector<float> values;
  for (int i = 0; i < 100'003; ++i) values.push_back(static_cast<float>(i % 977) * 0.25f);
  double sum = 0;
  for (const float v : values) sum += static_cast<double>(v);
  CHECK(torch_mean(values) == doctest::Approx(sum / 100'003.0).epsilon(1e-6));
  CHECK(torch_mean(std::vector<float>{3.5f}) == 3.5f);
}

// A pool of three that begins with the last piece.
struct Backwards {
  static constexpr int count() { return 3; }
  static void parallel(Index pieces, auto&& work) {
    for (Index piece = pieces; piece-- > 0;) work(piece);
  }
};

TEST_CASE("quantize: a matrix in pieces has the codes and scales of the whole, whoever makes which piece") {
  for (const Coding coding : {Coding::nf4, Coding::int8})
    for (const Shape& shape : {Shape{"long", 701, 451}, Shape{"odd", 3, 3}, Shape{"none", 0, 5}}) {
      const std::vector<float> values = numbers(shape);
      const auto in_pieces = [&](auto&& pool) {
        Coded made;
        made.scales = quantize_pieces(
            pool, coding, shape.rows, shape.cols,
            [&](Index begin, std::span<float> to) { std::copy_n(values.begin() + begin, to.size(), to.begin()); },
            [&](Index at, std::span<const std::uint8_t> codes) {
              CHECK(at == std::ssize(made.codes));
              made.codes.insert(made.codes.end(), codes.begin(), codes.end());
            });
        return made;
      };
      const Coded whole = coded(coding, shape, values), one = in_pieces(OneThread{}), three = in_pieces(Backwards{});
      CHECK(one.codes == whole.codes);
      CHECK(one.scales == whole.scales);
      CHECK(three.codes == whole.codes);
      CHECK(three.scales == whole.scales);
    }
}

}  // namespace quantize_test
