// SPDX-License-Identifier: MIT
// Jinja's filters, as a table: what each takes and what computes it.
#pragma once
#include "temper/data/template/json_text.hpp"
#include "temper/data/template/list_filters.hpp"
#include "temper/data/template/number_filters.hpp"
#include "temper/data/template/order_filters.hpp"
#include "temper/data/template/text_filters.hpp"

namespace temper::templates {

struct Filter {
  std::string_view name;
  Signature signature;
  Value (*apply)(Machine& machine, const Value& value, const Given& given);
};
// Filters that hand their arguments on.
struct OpenFilter {
  std::string_view name;
  Value (*apply)(Machine& machine, const Value& value, const Arguments& arguments);
};

inline Value default_filter(Machine&, const Value& value, const Given& given) {
  const bool replaced = value.is_undefined() || (given.flag(1) && !truth(value));
  return !replaced ? value : given[0] ? *given[0] : Value(Text());
}

inline Value format_filter(Machine& machine, const Value& value, const Arguments& arguments) {
  const Text format = to_soft_text(machine, value);
  if (arguments.named.empty()) {
    const Value values = machine.sequence(Sequence::Kind::tuple, arguments.positional);
    return PercentFormat(machine, format, values).apply();
  }
  if (!arguments.positional.empty()) machine.error("format: either positional or named arguments can be given");
  std::vector<std::pair<Value, Value>> entries;
  for (const auto& [name, held] : arguments.named) put(machine, entries, Value(name), held);
  const Value values = machine.dict(std::move(entries));
  return PercentFormat(machine, format, values).apply();
}

inline Value apply_filter(Machine& machine, std::string_view name, const Value& value, const Arguments& arguments);

inline Value map_filter(Machine& machine, const Value& value, const Arguments& arguments) {
  if (!truth(value)) return generator(machine, {});
  std::vector<Value> items = items_of(machine, value);
  const auto named = [&](std::string_view name) -> const Value* {
    for (const auto& [given, held] : arguments.named)
      if (given == name) return &held;
    return nullptr;
  };
  if (arguments.positional.empty() && named("attribute")) {
    const Given given(machine, "map", takes({"attribute", "default"}, 1), arguments);
    for (Value& item : items)
      if (!given.at(0).is_none()) item = attribute_path(machine, item, given.at(0), given[1]);
    return generator(machine, std::move(items));
  }
  if (arguments.positional.empty()) machine.error("map needs an attribute or the name of a filter");
  const Text* name = arguments.positional[0].text();
  if (!name) machine.error("map: expected the name of a filter");
  if (name->bytes() == "map") machine.error("map: 'map' cannot be mapped");
  const Arguments rest = rest_of(arguments, 1);
  for (Value& item : items) item = apply_filter(machine, name->bytes(), item, rest);
  return generator(machine, std::move(items));
}

inline constexpr Signature of_items = takes({"case_sensitive", "attribute"});

// clang-format off
inline constexpr Filter filters[] = {
    {"abs", {}, abs_filter},
    {"attr", takes({"name"}, 1), attr_filter},
    {"batch", takes({"linecount", "fill_with"}, 1), batch_filter},
    {"capitalize", {}, [](Machine& m, const Value& v, const Given&) { return cased_filter(m, v, LetterCase::capitalize); }},
    {"center", takes({"width"}), center_filter},
    {"count", {}, length_filter},
    {"d", takes({"default_value", "boolean"}), default_filter},
    {"default", takes({"default_value", "boolean"}), default_filter},
    {"dictsort", takes({"case_sensitive", "by", "reverse"}), dictsort_filter},
    {"e", {}, [](Machine& m, const Value& v, const Given&) { return m.text(escape_html(to_soft_text(m, v))); }},
    {"escape", {}, [](Machine& m, const Value& v, const Given&) { return m.text(escape_html(to_soft_text(m, v))); }},
    {"first", {}, first_filter},
    {"float", takes({"default"}), float_filter},
    {"forceescape", {}, [](Machine& m, const Value& v, const Given&) { return m.text(escape_html(to_text(m, v))); }},
    {"groupby", takes({"attribute", "default", "case_sensitive"}, 1), groupby_filter},
    {"indent", takes({"width", "first", "blank"}), indent_filter},
    {"int", takes({"default", "base"}), int_filter},
    {"items", {}, items_filter},
    {"join", takes({"d", "attribute"}), join_filter},
    {"last", {}, last_filter},
    {"length", {}, length_filter},
    {"list", {}, [](Machine& m, const Value& v, const Given&) { return listed(m, items_of(m, v)); }},
    {"lower", {}, [](Machine& m, const Value& v, const Given&) { return cased_filter(m, v, LetterCase::lower); }},
    {"max", of_items, [](Machine& m, const Value& v, const Given& g) { return extreme(m, v, g, 1); }},
    {"min", of_items, [](Machine& m, const Value& v, const Given& g) { return extreme(m, v, g, -1); }},
    {"replace", takes({"old", "new", "count"}, 2), replace_filter},
    {"reverse", {}, reverse_filter},
    {"round", takes({"precision", "method"}), round_filter},
    {"safe", {}, [](Machine& m, const Value& v, const Given&) { return Value(to_text(m, v).as_markup()); }},
    {"slice", takes({"slices", "fill_with"}, 1), slice_filter},
    {"sort", takes({"reverse", "case_sensitive", "attribute"}), sort_filter},
    {"string", {}, [](Machine& m, const Value& v, const Given&) { return Value(to_soft_text(m, v)); }},
    {"striptags", {}, striptags_filter},
    {"sum", takes({"attribute", "start"}), sum_filter},
    {"title", {}, title_filter},
    {"tojson", takes({"ensure_ascii", "indent", "separators", "sort_keys"}), to_json},
    {"trim", takes({"chars"}), trim_filter},
    {"truncate", takes({"length", "killwords", "end", "leeway"}), truncate_filter},
    {"unique", of_items, unique_filter},
    {"upper", {}, [](Machine& m, const Value& v, const Given&) { return cased_filter(m, v, LetterCase::upper); }},
    {"urlencode", {}, urlencode_filter},
    {"wordcount", {}, wordcount_filter},
};
inline constexpr OpenFilter open_filters[] = {
    {"format", format_filter},
    {"map", map_filter},
    {"reject", [](Machine& m, const Value& v, const Arguments& a) { return select_items(m, v, a, Subject::item, Keep::failing); }},
    {"rejectattr", [](Machine& m, const Value& v, const Arguments& a) { return select_items(m, v, a, Subject::attribute, Keep::failing); }},
    {"select", [](Machine& m, const Value& v, const Arguments& a) { return select_items(m, v, a, Subject::item, Keep::passing); }},
    {"selectattr", [](Machine& m, const Value& v, const Arguments& a) { return select_items(m, v, a, Subject::attribute, Keep::passing); }},
};
// clang-format on

template <class Table>
constexpr bool are_filter_names(const Table& table) {
  return std::all_of(std::begin(table), std::end(table),
                     [](const auto& entry) { return is_one_of(filter_names, entry.name); });
}
static_assert(are_filter_names(filters) && are_filter_names(open_filters) &&
              std::size(filters) + std::size(open_filters) == std::size(filter_names));

inline Value apply_filter(Machine& machine, std::string_view name, const Value& value, const Arguments& arguments) {
  machine.charge(1);
  if (const Filter* filter = find_entry<Filter>(filters, name))
    return filter->apply(machine, value, Given(machine, name, filter->signature, arguments));
  if (const OpenFilter* filter = find_entry<OpenFilter>(open_filters, name))
    return filter->apply(machine, value, arguments);
  if (is_one_of(refused_filters, name)) machine.error("the filter '{}' is not supported", name);
  machine.error("no filter named '{}'", name);
}

}  // namespace temper::templates
