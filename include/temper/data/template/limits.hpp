// SPDX-License-Identifier: MIT
// Templates come with models and are as hostile as any file: these caps keep every one of them from hanging or from
// exhausting memory or stack. They are far above what real templates and conversations need.
#pragma once
#include "temper/core/error.hpp"
#include "temper/io/printable.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace temper::templates {

struct Limits {
  std::size_t source_bytes = std::size_t{256} << 10;
  int parse_depth = 200;
  int evaluation_depth = 1200;  // statements and expressions inside one another while rendering, macros included
  int macro_depth = 64;
  int value_depth = 100;
  std::int64_t value_weight = 4'000'000;
  std::int64_t iterations = 1'000'000;
  std::int64_t work = std::int64_t{256} << 20;  // bytes made or moved over one rendering, a step counting as 16
  std::size_t output_bytes = std::size_t{64} << 20;
};

// Where in the template; columns count characters, from 1.
struct Position {
  int line = 1, column = 1;
};

template <class... Values>
[[noreturn]] void fail_at(Position at, std::string_view code, fmt::format_string<Values...> sentence,
                          Values&&... values) {
  fail(Fault::data, code, "chat_template: line {}, column {}: {}", at.line, at.column,
       printable(fmt::format(sentence, std::forward<Values>(values)...), 600));
}

}  // namespace temper::templates
