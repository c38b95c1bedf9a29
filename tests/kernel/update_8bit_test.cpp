// SPDX-License-Identifier: MIT
#include "kernel/on_fibers.hpp"
#include "kernel/update_8bit_cases.hpp"

namespace temper::test::kernels::update_8bit_test {

TEST_CASE("update_8bit: codes, scales and values have the bits of the host's, in every order of threads") {
  agree_on_fibers(update_8bit_cases());
}

}  // namespace temper::test::kernels::update_8bit_test
