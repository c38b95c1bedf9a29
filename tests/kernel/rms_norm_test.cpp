// SPDX-License-Identifier: MIT
#include "kernel/on_fibers.hpp"
#include "kernel/rms_norm_cases.hpp"

namespace temper::test::kernels::rms_norm_test {

TEST_CASE("rms_norm: forward and gradients agree with double, with the same bits in every order of threads") {
  agree_on_fibers(rms_norm_cases());
}

}  // namespace temper::test::kernels::rms_norm_test
