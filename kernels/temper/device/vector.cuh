// SPDX-License-Identifier: MIT
// Several neighbours in one access of 4, 8 or 16 bytes. The address must be a multiple of the access's size.
#pragma once
#include "temper/device/math.cuh"
#if !TEMPER_ON_GPU
#include "temper/core/error.hpp"
#endif

namespace temper::device {
inline namespace TEMPER_TARGET {

template <class T, int N>
struct alignas(sizeof(T) * std::size_t{N}) Vector {
  T element[std::size_t{N}];
  TEMPER_BOTH T& operator[](int i) { return element[i]; }
  TEMPER_BOTH const T& operator[](int i) const { return element[i]; }
};

TEMPER_BOTH bool aligned(const void* address, int bytes) {
  return reinterpret_cast<std::uintptr_t>(address) % static_cast<unsigned>(bytes) == 0;
}

// Two halves in a register, the first in the low half, as mma takes them.
TEMPER_BOTH std::uint32_t pair_of(const Vector<bf16, 2>& v) {
  return static_cast<std::uint32_t>(v[0].bits) | static_cast<std::uint32_t>(v[1].bits) << 16;
}
TEMPER_BOTH Vector<bf16, 4> four_of(std::uint32_t first, std::uint32_t second) {
  return {{bf16{static_cast<std::uint16_t>(first)}, bf16{static_cast<std::uint16_t>(first >> 16)},
           bf16{static_cast<std::uint16_t>(second)}, bf16{static_cast<std::uint16_t>(second >> 16)}}};
}

#if TEMPER_ON_GPU
// nvcc makes one access of a word that it knows, but may make many of a struct.
template <int Bytes>
struct WordOf;
template <>
struct WordOf<4> {
  using Type = unsigned;
};
template <>
struct WordOf<8> {
  using Type = uint2;
};
template <>
struct WordOf<16> {
  using Type = uint4;
};
template <int N, class T>
TEMPER_DEVICE Vector<T, N> load(const T* from) {
  const auto word = *reinterpret_cast<const typename WordOf<N* int{sizeof(T)}>::Type*>(from);
  Vector<T, N> v;
  memcpy(&v, &word, sizeof v);
  return v;
}
// By instruction: nvcc takes some stores of a word apart again, into those of the elements that it was made of.
template <class T, int N>
TEMPER_DEVICE void store(T* to, const Vector<T, N>& v) {
  typename WordOf<N* int{sizeof(T)}>::Type word;
  memcpy(&word, &v, sizeof v);
  if constexpr (sizeof v == 16) {
    asm volatile("st.v4.b32 [%0], {%1, %2, %3, %4};" ::"l"(to), "r"(word.x), "r"(word.y), "r"(word.z), "r"(word.w)
                 : "memory");
  } else if constexpr (sizeof v == 8) {
    asm volatile("st.v2.b32 [%0], {%1, %2};" ::"l"(to), "r"(word.x), "r"(word.y) : "memory");
  } else {
    asm volatile("st.b32 [%0], %1;" ::"l"(to), "r"(word) : "memory");
  }
}
#else
inline void require_aligned(const void* address, int bytes, const char* what) {
  require(aligned(address, bytes), Fault::usage, "kernel.misaligned",
          "{} at an address that is no multiple of {} bytes, but {} above one; pad or shift the data", what, bytes,
          reinterpret_cast<std::uintptr_t>(address) % static_cast<unsigned>(bytes));
}
template <int N, class T>
inline Vector<T, N> load(const T* from) {
  require_aligned(from, N * int{sizeof(T)}, "a vector load");
  Vector<T, N> v;
  for (int i = 0; i < N; ++i) v[i] = from[i];
  return v;
}
template <class T, int N>
inline void store(T* to, const Vector<T, N>& v) {
  require_aligned(to, N * int{sizeof(T)}, "a vector store");
  for (int i = 0; i < N; ++i) to[i] = v[i];
}
#endif

}  // namespace TEMPER_TARGET
}  // namespace temper::device
