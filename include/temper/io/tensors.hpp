// SPDX-License-Identifier: MIT
// Tensors as they lie in a mapped file: name, type, shape and bytes, found by name, widened to float, and searched for
// values that are not finite. Bytes need not be aligned: a header may have any length.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "temper/core/error.hpp"
#include "temper/core/types.hpp"
#include "temper/io/file.hpp"

namespace temper {

struct TensorInfo {
  std::string name;
  std::string_view dtype;          // as the file says it: 'F32', 'I64'
  std::optional<Element> element;  // none: a type that temper does not compute with
  std::vector<Index> shape;
  std::span<const std::byte> bytes;
  std::shared_ptr<const MappedFile> file;  // keeps 'bytes' alive

  Index count() const {
    Index product = 1;
    for (const Index size : shape) product *= size;  // checked when the file was opened
    return product;
  }
};

inline std::string shown_tensor(const TensorInfo& tensor) {
  return fmt::format("{}: tensor '{}'", tensor.file ? shown_path(tensor.file->path()) : "", printable(tensor.name));
}

// '[3, 2]' without the brackets. Not fmt::join: g++ 12 warns inside it at -O3.
template <class Sizes>
std::string shown_shape(const Sizes& sizes, std::string_view between = ", ") {
  std::string shown;
  for (const auto size : sizes) shown.append(shown.empty() ? "" : between).append(std::to_string(size));
  return shown;
}

inline Element require_element(const TensorInfo& tensor) {
  require(tensor.element.has_value(), Fault::data, "safetensors.element",
          "{} has type {}; expected F32, BF16, F16 or F64; convert the model", shown_tensor(tensor), tensor.dtype);
  return *tensor.element;
}

class TensorTable {
  std::vector<TensorInfo> tensors_;
  std::vector<std::size_t> by_name_;

 public:
  TensorTable() = default;
  explicit TensorTable(std::vector<TensorInfo> tensors) : tensors_(std::move(tensors)), by_name_(tensors_.size()) {
    for (std::size_t i = 0; i < by_name_.size(); ++i) by_name_[i] = i;
    std::sort(by_name_.begin(), by_name_.end(),
              [&](std::size_t a, std::size_t b) { return tensors_[a].name < tensors_[b].name; });
  }

  const std::vector<TensorInfo>& all() const { return tensors_; }  // in the order of their bytes

  const TensorInfo* find(std::string_view name) const {
    const auto at = std::lower_bound(by_name_.begin(), by_name_.end(), name,
                                     [&](std::size_t i, std::string_view wanted) { return tensors_[i].name < wanted; });
    return at != by_name_.end() && tensors_[*at].name == name ? &tensors_[*at] : nullptr;
  }

  // A name that two tensors have, if there is one.
  const std::string* repeated_name() const {
    for (std::size_t i = 1; i < by_name_.size(); ++i)
      if (tensors_[by_name_[i]].name == tensors_[by_name_[i - 1]].name) return &tensors_[by_name_[i]].name;
    return nullptr;
  }
};

// Calls 'use' with a value of the tensor's element type (bf16{}), for code that is written once for all of them.
template <class Use>
void with_element(Element element, const Use& use) {
  switch (element) {
    case Element::f32:
      return use(float{});
    case Element::bf16:
      return use(bf16{});
    case Element::f16:
      return use(f16{});
    case Element::f64:
      return use(double{});
  }
}

inline double to_widest(double x) { return x; }
template <class T>
float to_widest(T x) {
  return to_float(x);
}

template <class To>
void widen_to(const TensorInfo& tensor, Index first, std::span<To> to) {
  const Element element = require_element(tensor);
  const std::size_t size = bytes_of(element), begin = static_cast<std::size_t>(first);
  const std::size_t count = tensor.bytes.size() / size;
  require(first >= 0 && begin <= count && to.size() <= count - begin, Fault::usage, "safetensors.range",
          "{} has {} elements; {} from element {} were asked for", shown_tensor(tensor), count, to.size(), first);
  const std::byte* const from = tensor.bytes.data() + begin * size;
  with_element(element, [&]<class T>(T) {
    for (std::size_t i = 0; i < to.size(); ++i) {
      T value;
      std::memcpy(&value, from + i * sizeof(T), sizeof(T));
      to[i] = static_cast<To>(to_widest(value));
    }
  });
}

// to[i] = tensor[first + i]; exact but for F64 to float.
inline void widen(const TensorInfo& tensor, Index first, std::span<float> to) { widen_to(tensor, first, to); }
inline void widen(const TensorInfo& tensor, Index first, std::span<double> to) { widen_to(tensor, first, to); }

template <class To = float>
std::vector<To> widen(const TensorInfo& tensor) {
  std::vector<To> values(static_cast<std::size_t>(tensor.count()));
  widen(tensor, 0, std::span<To>(values));
  return values;
}

template <class Bits, class T>
constexpr Bits exponent_bits(T) {
  if constexpr (std::is_same_v<T, double>) return 0x7ff0'0000'0000'0000u;
  if constexpr (std::is_same_v<T, float>) return 0x7f80'0000u;
  if constexpr (std::is_same_v<T, bf16>) return 0x7f80u;
  if constexpr (std::is_same_v<T, f16>) return 0x7c00u;
}

// The first element that is NaN or infinite. Looks at exponents only, in blocks that the compiler vectorises.
inline std::optional<Index> first_non_finite(const TensorInfo& tensor) {
  std::optional<Index> found;
  with_element(require_element(tensor), [&]<class T>(T) {
    using Bits = std::conditional_t<sizeof(T) == 8, std::uint64_t,
                                    std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint16_t>>;
    constexpr Bits exponent = exponent_bits<Bits>(T{});
    constexpr std::size_t block = 4096;
    const std::size_t count = tensor.bytes.size() / sizeof(T);
    const auto bad = [&](std::size_t i) {
      Bits bits;
      std::memcpy(&bits, tensor.bytes.data() + i * sizeof(T), sizeof(T));
      return static_cast<Bits>((bits & exponent) == exponent);
    };
    for (std::size_t begin = 0; begin < count; begin += block) {
      const std::size_t end = std::min(count, begin + block);
      Bits any = 0;
      for (std::size_t i = begin; i < end; ++i) any = static_cast<Bits>(any | bad(i));
      if (!any) continue;
      std::size_t i = begin;
      while (!bad(i)) ++i;
      found = static_cast<Index>(i);
      return;
    }
  });
  return found;
}

// Reads all of the tensor: a separate step, so that opening a file touches none of its data.
inline void refuse_non_finite(const TensorInfo& tensor) {
  const std::optional<Index> at = first_non_finite(tensor);
  if (!at) return;
  double value = 0;
  widen(tensor, *at, std::span<double>(&value, 1));
  fail(Fault::data, "safetensors.not_finite", "{}: element {} is {}; expected finite weights; the model is damaged",
       shown_tensor(tensor), *at,
       std::isnan(value) ? "NaN"
       : value > 0       ? "infinity"
                         : "-infinity");
}

}  // namespace temper
