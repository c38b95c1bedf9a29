// SPDX-License-Identifier: MIT
// One column of one row group: its pages one after the other, each as levels and values. Only the page at hand and the
// dictionary are in memory; all open columns together may hold so much (PageBudget).
#pragma once
#include "temper/data/table/page_compression.hpp"
#include "temper/data/table/page_values.hpp"
#include "temper/data/utf8.hpp"

#include <algorithm>
#include <bit>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace temper::parquet {

inline constexpr std::int64_t max_page_bytes = std::int64_t{256} << 20;

// Bytes of pages and dictionaries that a file's open columns hold.
struct PageBudget {
  std::size_t left = std::size_t{640} << 20;
};

class PageBytes {
 public:
  explicit PageBytes(PageBudget& budget) : budget_(budget) {}
  PageBytes(const PageBytes&) = delete;
  PageBytes& operator=(const PageBytes&) = delete;
  ~PageBytes() { clear(); }

  std::span<char> resize(std::size_t size, const std::string& what) {
    clear();
    require(size <= budget_.left, Fault::data, "parquet.page",
            "{}: has {} bytes, but only {} are left for all columns; expected smaller pages", what, size, budget_.left);
    bytes_ = std::make_unique_for_overwrite<char[]>(size);
    size_ = size;
    budget_.left -= size;
    return {bytes_.get(), size};
  }
  void clear() {
    bytes_.reset();
    budget_.left += std::exchange(size_, 0);
  }
  std::string_view view() const { return {bytes_.get(), size_}; }
  void swap(PageBytes& other) {
    std::swap(bytes_, other.bytes_);
    std::swap(size_, other.size_);
  }

 private:
  PageBudget& budget_;
  std::unique_ptr<char[]> bytes_;
  std::size_t size_ = 0;
};

class ColumnReader {
 public:
  // 'leaf' and 'file' outlive this. 'name' is what messages call the column: "a.parquet: column 'text'".
  ColumnReader(const RandomAccess& file, const Footer& footer, const ColumnChunk& chunk, const Node& leaf,
               std::string name, PageBudget& budget)
      : file_(file), leaf_(leaf), name_(std::move(name)), left_(chunk.values), page_(budget), dictionary_page_(budget) {
    require(!chunk.encrypted, Fault::data, "parquet.encrypted", "{}: is encrypted; expected a file without encryption",
            name_);
    require(!chunk.elsewhere, Fault::data, "parquet.chunk", "{}: lies in another file; expected one file of all",
            name_);
    codec_ = codec_of(chunk.codec, name_);
    if (left_ == 0) {  // of a row group without rows writers say no place
      advance();
      return;
    }
    const std::int64_t begin = chunk.dictionary_offset > 0 && chunk.dictionary_offset < chunk.data_offset
                                   ? chunk.dictionary_offset
                                   : chunk.data_offset;
    const auto end = static_cast<std::int64_t>(footer.pages_end);
    require(begin >= 4 && begin <= end && chunk.compressed_bytes >= 0 && chunk.compressed_bytes <= end - begin &&
                chunk.values >= 0,
            Fault::data, "parquet.chunk",
            "{}: says that it has {} bytes at {}, but the pages end at {}; the file is cut short or damaged", name_,
            chunk.compressed_bytes, begin, end);
    at_ = static_cast<std::size_t>(begin);
    end_ = at_ + static_cast<std::size_t>(chunk.compressed_bytes);
    advance();
  }

  bool done() const { return done_; }
  int repetition() const { return static_cast<int>(repetition_); }  // 0 when done
  int definition() const { return static_cast<int>(definition_); }

  // The value at hand, which must be there: definition() is the leaf's.
  Value value() {
    Value value;
    if (!values_.next(value)) fail_page("its values end early, or an index is beyond the dictionary");
    if (leaf_.value == ValueKind::text && !values_.known_text()) require_unicode(value.text);
    return value;
  }

