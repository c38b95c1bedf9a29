// SPDX-License-Identifier: MIT
#include "kernel/activation_cases.hpp"
#include "kernel/on_fibers.hpp"

namespace temper::test::kernels::activation_test {

TEST_CASE("activation: swiglu with its gradients and rotary agree with double, in every order of threads") {
  agree_on_fibers(activation_cases());
}

}  // namespace temper::test::kernels::activation_test
