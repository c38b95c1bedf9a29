// SPDX-License-Identifier: MIT
// The cases of a kernel's tests, written once: doctest runs them on fibers, the program tests/gpu as nvcc compiles
// them. A case launches on a stream and answers how far the worst element is from its reference, in units of its bound.
#pragma once
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "temper/device/device.cuh"

namespace temper::test::kernels {

struct Outcome {
  double worst = 0;                            // largest error over its bound: 1 or less is right
  std::uint64_t bits = 14695981039346656037u;  // of all results in order: equal for equal results
  std::size_t elements = 0;
  std::string where;

  // A bound of 0 asks for equality. What is not finite is right only where it is equal.
  void compare(double value, double expected, double bound) {
    double ratio = value == expected ? 0.0 : std::abs(value - expected) / bound;
    if (!(ratio <= std::numeric_limits<double>::max())) ratio = std::numeric_limits<double>::infinity();
    if (ratio > worst || (ratio > 1 && where.empty())) {
      worst = ratio;
      where = "element " + std::to_string(elements) + " is " + std::to_string(value) + ", expected " +
              std::to_string(expected);
    }
    std::uint64_t word;
    std::memcpy(&word, &value, sizeof word);
    bits = (bits ^ word) * 1099511628211u;
    ++elements;
  }
  template <class T>
  void equal(const std::vector<T>& values, const std::vector<T>& expected) {
    if (values.size() != expected.size()) worst = std::numeric_limits<double>::infinity();
    for (std::size_t i = 0; i < values.size() && i < expected.size(); ++i)
      compare(static_cast<double>(values[i]), static_cast<double>(expected[i]), 0);
  }
};

struct KernelCase {
  std::string name;
  std::function<Outcome(device::Stream&)> run;
};
using KernelCases = std::vector<KernelCase>;

// Rounded as the host does it. A word of the device layer will not do here: nvcc makes exit(1) of a __device__ function
// that a template calls on the host, and says nothing.
template <class T>
T rounded(float x) {
  if constexpr (sizeof(T) == 4) {
    return x;
  } else if constexpr (std::is_same_v<T, bf16>) {
    return to_bf16(x);
  } else {
    return to_f16(x);
  }
}

// The same numbers on every machine.
class Numbers {
 public:
  explicit Numbers(std::uint64_t seed) : state_(seed * 2 + 1) {}
  std::uint32_t bits() {
    state_ = state_ * 6364136223846793005u + 1442695040888963407u;
    return static_cast<std::uint32_t>(state_ >> 32);
  }
  int below(int n) { return static_cast<int>(bits() % static_cast<unsigned>(n)); }
  float uniform() { return static_cast<float>(bits() >> 8) * 0x1p-24f; }
  float bell() {  // mean 0, variance 1, within 6
    float sum = -6;
    for (int i = 0; i < 12; ++i) sum += uniform();
    return sum;
  }
  template <class T>
  std::vector<T> many(std::size_t n, float scale = 1) {
    std::vector<T> values(n);
    for (T& v : values) v = rounded<T>(scale * bell());
    return values;
  }

 private:
  std::uint64_t state_;
};

inline double number(float x) { return static_cast<double>(x); }
inline double number(bf16 x) { return static_cast<double>(to_float(x)); }
inline double number(f16 x) { return static_cast<double>(to_float(x)); }

// Half a unit in the last place, relative: what one rounding to T adds at most.
template <class T>
constexpr double unit_roundoff = sizeof(T) == 4            ? 0x1p-24
                                 : std::is_same_v<T, bf16> ? 0x1p-8
                                                           : 0x1p-11;

inline std::size_t size_of(int a, int b = 1) { return static_cast<std::size_t>(a) * static_cast<std::size_t>(b); }
inline std::size_t at(int i) { return static_cast<std::size_t>(i); }
inline std::size_t at(int row, int columns, int column) {
  return static_cast<std::size_t>(row) * static_cast<std::size_t>(columns) + static_cast<std::size_t>(column);
}

}  // namespace temper::test::kernels
