// SPDX-License-Identifier: MIT
#include "kernel/attention_decode_cases.hpp"
#include "kernel/on_fibers.hpp"

namespace temper::test::kernels::attention_decode_test {

TEST_CASE("attention_decode: has the bits of attention over the whole document, in every order of threads") {
  agree_on_fibers(attention_decode_cases());
}

TEST_CASE("decode shape: no sequence has more tiles than are launched") {
  for (const int window : {0, 1, 40, 64, 65}) {
    for (const int queries : {1, 3}) {
      CAPTURE(window);
      const kernel::DecodeShape shape{1, queries, 1, 1, 1, {window, 0}};
      for (int length = 1; length < 300; ++length)
        CHECK(device::divide_up(length, 64) - shape.tiles_before(length, 64) <= shape.tiles(299, 64));
    }
  }
}

}  // namespace temper::test::kernels::attention_decode_test
