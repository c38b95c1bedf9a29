// SPDX-License-Identifier: MIT
// Filters over strings: indent, truncate, striptags, urlencode, ...
#pragma once
#include "temper/data/template/lookup.hpp"

namespace temper::templates {

inline const Text& subject_text(const Machine& machine, const Value& value, std::string_view filter) {
  if (value.is_undefined()) undefined_error(machine, value);
  if (!value.text()) machine.error("{}: expected a string, found {}", filter, type_name(value));
  return *value.text();
}

inline Value as_marked(const Text& like, Text text) {
  return Value(like.is_markup() ? text.as_markup() : std::move(text));
}

inline Value cased_filter(Machine& machine, const Value& value, LetterCase wanted) {
  const Text text = to_soft_text(machine, value);
  charge_characters(machine, text);
  return as_marked(text, in_case(text, wanted));
}

// The filter 'title', unlike the method, has words begin after white space, '-' and opening brackets.
inline Value title_filter(Machine& machine, const Value& value, const Given&) {
  const Text text = to_soft_text(machine, value);
  const auto separates = [](std::uint32_t c) {
    return is_space(c) || c == '-' || c == '(' || c == '{' || c == '[' || c == '<';
  };
  Text result;
  charge_characters(machine, text);
  for (std::size_t at = 0; at < text.size();) {
    const bool kind = separates(code_point_at(text.bytes(), at).value);
    std::size_t end = at;
    while (end < text.size() && separates(code_point_at(text.bytes(), end).value) == kind)
      end += code_point_at(text.bytes(), end).bytes;
    const std::size_t first = at + code_point_at(text.bytes(), at).bytes;
    result.append(in_case(text.slice(at, first), LetterCase::upper));
    result.append(in_case(text.slice(first, end), LetterCase::lower));
    at = end;
  }
  return as_marked(text, std::move(result));
}

inline Value trim_filter(Machine& machine, const Value& value, const Given& given) {
  const Text text = to_soft_text(machine, value);
  return stripped(machine, text, given, Side::both);
}

inline Value replace_filter(Machine& machine, const Value& value, const Given& given) {
  const Text text = to_text(machine, value), from = to_text(machine, given.at(0)), to = to_text(machine, given.at(1));
  const std::int64_t limit = !given[2] || given[2]->is_none() ? -1 : given.integer(2, -1);
  return machine.text(replace(machine, text, from, to, limit));
}

// Every line but the first, and not the empty ones, unless asked.
inline Value indent_filter(Machine& machine, const Value& value, const Given& given) {
  Text text = subject_text(machine, value, "indent");
  Text margin;
  if (given[0] && given[0]->text())
    margin = *given[0]->text();
  else
    margin = filled(machine, " ", given.integer(0, 4));
  const bool first = given.flag(1), blank = given.flag(2);
  text.append("\n");
  const std::vector<Value> lines = split_lines(machine, text);
  Text result;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const Text& line = *lines[i].text();
    machine.charge(margin.size() + line.size() + 1);
    if (i > 0) result.append("\n", line.writer_at(0));
    if (i == 0 ? first : blank || !line.empty()) result.append(margin);
    result.append(line);
  }
  return as_marked(text, std::move(result));
}

inline Value center_filter(Machine& machine, const Value& value, const Given& given) {
  const Text text = to_soft_text(machine, value);
  Arguments width;
  width.positional.emplace_back(given.integer(0, 80));
  return as_marked(text, *aligned(machine, text, Given(machine, "center", padding, width), '^').text());
}

inline Value truncate_filter(Machine& machine, const Value& value, const Given& given) {
  const std::int64_t length = given.integer(0, 255);
  const Text end = given[2] ? given.text(2) : Text(std::string("..."));
  const std::int64_t leeway = given[3] && !given[3]->is_none() ? given.integer(3, 5) : 5;
  const auto end_length = static_cast<std::int64_t>(count_code_points(end.bytes()));
  if (length < end_length) machine.error("truncate: expected a length of at least {}, found {}", end_length, length);
  if (leeway < 0) machine.error("truncate: expected a leeway of at least 0, found {}", leeway);
  const auto size = length_of(value);
  if (!size) machine.error("truncate: expected a string, found {}", type_name(value));
  if (static_cast<std::int64_t>(*size) - leeway <= length) return value;
  const Text& text = subject_text(machine, value, "truncate");
  Text kept = text.slice(0, byte_of_code_point(text.bytes(), static_cast<std::size_t>(length - end_length)));
  if (!given.flag(1)) {
    const std::size_t space = kept.bytes().rfind(' ');
    if (space != std::string::npos) kept = kept.slice(0, space);
  }
  return add_texts(machine, kept, end);
}

