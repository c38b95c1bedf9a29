// SPDX-License-Identifier: MIT
// Verbs of the contract that are not built yet. Each leaves this file as it lands.
#include "commands.hpp"
#include "temper/core/error.hpp"

namespace temper_cli {
namespace {

[[noreturn]] void not_yet(const char* verb) {
  temper::fail(temper::Fault::usage, "program.not_yet", "'temper {}' is not yet built; see 'temper --help' for what is",
               verb);
}

}  // namespace

int export_model(const MergeOptions&) { not_yet("export"); }

}  // namespace temper_cli
