// SPDX-License-Identifier: MIT
// Bytes that are read at any place: a file, read where it is asked for and never mapped, or a text in memory.
#pragma once
#include "temper/io/file.hpp"

#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace temper {

class RandomAccess {
 public:
  RandomAccess() = default;
  RandomAccess(const RandomAccess&) = delete;
  RandomAccess& operator=(const RandomAccess&) = delete;
  virtual ~RandomAccess() = default;
  virtual std::size_t size() const = 0;
  // All of 'into', which lies within the size.
  virtual void read(std::size_t offset, std::span<char> into) const = 0;
};

class FileAccess final : public RandomAccess {
 public:
  explicit FileAccess(const std::filesystem::path& path) : path_(path), file_(open_regular(path)) {}

  std::size_t size() const override { return file_.bytes; }

  void read(std::size_t offset, std::span<char> into) const override {
    std::size_t done = 0;
    while (done < into.size()) {
      const ssize_t got = uninterrupted([&] {
        return ::pread(file_.descriptor.number(), into.data() + done, into.size() - done,
                       static_cast<::off_t>(offset + done));
      });
      if (got < 0) fail_to_read(path_, errno);
      require(got > 0, Fault::temporary, "file.changed",
              "{}: became shorter while it was read ({} of {} bytes); try again when nothing writes to it",
              shown_path(path_), offset + done, file_.bytes);
      done += static_cast<std::size_t>(got);
    }
  }

 private:
  std::filesystem::path path_;
  RegularFile file_;
};

class TextAccess final : public RandomAccess {
 public:
  explicit TextAccess(std::string_view text) : text_(text) {}

  std::size_t size() const override { return text_.size(); }
  void read(std::size_t offset, std::span<char> into) const override {
    if (!into.empty()) std::memcpy(into.data(), text_.substr(offset, into.size()).data(), into.size());
  }

 private:
  std::string_view text_;
};

}  // namespace temper
