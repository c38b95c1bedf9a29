// SPDX-License-Identifier: MIT
// strftime_now of chat templates: a given date, in English, whatever the process's locale and clock say.
#pragma once
#include "temper/data/template/machine.hpp"

namespace temper::templates {

// 0 for Sunday (Sakamoto's method).
inline int day_of_week(const Date& date) {
  static constexpr int shift[] = {0, 3, 2, 5, 0, 3, 5, 1, 4, 6, 2, 4};
  const int year = date.year - (date.month < 3);
  return (year + year / 4 - year / 100 + year / 400 + shift[std::clamp(date.month, 1, 12) - 1] + date.day) % 7;
}

inline int day_of_year(const Date& date) {
  static constexpr int before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
  const bool leap = date.year % 4 == 0 && (date.year % 100 != 0 || date.year % 400 == 0);
  return before[std::clamp(date.month, 1, 12) - 1] + date.day + (leap && date.month > 2);
}

inline std::string format_date(const Machine& machine, std::string_view format) {
  if (!machine.date) machine.error("strftime_now needs a date, and none was given");
  static constexpr std::string_view months[] = {"January", "February", "March",     "April",   "May",      "June",
                                                "July",    "August",   "September", "October", "November", "December"};
  static constexpr std::string_view days[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                              "Thursday", "Friday", "Saturday"};
  const Date& date = *machine.date;
  const std::string_view month = months[std::clamp(date.month, 1, 12) - 1];
  const std::string_view day = days[day_of_week(date)];
  std::string out;
  for (std::size_t i = 0; i < format.size(); ++i) {
    if (format[i] != '%' || i + 1 == format.size()) {
      out.push_back(format[i]);
      continue;
    }
    const bool bare = format[i + 1] == '-' && i + 2 < format.size();  // %-d: no leading zero
    i += bare ? 2 : 1;
    const auto number = [&](int value, int width) { out += fmt::format("{:0{}}", value, bare ? 1 : width); };
    switch (format[i]) {
      case 'Y':
        number(date.year, 1);
        break;
      case 'y':
        number(date.year % 100, 2);
        break;
      case 'm':
        number(date.month, 2);
        break;
      case 'd':
        number(date.day, 2);
        break;
      case 'e':
        out += fmt::format("{:2}", date.day);
        break;
      case 'H':
        number(date.hour, 2);
        break;
      case 'I':
        number((date.hour + 11) % 12 + 1, 2);
        break;
      case 'M':
        number(date.minute, 2);
        break;
      case 'S':
        number(date.second, 2);
        break;
      case 'j':
        number(day_of_year(date), 3);
        break;
      case 'p':
        out += date.hour < 12 ? "AM" : "PM";
        break;
      case 'B':
        out += month;
        break;
      case 'b':
        out += month.substr(0, 3);
        break;
      case 'A':
        out += day;
        break;
      case 'a':
        out += day.substr(0, 3);
        break;
      case 'F':
        out += fmt::format("{}-{:02}-{:02}", date.year, date.month, date.day);
        break;
      case 'T':
        out += fmt::format("{:02}:{:02}:{:02}", date.hour, date.minute, date.second);
        break;
      case '%':
        out += '%';
        break;
      default:
        machine.error("strftime_now: '%{}' is not supported", format[i]);
    }
  }
  return out;
}

}  // namespace temper::templates
