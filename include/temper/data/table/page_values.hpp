// SPDX-License-Identifier: MIT
// The values of one page, one after the other: plain, or as indices into a dictionary, or booleans as runs. Strings are
// views of the page. Encodings that are not read are refused by name.
#pragma once
#include "temper/data/table/hybrid_decoder.hpp"
#include "temper/data/table/parquet_schema.hpp"

#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace temper::parquet {

// A string, or the bits of a number.
struct Value {
  std::string_view text;
  std::uint64_t bits = 0;
};

// Bytes that a value of fixed size takes; 0: a text.
inline std::size_t plain_bytes(ValueKind kind) {
  switch (kind) {
    case ValueKind::int32:
    case ValueKind::uint32:
    case ValueKind::real32:
      return 4;
    case ValueKind::int64:
    case ValueKind::uint64:
    case ValueKind::real64:
      return 8;
    default:
      return 0;
  }
}

class PlainValues {
 public:
  PlainValues() = default;
  PlainValues(std::string_view bytes, ValueKind kind) : bytes_(bytes), kind_(kind) {}

  bool next(Value& value) {
    if (kind_ == ValueKind::boolean) {
      if (bit_ / 8 >= bytes_.size()) return false;
      value.bits = static_cast<unsigned char>(bytes_[bit_ / 8]) >> (bit_ % 8) & 1u;
      ++bit_;
      return true;
    }
    const std::size_t size = plain_bytes(kind_);
    std::uint64_t bits = 0;
    if (!take(size == 0 ? 4 : size, bits)) return false;
    if (size > 0) {
      value.bits = bits;
      return true;
    }
    if (bits > bytes_.size()) return false;
    value.text = bytes_.substr(0, static_cast<std::size_t>(bits));
    bytes_.remove_prefix(static_cast<std::size_t>(bits));
    return true;
  }

 private:
  // Little-endian, as all of Parquet.
  bool take(std::size_t size, std::uint64_t& bits) {
    if (bytes_.size() < size) return false;
    for (std::size_t i = 0; i < size; ++i)
      bits |= static_cast<std::uint64_t>(static_cast<unsigned char>(bytes_[i])) << (8 * i);
    bytes_.remove_prefix(size);
    return true;
  }

  std::string_view bytes_;
  ValueKind kind_ = ValueKind::nothing;
  std::size_t bit_ = 0;
};

inline std::string_view encoding_name(int encoding) {
  constexpr std::string_view names[] = {"PLAIN",
                                        "1",
                                        "PLAIN_DICTIONARY",
                                        "RLE",
                                        "BIT_PACKED",
                                        "DELTA_BINARY_PACKED",
                                        "DELTA_LENGTH_BYTE_ARRAY",
                                        "DELTA_BYTE_ARRAY",
                                        "RLE_DICTIONARY",
                                        "BYTE_STREAM_SPLIT"};
  return encoding >= 0 && encoding < 10 ? names[encoding] : "an encoding that is not known";
}

class PageValues {
 public:
  PageValues() = default;

  // 'bytes' and 'dictionary' outlive this.
  PageValues(std::string_view bytes, int encoding, ValueKind kind, const std::vector<Value>& dictionary,
             const std::string& what) {
    if (encoding == 0) {
      source_ = Source::plain;
      plain_ = PlainValues(bytes, kind);
    } else if (encoding == 2 || encoding == 8) {
      source_ = Source::dictionary;
      dictionary_ = &dictionary;
      const unsigned width = bytes.empty() ? 0 : static_cast<unsigned char>(bytes[0]);
      require(width <= 32, Fault::data, "parquet.page", "{}: has indices of {} bits; expected at most 32", what, width);
      runs_ = HybridDecoder(bytes.empty() ? bytes : bytes.substr(1), width);
    } else if (encoding == 3 && kind == ValueKind::boolean) {
      source_ = Source::booleans;
      // Four bytes of length, then runs of one bit.
      runs_ = HybridDecoder(bytes.size() < 4 ? std::string_view() : bytes.substr(4), 1);
    } else {
      fail(Fault::data, "parquet.encoding",
           "{}: is encoded as {}; expected PLAIN, a dictionary, or RLE of booleans; {}", what, encoding_name(encoding),
           "write the file again with another encoding");
    }
  }

  bool next(Value& value) {
    if (source_ == Source::plain) return plain_.next(value);
    std::uint32_t index = 0;
    if (!runs_.next(index)) return false;
    if (source_ == Source::booleans) {
      value.bits = index;
      return true;
    }
    if (index >= dictionary_->size()) return false;
    value = (*dictionary_)[index];
    return true;
  }

  // Whether its strings were looked at when the dictionary was read.
  bool known_text() const { return source_ == Source::dictionary; }

 private:
  enum class Source { plain, dictionary, booleans };
  Source source_ = Source::plain;
  PlainValues plain_;
  HybridDecoder runs_;
  const std::vector<Value>* dictionary_ = nullptr;
};

}  // namespace temper::parquet
