// SPDX-License-Identifier: MIT
// The operator '%' of strings: '%s is %5.1f' % (name, value), '%(name)s' % dict.
#pragma once
#include "temper/data/template/number_format.hpp"

namespace temper::templates {

inline Text escape_html(const Text& text) {
  if (text.is_markup()) return text;
  Text result;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text.bytes()[at];
    const std::string_view entity = c == '&'    ? "&amp;"
                                    : c == '<'  ? "&lt;"
                                    : c == '>'  ? "&gt;"
                                    : c == '"'  ? "&#34;"
                                    : c == '\'' ? "&#39;"
                                                : std::string_view();
    if (entity.empty())
      result.append(text, at, at + 1);
    else
      result.append(entity, text.writer_at(at));
  }
  return result.as_markup();
}

class PercentFormat {
 public:
  PercentFormat(Machine& machine, const Text& format, const Value& values)
      : machine_(machine), format_(format), values_(values) {
    if (const Sequence* tuple = values.sequence(); tuple && tuple->is_tuple())
      queue_ = tuple->items;
    else
      queue_ = {values};
  }

  Value apply() {
    const std::string& bytes = format_.bytes();
    std::size_t plain = 0;
    while (at_ < bytes.size()) {
      if (bytes[at_] != '%') {
        ++at_;
        continue;
      }
      out_.append(format_, plain, at_++);
      conversion();
      plain = at_;
    }
    out_.append(format_, plain, bytes.size());
    const Sequence* list = values_.sequence();
    const bool mapped = values_.dict() || values_.is_undefined() || (list && list->is_indexed() && !list->is_tuple());
    if (taken_ < queue_.size() && !mapped) machine_.error("not all arguments were used by '%'");
    machine_.charge(out_.size());
    return Value(format_.is_markup() ? out_.as_markup() : std::move(out_));
  }

 private:
  char peek() const { return at_ < format_.size() ? format_.bytes()[at_] : '\0'; }
  bool take(char c) { return peek() == c && at_ < format_.size() ? ++at_, true : false; }

  Value next() {
    if (chosen_) {
      const Value chosen = *chosen_;
      chosen_.reset();
      return chosen;
    }
    if (taken_ == queue_.size()) machine_.error("not enough arguments for '%'");
    return queue_[taken_++];
  }

  void key() {
    const std::size_t begin = at_;
    for (int open = 1; open > 0; ++at_) {
      if (at_ == format_.size()) machine_.error("'%(' is not closed");
      open += peek() == '(' ? 1 : peek() == ')' ? -1 : 0;
    }
    const std::string name = format_.bytes().substr(begin, at_ - begin - 1);
    if (!values_.dict()) machine_.error("'%({})' needs a dict, found {}", name, type_name(values_));
    machine_.charge(values_.dict()->entries.size() / 4);
    const Value* found = find(*values_.dict(), name);
    if (!found) machine_.error("'%({})': there is no such key", name);
    chosen_ = *found;
    taken_ = queue_.size();
  }

  std::int64_t number() {
    if (take('*')) {
      const Value given = next();
      if (const auto* value = given.get<std::int64_t>()) return *value;
      if (const bool* value = given.get<bool>()) return *value;
      machine_.error("'*' needs an integer, found {}", type_name(given));
    }
    std::int64_t value = 0;
    while (peek() >= '0' && peek() <= '9') {
      value = std::min<std::int64_t>(value * 10 + (peek() - '0'), std::int64_t{1} << 50);
      ++at_;
    }
    return value;
  }