  // On to the next value or null.
  void advance() {
    while (in_page_ == 0) {
      if (left_ == 0) {
        done_ = true;
        repetition_ = definition_ = 0;
        return;
      }
      next_page();
    }
    --in_page_;
    --left_;
    if (!level(repetitions_, leaf_.repetition, repetition_) || !level(definitions_, leaf_.definition, definition_))
      fail_page("its levels end early or are beyond the schema's");
  }

 private:
  static bool level(HybridDecoder& levels, int highest, std::uint32_t& value) {
    if (highest == 0) return true;
    return levels.next(value) && value <= static_cast<std::uint32_t>(highest);
  }

  [[noreturn]] void fail_page(std::string_view what) const {
    fail(Fault::data, "parquet.page", "{}: {}; the file is damaged", name_, what);
  }
  void require_page(bool condition, std::string_view what) const {
    if (!condition) [[unlikely]]
      fail_page(what);
  }

  // Headers are small, but may hold the column's smallest and largest value: read more until it is whole.
  PageHeader read_header() {
    std::string bytes;
    for (std::size_t size = 256; true; size *= 8) {
      bytes.resize(std::min(size, end_ - at_));
      file_.read(at_, bytes);
      try {
        return MetadataReader(bytes, name_ + ": a page header").page_header();
      } catch (const Error&) {
        if (bytes.size() == end_ - at_ || size > max_footer_bytes) throw;
      }
    }
  }

  void next_page() {
    require_page(at_ < end_, "its pages end before its values do");
    const PageHeader header = read_header();
    at_ += header.header_bytes;
    require_page(header.compressed_bytes >= 0 && header.compressed_bytes <= static_cast<std::int64_t>(end_ - at_) &&
                     header.uncompressed_bytes >= 0,
                 "a page runs past the column's end");
    require(header.uncompressed_bytes <= max_page_bytes && header.compressed_bytes <= max_page_bytes, Fault::data,
            "parquet.page", "{}: has a page of {} bytes; expected at most {}; write the file with smaller pages", name_,
            std::max(header.uncompressed_bytes, header.compressed_bytes), max_page_bytes);
    const std::size_t begin = at_;
    at_ += static_cast<std::size_t>(header.compressed_bytes);
    if (header.kind == static_cast<int>(PageKind::index)) return;
    const bool is_data =
        header.kind == static_cast<int>(PageKind::data) || header.kind == static_cast<int>(PageKind::data_v2);
    require_page(is_data || header.kind == static_cast<int>(PageKind::dictionary), "has a page of no known kind");
    require_page(header.values >= 0, "has a page without a count of values");
    if (is_data) {
      require_page(header.values <= left_, "its pages have more values than it says");
      if (header.kind == static_cast<int>(PageKind::data)) {
        read_page(header, begin, 0);
        begin_data(header);
      } else {
        begin_data_v2(header, begin);
      }
      in_page_ = header.values;
    } else {
      read_page(header, begin, 0);
      begin_dictionary(header);
    }
  }

  // Decompresses all behind the first 'plain' bytes, which are as they are.
  void read_page(const PageHeader& header, std::size_t begin, std::size_t plain) {
    const auto size = static_cast<std::size_t>(header.uncompressed_bytes);
    const auto compressed = static_cast<std::size_t>(header.compressed_bytes);
    require_page(plain <= size && plain <= compressed, "has a page whose levels are longer than itself");
    values_ = {};
    const std::span<char> into = page_.resize(size, name_);
    file_.read(begin, into.first(plain));
    if (codec_ == Codec::none || !header.is_compressed) {
      require_page(size == compressed, "has a page of two sizes though it is not compressed");
      file_.read(begin + plain, into.subspan(plain));
      require_checksum(header, page_.view(), {});
      return;
    }
    std::string bytes(compressed - plain, '\0');
    file_.read(begin + plain, bytes);
    require_checksum(header, page_.view().substr(0, plain), bytes);
    if (size == plain) return;  // all null: some writers leave the empty rest uncompressed
    decompress_page(codec_, bytes, into.subspan(plain), name_ + ": a page");
  }

