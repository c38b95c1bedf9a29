// SPDX-License-Identifier: MIT
#include "temper/io/safetensors.hpp"

#include <doctest/doctest.h>

#include "io/scratch.hpp"

namespace safetensors_test {

using namespace temper;
using test::code_of;
using test::thrown_by;

std::string file_of(std::string_view header, std::size_t data_bytes) {
  std::string file(8, '\0');
  const std::uint64_t length = header.size();
  std::memcpy(file.data(), &length, 8);
  return file + std::string(header) + std::string(data_bytes, '\1');
}
SafetensorsContent read(const std::string& file) { return read_safetensors(std::as_bytes(std::span(file)), "m"); }
std::string code(std::string_view header, std::size_t data_bytes) {
  return code_of([&] { read(file_of(header, data_bytes)); });
}
// A header with one tensor, written around what is tested.
std::string one(std::string_view dtype, std::string_view shape, std::string_view offsets) {
  return fmt::format(R"({{"w":{{"dtype":"{}","shape":[{}],"data_offsets":[{}]}}}})", dtype, shape, offsets);
}

const std::string small_header =
    R"({"__metadata__":{"format":"pt"},"b":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]},)"
    R"("a":{"dtype":"BF16","shape":[3],"data_offsets":[8,14]},"i":{"dtype":"I64","shape":[],"data_offsets":[14,22]}}  )";

TEST_CASE("safetensors: a good file gives tensors in the order of their bytes") {
  const test::ScratchFolder folder;
  const SafetensorsFile file(folder.write("m.safetensors", file_of(small_header, 22)));
  REQUIRE(file.tensors().size() == 3);
  CHECK(file.tensors()[0].name == "b");
  CHECK(file.find("b")->element == Element::f32);
  CHECK(file.find("b")->shape == std::vector<Index>{2, 1});
  CHECK(file.find("a")->element == Element::bf16);
  CHECK(file.find("a")->bytes.size() == 6);
  CHECK(!file.find("i")->element);
  CHECK(file.find("i")->dtype == "I64");
  CHECK(file.find("i")->count() == 1);
  CHECK(file.find("none") == nullptr);
  CHECK(file.metadata().at("format") == "pt");
  CHECK(file.tensors()[0].file->path().filename() == "m.safetensors");
}

TEST_CASE("safetensors: tensors outlive the object that opened the file") {
  const test::ScratchFolder folder;
  TensorInfo tensor;
  { tensor = *SafetensorsFile(folder.write("m.safetensors", file_of(small_header, 22))).find("b"); }
  CHECK(tensor.bytes[7] == std::byte{1});
}

TEST_CASE("safetensors: no tensors, rank 0, sizes of 0 and any order of fields are legal") {
  CHECK(code("{}", 0) == "none");
  CHECK(code(one("F32", "", "0,4"), 4) == "none");
  CHECK(code(one("F32", "0,5", "0,0"), 0) == "none");
  CHECK(code(R"({"w":{"data_offsets":[0,2],"shape":[1],"dtype":"F16"}})", 2) == "none");
  CHECK(
      code(
          R"({"z":{"dtype":"U8","shape":[0],"data_offsets":[4,4]},"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})",
          4) == "none");
  CHECK(code(one("F4", "2", "0,1"), 1) == "none");
}

TEST_CASE("safetensors: a file under 8 bytes is refused") {
  for (std::size_t size = 0; size < 8; ++size)
    CHECK(code_of([&] { read(std::string(size, '\0')); }) == "safetensors.too_short");
}

TEST_CASE("safetensors: a header longer than the file is refused with both sizes") {
  std::string file = file_of("{}", 0);
  file[7] = '\x7f';
  const auto thrown = thrown_by([&] { read(file); });
  CHECK(thrown.code == "safetensors.header_too_long");
  CHECK(
      thrown.message ==
      "temper: m: header says 9151314442816847874 bytes but the file has 10; the file is cut short or not safetensors");
  file[7] = '\0';
  file[0] = 3;
  CHECK(code_of([&] { read(file); }) == "safetensors.header_too_long");
}

TEST_CASE("safetensors: a header above 100 MB is refused though the file has it") {
  const test::ScratchFolder folder;
  const auto path = folder.write("m", std::string_view("\x01\xe1\xf5\x05\0\0\0\0{", 9));  // 100,000,001
  std::filesystem::resize_file(path, 200'000'000);                                        // sparse
  CHECK(code_of([&] { SafetensorsFile file(path); }) == "safetensors.header_too_long");
}

