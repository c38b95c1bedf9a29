// SPDX-License-Identifier: MIT
#include "temper/core/context.hpp"

#include <doctest/doctest.h>

#include <thread>
#include <vector>

namespace context_test {

using namespace temper;

struct Host {
  using Activation = float;
  struct Stream {};
};

struct Bench {
  std::vector<std::byte> memory = std::vector<std::byte>(1 << 14);
  Host::Stream stream;
  Arena arena;
  Context<Host> ctx;
  explicit Bench(Execution execution = Execution::running)
      : arena(execution == Execution::running ? Arena(memory.data(), memory.size()) : Arena::imaginary()),
        ctx(stream, arena, 11, execution) {}
};

TEST_CASE("context: work runs, and not while planning; both count it") {
  for (const Execution execution : {Execution::running, Execution::planning}) {
    Bench bench(execution);
    int ran = 0;
    bench.ctx.run("first", {.flops = 2, .bytes = 3}, [&] { ++ran; });
    bench.ctx.run("second", {}, [&] { ++ran; });
    bench.ctx.run("first", {.flops = 5}, [&] { ++ran; });
    CHECK(ran == (execution == Execution::running ? 3 : 0));
    REQUIRE(bench.ctx.operations().size() == 2);
    const OperationTotal& first = bench.ctx.operations()[0];
    CHECK(first.name == "first");
    CHECK(first.calls == 2);
    CHECK(first.cost.flops == 7);
    CHECK(first.cost.bytes == 3);
    CHECK(first.seconds == 0);
    bench.ctx.forget_operations();
    CHECK(bench.ctx.operations().empty());
  }
}

TEST_CASE("context: seconds are measured only when asked for") {
  Bench bench;
  bench.ctx.set_timing(Context<Host>::Timing::on);
  bench.ctx.run("sleep", {}, [] { std::this_thread::sleep_for(std::chrono::milliseconds(5)); });
  CHECK(bench.ctx.operations()[0].seconds >= 0.005);
}

TEST_CASE("context: scratch goes with its scope and what is kept with its keeping, in any nesting") {
  Bench bench;
  {
    const auto outer = bench.ctx.scope();
    const auto a = scratch<float>(bench.ctx, 3, 4);
    CHECK(a.rows() == 3);
    CHECK(a.cols() == 4);
    const std::size_t before = bench.arena.scratched();
    {
      const auto inner = bench.ctx.scope();
      const auto keeping = bench.ctx.keeping();
      const auto b = scratch<double>(bench.ctx, 5);
      const auto c = keep<std::int32_t>(bench.ctx, Index{7});
      CHECK(b.size() == 5);
      CHECK(c.bytes() == 28);
      CHECK(static_cast<void*>(b.data) != static_cast<void*>(a.data));
      CHECK(bench.arena.kept() > 0);
    }
    CHECK(bench.arena.scratched() == before);
    CHECK(bench.arena.kept() == 0);
  }
  CHECK(bench.arena.scratched() == 0);
}

TEST_CASE("context: an exception releases what its scopes made") {
  Bench bench;
  const auto work = [&] {
    const auto scope = bench.ctx.scope();
    const auto keeping = bench.ctx.keeping();
    keep<float>(bench.ctx, 100);
    scratch<float>(bench.ctx, 1 << 20);
  };
  CHECK_THROWS_AS(work(), Error);
  CHECK(bench.arena.kept() == 0);
  CHECK(bench.arena.scratched() == 0);
}

TEST_CASE("context: random numbers depend on seed, site and step, not on the micro-batch") {
  Bench bench;
  bench.ctx.set_position({.step = 3});
  const auto first = bench.ctx.random(5).bits(9);
  bench.ctx.set_position({.step = 3, .first_token = 40});
  CHECK(bench.ctx.first_token() == 40);
  CHECK(bench.ctx.step() == 3);
  CHECK(bench.ctx.random(5).bits(9) == first);
  CHECK(first == Random{.seed = 11, .site = 5, .step = 3}.bits(9));
  // Rounding depends on the update, which is the step where nothing else is said.
  const auto rounded = bench.ctx.rounding(5).bits(9);
  bench.ctx.set_position({.step = 3, .first_token = 40, .update = 3});
  CHECK(bench.ctx.rounding(5).bits(9) == rounded);
  bench.ctx.set_position({.step = 3, .first_token = 40, .update = 4});
  CHECK(bench.ctx.rounding(5).bits(9) != rounded);
  CHECK(bench.ctx.random(5).bits(9) == first);
  bench.ctx.set_position({.step = 4});
  CHECK(bench.ctx.random(5).bits(9) != first);
}

TEST_CASE("context: it trains and does not check, unless told otherwise") {
  Bench bench;
  CHECK(bench.ctx.training());
  CHECK_FALSE(bench.ctx.checking());
  bench.ctx.set_mode(Mode::evaluating);
  bench.ctx.set_checking(Context<Host>::Checking::on);
  CHECK_FALSE(bench.ctx.training());
  CHECK(bench.ctx.checking());
}

}  // namespace context_test
