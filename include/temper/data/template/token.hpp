// SPDX-License-Identifier: MIT
// The tokens of a template: text between tags, the ends of tags, and what stands in them.
#pragma once
#include "temper/data/template/limits.hpp"

#include <cstdint>
#include <string>

namespace temper::templates {

struct Token {
  enum class Kind : std::uint8_t {
    data,  // text between tags
    block_begin,
    block_end,
    variable_begin,
    variable_end,
    name,
    string,
    integer,
    real,
    symbol,  // an operator or a bracket
    end
  };
  Kind kind = Kind::end;
  Position at;
  std::string text;  // data, name, symbol; a string's value
  std::int64_t integer = 0;
  double real = 0;
};

}  // namespace temper::templates
