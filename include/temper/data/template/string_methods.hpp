// SPDX-License-Identifier: MIT
// The methods of Python's str, as a table. 'encode' and 'translate' are left out: there are no bytes here.
#pragma once
#include "temper/data/template/arguments.hpp"
#include "temper/data/template/strings.hpp"

namespace temper::templates {

struct StringMethod {
  std::string_view name;
  Signature signature;
  Value (*call)(Machine& machine, const Text& text, const Given& given);
};

// The part of a text between the optional arguments 'start' and 'end'; nothing where start lies behind the end.
struct Part {
  std::size_t begin, end;
};
inline std::optional<Part> part_of(Machine& machine, const Text& text, const Given& given) {
  const auto size = static_cast<std::int64_t>(count_code_points(text.bytes()));
  const auto bound = [&](std::size_t at, std::int64_t otherwise) {
    if (!given[at] || given[at]->is_none()) return otherwise;
    const std::int64_t place = given.integer(at, 0);
    return place < 0 ? std::max<std::int64_t>(place < -size ? 0 : place + size, 0) : place;
  };
  const std::int64_t start = bound(1, 0), stop = std::min(bound(2, size), size);
  if (start > stop) return std::nullopt;
  machine.charge(text.size() / 2);
  return Part{byte_of_code_point(text.bytes(), static_cast<std::size_t>(start)),
              byte_of_code_point(text.bytes(), static_cast<std::size_t>(stop))};
}

enum class Search : std::uint8_t { first, last };

// The character where the argument is found; -1 where it is not.
inline std::int64_t place_of(Machine& machine, const Text& text, const Given& given, Search search) {
  const Text& wanted = given.text(0);
  const auto part = part_of(machine, text, given);
  if (!part) return -1;
  charge_search(machine, text, wanted);
  const std::string_view bytes = std::string_view(text.bytes()).substr(0, part->end);
  const std::string_view inside = bytes.substr(part->begin);
  const std::size_t found = search == Search::last ? inside.rfind(wanted.bytes()) : inside.find(wanted.bytes());
  if (found == std::string_view::npos) return -1;
  return static_cast<std::int64_t>(count_code_points(bytes.substr(0, part->begin + found)));
}

inline Value found_place(Machine& machine, const Text& text, const Given& given, Search search) {
  const std::int64_t place = place_of(machine, text, given, search);
  if (place < 0) machine.error("{}: the text is not found", given.function());
  return Value(place);
}

inline Value count_parts(Machine& machine, const Text& text, const Given& given) {
  const Text& wanted = given.text(0);
  const auto part = part_of(machine, text, given);
  if (!part) return Value(std::int64_t{0});
  charge_search(machine, text, wanted);
  const std::string_view inside = std::string_view(text.bytes()).substr(part->begin, part->end - part->begin);
  if (wanted.empty()) return Value(static_cast<std::int64_t>(count_code_points(inside) + 1));
  std::int64_t count = 0;
  for (std::size_t at = 0; (at = inside.find(wanted.bytes(), at)) != std::string_view::npos; at += wanted.size())
    ++count;
  return Value(count);
}

// startswith and endswith take a string or a tuple of them.
inline Value has_affix(Machine& machine, const Text& text, const Given& given, Side side) {
  std::vector<Value> affixes = {given.at(0)};
  if (const Sequence* tuple = affixes[0].sequence(); tuple && tuple->is_tuple()) {
    const std::vector<Value> several = tuple->items;
    affixes = several;
  }
  const auto part = part_of(machine, text, given);
  for (const Value& affix : affixes) {
    if (!affix.text()) machine.error("{}: expected a string, found {}", given.function(), type_name(affix));
    if (!part) continue;
    const std::string_view inside = std::string_view(text.bytes()).substr(part->begin, part->end - part->begin);
    const std::string_view wanted = affix.text()->bytes();
    if (side == Side::left ? inside.starts_with(wanted) : inside.ends_with(wanted)) return Value(true);
  }
  return Value(false);
}

inline Value stripped(Machine& machine, const Text& text, const Given& given, Side side) {
  const Text* characters = given.text_or_none(0);
  if (characters) machine.charge(text.size() / 16 * characters->size());
  return Value(strip(text, side, characters));
}

inline Value aligned(Machine& machine, const Text& text, const Given& given, char align) {
  FormatSpec spec;
  spec.width = given.integer(0, 0);
  if (given[1]) spec.fill = given.text(1).bytes();
  if (count_code_points(spec.fill) != 1) machine.error("{}: the fill must be one character", given.function());
  const auto length = static_cast<std::int64_t>(count_code_points(text.bytes()));
  if (align != '^') return Value(padded(machine, text, spec, align));
  // center() puts the odd one to the left of a text of even length.
  const std::int64_t missing = std::max<std::int64_t>(spec.width - length, 0);
  const std::int64_t left = missing / 2 + (missing & spec.width & 1);
  Text result = filled(machine, spec.fill, left);
  result.append(text);
  result.append(filled(machine, spec.fill, missing - left));
  return Value(std::move(result));
}

inline Value zero_filled(Machine& machine, const Text& text, const Given& given) {
  const auto length = static_cast<std::int64_t>(count_code_points(text.bytes()));
  const std::size_t sign = text.bytes().starts_with("-") || text.bytes().starts_with("+") ? 1 : 0;
  Text result = text.slice(0, sign);
  result.append(filled(machine, "0", std::max<std::int64_t>(given.integer(0, 0) - length, 0)));
  result.append(text, sign, text.size());
  return Value(std::move(result));
}

inline Value partition(Machine& machine, const Text& text, const Given& given, Search search) {
  const Text& separator = given.text(0);
  if (separator.empty()) machine.error("{}: the separator is empty", given.function());
  charge_search(machine, text, separator);
  const bool last = search == Search::last;
  const std::size_t found = last ? text.bytes().rfind(separator.bytes()) : text.bytes().find(separator.bytes());
  std::vector<Value> parts = {Value(text), Value(Text()), Value(Text())};
  if (found != std::string::npos)
    parts = {Value(text.slice(0, found)), Value(separator), Value(text.slice(found + separator.size(), text.size()))};
  else if (last)
    std::swap(parts[0], parts[2]);
  return machine.sequence(Sequence::Kind::tuple, std::move(parts));
}

inline Value joined(Machine& machine, const Text& separator, const Given& given) {
  const std::vector<Value> items = items_of(machine, given.at(0));
  for (const Value& item : items)
    if (!item.text()) machine.error("join: expected strings, found {}", type_name(item));
  return join(machine, separator, items);
}

inline Value replaced(Machine& machine, const Text& text, const Given& given) {
  return machine.text(replace(machine, text, given.text(0), given.text(1), given.integer(2, -1)));
}

inline Value without_affix(const Text& text, const Given& given, Side side) {
  const std::string& affix = given.text(0).bytes();
  if (side == Side::left && text.bytes().starts_with(affix)) return Value(text.slice(affix.size(), text.size()));
  if (side == Side::right && text.bytes().ends_with(affix)) return Value(text.slice(0, text.size() - affix.size()));
  return Value(text);
}

inline Value listed(Machine& machine, std::vector<Value> items) {
  return machine.sequence(Sequence::Kind::list, std::move(items));
}

inline constexpr Signature searching = takes({"", "", ""}, 1);
inline constexpr Signature splitting = takes({"sep", "maxsplit"});
inline constexpr Signature padding = takes({"", ""}, 1);
inline constexpr Signature stripping = takes({""});

// clang-format off
inline constexpr StringMethod string_methods[] = {
    {"capitalize", {}, [](Machine&, const Text& t, const Given&) { return Value(in_case(t, LetterCase::capitalize)); }},
    {"casefold", {}, [](Machine&, const Text& t, const Given&) { return Value(in_case(t, LetterCase::fold)); }},
    {"center", padding, [](Machine& m, const Text& t, const Given& g) { return aligned(m, t, g, '^'); }},
    {"count", searching, count_parts},
    {"endswith", searching, [](Machine& m, const Text& t, const Given& g) { return has_affix(m, t, g, Side::right); }},
    {"expandtabs", takes({"tabsize"}), [](Machine& m, const Text& t, const Given& g) { return Value(expand_tabs(m, t, g.integer(0, 8))); }},
    {"find", searching, [](Machine& m, const Text& t, const Given& g) { return Value(place_of(m, t, g, Search::first)); }},
    {"index", searching, [](Machine& m, const Text& t, const Given& g) { return found_place(m, t, g, Search::first); }},
    {"isalnum", {}, [](Machine&, const Text& t, const Given&) { return Value(all_characters(t, [](std::uint32_t c) { return is_letter(c) || is_numeric(c); })); }},
    {"isalpha", {}, [](Machine&, const Text& t, const Given&) { return Value(all_characters(t, is_letter)); }},
    {"isascii", {}, [](Machine&, const Text& t, const Given&) { return Value(t.empty() || all_characters(t, [](std::uint32_t c) { return c < 0x80; })); }},
    {"isdecimal", {}, [](Machine&, const Text& t, const Given&) { return Value(all_characters(t, is_decimal)); }},
    {"isdigit", {}, [](Machine&, const Text& t, const Given&) { return Value(all_characters(t, is_digit)); }},
    {"isidentifier", {}, [](Machine&, const Text& t, const Given&) { return Value(is_identifier(t)); }},
    {"islower", {}, [](Machine&, const Text& t, const Given&) { return Value(all_cased(t, LetterCase::lower)); }},
    {"isnumeric", {}, [](Machine&, const Text& t, const Given&) { return Value(all_characters(t, is_numeric)); }},
    {"isprintable", {}, [](Machine&, const Text& t, const Given&) { return Value(t.empty() || all_characters(t, is_printable)); }},
    {"isspace", {}, [](Machine&, const Text& t, const Given&) { return Value(all_characters(t, is_space)); }},
    {"istitle", {}, [](Machine&, const Text& t, const Given&) { return Value(is_titled(t)); }},
    {"isupper", {}, [](Machine&, const Text& t, const Given&) { return Value(all_cased(t, LetterCase::upper)); }},
    {"join", takes({""}, 1), joined},
    {"ljust", padding, [](Machine& m, const Text& t, const Given& g) { return aligned(m, t, g, '<'); }},
    {"lower", {}, [](Machine&, const Text& t, const Given&) { return Value(in_case(t, LetterCase::lower)); }},
    {"lstrip", stripping, [](Machine& m, const Text& t, const Given& g) { return stripped(m, t, g, Side::left); }},
    {"partition", takes({""}, 1), [](Machine& m, const Text& t, const Given& g) { return partition(m, t, g, Search::first); }},
    {"removeprefix", takes({""}, 1), [](Machine&, const Text& t, const Given& g) { return without_affix(t, g, Side::left); }},
    {"removesuffix", takes({""}, 1), [](Machine&, const Text& t, const Given& g) { return without_affix(t, g, Side::right); }},
    {"replace", takes({"", "", ""}, 2), replaced},
    {"rfind", searching, [](Machine& m, const Text& t, const Given& g) { return Value(place_of(m, t, g, Search::last)); }},
    {"rindex", searching, [](Machine& m, const Text& t, const Given& g) { return found_place(m, t, g, Search::last); }},
    {"rjust", padding, [](Machine& m, const Text& t, const Given& g) { return aligned(m, t, g, '>'); }},
    {"rpartition", takes({""}, 1), [](Machine& m, const Text& t, const Given& g) { return partition(m, t, g, Search::last); }},
    {"rsplit", splitting, [](Machine& m, const Text& t, const Given& g) { return listed(m, split_from_right(m, t, g.text_or_none(0), g.integer(1, -1))); }},
    {"rstrip", stripping, [](Machine& m, const Text& t, const Given& g) { return stripped(m, t, g, Side::right); }},
    {"split", splitting, [](Machine& m, const Text& t, const Given& g) { return listed(m, split(m, t, g.text_or_none(0), g.integer(1, -1))); }},
    {"splitlines", takes({"keepends"}), [](Machine& m, const Text& t, const Given& g) { return listed(m, split_lines(m, t, g.flag(0) ? LineEnds::kept : LineEnds::dropped)); }},
    {"startswith", searching, [](Machine& m, const Text& t, const Given& g) { return has_affix(m, t, g, Side::left); }},
    {"strip", stripping, [](Machine& m, const Text& t, const Given& g) { return stripped(m, t, g, Side::both); }},
    {"swapcase", {}, [](Machine&, const Text& t, const Given&) { return Value(in_case(t, LetterCase::swap)); }},
    {"title", {}, [](Machine&, const Text& t, const Given&) { return Value(in_case(t, LetterCase::title)); }},
    {"upper", {}, [](Machine&, const Text& t, const Given&) { return Value(in_case(t, LetterCase::upper)); }},
    {"zfill", takes({""}, 1), zero_filled},
};
// clang-format on

inline Value call_string_method(Machine& machine, const Text& text, std::string_view name, const Arguments& arguments) {
  const StringMethod* method = find_entry<StringMethod>(string_methods, name);
  if (!method) machine.error("the method '{}' of strings is not supported", name);
  static constexpr std::string_view of_characters[] = {"capitalize", "casefold", "expandtabs", "lower",
                                                       "splitlines", "swapcase", "title",      "upper"};
  const bool each = name.starts_with("is") ||
                    std::find(std::begin(of_characters), std::end(of_characters), name) != std::end(of_characters);
  if (each)
    charge_characters(machine, text);
  else
    machine.charge(text.size());
  const Value result = method->call(machine, text, Given(machine, name, method->signature, arguments));
  return result.text() && text.is_markup() ? Value(result.text()->as_markup()) : result;
}

}  // namespace temper::templates
