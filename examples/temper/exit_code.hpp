// SPDX-License-Identifier: MIT
// What the program tells scripts: done, or whose fault it was.
#pragma once
#include <filesystem>

#include "temper/core/error.hpp"
#include "temper/io/file.hpp"

namespace temper_cli {

enum ExitCode : int {
  done = 0,
  internal_error = 1,  // a bug of temper
  usage = 2,           // the command line or the recipe; never retry
  temporary = 75,      // retry
  bad_data = 76,       // a model or data file
  out_of_memory = 77,
  numeric = 78,       // a loss that is not finite
  interrupted = 130,  // SIGINT, after saving
  terminated = 143,   // SIGTERM, after saving
};

constexpr ExitCode exit_code(temper::Fault fault) {
  switch (fault) {
    case temper::Fault::usage:
      return usage;
    case temper::Fault::data:
      return bad_data;
    case temper::Fault::temporary:
      return temporary;
    case temper::Fault::out_of_memory:
      return out_of_memory;
    case temper::Fault::numeric:
      return numeric;
  }
  return internal_error;
}

// Of what the standard library says of a file or a folder, as read_file and write_file_atomically have it of theirs.
// What it writes is asked by error codes: a refusal is of what was to be read.
inline ExitCode exit_code(const std::filesystem::filesystem_error& error) {
  const int number = error.code().default_error_condition().value();
  if (temper::is_temporary(number)) return temporary;
  return number == EACCES || number == ELOOP ? bad_data : usage;
}

}  // namespace temper_cli