TEST_CASE("safetensors: a header that is not one JSON object is refused") {
  CHECK(code("", 0) == "safetensors.header");
  CHECK(code(" {}", 0) == "safetensors.header");
  CHECK(code("[]", 0) == "safetensors.header");
  CHECK(code("{", 0) == "json.syntax");
  CHECK(code("{} {}", 0) == "json.syntax");
  CHECK(code(std::string_view("{}\0", 3), 0) == "json.syntax");
  CHECK(code("{\"\xff\":{}}", 0) == "json.utf8");
  CHECK(code(R"({"w":1})", 0) == "safetensors.field");
  CHECK(code(R"({"w":[]})", 0) == "safetensors.field");
  CHECK(code(R"({"w":null})", 0) == "safetensors.field");
  CHECK(code("{\"w\":{\"shape\":[[[", 0) == "json.depth");
}

TEST_CASE("safetensors: metadata holds strings only, each once") {
  CHECK(code(R"({"__metadata__":{}})", 0) == "none");
  CHECK(code(R"({"__metadata__":{"a":1}})", 0) == "safetensors.metadata");
  CHECK(code(R"({"__metadata__":{"a":{}}})", 0) == "safetensors.metadata");
  CHECK(code(R"({"__metadata__":{"a":["x"]}})", 0) == "safetensors.metadata");
  CHECK(code(R"({"__metadata__":"x"})", 0) == "safetensors.metadata");
  CHECK(code(R"({"__metadata__":[]})", 0) == "safetensors.metadata");
  CHECK(code(R"({"__metadata__":{"a":"x","a":"y"}})", 0) == "safetensors.duplicate");
  CHECK(code(R"({"__metadata__":{},"__metadata__":{}})", 0) == "safetensors.duplicate");
}

TEST_CASE("safetensors: a name or field that stands twice is refused") {
  CHECK(
      code(
          R"({"w":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"w":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})",
          2) == "safetensors.duplicate");
  CHECK(code(R"({"w":{"dtype":"U8","dtype":"U8","shape":[1],"data_offsets":[0,1]}})", 1) == "safetensors.duplicate");
  CHECK(code(R"({"w":{"dtype":"U8","shape":[1],"shape":[1],"data_offsets":[0,1]}})", 1) == "safetensors.duplicate");
}

TEST_CASE("safetensors: fields that are missing, unknown or of another type are refused") {
  CHECK(code(R"({"w":{}})", 0) == "safetensors.field");
  CHECK(code(R"({"w":{"dtype":"U8","shape":[1]}})", 0) == "safetensors.field");
  CHECK(code(R"({"w":{"dtype":"U8","data_offsets":[0,1]}})", 1) == "safetensors.field");
  CHECK(code(R"({"w":{"shape":[1],"data_offsets":[0,1]}})", 1) == "safetensors.field");
  CHECK(code(R"({"w":{"dtype":"U8","shape":[1],"data_offsets":[0,1],"x":1}})", 1) == "safetensors.field");
  CHECK(code(R"({"w":{"dtype":8,"shape":[1],"data_offsets":[0,1]}})", 1) == "safetensors.field");
  CHECK(code(R"({"w":{"dtype":["U8"],"shape":[1],"data_offsets":[0,1]}})", 1) == "safetensors.field");
  CHECK(code(R"({"w":{"dtype":"U8","shape":1,"data_offsets":[0,1]}})", 1) == "safetensors.field");
  CHECK(code(R"({"w":{"dtype":"U8","shape":{},"data_offsets":[0,1]}})", 1) == "safetensors.field");
  for (const char* number : {"-1", "1.0", "1e0", "\"1\"", "true", "null"}) {
    CHECK_MESSAGE(code(one("U8", number, "0,1"), 1) == "safetensors.field", number);
    CHECK_MESSAGE(code(one("U8", "1", fmt::format("0,{}", number)), 1) == "safetensors.field", number);
  }
}

TEST_CASE("safetensors: a type that nobody knows is refused") {
  for (const char* dtype : {"", "f32", "F33", "BF16 "}) CHECK(code(one(dtype, "1", "0,4"), 4) == "safetensors.dtype");
}

