// SPDX-License-Identifier: MIT
// Reads Thrift's compact protocol, in which Parquet writes its footer and page headers: a struct is fields with small
// numbers, integers are zigzag varints. Fields that nobody asks for are passed over. Every length is compared with the
// bytes that are left before anything is done with it.
#pragma once
#include "temper/core/error.hpp"
#include "temper/core/types.hpp"
#include "temper/io/printable.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace temper {

enum class ThriftType : std::uint8_t {
  stop = 0,
  boolean_true = 1,
  boolean_false = 2,
  byte = 3,
  i16 = 4,
  i32 = 5,
  i64 = 6,
  real = 7,
  binary = 8,
  list = 9,
  set = 10,
  map = 11,
  structure = 12,
};

class ThriftReader {
 public:
  // 'what' begins every message: 'a.parquet: the footer'.
  ThriftReader(std::string_view bytes, std::string what) : bytes_(bytes), what_(std::move(what)) {}

  std::size_t position() const { return at_; }

  // Calls 'field' with number and type of each; it reads the value, or says false and has read nothing.
  template <class Field>
  void structure(const Field& field) {
    deeper();
    std::int64_t number = 0;
    while (true) {
      const std::uint8_t header = byte();
      const auto type = static_cast<ThriftType>(header & 0x0f);
      if (type == ThriftType::stop) break;
      require_good(header <= 0xfc && static_cast<int>(type) <= 12, "holds a field of no known type");
      number = (header >> 4) != 0 ? number + (header >> 4) : zigzag();
      require_good(number > -32768 && number < 32768, "holds a field number beyond 16 bits");
      if (!field(static_cast<int>(number), type)) skip(type);
    }
    --depth_;
  }

  std::int64_t integer(ThriftType type) {
    require_good(
        type == ThriftType::byte || type == ThriftType::i16 || type == ThriftType::i32 || type == ThriftType::i64,
        "has another type where an integer is due");
    return type == ThriftType::byte ? static_cast<std::int8_t>(byte()) : zigzag();
  }

  bool boolean(ThriftType type) const {
    require_good(type == ThriftType::boolean_true || type == ThriftType::boolean_false,
                 "has another type where yes or no is due");
    return type == ThriftType::boolean_true;
  }

  std::string_view binary(ThriftType type) {
    require_good(type == ThriftType::binary, "has another type where text is due");
    const std::uint64_t size = varint();
    require_good(size <= left(), "holds a text that runs past its end");
    const std::string_view text = bytes_.substr(at_, static_cast<std::size_t>(size));
    at_ += static_cast<std::size_t>(size);
    return text;
  }

  // Calls 'element' with the type of each element; it must read it. An element has at least one byte.
  template <class Element>
  void list(ThriftType type, const Element& element) {
    require_good(type == ThriftType::list, "has another type where a list is due");
    const auto [element_type, count] = list_header();
    for (std::uint64_t i = 0; i < count; ++i) element(element_type);
  }

  void skip(ThriftType type) {
    deeper();
    switch (type) {
      case ThriftType::boolean_true:
      case ThriftType::boolean_false:
        break;
      case ThriftType::byte:
        pass(1);
        break;
      case ThriftType::i16:
      case ThriftType::i32:
      case ThriftType::i64:
        varint();
        break;
      case ThriftType::real:
        pass(8);
        break;
      case ThriftType::binary:
        binary(type);
        break;
      case ThriftType::list:
      case ThriftType::set: {
        const auto [element, count] = list_header();
        for (std::uint64_t i = 0; i < count; ++i) skip_element(element);
        break;
      }
      case ThriftType::map: {
        const std::uint64_t count = varint();
        require_good(count <= left(), "holds a map that runs past its end");
        const std::uint8_t types = count > 0 ? byte() : std::uint8_t{0};
        for (std::uint64_t i = 0; i < count; ++i) {
          skip_element(static_cast<ThriftType>(types >> 4));
          skip_element(static_cast<ThriftType>(types & 0x0f));
        }
        break;
      }
      case ThriftType::structure:
        structure([](int, ThriftType) { return false; });
        break;
      default:
        fail_here("holds a value of no known type");
    }
    --depth_;
  }

  [[noreturn]] void fail_here(std::string_view what) const {
    fail(Fault::data, "parquet.thrift", "{} {} (byte {}); the file is damaged or not Parquet", what_, what, at_);
  }

 private:
  static constexpr int max_depth = 24;

  void require_good(bool condition, std::string_view what) const {
    if (!condition) [[unlikely]]
      fail_here(what);
  }
  void deeper() { require_good(++depth_ <= max_depth, "is nested too deep"); }
  std::size_t left() const { return bytes_.size() - at_; }
  void pass(std::size_t count) {
    require_good(count <= left(), "is cut short");
    at_ += count;
  }
  std::uint8_t byte() {
    pass(1);
    return static_cast<std::uint8_t>(bytes_[at_ - 1]);
  }

  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      const std::uint8_t part = byte();
      value |= static_cast<std::uint64_t>(part & 0x7f) << shift;
      if (part < 0x80) return value;
    }
    fail_here("holds an integer beyond 64 bits");
  }
  std::int64_t zigzag() {
    const std::uint64_t value = varint();
    return static_cast<std::int64_t>(value >> 1) ^ -static_cast<std::int64_t>(value & 1);
  }

  std::pair<ThriftType, std::uint64_t> list_header() {
    const std::uint8_t header = byte();
    const std::uint64_t count = (header >> 4) == 15 ? varint() : header >> 4;
    require_good(count <= left(), "holds a list that runs past its end");
    return {static_cast<ThriftType>(header & 0x0f), count};
  }

  // In lists and maps a boolean has a byte of its own.
  void skip_element(ThriftType type) {
    if (type == ThriftType::boolean_true || type == ThriftType::boolean_false) return pass(1);
    skip(type);
  }

  std::string_view bytes_;
  std::string what_;
  std::size_t at_ = 0;
  int depth_ = 0;
};

}  // namespace temper
