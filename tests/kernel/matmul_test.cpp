// SPDX-License-Identifier: MIT
#include "kernel/matmul_cases.hpp"
#include "kernel/on_fibers.hpp"

namespace temper::test::kernels::matmul_test {

TEST_CASE("matmul: three orientations agree with double, with the same bits in every order of threads") {
  agree_on_fibers(matmul_cases());
}

}  // namespace temper::test::kernels::matmul_test
