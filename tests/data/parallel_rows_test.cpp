// SPDX-License-Identifier: MIT
#include "temper/data/parallel_rows.hpp"
#include <doctest/doctest.h>

#include <stdexcept>
#include <string>

namespace temper::parallel_rows_test {

TEST_CASE("parallel rows: every row is worked on once, by a worker that there is") {
  for (const std::size_t workers : {1u, 2u, 5u}) {
    for (const std::size_t count : {0u, 1u, 7u, 8u, 100u}) {
      std::vector<int> done(count, 0);
      for_each_row(count, workers, [&](std::size_t worker, std::size_t i) {
        if (worker >= workers) throw std::runtime_error("worker");
        ++done[i];
      });
      CHECK(done == std::vector<int>(count, 1));
    }
  }
}

TEST_CASE("parallel rows: of several failures the first row's is thrown") {
  for (const std::size_t workers : {1u, 2u, 4u}) {
    for (int again = 0; again < 20; ++again) {
      const auto work = [](std::size_t, std::size_t i) {
        if (i == 33 || i == 34 || i == 90) throw std::runtime_error(std::to_string(i));
      };
      CHECK_THROWS_WITH(for_each_row(200, workers, work), "33");
    }
  }
}

}  // namespace temper::parallel_rows_test
