// SPDX-License-Identifier: MIT
#include "temper/io/safetensors_write.hpp"

#include <doctest/doctest.h>

#include "io/scratch.hpp"

namespace safetensors_write_test {

using namespace temper;
using test::code_of;
using test::content_of;

const std::vector<float> three{1, -2.5f, 3.14159f};

TEST_CASE("safetensors writer: the bytes are those of the safetensors library") {
  const test::ScratchFolder folder;
  const std::vector<TensorToWrite> tensors{tensor_of_floats("h", Element::f16, {1}, std::span(three).first(1)),
                                           tensor_of_floats("b", Element::f32, {1, 3}, three),
                                           tensor_of_floats("c", Element::bf16, {3}, three),
                                           tensor_of_floats("a", Element::f32, {}, std::span(three).first(1))};
  write_safetensors(folder / "m", tensors);
  const std::string written = content_of(folder / "m");
  const std::string header =
      R"({"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]},)"
      R"("b":{"dtype":"F32","shape":[1,3],"data_offsets":[4,16]},"c":{"dtype":"BF16","shape":[3],"data_offsets":[16,22]},)"
      R"("h":{"dtype":"F16","shape":[1],"data_offsets":[22,24]}})";
  const std::size_t padded = (header.size() + 7) / 8 * 8;
  CHECK(static_cast<unsigned char>(written[0]) + 256 * static_cast<unsigned char>(written[1]) ==
        static_cast<int>(padded));
  CHECK(written.substr(8, header.size()) == header);
  CHECK(written.substr(8 + header.size(), padded - header.size()) == std::string(padded - header.size(), ' '));
  CHECK(written.size() == 8 + padded + 24);
  CHECK(folder.entries() == 1);
}

TEST_CASE("safetensors writer: what was written is read back, rounded to the type asked for") {
  const test::ScratchFolder folder;
  std::vector<float> many(300'000);  // more than one block
  for (std::size_t i = 0; i < many.size(); ++i) many[i] = static_cast<float>(i) * 0.37f - 1000;
  const std::vector<TensorToWrite> tensors{tensor_of_floats("f32", Element::f32, {3, 100'000}, many),
                                           tensor_of_floats("bf16", Element::bf16, {300'000}, many),
                                           tensor_of_floats("f16", Element::f16, {300'000}, many),
                                           tensor_of_floats("f64", Element::f64, {300'000}, many),
                                           tensor_of_bytes("raw", Element::f32, {3}, std::as_bytes(std::span(three)))};
  write_safetensors(folder / "m", tensors, {{"step", "7"}});
  const SafetensorsFile file(folder / "m");
  CHECK(widen(*file.find("f32")) == many);
  CHECK(widen(*file.find("f64")) == many);
  CHECK(widen(*file.find("raw")) == three);
  CHECK(file.find("f32")->shape == std::vector<Index>{3, 100'000});
  const std::vector<float> as_bf16 = widen(*file.find("bf16")), as_f16 = widen(*file.find("f16"));
  bool equal = true;
  for (std::size_t i = 0; i < many.size(); ++i)
    equal = equal && as_bf16[i] == to_float(to_bf16(many[i])) && as_f16[i] == to_float(to_f16(many[i]));
  CHECK(equal);
  CHECK(file.metadata() == std::map<std::string, std::string>{{"step", "7"}});
  for (const TensorInfo& tensor : file.tensors())
    CHECK(reinterpret_cast<std::uintptr_t>(tensor.bytes.data()) % bytes_of(*tensor.element) == 0);
}

TEST_CASE("safetensors writer: names are escaped, tensors of size 0 and no tensors are written") {
  const test::ScratchFolder folder;
  const std::string name = "q\"\\\n\xc3\xa9";
  write_safetensors(folder / "m", std::vector{tensor_of_floats(name, Element::f32, {0, 4}, {})});
  CHECK(SafetensorsFile(folder / "m").find(name)->count() == 0);
  write_safetensors(folder / "none", {}, {});
  CHECK(SafetensorsFile(folder / "none").tensors().empty());
}

TEST_CASE("safetensors writer: mistakes are refused before a file is made") {
  const test::ScratchFolder folder;
  const auto code = [&](std::vector<TensorToWrite> tensors) {
    return code_of([&] { write_safetensors(folder / "m", tensors); });
  };
  const auto bytes = std::as_bytes(std::span(three));
  CHECK(code({tensor_of_bytes("a", Element::f32, {3}, bytes), tensor_of_bytes("a", Element::f32, {3}, bytes)}) ==
        "safetensors.duplicate");
  CHECK(code({tensor_of_bytes("a", Element::f32, {4}, bytes)}) == "safetensors.size");
  CHECK(code({tensor_of_bytes("a", Element::f32, {-3}, bytes)}) == "safetensors.shape");
  CHECK(code({tensor_of_bytes("a", Element::f32, {Index{1} << 40, Index{1} << 40}, bytes)}) == "safetensors.shape");
  CHECK(code({tensor_of_bytes("a", Element::f32, std::vector<Index>(9, 1), bytes)}) == "safetensors.shape");
  CHECK(code({tensor_of_bytes("__metadata__", Element::f32, {3}, bytes)}) == "safetensors.name");
  CHECK(code({tensor_of_bytes("\xff", Element::f32, {3}, bytes)}) == "json.utf8");
  CHECK(code_of([] { tensor_of_floats("a", Element::f32, {4}, three); }) == "safetensors.size");
  CHECK(folder.entries() == 0);
}

TEST_CASE("safetensors writer: a source that fails leaves the old file") {
  const test::ScratchFolder folder;
  folder.write("m", "old");
  TensorToWrite tensor{"a", Element::f32, {2}, {}, [](Index, std::span<float>) { throw std::runtime_error("gone"); }};
  CHECK_THROWS_AS(write_safetensors(folder / "m", std::span(&tensor, 1)), std::runtime_error);
  CHECK(content_of(folder / "m") == "old");
  CHECK(folder.entries() == 1);
}

}  // namespace safetensors_write_test
