// SPDX-License-Identifier: MIT
#include "kernel/embedding_cases.hpp"
#include "kernel/on_fibers.hpp"

namespace temper::test::kernels::embedding_test {

TEST_CASE("embedding: the bits of the host's formula, with the same bits in every order of threads") {
  agree_on_fibers(embedding_cases());
}

}  // namespace temper::test::kernels::embedding_test
