// SPDX-License-Identifier: MIT
// C[M, N] = f(scale columns[N] (A B + L R) + bias[N]) + add[M, N] on tensor cores: operands in bf16, sums in float, L R
// of low rank, f nothing or an activation.
// A block makes a tile of C; slices along K come through a ring of asynchronous copies into swizzled shared memory, and
// from there through load_matrix into mma. Each sum is one chain over K, whatever the tile: equal calls give equal
// bits.
#pragma once
#include "temper/device/copy.cuh"
#include "temper/device/load_matrix.cuh"
#include "temper/device/swizzle.cuh"
#include "temper/kernel/activation.cuh"
#include "temper/kernel/staged_rows.cuh"

namespace temper::kernel {
inline namespace TEMPER_TARGET {

// How an operand lies in memory: rows along K, A as [M, K] and B as [N, K], or across it, A as [K, M] and B as [K, N].
enum class Stored { along_k, across_k };

struct Forward {  // y [T, O] = x [T, I] weight [O, I] transposed
  static constexpr Stored a = Stored::along_k, b = Stored::along_k;
};
struct InputGradient {  // dx [T, I] = dy [T, O] weight [O, I]
  static constexpr Stored a = Stored::along_k, b = Stored::across_k;
};
struct WeightGradient {  // dweight [O, I] = dy [T, O] transposed x [T, I]
  static constexpr Stored a = Stored::across_k, b = Stored::across_k;
};

// The tile of a block, of a warp in it, how many slices of k are under way at once, and how many blocks a
// multiprocessor is to hold.
struct LargeTile {
  static constexpr int m = 128, n = 128, k = 32, warp_m = 64, warp_n = 32, stages = 4, blocks = 2;
};
struct SmallTile {
  static constexpr int m = 64, n = 64, k = 32, warp_m = 32, warp_n = 32, stages = 3, blocks = 5;
};
// For products with few columns, such as x A^T and dy B of adapters of low rank, and for products with few rows.
struct SkinnyTile {
  static constexpr int m = 64, n = 16, k = 64, warp_m = 16, warp_n = 16, stages = 3, blocks = 5;
};
struct FlatTile {
  static constexpr int m = 16, n = 64, k = 64, warp_m = 16, warp_n = 16, stages = 3, blocks = 5;
};

// An operand in global memory. 'outer' is M or N; 'stride' is the distance of rows.
struct Operand {
  const bf16* data = nullptr;
  int stride = 0;
  TEMPER_BOTH bool in_pieces() const { return stride % 8 == 0 && device::aligned(data, 16); }
};

// One that lies in pieces always: its tensor begins at a multiple of 16 bytes, and so does each row.
struct AlignedOperand {
  const bf16* data = nullptr;
  int stride = 0;
  TEMPER_BOTH static constexpr bool in_pieces() { return true; }
};

// What becomes of a sum: f(scale columns[j] sum + bias[j]) + add, f the product's Activation. Null: no such term. 'add'
// may be C itself.
template <class Out>
struct Epilogue {
  float scale = 1;
  const bf16* bias = nullptr;
  const Out* add = nullptr;
  const float* columns = nullptr;
};

// A product of few columns more, added to the sums before the epilogue: left [M, rank], and right as B lies, rank for
// K.
struct LowRank {
  Operand left{}, right{};
  int rank = 0;
};

// What is done to scale columns[j] sum + bias[j] before 'add': silu(x) = x sigmoid(x), or gelu in its form with tanh
// (Hendrycks and Gimpel 2016), which is x sigmoid(2 sqrt(2 / pi) (x + 0.044715 x^3)).
enum class Activation { none, silu, gelu };
template <Activation A>
TEMPER_DEVICE float activated(float x) {
  if constexpr (A == Activation::silu) return x * sigmoid(x);
  if constexpr (A == Activation::gelu)
    return x * sigmoid(1.59576912160573071176f * x * device::fused_multiply_add(0.044715f * x, x, 1.0f));
  return x;
}

// C [M, N], into which the sums go, some neighbours of a row at a time.
template <class Out, Activation A = Activation::none>
struct Result {
  Out* c;
  int m, n;
  Epilogue<Out> epilogue;

  static constexpr int width = 16 / int{sizeof(Out)};
  TEMPER_DEVICE void operator()(int, int row, int column, const device::Vector<float, width>& sums) const {
    if (row < m && column < n) put(row, column, sums);
  }
  // Width neighbours, the first at a multiple of Width; those beyond the row's end do not count.
  template <int Width>
  TEMPER_DEVICE void put(int row, int column, const device::Vector<float, Width>& sums) const {
    static_assert(Width * int{sizeof(Out)} <= 16);
    const Index at = Index{row} * n + column;
    device::Vector<Out, Width> out{};
    if (n % Width == 0 && device::aligned(c, 16) && device::aligned(epilogue.add, 16)) {
      if (epilogue.add != nullptr) out = device::load<Width>(epilogue.add + at);
      TEMPER_UNROLL
      for (int e = 0; e < Width; ++e) out[e] = one(column + e, sums[e], out[e]);
      device::store(c + at, out);
    } else {
      TEMPER_UNROLL
      for (int e = 0; e < Width; ++e) {
        if (column + e >= n) continue;
        if (epilogue.add != nullptr) out[e] = epilogue.add[at + e];
        c[at + e] = one(column + e, sums[e], out[e]);
      }
    }
  }
  // Each step rounded by itself: a compiler that fused some, in one kernel and not in the next, would give a row other
  // bits in parts than at once.
  TEMPER_DEVICE Out one(int column, float sum, Out add) const {
    sum = device::product(sum, epilogue.scale);
    if (epilogue.columns != nullptr) sum = device::product(sum, epilogue.columns[column]);
    if (epilogue.bias != nullptr) sum = device::sum(sum, device::widen(epilogue.bias[column]));
    sum = activated<A>(sum);
    if (epilogue.add != nullptr) sum = device::sum(sum, device::widen(add));
    return device::narrow<Out>(sum);
  }
};

// nvcc unrolls no loop that begins at a variable. In line, a fetch takes half the instructions and a few registers
// more.
enum class Fetch { in_a_loop, in_line };

// The slice of an operand that a block works on: 'Outer' rows of A or columns of B, 'K' steps.
template <Stored How, int Outer, int K, Fetch Way = Fetch::in_a_loop>
struct Slice {
  static constexpr bool along_k = How == Stored::along_k;
  using Tile = device::SwizzledTile<bf16, along_k ? Outer : K, along_k ? K : Outer>;  // NOLINT(bugprone-branch-clone)
  Tile tile;

  // Begins to fetch what is inside [outer, k]; the rest becomes zero, which adds nothing.
  template <int Threads, class From = Operand>
  TEMPER_DEVICE void fetch(device::AsyncCopies& copies, int thread, const From& from, int outer0, int k0, int outer,
                           int k) {
    const int row0 = How == Stored::along_k ? outer0 : k0, column0 = How == Stored::along_k ? k0 : outer0;
    const int rows = How == Stored::along_k ? outer : k, columns = How == Stored::along_k ? k : outer;
    constexpr int pieces = Tile::rows * Tile::pieces;
    const auto one = [&](int i) {
      const int r = i / Tile::pieces, p = i % Tile::pieces, row = row0 + r, column = column0 + p * Tile::width;
      bf16* to = tile.piece(r, p);
      // Where a pass of the threads is less than the swizzle's period, few places differ by more than a constant.
      if constexpr (Threads % Tile::period != 0)
        to = tile.data + Tile::place_of((i - thread) % Tile::period + thread) +
             (i - thread) / Tile::period * Tile::period * 8;
      const int left = row < rows ? columns - column : 0;
      const int valid = left < 0 ? 0 : device::smaller_of(left, Tile::width);
      const bf16* source = from.data + (valid > 0 ? Index{row} * from.stride + column : 0);
      if (from.in_pieces()) {
        copies.copy(to, source, valid * 2);
      } else {
        device::Vector<bf16, 8> eight;
        TEMPER_UNROLL
        for (int e = 0; e < 8; ++e) eight[e] = e < valid ? source[e] : bf16{0};
        device::store(to, eight);
      }
    };
    if constexpr (Way == Fetch::in_line && pieces % Threads == 0) {
      TEMPER_UNROLL
      for (int turn = 0; turn < pieces / Threads; ++turn) one(thread + turn * Threads);
    } else {
      for (int i = thread; i < pieces; i += Threads) one(i);
    }
  }

  // The piece of 16 outer x 16 k at (outer, k), both multiples of 16. For A, tiles follow each other outer first, as
  // mma has them; for B, along k first, so that registers 0, 1 are one fragment of 8 columns, and 2, 3 the next. With
  // 'As' the other way, what is outer and what is k change places: a tile may serve two products.
  template <Stored As = How>
  TEMPER_DEVICE device::FourTiles sixteen_of_a(const device::Warp& warp, int outer, int k) const {
    return sixteen<As>(warp, outer, k, warp.lane() / 8 % 2, warp.lane() / 16);
  }
  template <Stored As = How>
  TEMPER_DEVICE device::FourTiles sixteen_of_b(const device::Warp& warp, int outer, int k) const {
    return sixteen<As>(warp, outer, k, warp.lane() / 16, warp.lane() / 8 % 2);
  }

 private:
  // The lane's tile is the first or second eight of both.
  template <Stored As>
  TEMPER_DEVICE device::FourTiles sixteen(const device::Warp& warp, int outer, int k, int outer_eight,
                                          int k_eight) const {
    const int within = warp.lane() % 8;
    if constexpr (As == Stored::along_k) {
      return load_matrix(warp, tile.data + Tile::place(outer, k / 8, outer_eight * 8 + within, k_eight));
    } else {
      return load_matrix_transposed(warp, tile.data + Tile::place(k, outer / 8, k_eight * 8 + within, outer_eight));
    }
  }
};

// One launch has a block for each tile: grid x along N, y along M.
template <class How, class Out, class Tile, Activation A = Activation::none>
struct Matmul {
  static constexpr int warps_m = Tile::m / Tile::warp_m, warps_n = Tile::n / Tile::warp_n;
  static constexpr int threads = warps_m * warps_n * device::warp_size;
  static constexpr int pieces_m = Tile::warp_m / 16, pieces_n = Tile::warp_n / 8, blocks = Tile::blocks;
  struct Stage {
    Slice<How::a, Tile::m, Tile::k, Fetch::in_line> a;
    Slice<How::b, Tile::n, Tile::k, Fetch::in_line> b;
  };
  struct Shared {
    union {
      Stage stage[std::size_t{Tile::stages}];
      StagedRows<Tile::warp_n> staged[std::size_t{warps_m} * warps_n];
    };
  };
  Operand a, b;
  Out* c;  // [M, N]
  int m, n, k;
  Epilogue<Out> epilogue;
  LowRank low{};
  int part = 0;  // slices of k that a block takes; 0: all. Part z of the grid then has a C of its own, behind the last

  static device::Grid grid(int m, int n) { return {(n + Tile::n - 1) / Tile::n, (m + Tile::m - 1) / Tile::m, 1}; }

  TEMPER_DEVICE void operator()(device::Block<Matmul>& block) const {
    const int m0 = block.index().y * Tile::m, n0 = block.index().x * Tile::n;
    const int of_base = device::divide_up(k, Tile::k), all = of_base + device::divide_up(low.rank, Tile::k);
    const int begin = block.index().z * part, slices = part == 0 ? all : device::smaller_of(all - begin, part);
    const int warp_m = block.warp_index() / warps_n * Tile::warp_m,
              warp_n = block.warp_index() % warps_n * Tile::warp_n;
    const device::Warp warp = block.warp();
    device::AsyncCopies copies(block);
    const auto fetch = [&](int slice) {
      if (slice < slices) {
        Stage& stage = block.shared.stage[slice % Tile::stages];
        const bool base = begin + slice < of_base;
        const int k0 = (begin + slice - (base ? 0 : of_base)) * Tile::k, k_end = base ? k : low.rank;
        stage.a.template fetch<threads>(copies, block.thread(), base ? a : low.left, m0, k0, m, k_end);
        stage.b.template fetch<threads>(copies, block.thread(), base ? b : low.right, n0, k0, n, k_end);
      }
      copies.commit();  // an empty group, too, so that wait counts slices
    };
    device::Accumulator sum[std::size_t{pieces_m}][std::size_t{pieces_n}] = {};

    for (int slice = 0; slice < Tile::stages - 1; ++slice) fetch(slice);
    for (int slice = 0; slice < slices; ++slice) {
      copies.template wait<Tile::stages - 2>();
      block.sync();  // everybody's copies of this slice are here, and nobody reads the stage that is fetched next
      fetch(slice + Tile::stages - 1);
      const Stage& stage = block.shared.stage[slice % Tile::stages];
      TEMPER_UNROLL
      for (int step = 0; step < Tile::k; step += 16) {
        device::FragmentA of_a[std::size_t{pieces_m}];
        device::FragmentB of_b[std::size_t{pieces_n}];
        TEMPER_UNROLL
        for (int i = 0; i < pieces_m; ++i) {
          const auto four = stage.a.sixteen_of_a(warp, warp_m + i * 16, step);
          of_a[i] = {{four.r[0], four.r[1], four.r[2], four.r[3]}};
        }
        TEMPER_UNROLL
        for (int j = 0; j < pieces_n; j += 2) {
          const auto four = stage.b.sixteen_of_b(warp, warp_n + j * 8, step);
          of_b[j] = {{four.r[0], four.r[1]}};
          of_b[j + 1] = {{four.r[2], four.r[3]}};
        }
        TEMPER_UNROLL
        for (int i = 0; i < pieces_m; ++i) {
          TEMPER_UNROLL
          for (int j = 0; j < pieces_n; ++j) mma_bf16(warp, sum[i][j], of_a[i], of_b[j]);
        }
      }
    }
    block.sync();  // the stages have served
    in_rows<Result<Out>::width>(warp, block.shared.staged[block.warp_index()], sum, m0 + warp_m, n0 + warp_n,
                                Result<Out, A>{c + Index{block.index().z} * m * n, m, n, epilogue});
  }
};

}  // namespace TEMPER_TARGET
}  // namespace temper::kernel
