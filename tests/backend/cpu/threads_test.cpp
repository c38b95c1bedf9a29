// SPDX-License-Identifier: MIT
#include "temper/backend/cpu/threads.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <numeric>
#include <stdexcept>

namespace threads_test {

using namespace temper;

TEST_CASE("threads: every piece is done exactly once, by a worker of the pool") {
  for (const int count : {1, 2, 3, 5}) {
    Threads threads(count);
    CHECK(threads.count() == count);
    CHECK(threads.bytes() == static_cast<std::size_t>(count) * Threads::workspace_bytes);
    for (const Index pieces : {Index{0}, Index{1}, Index{2}, Index{7}, Index{1000}}) {
      std::vector<int> done(static_cast<std::size_t>(pieces), 0);
      std::atomic<int> strangers = 0;
      threads.parallel(pieces, [&](Index piece, int worker) {
        ++done[static_cast<std::size_t>(piece)];
        if (worker < 0 || worker >= count) ++strangers;
      });
      CHECK(strangers == 0);
      CHECK(std::count(done.begin(), done.end(), 1) == pieces);
    }
  }
}

TEST_CASE("threads: what a job wrote is seen after it, job after job") {
  Threads threads(3);
  std::vector<Index> values(64, 0);
  for (int job = 0; job < 5000; ++job)
    threads.parallel(64, [&](Index piece) { values[static_cast<std::size_t>(piece)] += piece; });
  for (Index i = 0; i < 64; ++i) CHECK(values[static_cast<std::size_t>(i)] == 5000 * i);
}

TEST_CASE("threads: workers that fell asleep wake up") {
  Threads threads(2);
  for (int job = 0; job < 3; ++job) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    std::atomic<int> met = 0;
    // Each of two pieces waits for the other to begin, which needs two threads.
    threads.parallel(2, [&](Index) {
      ++met;
      while (met < 2) std::this_thread::yield();
    });
    CHECK(met == 2);
  }
}

TEST_CASE("threads: an exception in a piece reaches the caller and the pool lives on") {
  for (const int count : {1, 2, 4}) {
    Threads threads(count);
    for (int round = 0; round < 20; ++round) {
      CHECK_THROWS_WITH_AS(threads.parallel(100,
                                            [](Index piece) {
                                              if (piece % 7 == 3) throw std::runtime_error("piece");
                                            }),
                           "piece", std::runtime_error);
      std::atomic<Index> sum = 0;
      threads.parallel(100, [&](Index piece) { sum += piece; });
      CHECK(sum == 4950);
    }
  }
}

TEST_CASE("threads: a job within a job is refused") {
  for (const int count : {1, 2}) {
    Threads threads(count);
    CHECK_THROWS_AS(threads.parallel(3, [&](Index) { threads.parallel(1, [](Index) {}); }), Error);
    threads.parallel(3, [](Index) {});
  }
}

TEST_CASE("threads: workspaces are apart, aligned and as large as promised") {
  Threads threads(3);
  threads.parallel(30, [&](Index, int worker) {
    std::byte* const memory = threads.workspace(worker);
    std::fill(memory, memory + Threads::workspace_bytes, static_cast<std::byte>(worker));
  });
  CHECK(threads.workspace(1) - threads.workspace(0) == static_cast<Index>(Threads::workspace_bytes));
  CHECK(reinterpret_cast<std::uintptr_t>(threads.workspace(1)) % 4096 == 0);
}

TEST_CASE("threads: a count that makes no sense is refused") {
  CHECK_THROWS_AS(Threads(-1), Error);
  CHECK_THROWS_AS(Threads(1000000), Error);
  CHECK(Threads(0).count() >= 1);
}

}  // namespace threads_test
