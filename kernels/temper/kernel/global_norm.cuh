// SPDX-License-Identifier: MIT
// The norm of all gradients together, and the factor that clips it:
//   norm = sqrt(sum of x^2)        factor = min(1, most / (norm + 1e-6)), 1 without a limit, as torch's clip_grad_norm_
// Tensors are cut into pieces, a block each, so that one launch serves any number of them; a second of one block adds
// the pieces in double. The order of sums is fixed.
#pragma once
#include <vector>

#include "temper/device/block.cuh"
#include "temper/device/vector.cuh"

namespace temper::kernel {
inline namespace TEMPER_TARGET {

template <class T>
struct TensorPiece {
  const T* data;
  std::int32_t count;
};
inline constexpr int piece_elements = 16384;

template <class T>
void add_pieces(std::vector<TensorPiece<T>>& pieces, const T* data, Index count) {
  for (Index i = 0; i < count; i += piece_elements)
    pieces.push_back({data + i, static_cast<std::int32_t>(count - i < piece_elements ? count - i : piece_elements)});
}

// Grid x over the pieces.
template <class T>
struct SquaresOfPieces {
  static constexpr int threads = 256, width = 16 / int{sizeof(T)};
  struct Shared {
    float partial[threads / device::warp_size];
  };
  const TensorPiece<T>* pieces;
  float* sums;  // [pieces]

  TEMPER_DEVICE void operator()(device::Block<SquaresOfPieces>& block) const {
    const TensorPiece<T> piece = pieces[block.index().x];
    const int whole = device::aligned(piece.data, 16) ? piece.count / width : 0;
    float sum = 0;
    for (int i = block.thread(); i < whole; i += threads) {
      const auto some = device::load<width>(piece.data + i * width);
      TEMPER_UNROLL
      for (int e = 0; e < width; ++e)
        sum = device::fused_multiply_add(device::widen(some[e]), device::widen(some[e]), sum);
    }
    for (int i = whole * width + block.thread(); i < piece.count; i += threads)
      sum = device::fused_multiply_add(device::widen(piece.data[i]), device::widen(piece.data[i]), sum);
    sum = block_sum(block, sum, block.shared.partial);
    if (block.thread() == 0) sums[block.index().x] = sum;
  }
};

struct GlobalNorm {
  float norm, factor;
};

// One warp.
struct NormOfPieces {
  static constexpr int threads = device::warp_size;
  using Shared = device::NoShared;
  const float* sums;
  int pieces;
  float most;  // 0: no limit
  GlobalNorm* result;

  TEMPER_DEVICE void operator()(device::Block<NormOfPieces>& block) const {
    double sum = 0;
    for (int i = block.thread(); i < pieces; i += threads) sum += static_cast<double>(sums[i]);
    const device::Warp warp = block.warp();
    TEMPER_UNROLL
    for (int mask = device::warp_size / 2; mask > 0; mask /= 2) sum += warp.shuffle_xor(sum, mask);
    if (block.thread() != 0) return;
    const float norm = device::root(static_cast<float>(sum));
    const float ratio = device::divide(most, norm + 1e-6f);
    *result = {norm, most > 0 && ratio < 1 ? ratio : 1.0f};
  }
};

}  // namespace TEMPER_TARGET
}  // namespace temper::kernel
