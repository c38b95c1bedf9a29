// SPDX-License-Identifier: MIT
// The nearest known name to one that was mistyped: by edits (insert, delete, replace, swap of neighbours), with the
// names that other tools use for the same thing looked up first.
#pragma once
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace temper_cli {

// The nearest of 'names', or "" when none is near enough to be meant.
std::string nearest_word(std::string_view word, const std::vector<std::string_view>& names);

// The full path of the key that was probably meant by 'name' in 'section' ("" is the top level); "" when there is none.
std::string nearest_key(std::string_view section, std::string_view name, std::string_view task);

// Of a folder without 'file', such as a run's: "; did you mean 'runs/first/adapter'?" where that has it, else "".
std::string inner_folder_hint(const std::filesystem::path& folder, const char* file);

}  // namespace temper_cli
