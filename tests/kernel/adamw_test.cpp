// SPDX-License-Identifier: MIT
#include "kernel/adamw_cases.hpp"
#include "kernel/on_fibers.hpp"

namespace temper::test::kernels::adamw_test {

TEST_CASE("adamw: steps agree with double, in every order of threads") { agree_on_fibers(adamw_cases()); }

}  // namespace temper::test::kernels::adamw_test
