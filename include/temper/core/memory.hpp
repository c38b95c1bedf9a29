// SPDX-License-Identifier: MIT
// Memory that outlives a step - weights, gradients, optimizer state - and the account of who holds how much. A Memory
// that plans hands out null views of the right shape and counts the same bytes.
#pragma once
#include <array>
#include <memory>
#include <utility>
#include <vector>

#include "temper/core/arena.hpp"
#include "temper/core/context.hpp"

namespace temper {

// Who holds bytes. The order is the order of the plan's table.
enum class Holder { frozen_weights, trained_weights, gradients, optimizer, kept_activations, scratch, workspace };
inline constexpr std::array<std::string_view, 7> holder_names = {
    "frozen weights", "trained weights", "gradients", "optimizer", "kept activations", "scratch", "workspace"};

using BytesByHolder = std::array<std::size_t, holder_names.size()>;

template <class B>
class Memory {
 public:
  explicit Memory(Execution execution) : execution_(execution) {}

  bool planning() const { return execution_ == Execution::planning; }

  // Uninitialised; lives as long as this object.
  template <class T, int Rank>
  View<B, T, Rank> allocate(Holder holder, std::array<Index, static_cast<std::size_t>(Rank)> shape) {
    View<B, T, Rank> view(nullptr, shape);
    const std::size_t bytes = Arena::rounded(view.bytes());
    note(holder, bytes);
    if (planning()) return view;
    blocks_.emplace_back(B::allocate(bytes));
    view.data = static_cast<T*>(blocks_.back().get());
    return view;
  }

  // Bytes that someone else owns but that this run needs in memory: a mapped file's tensors.
  void note(Holder holder, std::size_t bytes) { bytes_[static_cast<std::size_t>(holder)] += bytes; }

  const BytesByHolder& bytes() const { return bytes_; }

 private:
  struct Free {
    void operator()(void* memory) const { B::free(memory); }
  };

  Execution execution_;
  std::vector<std::unique_ptr<void, Free>> blocks_;
  BytesByHolder bytes_{};
};

}  // namespace temper
