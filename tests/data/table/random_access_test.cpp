// SPDX-License-Identifier: MIT
// Bytes at any place of a file or a text; a file that becomes shorter while it is read.
#include "temper/data/table/random_access.hpp"
#include <doctest/doctest.h>
#include "support/row_files.hpp"

namespace temper::random_access_test {

TEST_CASE("random access: a file and a text give the same bytes") {
  const testing::RowFiles files;
  const FileAccess file(files.write("a", "0123456789"));
  const TextAccess text("0123456789");
  for (const RandomAccess* source :
       {static_cast<const RandomAccess*>(&file), static_cast<const RandomAccess*>(&text)}) {
    CHECK(source->size() == 10);
    std::string bytes(4, ' ');
    source->read(6, bytes);
    CHECK(bytes == "6789");
    source->read(0, bytes);
    CHECK(bytes == "0123");
    source->read(10, std::span<char>());
  }
}

TEST_CASE("random access: a file that was cut since it was opened is worth another try") {
  const testing::RowFiles files;
  const std::filesystem::path path = files.write("a", "0123456789");
  const FileAccess file(path);
  std::filesystem::resize_file(path, 5);
  std::string bytes(4, ' ');
  file.read(1, bytes);
  CHECK(bytes == "1234");
  try {
    file.read(3, bytes);
    FAIL("nothing was thrown");
  } catch (const Error& error) {
    CHECK(error.fault() == Fault::temporary);
    CHECK(std::string(error.what()).find("became shorter while it was read (5 of 10 bytes)") != std::string::npos);
  }
}

}  // namespace temper::random_access_test
