// SPDX-License-Identifier: MIT
#include "kernel/dora_cases.hpp"
#include "kernel/on_fibers.hpp"

namespace temper::test::kernels::dora_test {

TEST_CASE("dora: norms and gradients agree with double, in every order of threads") { agree_on_fibers(dora_cases()); }

}  // namespace temper::test::kernels::dora_test
