// SPDX-License-Identifier: MIT
// expects: on_error
// A sentence that names more values than it is given is refused when it is compiled, not when the error happens.
#include "temper/core/error.hpp"

void check(int found) {
#ifdef TEMPER_WRONG
  temper::require(found == 3, temper::Fault::data, "test.code", "found {} of {}", found);
#else
  temper::require(found == 3, temper::Fault::data, "test.code", "found {} of {}", found, 3);
#endif
}
