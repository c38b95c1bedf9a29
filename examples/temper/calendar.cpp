// SPDX-License-Identifier: MIT
#include "calendar.hpp"

#include <ctime>

#include "temper/io/json_fields.hpp"

namespace temper_cli {

using temper::Json;

temper::templates::Date today() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  localtime_r(&now, &parts);
  return {parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec};
}

Json to_json(const temper::templates::Date& d) { return {d.year, d.month, d.day, d.hour, d.minute, d.second}; }

temper::templates::Date date_of(const Json& json) {
  temper::templates::Date date;
  int* const parts[] = {&date.year, &date.month, &date.day, &date.hour, &date.minute, &date.second};
  temper::require(json.is_array() && json.size() == std::size(parts), temper::Fault::data, "run.date",
                  "run.json: 'date' is not a list of six integers; expected what the run wrote");
  for (std::size_t i = 0; i < std::size(parts); ++i)
    *parts[i] = static_cast<int>(temper::as_integer(json[i], "date", {"run.json"}, 0, 100000));
  return date;
}

}  // namespace temper_cli
