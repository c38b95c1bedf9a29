// SPDX-License-Identifier: MIT
// A pointer with a shape, row-major and contiguous. The backend stands in the type, so that host and device memory
// cannot be mixed up; a view owns nothing.
#pragma once
#include <array>
#include <type_traits>

#include "temper/core/random.hpp"
#include "temper/core/types.hpp"

namespace temper {

template <class B, class T, int Rank>
struct View {
  T* data = nullptr;
  std::array<Index, std::size_t{Rank}> shape{};

  constexpr View() = default;
  constexpr View(T* pointer, std::array<Index, std::size_t{Rank}> extents) : data(pointer), shape(extents) {}

  // A converting constructor rather than a conversion operator: nvcc warns about the latter. A template, because it
  // must not stand in for the copy constructor.
  template <class U>
  constexpr View(const View<B, U, Rank>& other) requires(std::is_same_v<const U, T>)
      : data(other.data), shape(other.shape) {}

  constexpr Index rows() const requires(Rank == 2) { return shape[0]; }
  constexpr Index cols() const requires(Rank == 2) { return shape[1]; }
  constexpr Index size() const {
    Index n = 1;
    for (const Index extent : shape) n *= extent;
    return n;
  }
  constexpr std::size_t bytes() const { return static_cast<std::size_t>(size()) * sizeof(T); }
  constexpr bool empty() const { return size() == 0; }

  constexpr T& operator()(Index i) const requires(Rank == 1) { return data[i]; }
  constexpr T& operator()(Index i, Index j) const requires(Rank == 2) { return data[i * shape[1] + j]; }

  // Rows [begin, end) of the same matrix, or elements of the same vector. A plan's parameters have no memory, and
  // nothing may be added to null.
  constexpr View slice(Index begin, Index end) const {
    View part = *this;
    if (data) part.data += begin * (Rank == 2 ? shape[Rank - 1] : 1);
    part.shape[0] = end - begin;
    return part;
  }
};

// The same elements under another shape.
template <class B, class T, int Rank>
constexpr View<B, T, 1> flat(View<B, T, Rank> v) {
  return {v.data, {v.size()}};
}

template <class B, class T, int Rank>
constexpr View<B, T, 2> reshape(View<B, T, Rank> v, Index rows, Index cols) {
  return {v.data, {rows, cols}};
}

// Where a result goes: into(v) overwrites v, onto(v) adds to it.
template <class B, class T, int Rank>
struct Target {
  View<B, T, Rank> view;
  bool add = false;
};
template <class B, class T, int Rank>
constexpr Target<B, T, Rank> into(View<B, T, Rank> v) {
  return {v, false};
}
template <class B, class T, int Rank>
constexpr Target<B, T, Rank> onto(View<B, T, Rank> v) {
  return {v, true};
}

// What layers pass to each other: activations of the backend's own precision, [tokens, width].
template <class B>
using In = View<B, const typename B::Activation, 2>;
template <class B>
using Out = Target<B, typename B::Activation, 2>;

// Where backward adds a matrix's gradient: numbers of the backend's own precision, or of bf16, which are widened, added
// to and rounded at random again (Context::rounding), panel by panel.
template <class B>
struct Gradient {
  View<B, typename B::Activation, 2> wide{};
  View<B, bf16, 2> narrow{};
  std::uint32_t site = 0;  // that draws the bits of rounding

  constexpr Gradient() = default;
  constexpr Gradient(View<B, typename B::Activation, 2> numbers) : wide(numbers) {}
  constexpr Gradient(View<B, bf16, 2> numbers, std::uint32_t draws) : narrow(numbers), site(draws) {}

  constexpr bool is_narrow() const { return !narrow.empty(); }
  constexpr bool empty() const { return wide.empty() && narrow.empty(); }
  constexpr Index rows() const { return is_narrow() ? narrow.rows() : wide.rows(); }
  constexpr Index cols() const { return is_narrow() ? narrow.cols() : wide.cols(); }

  // The same place for one of several addends of a micro-batch, each of which is rounded by bits of its own.
  constexpr Gradient addend(Index which) const {
    Gradient other = *this;
    other.site = random_site(static_cast<std::uint64_t>(which), site);
    return other;
  }
};

}  // namespace temper