  void conversion() {
    FormatSpec spec;
    if (take('(')) key();
    bool left = false, zero = false;
    for (;; ++at_) {
      const char c = peek();
      if (c == '-')
        left = true;
      else if (c == '0')
        zero = true;
      else if (c == '+')
        spec.sign = '+';
      else if (c == ' ')
        spec.sign = spec.sign == '+' ? '+' : ' ';
      else if (c == '#')
        spec.alternate = true;
      else
        break;
    }
    spec.width = number();
    if (spec.width < 0) left = true, spec.width = -std::max(spec.width, -(std::int64_t{1} << 50));
    if (take('.')) spec.precision = std::max<std::int64_t>(number(), 0);
    if (peek() == 'h' || peek() == 'l' || peek() == 'L') ++at_;
    if (at_ == format_.size()) machine_.error("'%' at the end of a format");
    const char type = peek();
    const Writer writer = format_.writer_at(at_);
    ++at_;
    spec.align = left ? '<' : '>';
    if (type == '%') return out_.append("%", writer);
    const bool numeric = type == 'd' || type == 'i' || type == 'u' || type == 'o' || type == 'x' || type == 'X' ||
                         std::string_view("eEfFgG").find(type) != std::string_view::npos;
    if (numeric) {
      if (zero && !left) spec.fill = "0", spec.align = '=';
      return numeric_conversion(spec, type, next());
    }
    if (type == 'c') return out_.append(padded(machine_, character(next()), spec, '>'));
    if (type != 's' && type != 'r' && type != 'a')
      machine_.error("unsupported format character '{}'", printable(format_.bytes().substr(at_ - 1, 4)));
    const Value value = next();
    Text text;
    if (type == 's')
      text = to_soft_text(machine_, value);
    else
      append_repr(machine_, text, value, type == 'r' ? Repr::unicode : Repr::ascii);
    if (format_.is_markup()) text = escape_html(text);
    if (spec.precision >= 0)
      text = text.slice(0, byte_of_code_point(text.bytes(), static_cast<std::size_t>(spec.precision)));
    out_.append(padded(machine_, text, spec, '>'));
  }

  void numeric_conversion(FormatSpec& spec, char type, const Value& value) {
    if (value.is_undefined()) undefined_error(machine_, value);
    spec.type = type == 'i' || type == 'u' ? 'd' : type;
    if (std::string_view("eEfFgG").find(type) != std::string_view::npos) {
      const auto real = as_double(value);
      if (!real) machine_.error("'%{}' needs a number, found {}", type, type_name(value));
      spec.precision = spec.precision < 0 ? 6 : spec.precision;
      return out_.append(format_real(machine_, spec, *real));
    }
    auto whole = as_integer(value);
    if (const double* real = value.get<double>(); real && spec.type == 'd') {
      if (!(std::abs(*real) < 9.2e18)) machine_.error("the number {} does not fit in 64 bits", float_text(*real));
      whole = static_cast<std::int64_t>(*real);
    }
    if (!whole) machine_.error("'%{}' needs an integer, found {}", type, type_name(value));
    if (spec.precision <= 0) return out_.append(format_integer(machine_, spec, *whole));
    machine_.reserve_room(spec.precision, 1);
    std::string digits = digits_of(magnitude_of(*whole), spec.type);
    if (static_cast<std::int64_t>(digits.size()) < spec.precision)
      digits.insert(0, static_cast<std::size_t>(spec.precision) - digits.size(), '0');
    const std::string prefix = spec.alternate && spec.type != 'd' ? std::string("0") + spec.type : "";
    out_.append(assembled(machine_, spec, *whole < 0, prefix, digits, ""));
  }

  Text character(const Value& value) {
    if (const Text* text = value.text(); text && count_code_points(text->bytes()) == 1) return *text;
    const auto code = as_integer(value);
    if (!code || *code < 0 || *code > 0x10ffff || (*code >= 0xd800 && *code <= 0xdfff))
      machine_.error("'%c' needs a character, found {}", type_name(value));
    std::string bytes;
    append_code_point(bytes, static_cast<std::uint32_t>(*code));
    return Text(bytes);
  }

  Machine& machine_;
  const Text& format_;
  const Value& values_;
  std::vector<Value> queue_;
  std::optional<Value> chosen_;
  std::size_t at_ = 0, taken_ = 0;
  Text out_;
};

}  // namespace temper::templates
