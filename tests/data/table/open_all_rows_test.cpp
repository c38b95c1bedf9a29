// SPDX-License-Identifier: MIT
// Files by their names, compressed or not; compressed ones that are cut, swell or lie.
#include "temper/data/table/open_all_rows.hpp"
#include <doctest/doctest.h>
#include "support/row_files.hpp"

namespace temper::open_all_rows_test {

std::string gzip(const std::string& text) {
  z_stream stream{};
  REQUIRE(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  std::string bytes(deflateBound(&stream, text.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(bytes.data());
  stream.avail_out = static_cast<uInt>(bytes.size());
  REQUIRE(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  bytes.resize(stream.total_out);
  deflateEnd(&stream);
  return bytes;
}
std::string zstd(const std::string& text) {
  std::string bytes(ZSTD_compressBound(text.size()), '\0');
  bytes.resize(ZSTD_compress(bytes.data(), bytes.size(), text.data(), text.size(), 3));
  return bytes;
}

std::vector<Record> rows_of(const std::filesystem::path& path) { return all_rows(*open_all_rows(path, {})); }

std::string refused(const std::filesystem::path& path) {
  try {
    rows_of(path);
  } catch (const Error& error) { return error.what(); }
  return "";
}

TEST_CASE("open all rows: the name says what a file holds") {
  const testing::RowFiles files;
  const std::string lines = "{\"text\": \"a\"}\n{\"text\": \"b\"}\n", csv = "text\na\nb\n";
  for (const auto& [name, bytes] : std::vector<std::pair<const char*, std::string>>{
           {"a.jsonl", lines},
           {"a.json", "[{\"text\": \"a\"},{\"text\": \"b\"}]"},
           {"a.txt", lines},
           {"a.csv", csv},
           {"a.tsv", csv},
           {"a.jsonl.gz", gzip(lines)},
           {"a.csv.gz", gzip(csv)},
           {"a.jsonl.zst", zstd(lines)},
           {"a.csv.zst", zstd(csv)},
           {"b.jsonl.gz", gzip(lines.substr(0, 10)) + gzip(lines.substr(10))},
           {"b.jsonl.zst", zstd(lines.substr(0, 10)) + zstd("") + zstd(lines.substr(10))}}) {
    const auto path = files.write(name, bytes);
    CAPTURE(path.string());
    const auto rows = rows_of(path);
    REQUIRE(rows.size() == 2);
    CHECK(rows[1].fields["text"] == "b");
  }
  CHECK(rows_of(TEMPER_TESTS "/golden/table/pandas.parquet").size() == 4);
}

TEST_CASE("open all rows: without the component what needs it is refused by name") {
  for (const char* name : {"a.parquet", "a.jsonl.gz", "a.csv.zst"})
    CHECK_THROWS_WITH_AS(open_rows(name, {}), doctest::Contains("build it with the component 'tables'"), Error);
  const testing::RowFiles files;
  CHECK(all_rows(*open_rows(files.write("a.tsv", "a\tb\n1\t2\n"), {}))[0].fields["b"] == "2");
}

TEST_CASE("open all rows: a compressed file that is cut or damaged is refused, large ones are read in parts") {
  const testing::RowFiles files;
  std::string lines;
  for (int i = 0; i < 50000; ++i) lines += "{\"text\": \"row " + std::to_string(i * 7919 % 50021) + "\"}\n";
  for (const bool is_gzip : {true, false}) {
    const std::string name = is_gzip ? "a.jsonl.gz" : "a.jsonl.zst", whole = is_gzip ? gzip(lines) : zstd(lines);
    CHECK(rows_of(files.write(name, whole)).size() == 50000);
    CHECK(refused(files.write(name, whole.substr(0, whole.size() - 9))).find("ends early") != std::string::npos);
    CHECK(refused(files.write(name, "{\"text\": \"plain\"}")).find(is_gzip ? "not valid gzip" : "not valid zstd") !=
          std::string::npos);
  }
}

TEST_CASE("open all rows: a compressed text that ends where a block ends is whole") {
  const testing::RowFiles files;
  for (const std::size_t blocks : {1u, 2u, 3u})
    for (const int off : {-1, 0, 1}) {
      const std::string line = "{\"text\": \"a\"}\n";
      const std::size_t size = (std::size_t{1} << 18) * blocks + static_cast<std::size_t>(off);
      const std::string lines = line + std::string(size - 2 * line.size(), '\n') + line;
      REQUIRE(lines.size() == size);
      CAPTURE(size);
      CHECK(rows_of(files.write("a.jsonl.gz", gzip(lines))).size() == 2);
      CHECK(rows_of(files.write("a.jsonl.zst", zstd(lines))).size() == 2);
      CHECK(rows_of(files.write("a.jsonl.zst", zstd(lines) + zstd(lines))).size() == 4);
    }
}

TEST_CASE("open all rows: gzip says when a byte has changed") {
  const testing::RowFiles files;
  std::string damaged = gzip("{\"text\": \"a text of some length\"}\n");
  damaged[damaged.size() / 2] = static_cast<char>(damaged[damaged.size() / 2] ^ 0x55);
  CHECK(refused(files.write("a.jsonl.gz", damaged)).find("is not valid gzip") != std::string::npos);
}

TEST_CASE("open all rows: a file that swells beyond reason is refused") {
  const testing::RowFiles files;
  const std::string blank = zstd(std::string(std::size_t{1} << 27, '\n'));
  REQUIRE(blank.size() < 20000);
  CHECK(refused(files.write("a.jsonl.zst", blank + blank + blank)).find("decompress to more than") !=
        std::string::npos);
}

}  // namespace temper::open_all_rows_test
