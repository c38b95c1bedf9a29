// SPDX-License-Identifier: MIT
// Numbers and paths as people read them.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace temper_cli {

std::string bytes_text(std::size_t bytes);                            // 1.4 GiB
std::string count_text(std::int64_t count);                           // 1,234,567
std::string counted_text(std::int64_t count, std::string_view what);  // 1 step, 1,234 steps
std::string duration_text(double seconds);                            // 1m 05s
std::string rate_text(double per_second);                             // 12.3k
std::string now_text();                                               // 2026-11-22T03:34:45Z

// Paths below the working directory as a person would write them, wherever they stand in the text.
std::string near_paths(std::string text);

}  // namespace temper_cli
