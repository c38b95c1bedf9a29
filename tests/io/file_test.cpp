// SPDX-License-Identifier: MIT
#include "temper/io/file.hpp"

#include <doctest/doctest.h>

#include "io/scratch.hpp"

namespace file_test {

using namespace temper;
using test::code_of;
using test::content_of;
using test::thrown_by;

TEST_CASE("file: a missing file is the caller's mistake, a bad one the data's") {
  const test::ScratchFolder folder;
  const auto missing = thrown_by([&] { read_file(folder / "none", 10); });
  CHECK(missing.code == "file.missing");
  CHECK(missing.fault == Fault::usage);
  CHECK(missing.message.find("none") != std::string::npos);
  CHECK(thrown_by([&] { read_file(folder.path(), 10); }).code == "file.not_regular");
  CHECK(thrown_by([&] { read_file("/dev/zero", 10); }).fault == Fault::data);
}

TEST_CASE("file: a pipe is refused and does not wait for its writer") {
  const test::ScratchFolder folder;
  REQUIRE(::mkfifo((folder / "pipe").c_str(), 0600) == 0);
  CHECK(code_of([&] { MappedFile(folder / "pipe"); }) == "file.not_regular");
}

TEST_CASE("file: what is read is what was written, up to the cap") {
  const test::ScratchFolder folder;
  const std::string content("a\0b\n", 4);
  folder.write("f", content);
  CHECK(read_file(folder / "f", 4) == content);
  CHECK(code_of([&] { read_file(folder / "f", 3); }) == "file.too_large");
  CHECK(read_file(folder.write("empty", ""), 0).empty());
}

TEST_CASE("file: a mapped file shows its bytes, also after a move") {
  const test::ScratchFolder folder;
  MappedFile first(folder.write("f", "xyz"));
  const MappedFile second(std::move(first));
  CHECK(second.size() == 3);
  CHECK(static_cast<char>(second.bytes()[2]) == 'z');
  CHECK(MappedFile(folder.write("empty", "")).bytes().empty());
}

TEST_CASE("file: writing replaces the whole file and leaves nothing beside it") {
  const test::ScratchFolder folder;
  write_file_atomically(folder / "f", std::string_view("long content"));
  write_file_atomically(folder / "f", std::string_view("new"));
  CHECK(content_of(folder / "f") == "new");
  CHECK(folder.entries() == 1);
}

TEST_CASE("file: a copy has the content, and what fails is an error of ours that names the right side") {
  const test::ScratchFolder folder;
  folder.write("f", "text");
  copy_file_atomically(folder / "f", folder / "g");
  CHECK(content_of(folder / "g") == "text");
  CHECK(thrown_by([&] { copy_file_atomically(folder / "none", folder / "g"); }).code == "file.missing");
  CHECK(thrown_by([&] { copy_file_atomically(folder / "f", folder / "none/g"); }).code == "file.create");
}

TEST_CASE("file: a write that fails keeps the old file and leaves nothing beside it") {
  const test::ScratchFolder folder;
  folder.write("f", "old");
  CHECK_THROWS_AS(replace_file(folder / "f",
                               [](NewFile& file) {
                                 file.write("half");
                                 throw std::runtime_error("stopped");
                               }),
                  std::runtime_error);
  CHECK(content_of(folder / "f") == "old");
  CHECK(folder.entries() == 1);
}

TEST_CASE("file: a full disk is temporary and the message has path and bytes") {
  const auto thrown = thrown_by([] { NewFile("/dev/full").write("12345"); });
  CHECK(thrown.code == "file.disk_full");
  CHECK(thrown.fault == Fault::temporary);
  CHECK(thrown.message.find("/dev/full: ") != std::string::npos);
  CHECK(thrown.message.find("5 bytes") != std::string::npos);
}

TEST_CASE("file: a place that cannot be written is the caller's mistake") {
  const test::ScratchFolder folder;
  folder.write("f", "");
  for (const char* name : {"none/f", "f/below"}) {
    const auto thrown = thrown_by([&] { write_file_atomically(folder / name, std::string_view("x")); });
    CHECK(thrown.code == "file.create");
    CHECK(thrown.fault == Fault::usage);
  }
}

TEST_CASE("file: only names without a way out are plain") {
  CHECK(is_plain_name("model-00001-of-00002.safetensors"));
  CHECK(is_plain_name("..a"));
  for (const std::string_view bad :
       {std::string_view(""), std::string_view("."), std::string_view(".."), std::string_view("/etc/passwd"),
        std::string_view("a/b"), std::string_view("../a"), std::string_view("a\\b"), std::string_view("a\0b", 3)})
    CHECK(!is_plain_name(bad));
  CHECK(!is_plain_name(std::string(256, 'a')));
}

}  // namespace file_test