TEST_CASE("safetensors: shapes whose product overflows are refused") {
  CHECK(code(one("U8", "18446744073709551615", "0,1"), 1) == "safetensors.shape");
  CHECK(code(one("U8", "4294967296,4294967296", "0,0"), 0) == "safetensors.shape");
  CHECK(code(one("U8", "65536,65536,65536,65536", "0,0"), 0) == "safetensors.shape");
  CHECK(code(one("U8", "0,18446744073709551615", "0,0"), 0) == "safetensors.shape");
  CHECK(code(one("F64", "2305843009213693952", "0,0"), 0) == "safetensors.shape");  // 2^61 x 8 wraps to 0
  CHECK(code(one("U8", "18446744073709551616", "0,1"), 1) == "json.integer_range");
  CHECK(code(one("U8", "1,1,1,1,1,1,1,1,1", "0,1"), 1) == "safetensors.shape");
  CHECK(code(one("F4", "3", "0,1"), 1) == "safetensors.shape");  // a byte and a half
}

TEST_CASE("safetensors: offsets lie inside the file and fit the shape") {
  CHECK(code(one("F32", "1", "0"), 4) == "safetensors.offsets");
  CHECK(code(one("F32", "1", "0,4,4"), 4) == "safetensors.shape");
  CHECK(code(one("F32", "1", "4,0"), 4) == "safetensors.offsets");
  CHECK(code(one("F32", "1", "0,4"), 3) == "safetensors.offsets");
  CHECK(code(one("F32", "1", "18446744073709551612,18446744073709551615"), 4) == "safetensors.offsets");
  CHECK(code(one("F32", "1", "0,3"), 4) == "safetensors.size");
  CHECK(code(one("F32", "1", "0,5"), 8) == "safetensors.size");
}

TEST_CASE("safetensors: overlaps, holes and bytes left over are refused") {
  const auto two = [](std::string_view first, std::string_view second) {
    return fmt::format(
        R"({{"a":{{"dtype":"U8","shape":[4],"data_offsets":[{}]}},"b":{{"dtype":"U8","shape":[4],"data_offsets":[{}]}}}})",
        first, second);
  };
  CHECK(code(two("0,4", "4,8"), 8) == "none");
  CHECK(code(two("4,8", "0,4"), 8) == "none");
  CHECK(code(two("0,4", "0,4"), 4) == "safetensors.overlap");
  CHECK(code(two("0,4", "3,7"), 7) == "safetensors.overlap");
  CHECK(code(two("0,4", "5,9"), 9) == "safetensors.hole");
  CHECK(code(two("1,5", "5,9"), 9) == "safetensors.hole");
  CHECK(code(two("0,4", "4,8"), 9) == "safetensors.trailing");
  CHECK(code("{}", 1) == "safetensors.trailing");
}

TEST_CASE("safetensors: every message names the file and the tensor") {
  const auto thrown = thrown_by([] { read(file_of(one("F32", "3,2", "0,20"), 20)); });
  CHECK(thrown.message == "temper: m: tensor 'w' has 20 bytes but shape [3, 2] of F32 needs 24; expected them equal");
  CHECK(thrown.fault == Fault::data);
}

TEST_CASE("safetensors: every file that is cut is an error") {
  const std::string file = file_of(small_header, 22);
  for (std::size_t size = 0; size < file.size(); ++size)
    CHECK_MESSAGE(thrown_by([&] { read(file.substr(0, size)); }).fault == Fault::data, size);
}

TEST_CASE("safetensors: a flipped bit of the header is an error or leaves the data as it was") {
  const std::string file = file_of(small_header, 22);
  const SafetensorsContent before = read(file);
  int refused = 0;
  for (std::size_t bit = 0; bit < 8 * (8 + small_header.size()); ++bit) {
    std::string flipped = file;
    flipped[bit / 8] = static_cast<char>(static_cast<unsigned char>(flipped[bit / 8]) ^ (1u << (bit % 8)));
    try {
      const SafetensorsContent after = read(flipped);
      // What can still be read is a letter of a name or another type of the same width: all bytes are still used once.
      std::size_t bytes = 0;
      for (const TensorInfo& tensor : after.tensors.all()) bytes += tensor.bytes.size();
      CHECK(bytes == 22);
      CHECK(after.tensors.all().size() == before.tensors.all().size());
    } catch (const Error& error) {
      CHECK(error.fault() == Fault::data);
      ++refused;
    }
  }
  CHECK(refused > 1000);
}

TEST_CASE("safetensors: opening does not touch the data") {
  const test::ScratchFolder folder;
  const auto path = folder.write("m", file_of(one("U8", "1099511627776", "0,1099511627776"), 0));
  std::error_code error;
  std::filesystem::resize_file(path, std::filesystem::file_size(path) + 1099511627776, error);  // 1 TiB of nothing
  if (error) return;  // a file system without sparse files
  CHECK(SafetensorsFile(path).find("w")->count() == 1099511627776);
}

}  // namespace safetensors_test
