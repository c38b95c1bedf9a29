// SPDX-License-Identifier: MIT
#include "kernel/nf4_matmul_cases.hpp"
#include "kernel/on_fibers.hpp"

namespace temper::test::kernels::nf4_matmul_test {

TEST_CASE("nf4_matmul: few tokens and tiles agree with double, with the same bits in every order of threads") {
  agree_on_fibers(nf4_matmul_cases());
}

}  // namespace temper::test::kernels::nf4_matmul_test
