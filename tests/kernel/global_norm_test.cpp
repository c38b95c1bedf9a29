// SPDX-License-Identifier: MIT
#include "kernel/global_norm_cases.hpp"
#include "kernel/on_fibers.hpp"

namespace temper::test::kernels::global_norm_test {

TEST_CASE("global_norm: the norm and its factor agree with double, with the same bits in every order of threads") {
  agree_on_fibers(global_norm_cases());
}

}  // namespace temper::test::kernels::global_norm_test
