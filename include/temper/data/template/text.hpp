// SPDX-License-Identifier: MIT
// Strings of the chat template engine: valid UTF-8 that remembers, run by run, where each byte comes from. 'content' is
// the message whose own words they are, 'author' the message in whose turn of the loop the template wrote them, and
// 'generation' counts the {% generation %} blocks; -1 is none. Every operation of the engine keeps these, so a rendered
// text says who wrote it, even where the template builds it from macros and trimmed pieces.
#pragma once
#include "temper/core/types.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace temper::templates {

struct Writer {
  int content = -1, author = -1, generation = -1;
  friend bool operator==(const Writer&, const Writer&) = default;
};

struct Run {
  std::size_t end = 0;  // first byte after the run
  Writer writer;
};

class Text {
 public:
  Text() = default;
  explicit Text(std::string bytes, Writer writer = {}) : bytes_(std::move(bytes)) {
    if (writer != Writer{} && !bytes_.empty()) runs_.push_back({bytes_.size(), writer});
  }

  const std::string& bytes() const { return bytes_; }
  std::size_t size() const { return bytes_.size(); }
  bool empty() const { return bytes_.empty(); }
  const std::vector<Run>& runs() const { return runs_; }  // covers every byte, or is empty: nobody

  // What the filter 'safe' makes: plain strings added to it are escaped as HTML, as Python's markupsafe does.
  bool is_markup() const { return markup_; }
  Text as_markup() const {
    Text marked = *this;
    marked.markup_ = true;
    return marked;
  }

  Text as_plain() const {
    Text plain = *this;
    plain.markup_ = false;
    return plain;
  }

  void append(std::string_view bytes, Writer writer = {}) {
    if (bytes.empty()) return;
    if (writer != Writer{} || !runs_.empty()) extend(bytes_.size() + bytes.size(), writer);
    bytes_.append(bytes);
  }

  // The context fills in what the other text's runs do not know.
  void append(const Text& other, Writer context = {}) { append(other, 0, other.size(), context); }

  void append(const Text& other, std::size_t begin, std::size_t end, Writer context = {}) {
    if (begin >= end) return;
    if (other.runs_.empty()) return append(std::string_view(other.bytes_).substr(begin, end - begin), context);
    auto run = std::upper_bound(other.runs_.begin(), other.runs_.end(), begin,
                                [](std::size_t at, const Run& r) { return at < r.end; });
    for (std::size_t at = begin; at < end; ++run) {
      const std::size_t stop = std::min(run->end, end);
      Writer writer = run->writer;
      if (writer.author < 0) writer.author = context.author;
      if (writer.generation < 0) writer.generation = context.generation;
      append(std::string_view(other.bytes_).substr(at, stop - at), writer);
      at = stop;
    }
  }

  Text slice(std::size_t begin, std::size_t end) const {
    Text part;
    part.append(*this, begin, std::min(end, size()));
    part.markup_ = markup_;
    return part;
  }

  Writer writer_at(std::size_t at) const {
    const auto run =
        std::upper_bound(runs_.begin(), runs_.end(), at, [](std::size_t byte, const Run& r) { return byte < r.end; });
    return run == runs_.end() ? Writer{} : run->writer;
  }

 private:
  void extend(std::size_t end, Writer writer) {
    if (runs_.empty() && !bytes_.empty()) runs_.push_back({bytes_.size(), Writer{}});
    if (!runs_.empty() && runs_.back().writer == writer)
      runs_.back().end = end;
    else
      runs_.push_back({end, writer});
  }

  std::string bytes_;
  std::vector<Run> runs_;
  bool markup_ = false;
};

// The code point that starts at a byte of valid UTF-8, and how many bytes it takes.
struct CodePoint {
  std::uint32_t value = 0;
  std::size_t bytes = 1;
};

inline CodePoint code_point_at(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) {
    return i < text.size() ? static_cast<std::uint32_t>(static_cast<unsigned char>(text[i])) : 0u;
  };
  const std::uint32_t lead = byte(at);
  if (lead < 0xc0) return {lead, 1};
  if (lead < 0xe0) return {((lead & 0x1fu) << 6) | (byte(at + 1) & 0x3fu), 2};
  if (lead < 0xf0) return {((lead & 0xfu) << 12) | ((byte(at + 1) & 0x3fu) << 6) | (byte(at + 2) & 0x3fu), 3};
  return {((lead & 7u) << 18) | ((byte(at + 1) & 0x3fu) << 12) | ((byte(at + 2) & 0x3fu) << 6) | (byte(at + 3) & 0x3fu),
          4};
}

inline void append_code_point(std::string& text, std::uint32_t value) {
  const auto put = [&](std::uint32_t byte) { text.push_back(static_cast<char>(static_cast<unsigned char>(byte))); };
  if (value < 0x80) return put(value);
  if (value < 0x800) return put(0xc0 | (value >> 6)), put(0x80 | (value & 0x3f));
  if (value < 0x10000) return put(0xe0 | (value >> 12)), put(0x80 | ((value >> 6) & 0x3f)), put(0x80 | (value & 0x3f));
  put(0xf0 | (value >> 18)), put(0x80 | ((value >> 12) & 0x3f)), put(0x80 | ((value >> 6) & 0x3f));
  put(0x80 | (value & 0x3f));
}

inline bool is_continuation(char byte) { return (static_cast<unsigned char>(byte) & 0xc0u) == 0x80u; }

inline std::size_t count_code_points(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) { return !is_continuation(c); }));
}

// The byte where code point number 'index' starts; the end of the text where there are fewer.
inline std::size_t byte_of_code_point(std::string_view text, std::size_t index) {
  std::size_t at = 0;
  for (; at < text.size(); ++at)
    if (!is_continuation(text[at]) && index-- == 0) break;
  return at;
}

// What Python's str.isspace() holds for; strip() and split() without arguments go by it.
inline bool is_space(std::uint32_t c) {
  return (c >= 0x09 && c <= 0x0d) || (c >= 0x1c && c <= 0x20) || c == 0x85 || c == 0xa0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}

// The first byte that is not valid UTF-8 (overlong forms, surrogates and values above 10FFFF are not), or npos.
inline std::size_t find_invalid_utf8(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const auto lead = static_cast<unsigned char>(text[at]);
    if (lead < 0x80) {
      ++at;
      continue;
    }
    const std::size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (lead < 0xc2 || lead > 0xf4 || at + length > text.size()) return at;
    for (std::size_t i = 1; i < length; ++i)
      if (!is_continuation(text[at + i])) return at;
    const std::uint32_t value = code_point_at(text, at).value;
    if ((length == 3 && value < 0x800) || (length == 4 && (value < 0x10000 || value > 0x10ffff)) ||
        (value >= 0xd800 && value <= 0xdfff))
      return at;
    at += length;
  }
  return std::string_view::npos;
}

}  // namespace temper::templates
