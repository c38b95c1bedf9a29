// SPDX-License-Identifier: MIT
// What a call that must fail says, as one text that tests compare or search: 'code | temper: message'.
#pragma once
#include "temper/core/error.hpp"

#include <string>

namespace temper::test {

// "nothing" when 'work' throws no Error.
template <class Work>
std::string refusal(const Work& work) {
  try {
    work();
  } catch (const Error& error) { return error.code() + " | " + error.what(); }
  return "nothing";
}

}  // namespace temper::test