inline Value wordcount_filter(Machine& machine, const Value& value, const Given&) {
  const Text text = to_soft_text(machine, value);
  std::int64_t count = 0;
  charge_characters(machine, text);
  bool inside = false;
  for (std::size_t at = 0; at < text.size();) {
    const CodePoint c = code_point_at(text.bytes(), at);
    const bool word = c.value == '_' || is_letter(c.value) || is_numeric(c.value);
    count += word && !inside;
    inside = word;
    at += c.bytes;
  }
  return Value(count);
}

// '&amp;' and its like back to characters; other names than the common ones are refused.
inline void append_unescaped(const Machine& machine, Text& out, const Text& text, std::size_t begin, std::size_t end) {
  static constexpr std::pair<std::string_view, std::uint32_t> names[] = {
      {"amp", '&'}, {"lt", '<'}, {"gt", '>'}, {"quot", '"'}, {"apos", '\''}, {"nbsp", 0xa0}, {"copy", 0xa9}};
  const std::string_view name = std::string_view(text.bytes()).substr(begin + 1, end - begin - 1);
  std::string bytes;
  if (name.starts_with('#')) {
    const bool hexadecimal = name.size() > 1 && (name[1] == 'x' || name[1] == 'X');
    std::uint32_t code = 0;
    const std::string_view digits = name.substr(hexadecimal ? 2 : 1);
    const auto [stop, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), code, hexadecimal ? 16 : 10);
    const bool fits = error == std::errc() && stop == digits.data() + digits.size() && !digits.empty();
    if (fits && code >= 0x20 && (code < 0x7f || code > 0x9f) && code <= 0x10ffff && !(code >= 0xd800 && code <= 0xdfff))
      append_code_point(bytes, code);
  }
  for (const auto& [known, code] : names)
    if (name == known) append_code_point(bytes, code);
  if (bytes.empty()) machine.error("striptags: the entity '&{};' is not supported", printable(name, 40));
  out.append(bytes, text.writer_at(begin));
}

// Without tags and comments, with single spaces, entities as characters.
inline Value striptags_filter(Machine& machine, const Value& value, const Given&) {
  const Text text = to_text(machine, value);
  const std::string& bytes = text.bytes();
  machine.charge(bytes.size());
  Text bare;
  for (const bool comments : {true, false}) {
    const Text whole = comments ? text : bare;
    const std::string_view opening = comments ? "<!--" : "<", closing = comments ? "-->" : ">";
    Text kept;
    std::size_t at = 0;
    while (true) {
      const std::size_t open = whole.bytes().find(opening, at);
      const std::size_t close = open == std::string::npos ? open : whole.bytes().find(closing, open);
      kept.append(
          whole, at,
          std::min(open == std::string::npos || close == std::string::npos ? whole.size() : open, whole.size()));
      if (open == std::string::npos || close == std::string::npos) break;
      at = close + closing.size();
    }
    bare = std::move(kept);
  }
  const Text spaced = *join(machine, Text(std::string(" ")), split(machine, bare, nullptr, -1)).text();
  Text result;
  for (std::size_t at = 0; at < spaced.size();) {
    const std::size_t amp = std::min(spaced.bytes().find('&', at), spaced.size());
    result.append(spaced, at, amp);
    if (amp == spaced.size()) break;
    std::size_t end = amp + 1;
    while (end < spaced.size() && end - amp < 33 &&
           (std::isalnum(static_cast<unsigned char>(spaced.bytes()[end])) || spaced.bytes()[end] == '#'))
      ++end;
    if (end < spaced.size() && spaced.bytes()[end] == ';') {
      append_unescaped(machine, result, spaced, amp, end);
      at = end + 1;
    } else {
      result.append(spaced, amp, amp + 1);
      at = amp + 1;
    }
  }
  return Value(std::move(result));
}

enum class UrlPart : std::uint8_t { path, query };

inline void append_url(Machine& machine, Text& out, const Value& value, UrlPart part) {
  const Text text = to_text(machine, value);
  machine.charge(text.size() * 2);
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text.bytes()[at];
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
                       c == '.' || c == '-' || c == '~' || (part == UrlPart::path && c == '/');
    if (plain)
      out.append(text, at, at + 1);
    else if (part == UrlPart::query && c == ' ')
      out.append("+", text.writer_at(at));
    else
      out.append(fmt::format("%{:02X}", static_cast<unsigned char>(c)), text.writer_at(at));
  }
}

inline Value urlencode_filter(Machine& machine, const Value& value, const Given&) {
  Text out;
  if (value.text() || !is_iterable(value)) {
    append_url(machine, out, value, UrlPart::path);
    return Value(std::move(out));
  }
  const std::vector<Value> pairs = value.dict() ? dict_items(machine, *value.dict()) : items_of(machine, value);
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    const std::vector<Value> pair = items_of(machine, pairs[i]);
    if (pair.size() != 2) machine.error("urlencode: expected pairs, found {} values", pair.size());
    if (i > 0) out.append("&");
    append_url(machine, out, pair[0], UrlPart::query);
    out.append("=");
    append_url(machine, out, pair[1], UrlPart::query);
  }
  return Value(std::move(out));
}

}  // namespace temper::templates