  void require_checksum(const PageHeader& header, std::string_view first, std::string_view second) const {
    const std::string_view parts[] = {first, second};
    parquet::require_checksum(header.checksum, parts, name_ + ": a page");
  }

  void begin_data(const PageHeader& header) {
    std::string_view bytes = page_.view();
    const auto levels = [&](int highest, int encoding) {
      if (highest == 0) return HybridDecoder();
      require(encoding == 3, Fault::data, "parquet.encoding", "{}: its levels are encoded as {}; expected RLE", name_,
              encoding_name(encoding));
      require_page(bytes.size() >= 4, "has a page without levels");
      std::size_t size = 0;
      for (unsigned i = 0; i < 4; ++i)
        size |= static_cast<std::size_t>(static_cast<unsigned char>(bytes[i])) << (8 * i);
      require_page(size <= bytes.size() - 4, "has levels that run past their page");
      const HybridDecoder decoder(bytes.substr(4, size), width_of(highest));
      bytes.remove_prefix(4 + size);
      return decoder;
    };
    repetitions_ = levels(leaf_.repetition, header.repetition_encoding);
    definitions_ = levels(leaf_.definition, header.definition_encoding);
    values_ = PageValues(bytes, header.encoding, leaf_.value, dictionary_, name_);
  }

  void begin_data_v2(const PageHeader& header, std::size_t begin) {
    require_page(header.repetition_bytes >= 0 && header.definition_bytes >= 0 &&
                     header.repetition_bytes <= max_page_bytes && header.definition_bytes <= max_page_bytes,
                 "has levels that run past their page");
    const auto first = static_cast<std::size_t>(header.repetition_bytes);
    const auto second = static_cast<std::size_t>(header.definition_bytes);
    read_page(header, begin, first + second);
    const std::string_view bytes = page_.view();
    repetitions_ = HybridDecoder(bytes.substr(0, first), width_of(leaf_.repetition));
    definitions_ = HybridDecoder(bytes.substr(first, second), width_of(leaf_.definition));
    values_ = PageValues(bytes.substr(first + second), header.encoding, leaf_.value, dictionary_, name_);
  }

  void begin_dictionary(const PageHeader& header) {
    require_page(dictionary_.empty() && (header.encoding == 0 || header.encoding == 2),
                 "has a second dictionary, or one that is not plain");
    dictionary_page_.swap(page_);
    const std::string_view bytes = dictionary_page_.view();
    const std::size_t smallest = std::max<std::size_t>(4, plain_bytes(leaf_.value));
    require_page(
        leaf_.value != ValueKind::boolean && header.values <= static_cast<std::int64_t>(bytes.size() / smallest),
        "has a dictionary with more values than bytes");
    PlainValues plain(bytes, leaf_.value);
    dictionary_.reserve(static_cast<std::size_t>(header.values));
    for (std::int64_t i = 0; i < header.values; ++i) {
      Value value;
      require_page(plain.next(value), "has a dictionary that ends early");
      if (leaf_.value == ValueKind::text) require_unicode(value.text);
      dictionary_.push_back(value);
    }
  }

  static unsigned width_of(int highest) {
    return static_cast<unsigned>(std::bit_width(static_cast<unsigned>(highest)));
  }

  void require_unicode(std::string_view text) const {
    const std::size_t at = invalid_utf8(text);
    require(at == text.size(), Fault::data, "rows.utf8",
            "{}: a value is not valid UTF-8 (at its byte {}); expected UTF-8; convert it", name_, at + 1);
  }

  const RandomAccess& file_;
  const Node& leaf_;
  std::string name_;
  Codec codec_ = Codec::none;
  std::size_t at_ = 0, end_ = 0;         // of the pages that are not yet read
  std::int64_t left_ = 0, in_page_ = 0;  // values that were not yet advanced to
  PageBytes page_, dictionary_page_;
  std::vector<Value> dictionary_;
  HybridDecoder repetitions_, definitions_;
  PageValues values_;
  std::uint32_t repetition_ = 0, definition_ = 0;
  bool done_ = false;
};

}  // namespace temper::parquet
