// SPDX-License-Identifier: MIT
#include "metrics.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "temper/io/hash.hpp"

namespace temper_cli {

MetricsFile::MetricsFile(const std::filesystem::path& path, std::size_t kept, Echo echo)
    : path_(path), bytes_(kept), echo_(echo) {
  file_ = temper::Descriptor(temper::uninterrupted(
      [&] { return ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_APPEND, 0666); }));
  const bool cut = file_.number() >= 0 && ::ftruncate(file_.number(), static_cast<off_t>(kept)) == 0;
  if (!cut) temper::fail_to_write(path, 0, errno);
}

void MetricsFile::write(const temper::Json& line) {
  const std::string text = temper::to_text(line) + "\n";
  for (std::size_t done = 0; done < text.size();) {
    const ssize_t taken =
        temper::uninterrupted([&] { return ::write(file_.number(), text.data() + done, text.size() - done); });
    if (taken < 0) temper::fail_to_write(path_, text.size(), errno);
    done += static_cast<std::size_t>(taken);
  }
  bytes_ += text.size();
  if (echo_ == Echo::standard_output) print_line(text.substr(0, text.size() - 1));
}

void MetricsFile::sync() {
  if (temper::uninterrupted([&] { return ::fsync(file_.number()); }) != 0) temper::fail_to_write(path_, bytes_, errno);
}

std::string hash_of_start(const std::filesystem::path& path, std::size_t bytes) {
  std::error_code error;
  temper::require(std::filesystem::exists(path, error), temper::Fault::data, "run.metrics",
                  "{}: is missing; expected what the run wrote", temper::shown_path(path));
  const temper::MappedFile file(path);
  temper::require(file.size() >= bytes, temper::Fault::data, "run.metrics",
                  "{}: has {} bytes; expected the {} that the checkpoint knows; the file was changed",
                  temper::shown_path(path), file.size(), bytes);
  return temper::sha256_of(file.bytes().first(bytes));
}

void print_line(const std::string& line) {
  std::fputs((line + "\n").c_str(), stdout);
  std::fflush(stdout);
}

}  // namespace temper_cli
