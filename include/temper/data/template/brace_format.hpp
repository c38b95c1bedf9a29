// SPDX-License-Identifier: MIT
// str.format and str.format_map: '{} {0} {name.field[key]!r:>{width}}'. Fields are looked up as the template language
// looks them up, not as Python does, which keeps the sandbox closed.
#pragma once
#include "temper/data/template/arguments.hpp"
#include "temper/data/template/number_format.hpp"
#include "temper/data/template/percent_format.hpp"

namespace temper::templates {

// How a field's attributes and items are found.
struct FieldLookup {
  Value (*attribute)(Machine& machine, const Value& object, std::string_view name);
  Value (*item)(Machine& machine, const Value& object, const Value& key);
};

// The format specification of a replacement field: [[fill]align][sign][#][0][width][grouping][.precision][type].
inline FormatSpec parse_spec(const Machine& machine, std::string_view text) {
  const auto refuse = [&] { machine.error("'{}' is no format specification", printable(text, 60)); };
  const auto align = [](char c) { return c == '<' || c == '>' || c == '^' || c == '='; };
  FormatSpec spec;
  std::size_t at = 0;
  const auto peek = [&] { return at < text.size() ? text[at] : '\0'; };
  const auto number = [&] {
    std::int64_t value = 0;
    for (; peek() >= '0' && peek() <= '9'; ++at)
      value = std::min<std::int64_t>(value * 10 + (peek() - '0'), std::int64_t{1} << 50);
    return value;
  };
  bool filled = false;
  if (const std::size_t first = text.empty() ? 0 : code_point_at(text, 0).bytes;
      first < text.size() && align(text[first])) {
    spec.fill = text.substr(0, first);
    spec.align = text[first];
    at = first + 1;
    filled = true;
  } else if (align(peek())) {
    spec.align = text[at++];
  }
  if (peek() == '+' || peek() == '-' || peek() == ' ') spec.sign = text[at++];
  if (peek() == '#') spec.alternate = true, ++at;
  if (peek() == '0') {
    if (!filled) spec.fill = "0";
    if (spec.align == '\0') spec.align = '0';  // '=' for numbers only
    ++at;
  }
  spec.width = number();
  if (peek() == ',' || peek() == '_') spec.grouping = text[at++];
  if (peek() == '.') {
    ++at;
    if (!(peek() >= '0' && peek() <= '9')) refuse();
    spec.precision = number();
  }
  if (at < text.size()) spec.type = text[at++];
  if (at != text.size() || static_cast<unsigned char>(spec.type) >= 0x80) refuse();
  return spec;
}

// format(value, specification).
inline Text formatted(Machine& machine, const Value& value, const Text& specification) {
  if (specification.empty()) return to_soft_text(machine, value);
  FormatSpec spec = parse_spec(machine, specification.bytes());
  const auto refuse = [&] {
    machine.error("the format '{}' does not fit a {}", printable(specification.bytes(), 60), type_name(value));
  };
  const bool zero = spec.align == '0';
  if (const Text* text = value.text()) {
    if (zero) spec.align = '<';
    if (spec.align == '=' || spec.sign != '-' || spec.alternate || spec.grouping != '\0') refuse();
    if (spec.type != '\0' && spec.type != 's') refuse();
    Text shown = *text;
    if (spec.precision >= 0)
      shown = shown.slice(0, byte_of_code_point(shown.bytes(), static_cast<std::size_t>(spec.precision)));
    return padded(machine, shown, spec, '<');
  }
  if (zero) spec.align = '=';
  const auto whole = as_integer(value);
  const bool real_type = spec.type != '\0' && std::string_view("eEfFgG%").find(spec.type) != std::string_view::npos;
  if (whole && !real_type) {
    if (spec.type == 'n') spec.type = 'd';
    if (spec.type == 'c' && *whole >= 0 && *whole <= 0x10ffff && (*whole < 0xd800 || *whole > 0xdfff) &&
        spec.precision < 0 && spec.sign == '-' && spec.grouping == '\0') {
      std::string character;
      append_code_point(character, static_cast<std::uint32_t>(*whole));
      return padded(machine, Text(character), spec, '<');
    }
    const bool hexadecimal = spec.type != '\0' && std::string_view("boxX").find(spec.type) != std::string_view::npos;
    const bool known = spec.type == '\0' || spec.type == 'd' || hexadecimal;
    if (!known || spec.precision >= 0 || (hexadecimal && spec.grouping == ',')) refuse();
    return format_integer(machine, spec, *whole);
  }
  const auto real = as_double(value);
  if (!real || !(real_type || spec.type == '\0' || spec.type == 'n')) refuse();
  if (spec.type == 'n') spec.type = 'g';
  return format_real(machine, spec, *real);
}

class BraceFormat {
 public:
  BraceFormat(Machine& machine, const Arguments& arguments, std::string_view method, FieldLookup lookup)
      : machine_(machine), arguments_(arguments), lookup_(lookup) {
    if (method != "format_map") return;
    if (arguments.positional.size() != 1 || !arguments.named.empty() || !arguments.positional[0].dict())
      machine.error("format_map takes one dict");
    map_ = arguments.positional[0];
  }

