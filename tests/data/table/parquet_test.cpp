// SPDX-License-Identifier: MIT
// Parquet files of pyarrow and pandas, against the rows that they were made from (tests/golden/table); what is refused
// by name; files that are cut, changed or lie.
#include "temper/data/table/parquet.hpp"
#include <doctest/doctest.h>
#include "temper/data/row_file.hpp"

#include <string>
#include <vector>

namespace temper::parquet_test {

std::string path_of(const std::string& name) { return TEMPER_TESTS "/golden/table/" + name; }
std::string bytes_of(const std::string& name) { return read_file(path_of(name), 1 << 20); }

std::vector<Record> rows_of(const std::string& bytes, std::span<const std::string> wanted = {}) {
  ParquetRows rows(std::make_unique<TextAccess>(bytes), "a.parquet", wanted);
  return all_rows(rows);
}

std::string refused(const std::string& bytes, std::span<const std::string> wanted = {}) {
  try {
    rows_of(bytes, wanted);
  } catch (const Error& error) {
    CHECK(error.fault() == Fault::data);
    return error.what();
  }
  return "";
}

void compare(const std::string& name, const std::string& expected) {
  CAPTURE(name);
  ParquetRows source(std::make_unique<FileAccess>(path_of(name)), path_of(name));
  const std::vector<Record> rows = all_rows(source);
  const std::vector<Record> wanted = parse_rows(bytes_of(expected), expected);
  REQUIRE(rows.size() == wanted.size());
  CHECK(source.rows() == std::ssize(wanted));
  for (std::size_t i = 0; i < rows.size(); ++i) {
    CHECK(to_text(rows[i].fields) == to_text(wanted[i].fields));
    CHECK(rows[i].line == static_cast<Index>(i) + 1);
    CHECK(rows[i].cells == Cells::typed);
  }
}

TEST_CASE("parquet: flat columns of every type, compression, page version and encoding") {
  for (const char* name : {"flat", "flat_none", "flat_gzip", "flat_zstd", "flat_plain", "flat_v2", "flat_groups"})
    compare(std::string(name) + ".parquet", "flat.jsonl");
}

TEST_CASE("parquet: lists, structs and lists of these in lists, with nulls at every level") {
  for (const char* name : {"nested", "nested_v2", "nested_plain"})
    compare(std::string(name) + ".parquet", "nested.jsonl");
}

TEST_CASE("parquet: what pandas writes, categories and messages among it") {
  compare("pandas.parquet", "pandas.jsonl");
}

TEST_CASE("parquet: row groups without rows are passed over") { compare("flat_empty_groups.parquet", "flat.jsonl"); }

TEST_CASE("parquet: a page with a checksum is held to it") {
  compare("flat_checksum.parquet", "flat.jsonl");
  compare("nested_checksum.parquet", "nested.jsonl");
  // Not compressed, so that nothing else could notice.
  std::string changed = bytes_of("nested_checksum.parquet");
  const std::size_t at = changed.find(std::string("\0\0\0two", 6));  // behind a length: a value, not a statistic
  REQUIRE(at != std::string::npos);
  changed[at + 3] = 'T';
  const std::string message = refused(changed);
  CAPTURE(message);
  CHECK(message.find("a.parquet: column 'messages.element.content': a page: has checksum ") != std::string::npos);
  CHECK(message.find("but its header says") != std::string::npos);
}

TEST_CASE("parquet: what is not read is refused by name") {
  const std::pair<const char*, const char*> files[] = {{"brotli", "column 'text': is compressed with BROTLI"},
                                                       {"lz4", "is compressed with LZ4"},
                                                       {"delta", "column 'large': is encoded as DELTA_BINARY_PACKED"},
                                                       {"delta_text", "is encoded as DELTA_BYTE_ARRAY"},
                                                       {"split", "is encoded as BYTE_STREAM_SPLIT"},
                                                       {"int96", "column 'when' is INT96"},
                                                       {"timestamp", "column 'when' is TIMESTAMP"},
                                                       {"decimal", "column 'cost' is DECIMAL"},
                                                       {"binary", "column 'bytes' is binary"},
                                                       {"map", "column 'map' is a MAP"},
                                                       {"date", "column 'day' is DATE"}};
  for (const auto& [name, sentence] : files) {
    const std::string file = name;
    CAPTURE(file);
    CHECK(refused(bytes_of(std::string("refused/") + name + ".parquet")).find(sentence) != std::string::npos);
  }
}

TEST_CASE("parquet: a column that nobody asks for may be of any type, and is null") {
  const std::vector<std::string> wanted = {"text", "prompt"};
  const std::vector<Record> rows = rows_of(bytes_of("refused/timestamp.parquet"), wanted);
  REQUIRE(rows.size() == 2);
  CHECK(to_text(rows[1].fields) == R"({"text":"b","when":null})");
}

TEST_CASE("parquet: a file that is cut, or is another, is refused") {
  const std::string whole = bytes_of("flat.parquet");
  CHECK(refused("PAR1").find("a.parquet: has 4 bytes") != std::string::npos);
  CHECK(refused(std::string(100, 'x')).find("does not begin with PAR1") != std::string::npos);
  CHECK(refused(whole.substr(0, whole.size() - 3)).find("does not end with PAR1") != std::string::npos);
  std::string encrypted = whole;
  encrypted.replace(whole.size() - 4, 4, "PARE");
  CHECK(refused(encrypted).find("its footer is encrypted") != std::string::npos);
  std::string lying = whole;
  lying.replace(whole.size() - 8, 4, "\xff\xff\xff\x7f");
  CHECK(refused(lying).find("says that its footer has 2147483647 bytes") != std::string::npos);
  lying.replace(whole.size() - 8, 4, std::string(4, '\0'));
  CHECK(refused(lying).find("the footer is cut short") != std::string::npos);
}

TEST_CASE("parquet: any byte that is changed gives an error or rows, and nothing else") {
  for (const char* name : {"flat_groups.parquet", "nested.parquet", "nested_v2.parquet"}) {
    const std::string whole = bytes_of(name);
    for (std::size_t at = 0; at < whole.size(); at += 17 + at % 41) {
      std::string changed = whole;
      changed[at] = static_cast<char>(changed[at] ^ (at % 2 == 0 ? 0x01 : 0xff));
      refused(changed);
    }
  }
}

// A little writer, for files that no writer makes: one column of strings, one page.
struct Crafted {
  std::string out = "PAR1";
  static std::string varint(std::uint64_t value) {
    std::string bytes;
    for (; value >= 0x80; value >>= 7) bytes += static_cast<char>((value & 0x7f) | 0x80);
    return bytes + static_cast<char>(value);
  }
  static std::string integer(std::int64_t value) {
    return varint(static_cast<std::uint64_t>(value) << 1 ^ static_cast<std::uint64_t>(value >> 63));
  }
  static std::string text(const std::string& value) { return varint(value.size()) + value; }

