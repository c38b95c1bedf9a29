// SPDX-License-Identifier: MIT
// SHA-256, the identity of models, data and checkpoints, as 64 lower-case hexadecimal digits. The only header that
// needs OpenSSL's libcrypto, which uses the processor's own instructions where it has them.
#pragma once
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "temper/core/error.hpp"
#include "temper/io/file.hpp"

namespace temper {

class Sha256 {
  struct Free {
    void operator()(EVP_MD_CTX* state) const { EVP_MD_CTX_free(state); }
  };
  std::unique_ptr<EVP_MD_CTX, Free> state_{EVP_MD_CTX_new()};

  static void check(bool done) {
    require(done, Fault::temporary, "hash.unavailable", "SHA-256 is not available from libcrypto; {}",
            "expected a build of OpenSSL that has it");
  }

 public:
  Sha256() { check(state_ && EVP_DigestInit_ex(state_.get(), EVP_sha256(), nullptr) == 1); }

  void add(std::span<const std::byte> bytes) { check(EVP_DigestUpdate(state_.get(), bytes.data(), bytes.size()) == 1); }
  void add(std::string_view text) { add(std::as_bytes(std::span(text))); }

  // Of all that was added; the object then starts anew.
  std::string finish() {
    std::array<unsigned char, 32> digest{};
    unsigned length = 0;
    check(EVP_DigestFinal_ex(state_.get(), digest.data(), &length) == 1 && length == digest.size());
    check(EVP_DigestInit_ex(state_.get(), EVP_sha256(), nullptr) == 1);
    std::string digits;
    for (const unsigned char byte : digest) digits += fmt::format("{:02x}", byte);
    return digits;
  }
};

inline std::string sha256_of(std::span<const std::byte> bytes) {
  Sha256 hash;
  hash.add(bytes);
  return hash.finish();
}
inline std::string sha256_of(std::string_view text) { return sha256_of(std::as_bytes(std::span(text))); }

// Read, not mapped: a file that is cut meanwhile gives another hash instead of a signal.
inline std::string sha256_of_file(const std::filesystem::path& path) {
  const RegularFile file = open_regular(path);
  std::vector<std::byte> block(std::size_t{1} << 20);
  Sha256 hash;
  for (;;) {
    const ssize_t got = uninterrupted([&] { return ::read(file.descriptor.number(), block.data(), block.size()); });
    if (got < 0) fail_to_read(path, errno);
    if (got == 0) return hash.finish();
    hash.add(std::span(block).first(static_cast<std::size_t>(got)));
  }
}

}  // namespace temper
