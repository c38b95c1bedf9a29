// SPDX-License-Identifier: MIT
#include "temper/io/folder.hpp"

#include <doctest/doctest.h>
#include <sys/wait.h>

#include <optional>

#include "io/scratch.hpp"

namespace folder_test {

using namespace temper;
using test::code_of;
using test::content_of;
using test::thrown_by;

void write_below(const std::filesystem::path& folder, std::string_view content) {
  make_folders(folder / "sub");
  std::ofstream(folder / "sub" / "f") << content;
}

TEST_CASE("folder: nothing is seen before it is published, all of it after") {
  const test::ScratchFolder scratch;
  NewFolder folder(scratch / "run/step-1");
  write_below(folder.path(), "x");
  CHECK(!std::filesystem::exists(scratch / "run/step-1"));
  folder.publish();
  CHECK(content_of(scratch / "run/step-1/sub/f") == "x");
  CHECK(!std::filesystem::exists(folder.path()));
}

TEST_CASE("folder: one that is not published leaves nothing") {
  const test::ScratchFolder scratch;
  { write_below(NewFolder(scratch / "a").path(), "x"); }
  CHECK(scratch.entries() == 0);
}

TEST_CASE("folder: a folder with content is refused, an empty one is taken") {
  const test::ScratchFolder scratch;
  make_folders(scratch / "empty");
  NewFolder(scratch / "empty/").publish();
  write_below(scratch / "full", "old");
  const auto thrown = thrown_by([&] { NewFolder(scratch / "full"); });
  CHECK(thrown.code == "folder.exists");
  CHECK(thrown.fault == Fault::usage);
  scratch.write("file", "");
  CHECK(code_of([&] { NewFolder(scratch / "file"); }) == "folder.exists");
}

TEST_CASE("folder: content that appears meanwhile is not overwritten") {
  const test::ScratchFolder scratch;
  NewFolder folder(scratch / "a");
  write_below(scratch / "a", "other");
  CHECK(code_of([&] { folder.publish(); }) == "folder.exists");
  CHECK(content_of(scratch / "a/sub/f") == "other");
}

TEST_CASE("folder: replacing swaps old and new and removes the old") {
  const test::ScratchFolder scratch;
  write_below(scratch / "a", "old");
  {
    NewFolder folder(scratch / "a", Existing::replaced);
    write_below(folder.path(), "new");
    CHECK(content_of(scratch / "a/sub/f") == "old");
    folder.publish();
  }
  CHECK(content_of(scratch / "a/sub/f") == "new");
  CHECK(scratch.entries() == 1);
}

TEST_CASE("folder: one that cannot be made is the caller's mistake") {
  const test::ScratchFolder scratch;
  scratch.write("file", "");
  const auto thrown = thrown_by([&] { NewFolder(scratch / "file/a"); });
  CHECK(thrown.code == "file.create");
  CHECK(thrown.fault == Fault::usage);
}

TEST_CASE("folder: what dead processes left is removed, what is being written stays") {
  const test::ScratchFolder scratch;
  write_below(scratch / ".tmp-step-9-1-0", "half");
  scratch.write(".tmp-f-1-0", "half");
  scratch.write("f", "whole");
  NewFolder living(scratch / "a");
  remove_abandoned(scratch.path());
  CHECK(!std::filesystem::exists(scratch / ".tmp-step-9-1-0"));
  CHECK(!std::filesystem::exists(scratch / ".tmp-f-1-0"));
  CHECK(std::filesystem::exists(living.path()));
  CHECK(content_of(scratch / "f") == "whole");
}

TEST_CASE("folder: a lock has one holder and ends with it") {
  const test::ScratchFolder scratch;
  std::optional<FolderLock> lock(std::in_place, scratch.path());
  const auto thrown = thrown_by([&] { FolderLock second(scratch.path()); });
  CHECK(thrown.code == "folder.locked");
  CHECK(thrown.fault == Fault::temporary);
  lock.reset();
  CHECK(code_of([&] { FolderLock third(scratch.path()); }) == "none");
  CHECK(code_of([&] { FolderLock lost(scratch / "none"); }) == "file.create");
}

TEST_CASE("folder: a process that dies leaves no lock") {
  const test::ScratchFolder scratch;
  const pid_t child = ::fork();
  if (child == 0) {
    const FolderLock lock(scratch.path());
    ::kill(::getpid(), SIGKILL);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  REQUIRE(WIFSIGNALED(status));
  CHECK(code_of([&] { FolderLock lock(scratch.path()); }) == "none");
}

}  // namespace folder_test
