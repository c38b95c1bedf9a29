// SPDX-License-Identifier: MIT
// A JSON object for people: a line a member, what is nested indented below, and long values shortened, with how much
// was left out. Nothing that stands in a file reaches the terminal as a control character.
#pragma once
#include <string>

#include "temper/io/json.hpp"

namespace temper_cli {

// Lines that begin with 'margin' spaces and end with a line feed; empty of what is no object.
std::string members_text(const temper::Json& object, int margin);

}  // namespace temper_cli
