// SPDX-License-Identifier: MIT
// NF4 by kernels against the same done one element at a time: every code, every absmax, every value, bit for bit.
#pragma once
#include "kernel/kernel_cases.hpp"
#include "temper/kernel/nf4.cuh"

namespace temper::test::kernels {

// The decision tree as bitsandbytes states it: bit by bit, from the highest.
inline unsigned nf4_code_by_tree(float x) {
  if (x > 0.03979014977812767f) {
    if (x > 0.3893125355243683f) {
      if (x > 0.6427869200706482f) return x > 0.8614784181118011f ? 15u : 14u;
      return x > 0.5016634166240692f ? 13u : 12u;
    }
    if (x > 0.2035212516784668f) return x > 0.2920137718319893f ? 11u : 10u;
    return x > 0.1202552504837513f ? 9u : 8u;
  }
  if (x > -0.33967943489551544f) {
    if (x > -0.13791173323988914f) return x > -0.045525018125772476f ? 7u : 6u;
    return x > -0.23460740596055984f ? 5u : 4u;
  }
  if (x > -0.6106329262256622f) return x > -0.4599952697753906f ? 3u : 2u;
  return x > -0.8480964004993439f ? 1u : 0u;
}

struct Nf4Weights {
  std::vector<unsigned char> codes;
  std::vector<float> absmax;
};

template <class T>
Nf4Weights nf4_on_host(const std::vector<T>& x) {
  Nf4Weights w{std::vector<unsigned char>((x.size() + 1) / 2), std::vector<float>((x.size() + 63) / 64)};
  for (std::size_t i = 0; i < x.size(); ++i) {
    float& largest = w.absmax[i / 64];
    largest = std::fmax(largest, std::fabs(static_cast<float>(number(x[i]))));
  }
  for (std::size_t i = 0; i < w.codes.size() * 2; ++i) {
    const float inverse = 1.0f / w.absmax[i / 64], value = i < x.size() ? static_cast<float>(number(x[i])) : 0.0f;
    const unsigned code = nf4_code_by_tree(value * inverse);
    w.codes[i / 2] = static_cast<unsigned char>(i % 2 == 0 ? code << 4 : w.codes[i / 2] | code);
  }
  return w;
}

inline unsigned nf4_code_of(const Nf4Weights& w, std::size_t i) {
  return i % 2 == 0 ? w.codes[i / 2] >> 4 : w.codes[i / 2] & 15u;
}

template <class T>
Outcome nf4_there_and_back(device::Stream& stream, int count) {
  Numbers numbers(static_cast<std::uint64_t>(count));
  auto x = numbers.many<T>(at(count), 0.02f);
  for (int i = 64; i < 128 && i < count; ++i) x[at(i)] = rounded<T>(0.0f);  // a block of zeros
  const Nf4Weights expected = nf4_on_host(x);
  device::Buffer<T> on_x(x), on_back(x.size());
  device::Buffer<unsigned char> codes(expected.codes.size());
  device::Buffer<float> absmax(expected.absmax.size());
  device::launch(stream, {kernel::Nf4Quantize<T>::grid(count), 1, 1},
                 kernel::Nf4Quantize<T>{on_x.data(), codes.data(), absmax.data(), count});
  device::launch(stream, {kernel::Nf4Dequantize<T>::grid(count), 1, 1},
                 kernel::Nf4Dequantize<T>{codes.data(), absmax.data(), on_back.data(), count});
  Outcome outcome;
  outcome.equal(codes.download(stream), expected.codes);
  outcome.equal(absmax.download(stream), expected.absmax);
  const auto back = on_back.download(stream);
  for (std::size_t i = 0; i < back.size(); ++i) {
    const float value = kernel::nf4_value(nf4_code_of(expected, i)) * expected.absmax[i / 64];
    outcome.compare(number(back[i]), number(rounded<T>(value)), 0);
  }
  return outcome;
}

// Thresholds themselves, and their neighbours on both sides: where a formula that is only nearly the same differs.
inline Outcome nf4_near_thresholds(device::Stream& stream) {
  std::vector<float> x;
  for (int code = 0; code < 15; ++code) {
    float low = -1, high = 1;  // the last float with at most this code, by halving
    for (int i = 0; i < 200; ++i) {
      const float middle = low + (high - low) / 2;
      (nf4_code_by_tree(middle) <= static_cast<unsigned>(code) ? low : high) = middle;
    }
    for (const float near : {std::nextafter(low, -2.0f), low, std::nextafter(low, 2.0f)}) x.push_back(near);
  }
  x.push_back(1);
  x.push_back(-1);
  const Nf4Weights expected = nf4_on_host(x);
  device::Buffer<float> on_x(x), absmax(expected.absmax.size());
  device::Buffer<unsigned char> codes(expected.codes.size());
  device::launch(stream, {},
                 kernel::Nf4Quantize<float>{on_x.data(), codes.data(), absmax.data(), static_cast<Index>(x.size())});
  Outcome outcome;
  outcome.equal(codes.download(stream), expected.codes);
  return outcome;
}

inline KernelCases nf4_cases() {
  KernelCases cases{{"nf4: thresholds and their neighbours", nf4_near_thresholds}};
  for (const int count : {1, 63, 64, 130, 1024, 3001}) {
    const std::string n = std::to_string(count);
    cases.push_back({"nf4: bf16, " + n, [=](device::Stream& s) { return nf4_there_and_back<bf16>(s, count); }});
    cases.push_back({"nf4: float, " + n, [=](device::Stream& s) { return nf4_there_and_back<float>(s, count); }});
  }
  return cases;
}

}  // namespace temper::test::kernels