  Value apply(const Text& format) {
    Text result = expanded(format, 2);
    machine_.charge(result.size());
    return Value(format.is_markup() ? result.as_markup() : std::move(result));
  }

 private:
  Text expanded(const Text& format, int levels) {
    if (levels == 0) machine_.error("format: replacement fields are nested too deep");
    const std::string& bytes = format.bytes();
    Text out;
    for (std::size_t at = 0; at < bytes.size();) {
      const std::size_t brace = std::min(bytes.find_first_of("{}", at), bytes.size());
      out.append(format, at, brace);
      at = brace;
      if (at == bytes.size()) break;
      if (at + 1 < bytes.size() && bytes[at + 1] == bytes[at]) {
        out.append(format, at, at + 1);
        at += 2;
        continue;
      }
      if (bytes[at] == '}') machine_.error("format: a single '}}' in the format");
      std::size_t end = at + 1;
      for (int open = 1; open > 0; ++end) {
        if (end == bytes.size()) machine_.error("format: a '{{' is not closed");
        open += bytes[end] == '{' ? 1 : bytes[end] == '}' ? -1 : 0;
      }
      out.append(field(format, at + 1, end - 1, levels));
      at = end;
    }
    return out;
  }

  Text field(const Text& format, std::size_t begin, std::size_t end, int levels) {
    const std::string_view text = std::string_view(format.bytes()).substr(begin, end - begin);
    std::size_t stop = 0;
    for (bool bracket = false; stop < text.size(); ++stop) {
      if (text[stop] == '[') bracket = true;
      if (text[stop] == ']') bracket = false;
      if (text[stop] == '{') machine_.error("format: unexpected '{{' in the name of a field");
      if (!bracket && (text[stop] == ':' || text[stop] == '!')) break;
    }
    const std::string_view name = text.substr(0, stop);
    char conversion = '\0';
    if (stop < text.size() && text[stop] == '!') {
      if (stop + 1 == text.size() || (stop + 2 < text.size() && text[stop + 2] != ':'))
        machine_.error("format: expected ':' after the conversion");
      conversion = text[stop + 1];
      stop += 2;
    }
    Value value = value_of(name);
    if (conversion == 's') {
      value = Value(to_text(machine_, value));
    } else if (conversion == 'r' || conversion == 'a') {
      Text shown;
      append_repr(machine_, shown, value, conversion == 'r' ? Repr::unicode : Repr::ascii);
      value = Value(std::move(shown));
    } else if (conversion != '\0') {
      machine_.error("format: unknown conversion '!{}'", conversion);
    }
    const Text specification = stop < text.size() ? expanded(format.slice(begin + stop + 1, end), levels - 1) : Text();
    Text shown = formatted(machine_, value, specification);
    return format.is_markup() ? escape_html(shown) : shown;
  }

  Value value_of(std::string_view name) {
    const std::size_t first = std::min(name.find_first_of(".["), name.size());
    Value value = argument(name.substr(0, first));
    for (std::size_t at = first; at < name.size();) {
      if (name[at] == '.') {
        const std::size_t end = std::min(name.find_first_of(".[", at + 1), name.size());
        if (end == at + 1) machine_.error("format: an attribute has no name");
        value = lookup_.attribute(machine_, value, name.substr(at + 1, end - at - 1));
        at = end;
      } else if (name[at] == '[') {
        const std::size_t end = name.find(']', at);
        if (end == std::string_view::npos || end == at + 1) machine_.error("format: an index is not closed or empty");
        const std::string_view key = name.substr(at + 1, end - at - 1);
        const auto index = position(key);
        value = lookup_.item(machine_, value, index ? Value(*index) : Value(std::string(key)));
        at = end + 1;
      } else {
        machine_.error("format: expected '.' or '[' after ']'");
      }
    }
    return value;
  }

  static std::optional<std::int64_t> position(std::string_view text) {
    if (text.empty() || text.find_first_not_of("0123456789") != std::string_view::npos || text.size() > 15)
      return std::nullopt;
    return parse_integer(text, 10).value;
  }

  Value argument(std::string_view name) {
    auto index = position(name);
    if (name.empty() || index) {
      const Numbering wanted = name.empty() ? Numbering::automatic : Numbering::given;
      if (numbering_ != Numbering::open && numbering_ != wanted)
        machine_.error("format: numbered and unnumbered fields cannot be mixed");
      numbering_ = wanted;
      if (name.empty()) index = next_++;
      const auto at = static_cast<std::size_t>(*index);
      if (!map_.is_undefined() || at >= arguments_.positional.size())
        machine_.error("format: there is no argument {}", *index);
      return arguments_.positional[at];
    }
    if (map_.dict())
      if (const Value* found = find(*map_.dict(), name)) return *found;
    for (const auto& [given, value] : arguments_.named)
      if (given == name) return value;
    machine_.error("format: there is no argument '{}'", printable(name, 60));
  }

  enum class Numbering : std::uint8_t { open, automatic, given };
  Machine& machine_;
  const Arguments& arguments_;
  FieldLookup lookup_;
  Value map_;
  Numbering numbering_ = Numbering::open;
  std::int64_t next_ = 0;
};

}  // namespace temper::templates
