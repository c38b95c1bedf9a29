// SPDX-License-Identifier: MIT
// loops LISTING: the main loops of all kernels with tensor-core instructions in what 'cuobjdump -sass' has listed, a
// row of a table each.
#include <cstdio>

#include "machine_code.hpp"

int main(int count, char** arguments) {
  if (count != 2) {
    std::fputs("usage: loops LISTING\n", stderr);
    return 2;
  }
  std::printf(
      "| kernel | instructions | tensor | async | ldmatrix | wavefronts | instructions a tensor one |\n"
      "|---|---|---|---|---|---|---|\n");
  temper::bench::over_listing(arguments[1], [](const std::string& name, const temper::bench::MainLoop& loop) {
    if (loop.tensor > 0)
      std::printf("| `%s` | %d%s | %d | %d | %d | %d | %.1f |\n", name.c_str(), loop.instructions,
                  loop.loops_inside > 0 ? " +" : "", loop.tensor, loop.async_copies, loop.matrix_loads, loop.wavefronts,
                  static_cast<double>(loop.instructions) / loop.tensor);
  });
}
