// SPDX-License-Identifier: MIT
// The twenty recorded steps of tests/golden/optimizer: the same starting values and gradients, and a comparison of
// values and states with what the reference made of them.
#pragma once
#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include "temper/backend/cpu.hpp"
#include "temper/core/layer.hpp"
#include "temper/io/safetensors.hpp"
#include "temper/optimizer/optimizer.hpp"

namespace temper_test {

using namespace temper;

inline const SafetensorsFile& recorded_steps() {
  static const SafetensorsFile file(std::filesystem::path(TEMPER_TESTS) / "golden/optimizer/steps.safetensors");
  return file;
}

// Element i of numbers(seed, step) in make.py.
inline double recorded_number(std::uint64_t seed, std::uint64_t step, std::uint64_t i) {
  constexpr std::uint64_t word = 0xffffffff;
  std::uint64_t h = (i * 2654435761u + step * 40503 + seed * 7919 + 12345) & word;
  h = ((h ^ (h >> 15)) * 2246822519u) & word;
  h = ((h ^ (h >> 13)) * 3266489917u) & word;
  h ^= h >> 16;
  return (static_cast<double>(h >> 8) * 0x1p-24 - 0.5) * std::ldexp(1.0, -static_cast<int>(h & 7));
}

// The parameters of a recorded run, moved by a rule.
template <class Real, class R>
class RecordedSteps {
 public:
  using B = Cpu<Real>;
  static constexpr double rate = 1e-2;

  RecordedSteps(const R& rule, const std::vector<std::pair<std::string, std::vector<Index>>>& shapes, int threads = 1)
      : rule_(rule),
        stream_(threads),
        block_(memory_.template allocate<std::byte, 1>(Holder::scratch, {Index{1} << 20})),
        arena_(block_.data, std::size_t{1} << 20),
        ctx_(stream_, arena_, 1, Execution::running) {
    for (const auto& [name, shape] : shapes) {
      Parameter<B> p{.name = name, .shape = shape};
      const std::array<Index, 2> extents = {shape.size() == 2 ? shape[0] : 1, shape.back()};
      p.value = memory_.template allocate<Real, 2>(Holder::trained_weights, extents);
      p.gradient = memory_.template allocate<Real, 2>(Holder::gradients, extents);
      fill(p.value, parameters_.size(), 0);
      states_.push_back(rule.state(memory_, p));
      states_.back().visit([&](std::string_view, auto tensor) { zero(ctx_, tensor); });
      parameters_.push_back(std::move(p));
    }
  }

  void steps(Step from, Step to) {
    for (Step k = from; k < to; ++k)
      for (std::size_t i = 0; i < parameters_.size(); ++i) {
        fill(parameters_[i].gradient, i, static_cast<std::uint64_t>(k) + 1);
        rule_.update(ctx_, parameters_[i], states_[i], {.number = k, .rate = rate});
      }
  }

  // The largest difference from the record of this many steps, relative to each tensor's largest element; every state
  // that is recorded must be there, and codes must be equal.
  double difference(const std::string& run, Step after, double expected_parts) {
    double largest = 0, parts = 0;
    for (std::size_t i = 0; i < parameters_.size(); ++i) {
      const std::string prefix = run + "." + std::to_string(after) + "." + parameters_[i].name + ".";
      const auto compare = [&](const std::string& part, auto tensor) {
        const TensorInfo* const expected = recorded_steps().find(prefix + part);
        if (!expected) return;
        CAPTURE(prefix);
        CAPTURE(part);
        REQUIRE(expected->count() == tensor.size());
        ++parts;
        if constexpr (std::is_same_v<std::remove_cvref_t<decltype(tensor(0))>, std::uint8_t>)
          CHECK(std::memcmp(expected->bytes.data(), tensor.data, tensor.bytes()) == 0);
        else
          largest = std::max(largest, relative_difference(widen<double>(*expected), tensor));
      };
      compare("value", flat(parameters_[i].value));
      states_[i].visit([&](std::string_view part, auto tensor) { compare(std::string(part), tensor); });
    }
    CHECK(parts == expected_parts);
    return largest;
  }

  std::vector<Real> values() const {
    std::vector<Real> all;
    for (const auto& p : parameters_) all.insert(all.end(), p.value.data, p.value.data + p.size());
    return all;
  }
  std::vector<typename R::template State<B>>& states() { return states_; }
  std::size_t state_bytes() const { return memory_.bytes()[static_cast<std::size_t>(Holder::optimizer)]; }

 private:
  static void fill(View<B, Real, 2> to, std::uint64_t seed, std::uint64_t step) {
    for (Index i = 0; i < to.size(); ++i)
      to.data[i] = static_cast<Real>(recorded_number(seed, step, static_cast<std::uint64_t>(i)));
  }
  static double relative_difference(const std::vector<double>& expected, auto tensor) {
    double difference = 0, size = 0;
    for (std::size_t i = 0; i < expected.size(); ++i) {
      difference = std::max(difference, std::abs(expected[i] - static_cast<double>(tensor.data[i])));
      size = std::max(size, std::abs(expected[i]));
    }
    return difference / size;
  }

  R rule_;
  Threads stream_;
  Memory<B> memory_{Execution::running};
  View<B, std::byte, 1> block_;
  Arena arena_;
  Context<B> ctx_;
  std::vector<Parameter<B>> parameters_;
  std::vector<typename R::template State<B>> states_;
};

inline const std::vector<std::pair<std::string, std::vector<Index>>> recorded_shapes = {
    {"wide", {12, 20}}, {"tall", {20, 6}}, {"vector", {20}}};

// One, two and three threads give the same bits on tensors of many pieces.
template <class R>
void check_threads(const R& rule) {
  const auto run = [&](int threads) {
    RecordedSteps<float, R> steps(rule, {{"wide", {150, 301}}, {"tall", {301, 130}}, {"vector", {50'001}}}, threads);
    steps.steps(0, 3);
    return steps.values();
  };
  const auto one = run(1);
  CHECK(one == run(2));
  CHECK(one == run(3));
}

}  // namespace temper_test
