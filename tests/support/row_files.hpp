// SPDX-License-Identifier: MIT
// A folder for a test's own row files, removed at its end, and the golden tokenizer that row tests share.
#pragma once
#include <stdlib.h>
#include "temper/data/dataset_reader.hpp"

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

namespace temper::testing {

class RowFiles {
 public:
  RowFiles() {
    std::string name = (std::filesystem::temp_directory_path() / "temper-rows-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary folder");
    folder_ = name;
  }
  ~RowFiles() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  RowFiles(const RowFiles&) = delete;
  RowFiles& operator=(const RowFiles&) = delete;

  std::filesystem::path write(std::string_view name, std::string_view text) const {
    std::ofstream(folder_ / name, std::ios::binary) << text;
    return folder_ / name;
  }

 private:
  std::filesystem::path folder_;
};

inline const Tokenizer& row_tokenizer() {
  static const Tokenizer tokenizer = Tokenizer::open(TEMPER_TESTS "/golden/tokenizer/qwen2");
  return tokenizer;
}

inline DataSettings settings_for(const std::filesystem::path& path) {
  DataSettings settings;
  settings.train = {path};
  return settings;
}

// The message of the error that loading ends with; empty if it does not.
inline std::string refusal(const DataSettings& settings, Fault* fault = nullptr) {
  try {
    load_rows(settings, row_tokenizer());
  } catch (const Error& error) {
    if (fault) *fault = error.fault();
    return error.what();
  }
  return "";
}

// What of a row is learned, as text.
inline std::string learned(const Row& row) {
  std::vector<TokenId> ids;
  for (std::size_t i = 0; i < row.tokens.size(); ++i)
    if (row.labels[i]) ids.push_back(row.tokens[i]);
  return row_tokenizer().decode(ids, SpecialTokens::added);
}
inline std::string whole(const Row& row) { return row_tokenizer().decode(row.tokens, SpecialTokens::added); }

}  // namespace temper::testing
