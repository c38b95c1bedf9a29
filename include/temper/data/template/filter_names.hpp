// SPDX-License-Identifier: MIT
// The names of Jinja's filters: known before any of them is defined, since the test 'is filter' and the parser ask.
#pragma once
#include <algorithm>
#include <iterator>
#include <string_view>

namespace temper::templates {

inline constexpr std::string_view filter_names[] = {
    "abs",      "attr",   "batch",      "capitalize", "center",     "count",       "d",         "default",
    "dictsort", "e",      "escape",     "first",      "float",      "forceescape", "format",    "groupby",
    "indent",   "int",    "items",      "join",       "last",       "length",      "list",      "lower",
    "map",      "max",    "min",        "reject",     "rejectattr", "replace",     "reverse",   "round",
    "safe",     "select", "selectattr", "slice",      "sort",       "string",      "striptags", "sum",
    "title",    "tojson", "trim",       "truncate",   "unique",     "upper",       "urlencode", "wordcount"};

// Filters of Jinja that no chat has a use for, or, 'random', that would make a rendering not repeatable.
inline constexpr std::string_view refused_filters[] = {"filesizeformat", "pprint",   "random",
                                                       "urlize",         "wordwrap", "xmlattr"};

template <std::size_t Count>
constexpr bool is_one_of(const std::string_view (&names)[Count], std::string_view name) {
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

inline bool is_filter_name(std::string_view name) {
  return is_one_of(filter_names, name) || is_one_of(refused_filters, name);
}

}  // namespace temper::templates
