// SPDX-License-Identifier: MIT
// One step of an optimizer (update_rules.cuh) for all trained tensors, in one launch: tensors stand in a table, and are
// cut into pieces, a block each. Values are float, or bf16 that is rounded at random (random.cuh), so that steps below
// half a unit in the last place are not lost. What changes from step to step lies in device memory: the factors of each
// group of tensors, the step's number, and the factor that clips (global_norm.cuh), which the host never reads.
#pragma once
#include <vector>

#include "temper/device/block.cuh"
#include "temper/kernel/global_norm.cuh"
#include "temper/kernel/random.cuh"
#include "temper/kernel/update_rules.cuh"

namespace temper::kernel {
inline namespace TEMPER_TARGET {

// A tensor of the table. 'State' is what its rule remembers.
template <class T, class G, class State>
struct Trained {
  T* value;
  const G* gradient;
  State state;
  Index count;
  std::int32_t group;  // whose factors it takes
  std::uint32_t site;  // of the numbers that round bf16
};
struct FloatState {
  float* first = nullptr;
  float* second = nullptr;
};

// The pieces of a table: 'number' counts pieces of piece_elements within the tensor.
struct TablePiece {
  std::int32_t tensor, number;
};
inline void add_table_pieces(std::vector<TablePiece>& pieces, int tensor, Index count) {
  for (Index i = 0; i < count; i += piece_elements)
    pieces.push_back({tensor, static_cast<std::int32_t>(i / piece_elements)});
}

// What every block of an update reads first.
template <class Tensor, class Factors>
struct UpdateTable {
  const Tensor* tensors;
  const TablePiece* pieces;
  const Factors* factors;  // of each group
  const GlobalNorm* norm;  // null: nothing is clipped
  // Of the numbers that round bf16; nothing in float reads them. The step is counted in device memory, so that a launch
  // that is replayed does not round by the numbers of the step before.
  std::uint64_t seed = 0;
  const std::uint32_t* step = nullptr;

  TEMPER_DEVICE Factors factors_of(const Tensor& tensor) const {
    Factors f = factors[tensor.group];
    if (norm != nullptr) f.gradient_scale = device::product(f.gradient_scale, norm->factor);
    return f;
  }
  TEMPER_DEVICE Random random_of(const Tensor& tensor) const { return {seed, tensor.site, *step}; }
};

// Grid x over the pieces. A thread takes four neighbours at a time.
template <class Rule, class T, class G = float>
struct Update {
  static constexpr int threads = 256, width = 4;
  using Shared = device::NoShared;
  using Tensor = Trained<T, G, FloatState>;
  UpdateTable<Tensor, typename Rule::Factors> table;

  TEMPER_DEVICE void move(const Tensor& tensor, const typename Rule::Factors& factors, Index first,
                          TrainedElement (&four)[width], const G (&gradient)[width], T (&value)[width]) const {
    TEMPER_UNROLL
    for (int i = 0; i < width; ++i)
      Rule::move(four[i], device::product(device::widen(gradient[i]), factors.gradient_scale), factors);
    if constexpr (sizeof(T) == 2) {
      const auto random = random_block(table.random_of(tensor), static_cast<std::uint64_t>(first) / 8);
      const bool low = first % 8 == 0;
      const std::uint32_t word[2] = {low ? random[0] : random[2], low ? random[1] : random[3]};
      TEMPER_UNROLL
      for (int i = 0; i < width; ++i) value[i] = rounded_at_random(four[i].value, sixteen_of(word[i / 2], i));
    } else {
      TEMPER_UNROLL
      for (int i = 0; i < width; ++i) value[i] = four[i].value;
    }
  }

  TEMPER_DEVICE void operator()(device::Block<Update>& block) const {
    const TablePiece piece = table.pieces[block.index().x];
    const Tensor tensor = table.tensors[piece.tensor];
    const typename Rule::Factors factors = table.factors_of(tensor);
    const Index begin = Index{piece.number} * piece_elements;
    const Index end = device::smaller_of(tensor.count, begin + piece_elements);
    const bool aligned = device::aligned(tensor.value, width * int{sizeof(T)}) &&
                         device::aligned(tensor.gradient, width * int{sizeof(G)}) &&
                         device::aligned(tensor.state.first, 16) && device::aligned(tensor.state.second, 16);
    for (Index i = begin + block.thread() * width; i < end; i += Index{threads} * width) {
      if (aligned && i + width <= end) {
        whole(tensor, factors, i);
      } else {
        part(tensor, factors, i, static_cast<int>(device::smaller_of(end - i, Index{width})));
      }
    }
  }

  TEMPER_DEVICE void whole(const Tensor& tensor, const typename Rule::Factors& factors, Index at) const {
    auto value = device::load<width>(tensor.value + at);
    const auto gradient = device::load<width>(tensor.gradient + at);
    device::Vector<float, width> first{}, second{};
    if (Rule::remembers(factors)) {
      if constexpr (Rule::moments > 0) first = device::load<width>(tensor.state.first + at);
      if constexpr (Rule::moments > 1) second = device::load<width>(tensor.state.second + at);
    }
    TrainedElement four[width];
    TEMPER_UNROLL
    for (int i = 0; i < width; ++i) four[i] = {device::widen(value[i]), first[i], second[i]};
    move(tensor, factors, at, four, gradient.element, value.element);
    TEMPER_UNROLL
    for (int i = 0; i < width; ++i) {
      first[i] = four[i].first;
      second[i] = four[i].second;
    }
    device::store(tensor.value + at, value);
    if constexpr (Rule::moments > 0) device::store(tensor.state.first + at, first);
    if constexpr (Rule::moments > 1) device::store(tensor.state.second + at, second);
  }

  TEMPER_DEVICE void part(const Tensor& tensor, const typename Rule::Factors& factors, Index at, int count) const {
    TrainedElement four[width];
    T value[width] = {};
    G gradient[width] = {};
    TEMPER_UNROLL
    for (int i = 0; i < width; ++i) {
      four[i] = {};
      if (i >= count) continue;
      gradient[i] = tensor.gradient[at + i];
      four[i].value = device::widen(tensor.value[at + i]);
      if (!Rule::remembers(factors)) continue;
      if constexpr (Rule::moments > 0) four[i].first = tensor.state.first[at + i];
      if constexpr (Rule::moments > 1) four[i].second = tensor.state.second[at + i];
    }
    move(tensor, factors, at, four, gradient, value);
    TEMPER_UNROLL
    for (int i = 0; i < width; ++i) {
      if (i >= count) continue;
      tensor.value[at + i] = value[i];
      if constexpr (Rule::moments > 0) tensor.state.first[at + i] = four[i].first;
      if constexpr (Rule::moments > 1) tensor.state.second[at + i] = four[i].second;
    }
  }
};

}  // namespace TEMPER_TARGET
}  // namespace temper::kernel
