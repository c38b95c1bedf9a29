// SPDX-License-Identifier: MIT
#include "kernel/on_fibers.hpp"
#include "kernel/update_cases.hpp"

namespace temper::test::kernels::update_test {

TEST_CASE("update: steps have the bits of their formulas, in every order of threads") {
  agree_on_fibers(update_cases());
}

}  // namespace temper::test::kernels::update_test
