// SPDX-License-Identifier: MIT
// What a Parquet file says about itself: the footer (schema, row groups, where each column's pages lie) and the header
// of each page. Numbers are those of parquet.thrift of the format's specification. Nothing here is believed but what it
// is compared with: sizes and offsets against the file.
#pragma once
#include "temper/data/table/random_access.hpp"
#include "temper/data/table/thrift.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace temper::parquet {

enum class Physical { boolean, int32, int64, int96, real32, real64, byte_array, fixed_bytes, none };
enum class Repetition { required, optional, repeated };

// Field numbers of the union LogicalType; of the older ConvertedType those that say the same are put here too.
enum class Logical {
  none = 0,
  string = 1,
  map = 2,
  list = 3,
  enumeration = 4,
  decimal = 5,
  date = 6,
  time = 7,
  timestamp = 8,
  integer = 10,
  unknown = 11,
  json = 12,
  bson = 13,
  uuid = 14,
  real16 = 15,
  other = 99,
};

struct SchemaElement {
  std::string name;
  Physical physical = Physical::none;
  Repetition repetition = Repetition::required;
  Index children = 0;
  Logical logical = Logical::none;
  bool is_unsigned = false;
};

struct ColumnChunk {
  Physical physical = Physical::none;
  int codec = 0;
  std::int64_t values = 0, compressed_bytes = 0, data_offset = 0, dictionary_offset = 0;
  bool encrypted = false, elsewhere = false;
};

struct RowGroup {
  std::vector<ColumnChunk> columns;
  std::int64_t rows = 0;
};

struct Footer {
  std::vector<SchemaElement> schema;
  std::vector<RowGroup> groups;
  std::int64_t rows = 0;
  bool encrypted = false;
  std::size_t pages_end = 0;  // where the footer begins
};

enum class PageKind { data = 0, index = 1, dictionary = 2, data_v2 = 3 };

struct PageHeader {
  int kind = -1;
  std::int64_t compressed_bytes = -1, uncompressed_bytes = -1, values = -1;
  int encoding = -1, definition_encoding = -1, repetition_encoding = -1;
  std::int64_t definition_bytes = 0, repetition_bytes = 0;  // v2
  bool is_compressed = true;                                // v2
  std::optional<std::uint32_t> checksum;                    // CRC32 of the page as it stands in the file
  std::size_t header_bytes = 0;
};

inline constexpr std::size_t max_footer_bytes = std::size_t{16} << 20;

class MetadataReader {
 public:
  MetadataReader(std::string_view bytes, std::string what) : thrift_(bytes, std::move(what)) {}

  Footer footer() {
    Footer footer;
    thrift_.structure([&](int field, ThriftType type) {
      switch (field) {
        case 2:
          thrift_.list(type, [&](ThriftType) { footer.schema.push_back(schema_element()); });
          return true;
        case 3:
          footer.rows = thrift_.integer(type);
          return true;
        case 4:
          thrift_.list(type, [&](ThriftType) { footer.groups.push_back(row_group()); });
          return true;
        case 8:
          footer.encrypted = true;
          return false;
        default:
          return false;
      }
    });
    return footer;
  }

  PageHeader page_header() {
    PageHeader header;
    thrift_.structure([&](int field, ThriftType type) {
      switch (field) {
        case 1:
          header.kind = small(type);
          return true;
        case 2:
          header.uncompressed_bytes = thrift_.integer(type);
          return true;
        case 3:
          header.compressed_bytes = thrift_.integer(type);
          return true;
        case 4:
          header.checksum = static_cast<std::uint32_t>(thrift_.integer(type));
          return true;
        case 5:
        case 7:
          data_page_header(header, type);
          return true;
        case 8:
          data_page_v2_header(header, type);
          return true;
        default:
          return false;
      }
    });
    header.header_bytes = thrift_.position();
    return header;
  }

 private:
  int small(ThriftType type) {
    const std::int64_t value = thrift_.integer(type);
    return value < 0 || value > 1'000'000 ? -1 : static_cast<int>(value);
  }

  void begin_structure(ThriftType type) {
    if (type != ThriftType::structure) thrift_.fail_here("has another type where a struct is due");
  }

  SchemaElement schema_element() {
    SchemaElement element;
    Logical converted = Logical::none;
    thrift_.structure([&](int field, ThriftType type) {
      switch (field) {
        case 1: {
          const int physical = small(type);
          element.physical = physical < 0 || physical > 7 ? Physical::none : static_cast<Physical>(physical);
          return true;
        }
        case 3: {
          const int repetition = small(type);
          if (repetition < 0 || repetition > 2) thrift_.fail_here("holds no known repetition");
          element.repetition = static_cast<Repetition>(repetition);
          return true;
        }
        case 4:
          element.name = std::string(thrift_.binary(type));
          return true;
        case 5:
          element.children = small(type);
          return true;
        case 6:
          converted = of_converted(small(type), element.is_unsigned);
          return true;
        case 10:
          begin_structure(type);
          logical_type(element);
          return true;
        default:
          return false;
      }
    });
    if (element.logical == Logical::none) element.logical = converted;
    return element;
  }

