// SPDX-License-Identifier: MIT
// Three small kernels, and the mistakes that kernels are known for, each planted on purpose: fibers must tell of all.
#pragma once
#include <optional>
#include <string_view>

#include "kernel/kernel_cases.hpp"

namespace temper::test::kernels {

enum class Bug {
  none,
  missing_sync,
  uninitialised_shared,
  uninitialised_buffer,
  shared_overflow,
  wrong_lane,
  wrong_shuffle_mask,
  half_a_warp,
  divergent_barrier,
  barrier_in_each_branch,
  two_blocks_one_place,
  missing_tail_read_guard,
  missing_tail_write_guard,
  off_by_one_tile,
  wrong_swizzle,
  misaligned_vector,
  missing_wait,
  weak_wait,
  missing_sync_after_wait,
  stale_stage,
  copies_never_waited_for,
};

inline constexpr std::pair<std::string_view, Bug> bug_names[] = {
    {"none", Bug::none},
    {"missing_sync", Bug::missing_sync},
    {"uninitialised_shared", Bug::uninitialised_shared},
    {"uninitialised_buffer", Bug::uninitialised_buffer},
    {"shared_overflow", Bug::shared_overflow},
    {"wrong_lane", Bug::wrong_lane},
    {"wrong_shuffle_mask", Bug::wrong_shuffle_mask},
    {"half_a_warp", Bug::half_a_warp},
    {"divergent_barrier", Bug::divergent_barrier},
    {"barrier_in_each_branch", Bug::barrier_in_each_branch},
    {"two_blocks_one_place", Bug::two_blocks_one_place},
    {"missing_tail_read_guard", Bug::missing_tail_read_guard},
    {"missing_tail_write_guard", Bug::missing_tail_write_guard},
    {"off_by_one_tile", Bug::off_by_one_tile},
    {"wrong_swizzle", Bug::wrong_swizzle},
    {"misaligned_vector", Bug::misaligned_vector},
    {"missing_wait", Bug::missing_wait},
    {"weak_wait", Bug::weak_wait},
    {"missing_sync_after_wait", Bug::missing_sync_after_wait},
    {"stale_stage", Bug::stale_stage},
    {"copies_never_waited_for", Bug::copies_never_waited_for},
};

// sums[r] = sum over c of x[r, c], one row a block.
struct RowSums {
  static constexpr int threads = 128, warps = threads / device::warp_size;
  struct Shared {
    float partial[warps + 4];
  };
  const float* x;
  float* sums;
  int columns;
  Bug bug;

  TEMPER_DEVICE void operator()(device::Block<RowSums>& block) const {
    const int row = block.index().x, lane = block.lane();
    const auto warp = block.warp();
    float* partial = block.shared.partial;
    float sum = 0;
    const int end = bug == Bug::missing_tail_read_guard ? device::divide_up(columns, threads) * threads : columns;
    for (int c = block.thread(); c < end; c += threads) sum += x[Index{row} * columns + c];
    if (bug == Bug::half_a_warp) {
      if (lane < 16) sum += warp.shuffle_xor(sum, 8);
    }
    for (int mask = bug == Bug::wrong_shuffle_mask ? 32 : 16; mask > 0; mask /= 2) sum += warp.shuffle_xor(sum, mask);
    if (lane == 0) partial[block.warp_index()] = sum;
    if (bug == Bug::shared_overflow && block.thread() == threads - 1) partial[warps + 8] = sum;
    if (bug == Bug::divergent_barrier) {
      if (block.thread() < columns) block.sync();
    } else if (bug == Bug::barrier_in_each_branch && block.warp_index() == 0) {
      block.sync();
    } else if (bug != Bug::missing_sync) {
      block.sync();
    }
    const int slots = bug == Bug::uninitialised_shared ? warps + 1 : warps;
    sum = lane < slots ? partial[lane] : 0.0f;
    if (bug == Bug::wrong_lane) {
      sum += warp.shuffle(sum, (lane + 1) % 32);  // a rotation by 1 and then by 2 adds four lanes, but not by 1 and 1
      sum += warp.shuffle(sum, (lane + 1) % 32);
    } else {
      sum = warp_sum(warp, sum);
    }
    if (block.thread() == 0) sums[bug == Bug::two_blocks_one_place ? row / 2 * 2 : row] = sum;
  }
};

// y[c, r] = x[r, c] through tiles of 16 x 16 in shared memory, columns swapped about so that banks differ.
struct Transpose {
  static constexpr int threads = 64, tile = 16;
  struct Shared {
    alignas(16) float tile[Transpose::tile][Transpose::tile];
  };
  const float* x;  // [rows, columns]
  float* y;        // [columns, rows]
  int rows, columns;
  Bug bug;

