// SPDX-License-Identifier: MIT
// metrics.jsonl: one object a line, on disk as soon as the step has ended, and on stdout too when scripts asked for it.
// Resume cuts the file back to the bytes that the checkpoint knows.
#pragma once
#include <filesystem>
#include <string>

#include "temper/io/file.hpp"
#include "temper/io/json.hpp"

namespace temper_cli {

enum class Echo { none, standard_output };

class MetricsFile {
 public:
  // Keeps the first 'kept' bytes of the file.
  MetricsFile(const std::filesystem::path& path, std::size_t kept, Echo echo);

  void write(const temper::Json& line);
  void sync();  // on disk for good
  std::size_t bytes() const { return bytes_; }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  temper::Descriptor file_;
  std::size_t bytes_;
  Echo echo_;
};

// SHA-256 of the first 'bytes' bytes of a file.
std::string hash_of_start(const std::filesystem::path& path, std::size_t bytes);

// A line on stdout, out at once; a reader that is gone is no error of the run.
void print_line(const std::string& line);

}  // namespace temper_cli
