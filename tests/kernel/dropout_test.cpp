// SPDX-License-Identifier: MIT
#include "kernel/dropout_cases.hpp"
#include "kernel/on_fibers.hpp"

namespace temper::test::kernels::dropout_test {

TEST_CASE("dropout: the bits of the host's formula, with the same bits in every order of threads") {
  agree_on_fibers(dropout_cases());
}

}  // namespace temper::test::kernels::dropout_test