  static Logical of_converted(int number, bool& is_unsigned) {
    constexpr Logical meanings[] = {Logical::string,      Logical::map,       Logical::map,      Logical::list,
                                    Logical::enumeration, Logical::decimal,   Logical::date,     Logical::time,
                                    Logical::time,        Logical::timestamp, Logical::timestamp};
    if (number >= 0 && number <= 10) return meanings[number];
    is_unsigned = number >= 11 && number <= 14;
    if (number >= 11 && number <= 18) return Logical::integer;
    return number == 19 ? Logical::json : number == 20 ? Logical::bson : Logical::other;
  }

  void logical_type(SchemaElement& element) {
    thrift_.structure([&](int field, ThriftType type) {
      element.logical = field >= 1 && field <= 15 && field != 9 ? static_cast<Logical>(field) : Logical::other;
      if (element.logical != Logical::integer || type != ThriftType::structure) return false;
      thrift_.structure([&](int part, ThriftType part_type) {
        if (part != 2) return false;
        element.is_unsigned = !thrift_.boolean(part_type);
        return true;
      });
      return true;
    });
  }

  RowGroup row_group() {
    RowGroup group;
    thrift_.structure([&](int field, ThriftType type) {
      switch (field) {
        case 1:
          thrift_.list(type, [&](ThriftType) { group.columns.push_back(column_chunk()); });
          return true;
        case 3:
          group.rows = thrift_.integer(type);
          return true;
        default:
          return false;
      }
    });
    return group;
  }

  ColumnChunk column_chunk() {
    ColumnChunk chunk;
    thrift_.structure([&](int field, ThriftType type) {
      switch (field) {
        case 1:
          chunk.elsewhere = true;
          return false;
        case 3:
          begin_structure(type);
          column_metadata(chunk);
          return true;
        case 8:
        case 9:
          chunk.encrypted = true;
          return false;
        default:
          return false;
      }
    });
    return chunk;
  }

  void column_metadata(ColumnChunk& chunk) {
    thrift_.structure([&](int field, ThriftType type) {
      switch (field) {
        case 1: {
          const int physical = small(type);
          chunk.physical = physical < 0 || physical > 7 ? Physical::none : static_cast<Physical>(physical);
          return true;
        }
        case 4:
          chunk.codec = small(type);
          return true;
        case 5:
          chunk.values = thrift_.integer(type);
          return true;
        case 7:
          chunk.compressed_bytes = thrift_.integer(type);
          return true;
        case 9:
          chunk.data_offset = thrift_.integer(type);
          return true;
        case 11:
          chunk.dictionary_offset = thrift_.integer(type);
          return true;
        default:
          return false;
      }
    });
  }

  // Of data and dictionary pages, whose first two fields are the same.
  void data_page_header(PageHeader& header, ThriftType type) {
    begin_structure(type);
    thrift_.structure([&](int field, ThriftType part) {
      switch (field) {
        case 1:
          header.values = thrift_.integer(part);
          return true;
        case 2:
          header.encoding = small(part);
          return true;
        case 3:
          if (part == ThriftType::boolean_true || part == ThriftType::boolean_false) return false;  // 'is sorted'
          header.definition_encoding = small(part);
          return true;
        case 4:
          header.repetition_encoding = small(part);
          return true;
        default:
          return false;
      }
    });
  }

  void data_page_v2_header(PageHeader& header, ThriftType type) {
    begin_structure(type);
    thrift_.structure([&](int field, ThriftType part) {
      switch (field) {
        case 1:
          header.values = thrift_.integer(part);
          return true;
        case 4:
          header.encoding = small(part);
          return true;
        case 5:
          header.definition_bytes = thrift_.integer(part);
          return true;
        case 6:
          header.repetition_bytes = thrift_.integer(part);
          return true;
        case 7:
          header.is_compressed = thrift_.boolean(part);
          return true;
        default:
          return false;
      }
    });
  }

  ThriftReader thrift_;
};

// Checks the magic words at both ends and reads the footer between them.
inline Footer read_footer(const RandomAccess& file, const std::string& name) {
  const std::size_t size = file.size();
  require(size >= 12, Fault::data, "parquet.not_parquet", "{}: has {} bytes; expected a Parquet file, at least 12",
          name, size);
  char head[4], tail[8];
  file.read(0, head);
  file.read(size - 8, tail);
  const std::string_view first(head, 4), last(tail + 4, 4);
  require(first != "PARE" && last != "PARE", Fault::data, "parquet.encrypted",
          "{}: its footer is encrypted; expected a file without encryption; write it again", name);
  require(first == "PAR1" && last == "PAR1", Fault::data, "parquet.not_parquet",
          "{}: does not {} with PAR1; the file is cut short or not Parquet", name, first == "PAR1" ? "end" : "begin");
  std::size_t length = 0;
  for (unsigned i = 0; i < 4; ++i) length |= static_cast<std::size_t>(static_cast<unsigned char>(tail[i])) << (8 * i);
  require(length <= size - 12 && length <= max_footer_bytes, Fault::data, "parquet.footer",
          "{}: says that its footer has {} bytes, but the file has {}; expected at most that less 12, and {}", name,
          length, size, max_footer_bytes);
  std::string bytes(length, '\0');
  file.read(size - 8 - length, bytes);
  Footer footer = MetadataReader(bytes, name + ": the footer").footer();
  require(!footer.encrypted, Fault::data, "parquet.encrypted",
          "{}: its columns are encrypted; expected a file without encryption; write it again", name);
  footer.pages_end = size - 8 - length;
  return footer;
}

}  // namespace temper::parquet
