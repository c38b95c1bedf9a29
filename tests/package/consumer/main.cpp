// SPDX-License-Identifier: MIT
// Every public header that needs no component, in two units of one program, as a user would have them.
#include <cstdio>

#include "every_header.hpp"

const char* version_in_second_unit();

int main() {
  std::printf("temper %s\n", version_in_second_unit());
  return temper::version == version_in_second_unit() ? 0 : 1;
}
