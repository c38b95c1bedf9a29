// SPDX-License-Identifier: MIT
// Fields of a JSON object with their exact type: no string for a number, no 1 for true, no 1.0 for an integer. An error
// names source and key. find_* gives nothing where the key is missing or null; require_* refuses that.
#pragma once
#include <cmath>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

#include "temper/io/json.hpp"

namespace temper {

// Where an object came from: 'config.json', and whose mistake a wrong field is.
struct JsonSource {
  std::string name;
  Fault fault = Fault::data;
};

inline std::string shown_json(const Json& value) {
  return printable(value.dump(-1, ' ', false, Json::error_handler_t::replace), 60);
}

[[noreturn]] inline void fail_field(const JsonSource& source, std::string_view key, const Json& value,
                                    std::string_view expected) {
  fail(source.fault, "json.field", "{}: '{}' is {}; expected {}", printable(source.name, 400), printable(key),
       value.is_object()  ? "an object"
       : value.is_array() ? "an array"
                          : shown_json(value),
       expected);
}

inline const Json* find_field(const Json& object, std::string_view key, const JsonSource& source) {
  require(object.is_object(), source.fault, "json.field", "{}: holds {} where an object with '{}' should be",
          printable(source.name, 400), object.type_name(), printable(key));
  for (const auto& [name, value] : object.get_ref<const Json::object_t&>())
    if (name == key) return value.is_null() ? nullptr : &value;
  return nullptr;
}

inline const Json& require_field(const Json& object, std::string_view key, const JsonSource& source) {
  const Json* const value = find_field(object, key, source);
  require(value != nullptr, source.fault, "json.missing_field", "{}: has no '{}'; expected it",
          printable(source.name, 400), printable(key));
  return *value;
}

inline Index as_integer(const Json& value, std::string_view key, const JsonSource& source, Index min, Index max) {
  const bool small = !value.is_number_unsigned() ||
                     value.get<std::uint64_t>() <= static_cast<std::uint64_t>(std::numeric_limits<Index>::max());
  if (!value.is_number_integer() || !small || value.get<Index>() < min || value.get<Index>() > max)
    fail_field(source, key, value, fmt::format("an integer from {} to {}", min, max));
  return value.get<Index>();
}
inline double as_number(const Json& value, std::string_view key, const JsonSource& source) {
  if (!value.is_number() || !std::isfinite(value.get<double>())) fail_field(source, key, value, "a number");
  return value.get<double>();
}
inline bool as_boolean(const Json& value, std::string_view key, const JsonSource& source) {
  if (!value.is_boolean()) fail_field(source, key, value, "true or false");
  return value.get<bool>();
}
inline const std::string& as_string(const Json& value, std::string_view key, const JsonSource& source) {
  if (!value.is_string()) fail_field(source, key, value, "a string");
  return value.get_ref<const std::string&>();
}
inline const Json& as_object(const Json& value, std::string_view key, const JsonSource& source) {
  if (!value.is_object()) fail_field(source, key, value, "an object");
  return value;
}
inline const Json& as_array(const Json& value, std::string_view key, const JsonSource& source) {
  if (!value.is_array()) fail_field(source, key, value, "an array");
  return value;
}

inline Index require_integer(const Json& object, std::string_view key, const JsonSource& source, Index min, Index max) {
  return as_integer(require_field(object, key, source), key, source, min, max);
}
inline double require_number(const Json& object, std::string_view key, const JsonSource& source) {
  return as_number(require_field(object, key, source), key, source);
}
inline bool require_boolean(const Json& object, std::string_view key, const JsonSource& source) {
  return as_boolean(require_field(object, key, source), key, source);
}
inline const std::string& require_string(const Json& object, std::string_view key, const JsonSource& source) {
  return as_string(require_field(object, key, source), key, source);
}
inline const Json& require_object(const Json& object, std::string_view key, const JsonSource& source) {
  return as_object(require_field(object, key, source), key, source);
}
inline const Json& require_array(const Json& object, std::string_view key, const JsonSource& source) {
  return as_array(require_field(object, key, source), key, source);
}

inline std::optional<Index> find_integer(const Json& object, std::string_view key, const JsonSource& source, Index min,
                                         Index max) {
  const Json* const value = find_field(object, key, source);
  return value ? std::optional(as_integer(*value, key, source, min, max)) : std::nullopt;
}
inline std::optional<double> find_number(const Json& object, std::string_view key, const JsonSource& source) {
  const Json* const value = find_field(object, key, source);
  return value ? std::optional(as_number(*value, key, source)) : std::nullopt;
}
inline std::optional<bool> find_boolean(const Json& object, std::string_view key, const JsonSource& source) {
  const Json* const value = find_field(object, key, source);
  return value ? std::optional(as_boolean(*value, key, source)) : std::nullopt;
}
inline std::optional<std::string> find_string(const Json& object, std::string_view key, const JsonSource& source) {
  const Json* const value = find_field(object, key, source);
  return value ? std::optional(as_string(*value, key, source)) : std::nullopt;
}

}  // namespace temper
