// SPDX-License-Identifier: MIT
// Bytes read from front to back, a block at a time, and a window that slides over them: what row files are read
// through, so that memory depends on the longest row and not on the file. What is read before a row's end is found is
// doubled each time, hence finding it costs time in proportion to the row.
#pragma once
#include "temper/io/file.hpp"

#include <algorithm>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

namespace temper {

class ByteSource {
 public:
  ByteSource() = default;
  ByteSource(const ByteSource&) = delete;
  ByteSource& operator=(const ByteSource&) = delete;
  virtual ~ByteSource() = default;
  virtual std::size_t read(std::span<char> into) = 0;  // how many bytes there were; 0 at the end
};

class FileBytes final : public ByteSource {
 public:
  explicit FileBytes(const std::filesystem::path& path) : path_(path), file_(open_regular(path)) {}

  std::size_t size() const { return file_.bytes; }

  std::size_t read(std::span<char> into) override {
    const ssize_t got = uninterrupted([&] { return ::read(file_.descriptor.number(), into.data(), into.size()); });
    if (got < 0) fail_to_read(path_, errno);
    return static_cast<std::size_t>(got);
  }

 private:
  std::filesystem::path path_;
  RegularFile file_;
};

// A text that is in memory already; it must outlive this.
class TextBytes final : public ByteSource {
 public:
  explicit TextBytes(std::string_view text) : text_(text) {}

  std::size_t read(std::span<char> into) override {
    const std::size_t count = std::min(into.size(), text_.size());
    if (count > 0) std::memcpy(into.data(), text_.data(), count);
    text_.remove_prefix(count);
    return count;
  }

 private:
  std::string_view text_;
};

inline constexpr std::size_t max_row_bytes = std::size_t{256} << 20;

class ByteWindow {
 public:
  ByteWindow(std::unique_ptr<ByteSource> source, std::filesystem::path path, std::size_t block = std::size_t{1} << 18)
      : source_(std::move(source)), path_(std::move(path)), block_(block) {}

  // What is there of the bytes that were not dropped; it stays valid until more() or drop().
  std::string_view rest() const { return std::string_view(buffer_).substr(begin_, end_ - begin_); }

  // Reads on behind rest(). False: the source has no more.
  bool more() {
    if (finished_) return false;
    const std::size_t held = end_ - begin_;
    require(held <= max_row_bytes, Fault::data, "rows.row_too_long",
            "{}: a row that begins at line {} has more than {} bytes; expected shorter rows", shown_path(path_), line_,
            max_row_bytes);
    if (begin_ > 0 && held > 0) std::memmove(buffer_.data(), buffer_.data() + begin_, held);
    begin_ = 0;
    end_ = held;
    const std::size_t wanted = std::max(block_, held);
    if (buffer_.size() < held + wanted) buffer_.resize(held + wanted);
    const std::size_t got = source_->read(std::span(buffer_).subspan(held, wanted));
    end_ += got;
    finished_ = got == 0;
    return !finished_;
  }

  void drop(std::size_t count) { begin_ += count; }

  // The line that rest() begins at; the reader of rows counts.
  Index line() const { return line_; }
  void count_lines(Index lines) { line_ += lines; }

  const std::filesystem::path& path() const { return path_; }

 private:
  std::unique_ptr<ByteSource> source_;
  std::filesystem::path path_;
  std::size_t block_;
  std::string buffer_;
  std::size_t begin_ = 0, end_ = 0;
  bool finished_ = false;
  Index line_ = 1;
};

inline void skip_byte_order_mark(ByteWindow& window) {
  while (window.rest().size() < 4 && window.more()) {}
  const std::string_view rest = window.rest();
  require(!rest.starts_with("\xff\xfe") && !rest.starts_with("\xfe\xff"), Fault::data, "rows.utf8",
          "{}: begins with the mark of UTF-16; expected UTF-8; convert the file", shown_path(window.path()));
  // What a compressed file or a table that is named otherwise, or is compressed twice, begins with.
  const std::string ending_here = window.path().extension().string();
  const bool unpacked = ending_here == ".gz" || ending_here == ".zst";
  for (const auto& [mark, name, ending] :
       {std::tuple("\x1f\x8b", "gzip", ".gz"), std::tuple("\x28\xb5\x2f\xfd", "zstd", ".zst"),
        std::tuple("PAR1", "Parquet", ".parquet")})
    require(!rest.starts_with(mark), Fault::data, "rows.file_type", "{}: {}; expected text; {}",
            shown_path(window.path()),
            unpacked ? fmt::format("what is compressed in it is a {} file again", name)
                     : fmt::format("is a {} file by its first bytes, but not by its name", name),
            unpacked ? std::string("unpack it once") : fmt::format("let its name end with {}", ending));
  if (rest.starts_with("\xef\xbb\xbf")) window.drop(3);
}

}  // namespace temper
