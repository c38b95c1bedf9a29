// SPDX-License-Identifier: MIT
// Every line of a file through a tokenizer, on all cores, with the time that takes.
#pragma once
#include <cstddef>
#include <filesystem>

namespace temper_cli {

struct TokenizeResult {
  std::size_t bytes = 0, tokens = 0;  // of the lines, without their newlines
  double seconds = 0;                 // of encoding alone
};

// 'threads' 0: all cores.
TokenizeResult tokenize_lines(const std::filesystem::path& tokenizer, const std::filesystem::path& file, int threads);

}  // namespace temper_cli
