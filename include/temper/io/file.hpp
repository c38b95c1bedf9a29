// SPDX-License-Identifier: MIT
// Files, whole: read with a cap, mapped for reading, or written so that a reader sees the old or the new content and
// never a part (temporary file beside it, fsync, rename, fsync of the folder). Short writes and EINTR are handled; a
// full disk is Fault::temporary and leaves what was there. POSIX only.
#pragma once
#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <limits>
#include <new>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "temper/core/error.hpp"
#include "temper/core/types.hpp"
#include "temper/io/printable.hpp"

namespace temper {

inline std::string shown_path(const std::filesystem::path& path) { return printable(path.native(), 1000); }

inline bool is_absence(int error) { return error == ENOENT || error == ENOTDIR || error == ENAMETOOLONG; }
// What time can mend, or somebody who makes room.
inline bool is_temporary(int error) {
  return error == ENOSPC || error == EDQUOT || error == EIO || error == EMFILE || error == ENFILE || error == ENOMEM ||
         error == EAGAIN || error == ESTALE || error == ETIMEDOUT;
}

// What errno says when a file that should be there cannot be read: its absence is the caller's mistake.
[[noreturn]] inline void fail_to_read(const std::filesystem::path& path, int error) {
  const std::string reason = std::generic_category().message(error);
  if (is_absence(error))
    fail(Fault::usage, "file.missing", "{}: no such file; expected a file that exists; check the path",
         shown_path(path));
  if (is_temporary(error))
    fail(Fault::temporary, "file.read", "{}: cannot be read: {}; try again", shown_path(path), reason);
  fail(Fault::data, "file.read", "{}: cannot be read: {}; expected a readable file", shown_path(path), reason);
}

// 'bytes' is what was to be written. Only what time can mend is temporary.
[[noreturn]] inline void fail_to_write(const std::filesystem::path& path, std::size_t bytes, int error) {
  const std::string reason = std::generic_category().message(error);
  if (error == ENOSPC || error == EDQUOT)
    fail(Fault::temporary, "file.disk_full", "{}: {} while writing {} bytes; make room and try again", shown_path(path),
         reason, bytes);
  if (is_temporary(error))
    fail(Fault::temporary, "file.write", "{}: {} while writing {} bytes; try again", shown_path(path), reason, bytes);
  fail(Fault::usage, "file.create", "{}: cannot be written: {}; expected a place that can be written", shown_path(path),
       reason);
}

// Repeats a system call that a signal interrupted.
template <class Call>
auto uninterrupted(const Call& call) {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

// An open file descriptor. Moved, never copied; -1 is none.
class Descriptor {
  int number_ = -1;

 public:
  Descriptor() = default;
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }

  int number() const { return number_; }

  // Some file systems report a failed write only here. Linux frees the descriptor even when interrupted.
  [[nodiscard]] int close() {
    const int result = ::close(std::exchange(number_, -1));
    return result < 0 && errno == EINTR ? 0 : result;
  }
};

struct RegularFile {
  Descriptor descriptor;
  std::size_t bytes = 0;
};

// A folder, pipe or device is refused (a pipe would wait for its writer).
inline RegularFile open_regular(const std::filesystem::path& path) {
  Descriptor file(uninterrupted([&] { return ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK); }));
  if (file.number() < 0) fail_to_read(path, errno);
  struct stat about {};
  if (::fstat(file.number(), &about) != 0) fail_to_read(path, errno);
  require(S_ISREG(about.st_mode), Fault::data, "file.not_regular", "{}: {}; expected a regular file", shown_path(path),
          S_ISDIR(about.st_mode) ? "is a folder" : "is a pipe, a device or a socket");
  return {std::move(file), static_cast<std::size_t>(about.st_size)};
}

inline void require_size(const std::filesystem::path& path, std::size_t bytes, std::size_t max_bytes) {
  require(bytes <= max_bytes, Fault::data, "file.too_large", "{}: has {} bytes; expected at most {}", shown_path(path),
          bytes, max_bytes);
}

