// SPDX-License-Identifier: MIT
#include "kernel/divergence_cases.hpp"
#include "kernel/on_fibers.hpp"

namespace temper::test::kernels::divergence_test {

TEST_CASE("divergence: sums and gradient agree with double, with the same bits in every order of threads") {
  agree_on_fibers(divergence_cases());
}

}  // namespace temper::test::kernels::divergence_test
