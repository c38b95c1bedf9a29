// SPDX-License-Identifier: MIT
// For tests of files: a folder that is removed at the end, and the code of the error that a call throws.
#pragma once
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>

#include "temper/core/error.hpp"

namespace temper::test {

class ScratchFolder {
  std::filesystem::path path_;

 public:
  explicit ScratchFolder(const std::filesystem::path& under = std::filesystem::temp_directory_path()) {
    std::string name = (under / "temper-test-XXXXXX").string();
    if (!::mkdtemp(name.data())) throw std::runtime_error("no temporary folder");
    path_ = name;
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  ~ScratchFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  std::filesystem::path operator/(std::string_view name) const { return path_ / name; }
  const std::filesystem::path& path() const { return path_; }

  std::filesystem::path write(std::string_view name, std::string_view content) const {
    std::ofstream(path_ / name, std::ios::binary) << content;
    return path_ / name;
  }
  std::size_t entries() const {
    const std::filesystem::directory_iterator all(path_);
    return static_cast<std::size_t>(std::distance(begin(all), end(all)));
  }
};

inline std::string content_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

struct Thrown {
  std::string code = "none", message;
  Fault fault = Fault::numeric;
};

template <class Call>
Thrown thrown_by(const Call& call) {
  try {
    call();
  } catch (const Error& error) { return {error.code(), error.what(), error.fault()}; }
  return {};
}
template <class Call>
std::string code_of(const Call& call) {
  return thrown_by(call).code;
}

}  // namespace temper::test
