// SPDX-License-Identifier: MIT
#include "kernel/attention_cases.hpp"
#include "kernel/on_fibers.hpp"

namespace temper::test::kernels::attention_test {

TEST_CASE("attention: forward agrees with double, with the same bits in every order of threads") {
  agree_on_fibers(attention_cases());
}

}  // namespace temper::test::kernels::attention_test
