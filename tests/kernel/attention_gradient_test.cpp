// SPDX-License-Identifier: MIT
#include "kernel/attention_gradient_cases.hpp"
#include "kernel/on_fibers.hpp"

namespace temper::test::kernels::attention_gradient_test {

TEST_CASE("attention_gradient: dq, dk and dv agree with double, with the same bits in every order of threads") {
  agree_on_fibers(attention_gradient_cases());
}

}  // namespace temper::test::kernels::attention_gradient_test