  TEMPER_DEVICE void operator()(device::Block<Transpose>& block) const {
    const int r0 = block.index().y * tile, c0 = block.index().x * tile;
    const int last = bug == Bug::off_by_one_tile ? tile - 1 : tile;
    if (bug == Bug::misaligned_vector) block.shared.tile[0][0] = device::load<4>(x + block.thread())[0];
    for (int i = block.thread(); i < tile * last; i += threads) {
      const int r = i / tile, c = i % tile;
      if (r0 + r < rows && c0 + c < columns) block.shared.tile[r][c ^ r] = x[Index{r0 + r} * columns + c0 + c];
    }
    block.sync();
    for (int i = block.thread(); i < tile * tile; i += threads) {
      const int r = i % tile, c = i / tile;
      if (c0 + c >= columns) continue;
      if (r0 + r < rows || (bug == Bug::missing_tail_write_guard && c0 + c == columns - 1))
        y[Index{c0 + c} * rows + r0 + r] = block.shared.tile[r][bug == Bug::wrong_swizzle ? c ^ (r / 2) : c ^ r];
    }
  }
};

// y = x + 1 through a ring of three stages; each thread adds to what another has copied.
struct Stages {
  static constexpr int threads = 64;
  struct Shared {
    alignas(16) float stage[3][threads][4];
  };
  const float* x;
  float* y;
  int rounds;
  Bug bug;

  TEMPER_DEVICE void operator()(device::Block<Stages>& block) const {
    device::AsyncCopies copies(block);
    const int stages = bug == Bug::stale_stage ? 2 : 3;
    const auto fetch = [&](int round) {
      if (round < rounds || (bug == Bug::copies_never_waited_for && round == rounds))
        copies.copy(block.shared.stage[round % stages][block.thread()],
                    x + Index{round < rounds ? round * threads + block.thread() : 0} * 4);
      copies.commit();
    };
    fetch(0);
    fetch(1);
    for (int round = 0; round < rounds; ++round) {
      if (bug == Bug::weak_wait) {
        copies.wait<2>();
      } else if (bug != Bug::missing_wait) {
        copies.wait<1>();
      }
      if (bug != Bug::missing_sync_after_wait) block.sync();
      fetch(round + 2);
      const int other = threads - 1 - block.thread();
      auto four = device::load<4>(block.shared.stage[round % stages][other]);
      for (int i = 0; i < 4; ++i) four[i] += 1;
      device::store(y + (Index{round} * threads + other) * 4, four);
    }
    if (bug != Bug::copies_never_waited_for) copies.wait<0>();
  }
};

struct Found {
  std::vector<float> values, expected;
};

inline Found row_sums(device::Stream& stream, Bug bug) {
  const int rows = 6, columns = 100;
  std::vector<float> x(size_of(rows, columns)), expected(at(rows));
  for (int i = 0; i < rows * columns; ++i) {
    x[at(i)] = static_cast<float>(i % 37 - 11);
    expected[at(i / columns)] += x[at(i)];
  }
  device::Buffer<float> on_x(x.size()), sums(at(rows));
  if (bug != Bug::uninitialised_buffer) on_x.upload(x);
  device::launch(stream, {rows, 1, 1}, RowSums{on_x.data(), sums.data(), columns, bug});
  return {sums.download(stream), expected};
}

inline Found transpose(device::Stream& stream, Bug bug) {
  const int rows = 37, columns = 21;
  std::vector<float> x(size_of(rows, columns)), expected(x.size());
  for (int r = 0; r < rows; ++r)
    for (int c = 0; c < columns; ++c) x[at(r, columns, c)] = expected[at(c, rows, r)] = static_cast<float>(100 * r + c);
  device::Buffer<float> on_x(x), y(x.size());
  device::launch(stream, {device::divide_up(columns, 16), device::divide_up(rows, 16), 1},
                 Transpose{on_x.data(), y.data(), rows, columns, bug});
  return {y.download(stream), expected};
}

inline Found stages(device::Stream& stream, Bug bug) {
  const int rounds = 7;
  std::vector<float> x(size_of(rounds, 256)), expected(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    x[i] = static_cast<float>(i);
    expected[i] = x[i] + 1;
  }
  device::Buffer<float> on_x(x), y(x.size());
  device::launch(stream, {}, Stages{on_x.data(), y.data(), rounds, bug});
  return {y.download(stream), expected};
}

// What fibers say to the bug, in one of the three orders; nothing if they do not notice.
inline std::optional<std::string> caught(Bug bug) {
  for (const auto order : {device::Order::forward, device::Order::reverse, device::Order::shuffled}) {
    device::Stream stream(order, 3);
    try {
      for (const auto run : {row_sums, transpose, stages}) {
        const Found found = run(stream, bug);
        for (std::size_t i = 0; i < found.values.size(); ++i)
          if (!(found.values[i] == found.expected[i])) return "a wrong value: " + std::to_string(found.values[i]);
      }
    } catch (const Error& error) { return error.code() + ": " + error.what(); }
  }
  return std::nullopt;
}

}  // namespace temper::test::kernels
