// SPDX-License-Identifier: MIT
// Python's string functions that templates use, as methods ('x.strip()') and as filters ('x|trim'). Each keeps who
// wrote which character.
#pragma once
#include "temper/data/template/arithmetic.hpp"
#include "temper/data/template/letter_case.hpp"

namespace temper::templates {

enum class Side : std::uint8_t { both, left, right };

// Strips white space, or the given characters.
inline Text strip(const Text& text, Side side, const Text* characters) {
  const std::string& bytes = text.bytes();
  const auto goes = [&](std::size_t at, std::size_t length) {
    if (!characters) return is_space(code_point_at(bytes, at).value);
    return characters->bytes().find(std::string_view(bytes).substr(at, length)) != std::string::npos;
  };
  std::size_t begin = 0, end = bytes.size();
  if (side != Side::right)
    while (begin < end && goes(begin, code_point_at(bytes, begin).bytes)) begin += code_point_at(bytes, begin).bytes;
  while (side != Side::left && begin < end) {
    std::size_t last = end - 1;
    while (last > begin && is_continuation(bytes[last])) --last;
    if (!goes(last, end - last)) break;
    end = last;
  }
  return text.slice(begin, end);
}

// For what looks each character up.
inline void charge_characters(Machine& machine, const Text& text) { machine.charge(text.size() * 16); }

inline void charge_search(Machine& machine, const Text& text, const Text& part) {
  machine.charge(text.size() * 2 + text.size() / 64 * std::min(part.size(), text.size()));
}

// split(separator, limit); a negative limit is none. Without a separator, at runs of white space.
inline std::vector<Value> split(Machine& machine, const Text& text, const Text* separator, std::int64_t limit) {
  const std::string& bytes = text.bytes();
  std::vector<Value> parts;
  if (separator) {
    if (separator->empty()) machine.error("split: the separator is empty");
    charge_search(machine, text, *separator);
    std::size_t begin = 0;
    while (limit < 0 || static_cast<std::int64_t>(parts.size()) < limit) {
      const std::size_t found = bytes.find(separator->bytes(), begin);
      if (found == std::string::npos) break;
      parts.emplace_back(text.slice(begin, found));
      begin = found + separator->size();
    }
    parts.emplace_back(text.slice(begin, bytes.size()));
    return parts;
  }
  machine.charge(bytes.size());
  std::size_t at = 0;
  const auto skip = [&](bool space) {
    while (at < bytes.size() && is_space(code_point_at(bytes, at).value) == space) at += code_point_at(bytes, at).bytes;
  };
  for (skip(true); at < bytes.size(); skip(true)) {
    const std::size_t begin = at;
    if (limit >= 0 && static_cast<std::int64_t>(parts.size()) == limit) {
      parts.emplace_back(text.slice(begin, bytes.size()));
      break;
    }
    skip(false);
    parts.emplace_back(text.slice(begin, at));
  }
  return parts;
}

// The code point that ends at a byte.
inline std::size_t start_of_last(std::string_view bytes, std::size_t end) {
  std::size_t at = end - 1;
  while (at > 0 && is_continuation(bytes[at])) --at;
  return at;
}

inline std::vector<Value> split_from_right(Machine& machine, const Text& text, const Text* separator,
                                           std::int64_t limit) {
  if (separator && separator->empty()) machine.error("rsplit: the separator is empty");
  if (separator) charge_search(machine, text, *separator);
  const std::string& bytes = text.bytes();
  std::vector<Value> parts;
  const auto full = [&] { return limit >= 0 && static_cast<std::int64_t>(parts.size()) == limit; };
  std::size_t end = text.size();
  if (separator) {
    while (end >= separator->size() && !full()) {
      const std::size_t found = bytes.rfind(separator->bytes(), end - separator->size());
      if (found == std::string::npos) break;
      parts.emplace_back(text.slice(found + separator->size(), end));
      end = found;
    }
    parts.emplace_back(text.slice(0, end));
  } else {
    const auto skip = [&](bool space) {
      while (end > 0 && is_space(code_point_at(bytes, start_of_last(bytes, end)).value) == space)
        end = start_of_last(bytes, end);
    };
    for (skip(true); end > 0; skip(true)) {
      const std::size_t last = end;
      if (full()) {
        parts.emplace_back(text.slice(0, last));
        break;
      }
      skip(false);
      parts.emplace_back(text.slice(end, last));
    }
  }
  std::reverse(parts.begin(), parts.end());
  return parts;
}

enum class LineEnds : std::uint8_t { dropped, kept };

inline std::vector<Value> split_lines(Machine& machine, const Text& text, LineEnds ends = LineEnds::dropped) {
  machine.charge(text.size());
  std::vector<Value> lines;
  const std::string& bytes = text.bytes();
  std::size_t begin = 0;
  for (std::size_t at = 0; at < bytes.size();) {
    const CodePoint c = code_point_at(bytes, at);
    std::size_t next = at + c.bytes;
    const bool ends_line = (c.value >= 0x0a && c.value <= 0x0d) || (c.value >= 0x1c && c.value <= 0x1e) ||
                           c.value == 0x85 || c.value == 0x2028 || c.value == 0x2029;
    if (c.value == '\r' && next < bytes.size() && bytes[next] == '\n') ++next;
    if (ends_line) {
      lines.emplace_back(text.slice(begin, ends == LineEnds::kept ? next : at));
      begin = next;
    }
    at = next;
  }
  if (begin < bytes.size()) lines.emplace_back(text.slice(begin, bytes.size()));
  return lines;
}

// replace(from, to, limit); an empty 'from' stands before every character and at the end.
inline Text replace(Machine& machine, const Text& text, const Text& from, const Text& to, std::int64_t limit) {
  charge_search(machine, text, from);
  const std::string& bytes = text.bytes();
  Text result;
  std::size_t at = 0;
  for (std::int64_t done = 0; limit < 0 || done < limit; ++done) {
    const std::size_t found = bytes.find(from.bytes(), at);
    if (found == std::string::npos) break;
    machine.charge(to.size());
    result.append(text, at, found);
    result.append(to);
    at = found + from.size();
    if (from.empty()) {
      if (at >= bytes.size()) break;
      const std::size_t next = at + code_point_at(bytes, at).bytes;
      result.append(text, at, next);
      at = next;
    }
  }
  result.append(text, at, bytes.size());
  return result;
}

// separator.join(items); a separator marked as safe escapes what is not.
inline Value join(Machine& machine, const Text& separator, const std::vector<Value>& items) {
  Text joined;
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (i > 0) machine.charge(separator.size()), joined.append(separator);
    joined.append(separator.is_markup() ? escape_html(to_soft_text(machine, items[i])) : to_text(machine, items[i]));
  }
  return Value(separator.is_markup() ? joined.as_markup() : std::move(joined));
}