  // A page of 'values' plain values, in 'bytes', of which the header says 'stated'.
  static std::string page(std::int64_t values, const std::string& bytes, std::int64_t stated, int encoding = 0) {
    return "\x15" + integer(0) + "\x15" + integer(stated) + "\x15" + integer(std::ssize(bytes)) + "\x2c" + "\x15" +
           integer(values) + "\x15" + integer(encoding) + "\x15" + integer(3) + "\x15" + integer(3) +
           std::string(2, '\0') + bytes;
  }
  // A file with one column 'text', required, in one row group.
  static std::string file(std::int64_t rows, std::int64_t values, const std::string& pages, int codec = 0,
                          const std::string& extra = "", std::int64_t bytes = -1) {
    const std::string root = "\x48" + text("schema") + "\x15" + integer(1) + std::string(1, '\0');
    const std::string leaf =
        "\x15" + integer(6) + "\x25" + integer(0) + "\x18" + text("text") + "\x25" + integer(0) + std::string(1, '\0');
    const std::string metadata = "\x15" + integer(6) + "\x35" + integer(codec) + "\x16" + integer(values) + "\x26" +
                                 integer(bytes < 0 ? std::ssize(pages) : bytes) + "\x26" + integer(4) +
                                 std::string(1, '\0');
    const std::string chunk = "\x3c" + metadata + extra + std::string(1, '\0');
    const std::string group = "\x19\x1c" + chunk + "\x26" + integer(rows) + std::string(1, '\0');
    const std::string footer = "\x15" + integer(1) + "\x19\x2c" + root + leaf + "\x16" + integer(rows) + "\x19\x1c" +
                               group + std::string(1, '\0');
    std::string length(4, '\0');
    for (unsigned i = 0; i < 4; ++i) length[i] = static_cast<char>(footer.size() >> (8 * i));
    return "PAR1" + pages + footer + length + "PAR1";
  }
};

const std::string two = std::string("\x01\0\0\0a\x01\0\0\0b", 10);

TEST_CASE("parquet: files that lie about their pages are refused with the column") {
  REQUIRE(rows_of(Crafted::file(2, 2, Crafted::page(2, two, 10))).size() == 2);
  CHECK(rows_of(Crafted::file(2, 2, Crafted::page(2, two, 10)))[1].fields["text"] == "b");
  const auto said = [](const std::string& file, const char* sentence) {
    CAPTURE(sentence);
    const std::string message = refused(file);
    CAPTURE(message);
    CHECK(message.find(sentence) != std::string::npos);
  };
  said(Crafted::file(3, 3, Crafted::page(3, two, 10)), "column 'text': its values end early");
  said(Crafted::file(2, 2, Crafted::page(3, two, 10)), "more values than it says");
  said(Crafted::file(3, 3, Crafted::page(2, two, 10)), "its pages end before its values do");
  said(Crafted::file(2, 3, Crafted::page(3, two + two, 20)), "more values than its row group has rows");
  said(Crafted::file(3, 2, Crafted::page(2, two, 10)), "do not agree on where rows and lists end");
  said(Crafted::file(2, 2, Crafted::page(2, two, 11)), "a page of two sizes");
  said(Crafted::file(2, 2, Crafted::page(2, two, std::int64_t{1} << 40)), "has a page of 1099511627776 bytes");
  said(Crafted::file(2, 2, Crafted::page(2, two, -1)), "runs past the column's end");
  said(Crafted::file(2, 2, Crafted::page(2, two, 10), 0, "", 20), "runs past the column's end");
  said(Crafted::file(2, 2, Crafted::page(2, two, 10), 0, "", 1000), "the pages end at");
  said(Crafted::file(2, 2, Crafted::page(2, two, 10), 1), "does not decompress to the 10 bytes");
  said(Crafted::file(2, 2, Crafted::page(2, two, 10), 2), "does not decompress to the 10 bytes");
  said(Crafted::file(2, 2, Crafted::page(2, two, 10), 6), "does not decompress to the 10 bytes");
  said(Crafted::file(2, 2, Crafted::page(2, two, 10), 3), "compressed with LZO");
  said(Crafted::file(2, 2, Crafted::page(2, two, 10), 77), "method 77, which is not known");
  said(Crafted::file(2, 2, Crafted::page(2, two, 10, 77)), "an encoding that is not known");
  said(Crafted::file(2, 2, Crafted::page(2, two, 10, 8)), "its values end early, or an index is beyond the dictionary");
  said(Crafted::file(2, 2, Crafted::page(2, std::string("\x28", 1) + two, 11, 8)), "has indices of 40 bits");
  said(Crafted::file(1, 1, Crafted::page(1, std::string("\x01\0\0\0\xff", 5), 5)),
       "column 'text': a value is not valid UTF-8");
  said(Crafted::file(2, 2, Crafted::page(2, two, 10), 0, "\x5c" + std::string(1, '\0')), "column 'text': is encrypted");
  said(Crafted::file(std::int64_t{1} << 40, 2, Crafted::page(2, two, 10)), "claims more than");
  said(Crafted::file(2, std::int64_t{1} << 40, Crafted::page(2, two, 10)), "claims 1099511627776 values of one column");
}

}  // namespace temper::parquet_test
