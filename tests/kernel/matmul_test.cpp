// SPDX-License-Identifier: MIT
#include "kernel/matmul_cases.hpp"
#include "kernel/on_fibers.hpp"
#include "support/refusal.hpp"

namespace temper::test::kernels::matmul_test {

TEST_CASE("matmul: three orientations agree with double, with the same bits in every order of threads") {
  agree_on_fibers(matmul_cases());
}

TEST_CASE("matmul: a product in no parts is refused") {
  device::Stream stream;
  const kernel::Matmul<kernel::Forward, bf16, kernel::SmallTile> none{};
  CHECK(refusal([&] { kernel::matmul_in_parts(stream, none, 0, nullptr); }).starts_with("kernel.parts"));
}

}  // namespace temper::test::kernels::matmul_test
