// SPDX-License-Identifier: MIT
// Python's string functions that templates use, as methods ('x.strip()') and as filters ('x|trim'). Each keeps who
// wrote which character.
#pragma once
#include "temper/data/template/letter_case.hpp"
#include "temper/data/template/operations.hpp"

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

inline void charge_search(Machine& machine, const Text& text, const Text& part) {
  machine.charge(text.size() + text.size() / 64 * std::min(part.size(), text.size()));
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
      parts.emplace_back(strip(text.slice(begin, bytes.size()), Side::right, nullptr));
      break;
    }
    skip(false);
    parts.emplace_back(text.slice(begin, at));
  }
  return parts;
}

inline std::vector<Value> split_from_right(Machine& machine, const Text& text, const Text& separator,
                                           std::int64_t limit) {
  if (separator.empty()) machine.error("rsplit: the separator is empty");
  charge_search(machine, text, separator);
  std::vector<Value> parts;
  std::size_t end = text.size();
  while (end >= separator.size() && (limit < 0 || static_cast<std::int64_t>(parts.size()) < limit)) {
    const std::size_t found = text.bytes().rfind(separator.bytes(), end - separator.size());
    if (found == std::string::npos) break;
    parts.emplace_back(text.slice(found + separator.size(), end));
    end = found;
  }
  parts.emplace_back(text.slice(0, end));
  std::reverse(parts.begin(), parts.end());
  return parts;
}

inline std::vector<Value> split_lines(Machine& machine, const Text& text) {
  machine.charge(text.size());
  std::vector<Value> lines;
  const std::string& bytes = text.bytes();
  std::size_t begin = 0;
  for (std::size_t at = 0; at < bytes.size();) {
    const CodePoint c = code_point_at(bytes, at);
    std::size_t next = at + c.bytes;
    const bool ends = (c.value >= 0x0a && c.value <= 0x0d) || (c.value >= 0x1c && c.value <= 0x1e) || c.value == 0x85 ||
                      c.value == 0x2028 || c.value == 0x2029;
    if (c.value == '\r' && next < bytes.size() && bytes[next] == '\n') ++next;
    if (ends) {
      lines.emplace_back(text.slice(begin, at));
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

inline Value join(Machine& machine, const Text& separator, const std::vector<Value>& items) {
  Text joined;
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (i > 0) machine.charge(separator.size()), joined.append(separator);
    joined.append(to_text(machine, items[i]));
  }
  return Value(std::move(joined));
}

// indent(width, first, blank): every line but the first, and not the empty ones, unless asked.
inline Text indent(Machine& machine, const Text& text, const std::string& margin, bool first, bool blank) {
  Text result;
  if (first) result.append(margin);
  const std::string& bytes = text.bytes();
  for (std::size_t begin = 0; begin <= bytes.size();) {
    std::size_t end = bytes.find('\n', begin);
    if (end == std::string::npos) end = bytes.size();
    if (begin > 0) {
      machine.charge(margin.size() + 1);
      result.append("\n", text.writer_at(begin - 1));
      if (blank || end > begin) result.append(margin);
    }
    result.append(text, begin, end);
    begin = end + 1;
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
inline bool cased(const Text& text, LetterCase wanted) {
  bool any = false;
  for (std::size_t at = 0; at < text.size();) {
    const CodePoint c = code_point_at(text.bytes(), at);
    const bool upper = is_upper(c.value), lower = is_lower(c.value);
    if (wanted == LetterCase::upper ? lower : upper) return false;
    any = any || upper || lower;
    at += c.bytes;
  }
  return any;
}

}  // namespace temper::templates
