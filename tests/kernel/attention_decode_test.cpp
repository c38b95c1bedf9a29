// SPDX-License-Identifier: MIT
#include "kernel/attention_decode_cases.hpp"
#include "kernel/on_fibers.hpp"

namespace temper::test::kernels::attention_decode_test {

TEST_CASE("attention_decode: has the bits of attention over the whole document, in every order of threads") {
  agree_on_fibers(attention_decode_cases());
}

}  // namespace temper::test::kernels::attention_decode_test
