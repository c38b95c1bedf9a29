// SPDX-License-Identifier: MIT
// planted_bugs NAME: runs a planted bug, says how it was caught, and exits with 1; 0 if nobody noticed. A sanitizer
// that notices first ends the program with its own report.
#include <cstdio>

#include "kernel/planted_bugs.hpp"

int main(int count, char** arguments) {
  using namespace temper::test::kernels;
  for (const auto& [name, bug] : bug_names) {
    if (count != 2 || name != arguments[1]) continue;
    const auto said = caught(bug);
    std::printf("%s\n", said ? ("caught: " + *said).c_str() : "not caught");
    return said ? 1 : 0;
  }
  std::fputs("usage: planted_bugs NAME\n", stderr);
  return 2;
}
