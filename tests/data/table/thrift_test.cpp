// SPDX-License-Identifier: MIT
// Thrift's compact protocol: fields, lists, what is passed over, and bytes that lie.
#include "temper/data/table/thrift.hpp"
#include <doctest/doctest.h>

#include <vector>

namespace temper::thrift_test {

using std::string_literals::operator""s;

std::string refused(const std::string& bytes) {
  try {
    ThriftReader(bytes, "a: b").skip(ThriftType::structure);
  } catch (const Error& error) {
    CHECK(error.code() == "parquet.thrift");
    return error.what();
  }
  return "";
}

TEST_CASE("thrift: fields have numbers and types, and what nobody asks for is passed over") {
  // 1: i32 -2, 3: "ab", 4: list of i64 (5, -300), 20: true, 21: map, 22: struct of a double, 23: i8 -1
  const std::string bytes =
      "\x15\x03\x28\x02"
      "ab\x19\x26\x0a\xd7\x04\x01\x28\x1b\x01\x85\x01"
      "k\x06\x1c\x17"
      "12345678\x00\x13\xff\x00"s;
  std::vector<std::int64_t> numbers;
  std::string text;
  bool flag = false;
  ThriftReader reader(bytes, "a");
  reader.structure([&](int field, ThriftType type) {
    switch (field) {
      case 1:
      case 23:
        numbers.push_back(reader.integer(type));
        return true;
      case 3:
        text = reader.binary(type);
        return true;
      case 4:
        reader.list(type, [&](ThriftType element) { numbers.push_back(reader.integer(element)); });
        return true;
      case 20:
        flag = reader.boolean(type);
        return true;
      default:
        return false;
    }
  });
  CHECK(numbers == std::vector<std::int64_t>{-2, 5, -300, -1});
  CHECK(text == "ab");
  CHECK(flag);
  CHECK(reader.position() == bytes.size());
}

TEST_CASE("thrift: bytes that lie are refused before anything is made of them") {
  CHECK(refused("").find("a: b is cut short") != std::string::npos);
  CHECK(refused("\x18\xff\xff\xff\xff\x0f"s).find("holds a text that runs past its end") != std::string::npos);
  CHECK(refused("\x19\xf5\xff\xff\xff\xff\x0f"s).find("holds a list that runs past its end") != std::string::npos);
  CHECK(refused("\x1b\xff\xff\xff\xff\x0f"s).find("holds a map that runs past its end") != std::string::npos);
  CHECK(refused("\x16" + std::string(11, '\xff')).find("an integer beyond 64 bits") != std::string::npos);
  CHECK(refused(std::string(100, '\x1c')).find("is nested too deep") != std::string::npos);
  CHECK(refused("\x1d"s).find("a field of no known type") != std::string::npos);
  CHECK(refused("\x05\xff\xff\xff\x0f\x00"s).find("a field number beyond 16 bits") != std::string::npos);
  ThriftReader reader("\x02", "a");
  CHECK_THROWS_WITH_AS(reader.integer(ThriftType::binary), doctest::Contains("where an integer is due"), Error);
  CHECK_THROWS_WITH_AS(reader.binary(ThriftType::i32), doctest::Contains("where text is due"), Error);
  CHECK_THROWS_WITH_AS(reader.boolean(ThriftType::i32), doctest::Contains("where yes or no is due"), Error);
  CHECK_THROWS_WITH_AS(reader.list(ThriftType::i32, [](ThriftType) {}), doctest::Contains("where a list is due"),
                       Error);
}

}  // namespace temper::thrift_test
