// SPDX-License-Identifier: MIT
// Every kernel against its host reference, as nvcc compiles it: gpu [--filter NAME]. One line a case; 0 when all agree.
#include <cstdio>
#include <exception>

#include "gpu/all_cases.hpp"

namespace {

bool agrees(const temper::test::kernels::KernelCase& one, temper::device::Stream& stream) {
  try {
    const auto outcome = one.run(stream);
    const bool right = outcome.elements > 0 && outcome.worst <= 1.0;
    std::printf("%s  %s: %.3g of its bound over %zu elements%s%s\n", right ? "ok   " : "WRONG", one.name.c_str(),
                outcome.worst, outcome.elements, right ? "" : "; ", right ? "" : outcome.where.c_str());
    return right;
  } catch (const std::exception& error) {
    std::printf("WRONG  %s: %s\n", one.name.c_str(), error.what());
    return false;
  }
}

}  // namespace

int main(int count, char** arguments) {
  std::string filter;
  if (count == 3 && std::string(arguments[1]) == "--filter") {
    filter = arguments[2];
  } else if (count != 1) {
    std::fputs("usage: gpu [--filter NAME]\n", stderr);
    return 2;
  }
  int run = 0, wrong = 0;
  try {
    temper::device::Stream stream;
    for (const auto& cases : temper::test::kernels::all_cases()) {
      for (const auto& one : cases) {
        if (one.name.find(filter) == std::string::npos) continue;
        ++run;
        if (!agrees(one, stream)) ++wrong;
        std::fflush(stdout);
      }
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  std::printf("%d cases, %d wrong\n", run, wrong);
  if (run == 0) std::fprintf(stderr, "no case has '%s' in its name\n", filter.c_str());
  return run > 0 && wrong == 0 ? 0 : 1;
}
