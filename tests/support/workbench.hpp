// SPDX-License-Identifier: MIT
// What tests of operations on the CPU stand on: a pool, an arena, a context, and views filled with random numbers.
#pragma once
#include <cmath>
#include <cstring>
#include <deque>
#include <limits>
#include <vector>

#include "temper/backend/cpu/operands.hpp"

namespace temper {

template <class Real>
class Workbench {
 public:
  using B = Cpu<Real>;
  explicit Workbench(int thread_count = 1, Execution execution = Execution::running)
      : threads_(thread_count),
        block_(execution == Execution::running ? B::allocate(bytes) : nullptr),
        arena_(execution == Execution::running ? Arena(block_, bytes) : Arena::imaginary()),
        ctx(threads_, arena_, 1, execution) {}
  ~Workbench() { B::free(block_); }
  Workbench(const Workbench&) = delete;
  Workbench& operator=(const Workbench&) = delete;

  // Numbers in [-1, 1), the same for the same site and place.
  View<B, Real, 1> vector(Index n, std::uint32_t site) {
    auto& store = stores_.emplace_back(static_cast<std::size_t>(n));
    const Random random{5, site, 0};
    for (std::size_t i = 0; i < store.size(); ++i) store[i] = static_cast<Real>(2 * random.uniform(i) - 1);
    return {store.data(), {n}};
  }
  View<B, Real, 2> matrix(Index rows, Index cols, std::uint32_t site) {
    return reshape(vector(rows * cols, site), rows, cols);
  }
  // What an operation must overwrite.
  View<B, Real, 1> unset(Index n) {
    auto& store = stores_.emplace_back(static_cast<std::size_t>(n), std::numeric_limits<Real>::quiet_NaN());
    return {store.data(), {n}};
  }
  View<B, Real, 2> unset(Index rows, Index cols) { return reshape(unset(rows * cols), rows, cols); }
  template <int Rank>
  View<B, Real, Rank> clone(View<B, Real, Rank> v) {
    auto& store = stores_.emplace_back(v.data, v.data + v.size());
    return {store.data(), v.shape};
  }

 private:
  static constexpr std::size_t bytes = std::size_t{16} << 20;
  Threads threads_;
  void* block_;
  Arena arena_;
  std::deque<std::vector<Real>> stores_;

 public:
  Context<B> ctx;
};

template <class T>
View<Cpu<float>, const T, 1> list_of(const std::vector<T>& items, float) {
  return {items.data(), {static_cast<Index>(items.size())}};
}
template <class T>
View<Cpu<double>, const T, 1> list_of(const std::vector<T>& items, double) {
  return {items.data(), {static_cast<Index>(items.size())}};
}

template <class A, class C>
bool same_bits(const A& a, const C& b) {
  return a.size() == b.size() && std::memcmp(a.data, b.data, a.bytes()) == 0;
}

// The largest |a - b|; infinity if one of them is no number.
template <class A, class C>
double largest_difference(const A& a, const C& b) {
  double largest = a.size() == b.size() ? 0 : std::numeric_limits<double>::infinity();
  for (Index i = 0; i < a.size() && i < b.size(); ++i) {
    const double difference = std::abs(static_cast<double>(a.data[i]) - static_cast<double>(b.data[i]));
    largest = difference <= largest       ? largest
              : std::isfinite(difference) ? difference
                                          : std::numeric_limits<double>::infinity();
  }
  return largest;
}

// The largest difference between the gradient of loss() by x and central differences; every element is tried.
template <class X, class Gradient, class Loss>
double gradient_error(X x, Gradient gradient, Loss loss) {
  constexpr double h = 1e-5;
  double largest = 0;
  for (Index i = 0; i < x.size(); ++i) {
    const auto before = x.data[i];
    x.data[i] = before + h;
    const double above = loss();
    x.data[i] = before - h;
    const double below = loss();
    x.data[i] = before;
    const double error = std::abs((above - below) / (2 * h) - gradient.data[i]);
    largest = error <= largest ? largest : std::isfinite(error) ? error : std::numeric_limits<double>::infinity();
  }
  return largest;
}

template <class A, class C>
double dot(const A& a, const C& b) {
  double sum = 0;
  for (Index i = 0; i < a.size(); ++i) sum += static_cast<double>(a.data[i]) * static_cast<double>(b.data[i]);
  return sum;
}

}  // namespace temper
