// SPDX-License-Identifier: MIT
#include "temper/io/hash.hpp"

#include <doctest/doctest.h>

#include "io/scratch.hpp"

namespace hash_test {

using namespace temper;

TEST_CASE("hash: the examples of the standard") {
  CHECK(sha256_of("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(sha256_of("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(sha256_of(std::string(1'000'000, 'a')) == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST_CASE("hash: parts give the hash of the whole, and the object can be used again") {
  Sha256 hash;
  hash.add("a");
  hash.add(std::string_view());
  hash.add("bc");
  CHECK(hash.finish() == sha256_of("abc"));
  CHECK(hash.finish() == sha256_of(""));
}

TEST_CASE("hash: a file has the hash of its bytes") {
  const test::ScratchFolder folder;
  const std::string content((std::size_t{1} << 20) + 7, 'x');
  CHECK(sha256_of_file(folder.write("f", content)) == sha256_of(content));
  CHECK(sha256_of_file(folder.write("empty", "")) == sha256_of(""));
  CHECK(test::code_of([&] { sha256_of_file(folder / "absent"); }) == "file.missing");
}

}  // namespace hash_test
