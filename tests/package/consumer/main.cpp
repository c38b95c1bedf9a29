// SPDX-License-Identifier: MIT
// Public headers in two units of one program, as a user would have them.
#include <cstdio>

#include "headers.hpp"

const char* version_in_second_unit();

int main() {
  std::printf("temper %s\n", version_in_second_unit());
  return temper::version == version_in_second_unit() ? 0 : 1;
}