// Tabs become spaces up to the next column that 'size' divides.
inline Text expand_tabs(Machine& machine, const Text& text, std::int64_t size) {
  Text result;
  std::int64_t column = 0;
  for (std::size_t at = 0; at < text.size();) {
    const CodePoint c = code_point_at(text.bytes(), at);
    if (c.value == '\t') {
      const std::int64_t spaces = size > 0 ? size - column % size : 0;
      result.append(filled(machine, " ", spaces).bytes(), text.writer_at(at));
      column += spaces;
    } else {
      result.append(text, at, at + c.bytes);
      column = c.value == '\n' || c.value == '\r' ? 0 : column + 1;
    }
    at += c.bytes;
  }
  return result;
}

template <class Predicate>
bool all_characters(const Text& text, Predicate predicate) {
  for (std::size_t at = 0; at < text.size();) {
    const CodePoint c = code_point_at(text.bytes(), at);
    if (!predicate(c.value)) return false;
    at += c.bytes;
  }
  return !text.empty();
}

// isupper(), islower(): no cased character that is otherwise, and at least one cased.
inline bool all_cased(const Text& text, LetterCase wanted) {
  bool any = false;
  for (std::size_t at = 0; at < text.size();) {
    const CodePoint c = code_point_at(text.bytes(), at);
    const bool upper = is_upper(c.value), lower = is_lower(c.value);
    if (is_title(c.value) || (wanted == LetterCase::upper ? lower : upper)) return false;
    any = any || upper || lower;
    at += c.bytes;
  }
  return any;
}

// istitle(): capitals only after what has no case, small letters only after what has.
inline bool is_titled(const Text& text) {
  bool any = false, after_cased = false;
  for (std::size_t at = 0; at < text.size();) {
    const CodePoint c = code_point_at(text.bytes(), at);
    const bool capital = is_upper(c.value) || is_title(c.value), small = is_lower(c.value);
    if ((capital && after_cased) || (small && !after_cased)) return false;
    after_cased = capital || small;
    any = any || after_cased;
    at += c.bytes;
  }
  return any;
}

inline bool is_identifier(const Text& text) {
  const auto starts = [](std::uint32_t c) { return c == '_' || is_letter(c) || category(c) == UTF8PROC_CATEGORY_NL; };
  const auto continues = [&](std::uint32_t c) {
    const utf8proc_category_t found = category(c);
    return starts(c) || is_decimal(c) || found == UTF8PROC_CATEGORY_MN || found == UTF8PROC_CATEGORY_MC ||
           found == UTF8PROC_CATEGORY_PC;
  };
  return all_characters(text, continues) && starts(code_point_at(text.bytes(), 0).value);
}

}  // namespace temper::templates
