// SPDX-License-Identifier: MIT
// Folders that appear whole or not at all, and locks on folders. A NewFolder is built beside its target under a
// temporary name; publish() makes every file durable and renames it. Locks are flock's: they end with their process.
#pragma once
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "temper/core/error.hpp"
#include "temper/io/file.hpp"

namespace temper {

// Makes the folder and those above it; one that is there already is fine.
inline void make_folders(const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) fail_to_write(folder, 0, error.value());
}

inline bool is_empty_or_absent(const std::filesystem::path& folder) {
  std::error_code error;
  if (!std::filesystem::exists(std::filesystem::symlink_status(folder, error))) return true;
  return std::filesystem::is_directory(folder, error) && std::filesystem::is_empty(folder, error);
}

enum class Existing { refused, replaced };

class NewFolder {
  std::filesystem::path target_, temporary_;
  Existing existing_;
  Descriptor held_;  // locked while the folder is being built, so that it can be told from what a dead process left
  bool published_ = false;

 public:
  explicit NewFolder(const std::filesystem::path& target, Existing existing = Existing::refused)
      : target_(target.has_filename() ? target : target.parent_path()), existing_(existing) {
    refuse_existing();
    const std::filesystem::path parent = target_.parent_path();
    if (!parent.empty()) make_folders(parent);
    temporary_ = temporary_beside(target_);
    if (::mkdir(temporary_.c_str(), 0777) != 0) fail_to_write(temporary_, 0, errno);
    held_ = Descriptor(::open(temporary_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (held_.number() >= 0) ::flock(held_.number(), LOCK_EX | LOCK_NB);
  }
  NewFolder(const NewFolder&) = delete;
  NewFolder& operator=(const NewFolder&) = delete;
  ~NewFolder() {
    std::error_code ignored;  // what cannot be removed now is found by remove_abandoned
    if (!published_) std::filesystem::remove_all(temporary_, ignored);
  }

  // Where its files are to be written; gone after publish().
  const std::filesystem::path& path() const { return temporary_; }
  const std::filesystem::path& target() const { return target_; }

  void publish() {
    std::vector<std::filesystem::path> folders{temporary_};
    for (const auto& entry : std::filesystem::recursive_directory_iterator(temporary_)) {
      if (entry.is_directory() && !entry.is_symlink())
        folders.push_back(entry.path());
      else if (entry.is_regular_file() && !entry.is_symlink())
        sync_file(entry.path());
    }
    for (const std::filesystem::path& folder : folders) sync_folder(folder);
    rename();
    published_ = true;
    sync_folder(target_.parent_path());
  }

 private:
  void refuse_existing() const {
    require(existing_ == Existing::replaced || is_empty_or_absent(target_), Fault::usage, "folder.exists",
            "{}: exists and is not empty; expected a new folder; choose another name, or ask to replace it",
            shown_path(target_));
  }

  static void sync_file(const std::filesystem::path& path) {
    const Descriptor file(uninterrupted([&] { return ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW); }));
    if (file.number() < 0 || uninterrupted([&] { return ::fsync(file.number()); }) != 0) fail_to_write(path, 0, errno);
  }

  void rename() {
    if (::rename(temporary_.c_str(), target_.c_str()) == 0) return;
    const int error = errno;
    if (error != ENOTEMPTY && error != EEXIST && error != ENOTDIR) fail_to_write(target_, 0, error);
    refuse_existing();
    // Swap old and new in one step, then remove the old under the temporary name.
    if (::renameat2(AT_FDCWD, temporary_.c_str(), AT_FDCWD, target_.c_str(), RENAME_EXCHANGE) != 0) {
      // A file system that cannot swap: for a moment there is neither, but the old one is never lost half way.
      const std::filesystem::path aside = temporary_beside(target_);
      if (::rename(target_.c_str(), aside.c_str()) != 0) fail_to_write(target_, 0, errno);
      if (::rename(temporary_.c_str(), target_.c_str()) != 0) {
        const int second = errno;
        if (::rename(aside.c_str(), target_.c_str()) != 0) fail_to_write(aside, 0, errno);
        fail_to_write(target_, 0, second);
      }
      temporary_ = aside;
    }
    std::error_code ignored;
    std::filesystem::remove_all(temporary_, ignored);
  }
};

// Removes what dead processes left half written in this folder: '.tmp-' names that nobody holds.
inline void remove_abandoned(const std::filesystem::path& folder) {
  std::error_code error;
  std::vector<std::filesystem::path> found;
  for (std::filesystem::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error))
    if (entry->path().filename().native().starts_with(".tmp-")) found.push_back(entry->path());
  for (const std::filesystem::path& path : found) {
    const Descriptor held(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    if (held.number() >= 0 && ::flock(held.number(), LOCK_EX | LOCK_NB) == 0) std::filesystem::remove_all(path, error);
  }
}

// One live process for a folder. The file '.lock' stays, empty; only the lock on it counts.
class FolderLock {
  Descriptor file_;

 public:
  explicit FolderLock(const std::filesystem::path& folder) {
    const std::filesystem::path path = folder / ".lock";
    file_ = Descriptor(
        uninterrupted([&] { return ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666); }));
    if (file_.number() < 0) fail_to_write(path, 0, errno);
    if (uninterrupted([&] { return ::flock(file_.number(), LOCK_EX | LOCK_NB); }) == 0) return;
    require(errno != EWOULDBLOCK, Fault::temporary, "folder.locked",
            "{}: another process is working in this folder; expected no other; wait until it ends, then try again",
            shown_path(folder));
    fail(Fault::usage, "folder.lock", "{}: cannot be locked: {}; expected a file system with locks", shown_path(folder),
         std::generic_category().message(errno));
  }
};

}  // namespace temper
