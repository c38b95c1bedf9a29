// SPDX-License-Identifier: MIT
#include "kernel/nf4_gradient_cases.hpp"
#include "kernel/on_fibers.hpp"

namespace temper::test::kernels::nf4_gradient_test {

TEST_CASE("nf4_gradient: the input's gradient agrees with double, with the same bits in every order of threads") {
  agree_on_fibers(nf4_gradient_cases());
}

}  // namespace temper::test::kernels::nf4_gradient_test