inline std::string read_file(const std::filesystem::path& path, std::size_t max_bytes) {
  const RegularFile file = open_regular(path);
  const std::size_t size = file.bytes;
  require_size(path, size, max_bytes);
  std::string text(size, '\0');
  std::size_t done = 0;
  while (done < size) {
    const ssize_t got =
        uninterrupted([&] { return ::read(file.descriptor.number(), text.data() + done, size - done); });
    if (got < 0) fail_to_read(path, errno);
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  require(done == size, Fault::temporary, "file.changed", "{}: became shorter while it was read ({} of {} bytes); {}",
          shown_path(path), done, size, "try again when nothing writes to it");
  return text;
}

// The file's bytes, mapped for reading; its pages are read when they are touched. A file that another process cuts
// while it is mapped kills the reader (SIGBUS): weights are not to be changed while they are in use.
class MappedFile {
  std::filesystem::path path_;
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;

 public:
  explicit MappedFile(const std::filesystem::path& path) : path_(path) {
    const RegularFile file = open_regular(path);
    const std::size_t size = size_ = file.bytes;
    if (size == 0) return;  // mmap refuses an empty range
    void* const at = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.descriptor.number(), 0);
    if (at == MAP_FAILED) fail_to_read(path, errno);
    data_ = static_cast<const std::byte*>(at);
  }
  MappedFile(MappedFile&& other) noexcept
      : path_(std::move(other.path_)),
        data_(std::exchange(other.data_, nullptr)),
        size_(std::exchange(other.size_, 0)) {}
  MappedFile& operator=(MappedFile&& other) noexcept {
    std::swap(path_, other.path_);
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~MappedFile() {
    if (data_) ::munmap(const_cast<std::byte*>(data_), size_);
  }

  const std::filesystem::path& path() const { return path_; }
  std::size_t size() const { return size_; }
  std::span<const std::byte> bytes() const { return {data_, size_}; }
};

// A name taken from a file's content may name a file beside it, and nothing else.
inline bool is_plain_name(std::string_view name) {
  return !name.empty() && name.size() <= 255 && name != "." && name != ".." &&
         name.find_first_of(std::string_view("/\\\0", 3)) == std::string_view::npos;
}

inline void sync_folder(const std::filesystem::path& folder) {
  const std::filesystem::path named = folder.empty() ? "." : folder;
  const Descriptor opened(uninterrupted([&] { return ::open(named.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); }));
  if (opened.number() < 0 || uninterrupted([&] { return ::fsync(opened.number()); }) != 0)
    fail_to_write(named, 0, errno);
}

// A file being written for the first time; finish() makes it durable. The caller removes it when that fails.
class NewFile {
  std::filesystem::path path_;
  Descriptor file_;
  std::size_t written_ = 0;

 public:
  explicit NewFile(const std::filesystem::path& path) : path_(path) {
    file_ = Descriptor(uninterrupted(
        [&] { return ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0666); }));
    if (file_.number() < 0) fail_to_write(path, 0, errno);
    ::flock(file_.number(), LOCK_EX | LOCK_NB);  // tells it from what a dead process left
  }

  std::size_t written() const { return written_; }

  void write(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
      const ssize_t taken = uninterrupted([&] { return ::write(file_.number(), bytes.data(), bytes.size()); });
      if (taken < 0) fail_to_write(path_, written_ + bytes.size(), errno);
      bytes = bytes.subspan(static_cast<std::size_t>(taken));
      written_ += static_cast<std::size_t>(taken);
    }
  }
  void write(std::string_view text) { write(std::as_bytes(std::span(text))); }

  void finish() {
    if (uninterrupted([&] { return ::fsync(file_.number()); }) != 0) fail_to_write(path_, written_, errno);
    if (file_.close() != 0) fail_to_write(path_, written_, errno);
  }
};

// A name beside 'path' that no other writer of this machine has: the process and a count within it.
inline std::filesystem::path temporary_beside(const std::filesystem::path& path) {
  static std::atomic<unsigned> count{0};  // only makes names differ
  return path.parent_path() / fmt::format(".tmp-{}-{}-{}", path.filename().native(), ::getpid(),
                                          count.fetch_add(1, std::memory_order_relaxed));
}

// 'write' gets a NewFile. Whatever happens, 'path' holds its old content or all of the new.
template <class Write>
void replace_file(const std::filesystem::path& path, const Write& write) {
  const std::filesystem::path temporary = temporary_beside(path);
  try {
    NewFile file(temporary);
    write(file);
    file.finish();
    if (::rename(temporary.c_str(), path.c_str()) != 0) fail_to_write(path, file.written(), errno);
  } catch (...) {
    ::unlink(temporary.c_str());
    throw;
  }
  sync_folder(path.parent_path());
}

inline void write_file_atomically(const std::filesystem::path& path, std::span<const std::byte> bytes) {
  replace_file(path, [&](NewFile& file) { file.write(bytes); });
}
inline void write_file_atomically(const std::filesystem::path& path, std::string_view text) {
  write_file_atomically(path, std::as_bytes(std::span(text)));
}

// What the standard library's own copying says of a full disk is not an Error.
inline void copy_file_atomically(const std::filesystem::path& from, const std::filesystem::path& to) {
  const MappedFile source(from);
  write_file_atomically(to, source.bytes());
}

}  // namespace temper
