// SPDX-License-Identifier: MIT
#include "kernel/cross_entropy_cases.hpp"
#include "kernel/on_fibers.hpp"

namespace temper::test::kernels::cross_entropy_test {

TEST_CASE(
    "cross_entropy: log-probabilities and gradients by chunks agree with double, with the same bits in every order of "
    "threads") {
  agree_on_fibers(cross_entropy_cases());
}

}  // namespace temper::test::kernels::cross_entropy_test
