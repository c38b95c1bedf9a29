// SPDX-License-Identifier: MIT
#include "temper/core/version.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

namespace version_test {

TEST_CASE("version: the text is made of the three numbers") {
  CHECK(temper::version ==
        fmt::format("{}.{}.{}", temper::version_major, temper::version_minor, temper::version_patch));
}

TEST_CASE("version: the build read the same version from the header") {
  CHECK(temper::version == TEMPER_BUILD_VERSION);
}

}  // namespace version_test
