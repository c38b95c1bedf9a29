// SPDX-License-Identifier: MIT
#include "kernel/nf4_cases.hpp"
#include "kernel/on_fibers.hpp"

namespace temper::test::kernels::nf4_test {

TEST_CASE("nf4: codes, scales and values have the bits that bitsandbytes gives them") { agree_on_fibers(nf4_cases()); }

}  // namespace temper::test::kernels::nf4_test
