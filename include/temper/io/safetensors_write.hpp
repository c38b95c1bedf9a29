// SPDX-License-Identifier: MIT
// Writer of safetensors files, all or nothing. Tensors lie in the order that the safetensors library gives them (by
// type, widest first, then by name), so equal content gives equal bytes. Values are asked for block by block and
// narrowed on the way: a file larger than memory can be written.
#pragma once
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "temper/core/error.hpp"
#include "temper/core/types.hpp"
#include "temper/io/file.hpp"
#include "temper/io/json.hpp"
#include "temper/io/safetensors.hpp"

namespace temper {

// Fills 'to' with the values from element 'first' on, in row-major order.
using FloatSource = std::function<void(Index first, std::span<float> to)>;

struct TensorToWrite {
  std::string name;
  Element element = Element::f32;  // as it is stored
  std::vector<Index> shape;
  std::span<const std::byte> bytes;  // in the stored type already, or
  FloatSource floats;                // to be rounded to it
  std::string_view codes{};          // the type's name where an element is a byte that stands for a number: U8, I8

  std::size_t element_bytes() const { return codes.empty() ? bytes_of(element) : 1; }
  std::string_view type() const { return codes.empty() ? name_of(element) : codes; }
};

inline TensorToWrite tensor_of_bytes(std::string name, Element element, std::vector<Index> shape,
                                     std::span<const std::byte> bytes) {
  return {std::move(name), element, std::move(shape), bytes, nullptr};
}

// 'type' must live until the file is written.
inline TensorToWrite tensor_of_codes(std::string name, std::vector<Index> shape, std::span<const std::uint8_t> codes,
                                     std::string_view type = "U8") {
  return {std::move(name), Element::f32, std::move(shape), std::as_bytes(codes), nullptr, type};
}

// 'values' must live until the file is written.
inline TensorToWrite tensor_of_floats(std::string name, Element element, std::vector<Index> shape,
                                      std::span<const float> values) {
  // A span cannot tell the writer that it is shorter than the shape, so that is checked here.
  std::size_t count = 1;
  for (const Index size : shape) count *= static_cast<std::size_t>(size);
  require(count == values.size(), Fault::usage, "safetensors.size",
          "tensor '{}' has shape [{}] but {} values; expected {}", printable(name), shown_shape(shape), values.size(),
          count);
  return {std::move(name), element, std::move(shape), {}, [values](Index first, std::span<float> to) {
            const auto from = values.subspan(static_cast<std::size_t>(first), to.size());
            std::copy(from.begin(), from.end(), to.begin());
          }};
}

class SafetensorsWriter {
  struct Entry {
    const TensorToWrite* tensor;
    std::size_t elements, bytes;
  };
  std::vector<Entry> entries_;
  std::string header_;

 public:
  // Checks everything that can be checked before a file is made.
  SafetensorsWriter(std::span<const TensorToWrite> tensors, const std::map<std::string, std::string>& metadata) {
    for (const TensorToWrite& tensor : tensors) entries_.push_back(checked(tensor));
    std::sort(entries_.begin(), entries_.end(), [](const Entry& a, const Entry& b) {
      const int widths = order_of(*b.tensor) - order_of(*a.tensor);
      return widths != 0 ? widths < 0 : a.tensor->name < b.tensor->name;
    });
    std::vector<std::string_view> names;
    for (const Entry& entry : entries_) names.push_back(entry.tensor->name);
    std::sort(names.begin(), names.end());
    const auto repeated = std::adjacent_find(names.begin(), names.end());
    require(repeated == names.end(), Fault::usage, "safetensors.duplicate",
            "two tensors to be written are named '{}'; expected different names",
            repeated == names.end() ? "" : printable(*repeated));
    make_header(metadata);
  }

  void write(NewFile& file) const {
    const std::uint64_t length = header_.size();
    file.write(std::as_bytes(std::span(&length, 1)));
    file.write(header_);
    for (const Entry& entry : entries_) {
      if (!entry.tensor->floats)
        file.write(entry.tensor->bytes);
      else
        write_floats(file, *entry.tensor, entry.elements);
    }
  }

 private:
  // The library sorts by its enumeration of types, in which U8 < I8 < F16 < BF16 < F32 < F64.
  static int order_of(const TensorToWrite& tensor) {
    const Element element = tensor.element;
    return tensor.codes == "I8"       ? -1
           : !tensor.codes.empty()    ? -2
           : element == Element::f64  ? 3
           : element == Element::f32  ? 2
           : element == Element::bf16 ? 1
                                      : 0;
  }

  static Entry checked(const TensorToWrite& tensor) {
    const std::string name = printable(tensor.name);
    require(tensor.name != "__metadata__", Fault::usage, "safetensors.name", "a tensor cannot be named '{}'", name);
    require(tensor.shape.size() <= max_tensor_rank, Fault::usage, "safetensors.shape",
            "tensor '{}' has {} dimensions; expected at most {}", name, tensor.shape.size(), max_tensor_rank);
    std::uint64_t elements = 1;
    for (const Index size : tensor.shape) {
      const auto many = static_cast<std::uint64_t>(size);
      require(size >= 0 && many <= max_tensor_elements &&
                  elements <= max_tensor_elements / std::max<std::uint64_t>(many, 1),
              Fault::usage, "safetensors.shape", "tensor '{}' has shape [{}]; expected 0 to {} elements", name,
              shown_shape(tensor.shape), max_tensor_elements);
      elements *= many;
    }
    const std::size_t bytes = elements * tensor.element_bytes();
    require(tensor.floats || tensor.bytes.size() == bytes, Fault::usage, "safetensors.size",
            "tensor '{}' has {} bytes but shape [{}] of {} needs {}; expected them equal", name, tensor.bytes.size(),
            shown_shape(tensor.shape), tensor.type(), bytes);
    return {&tensor, elements, bytes};
  }

  void make_header(const std::map<std::string, std::string>& metadata) {
    header_ = "{";
    if (!metadata.empty()) header_ += "\"__metadata__\":" + to_text(Json(metadata));
    std::size_t end = 0;
    for (const auto& [tensor, elements, bytes] : entries_) {
      require(bytes <= max_tensor_elements * 8 - end, Fault::usage, "safetensors.size",
              "the tensors to be written have more than {} bytes; expected fewer", max_tensor_elements * 8);
      if (header_.size() > 1) header_ += ',';
      header_ += fmt::format("{}:{{\"dtype\":\"{}\",\"shape\":[{}],\"data_offsets\":[{},{}]}}", to_text(tensor->name),
                             tensor->type(), shown_shape(tensor->shape, ","), end, end + bytes);
      end += bytes;
    }
    header_ += '}';
    header_.resize((header_.size() + 7) / 8 * 8, ' ');  // so that tensors are aligned in the mapped file
    require(header_.size() <= max_safetensors_header && entries_.size() <= max_tensors, Fault::usage,
            "safetensors.header_too_long", "the header would have {} bytes for {} tensors; expected at most {} and {}",
            header_.size(), entries_.size(), max_safetensors_header, max_tensors);
  }

  static void write_floats(NewFile& file, const TensorToWrite& tensor, std::size_t elements) {
    constexpr std::size_t block = std::size_t{1} << 18;
    std::vector<float> values(std::min(block, elements));
    std::vector<std::byte> narrow(values.size() * bytes_of(tensor.element));
    for (std::size_t first = 0; first < elements; first += block) {
      const std::span<float> some = std::span(values).first(std::min(block, elements - first));
      tensor.floats(static_cast<Index>(first), some);
      with_element(tensor.element, [&]<class T>(T) {
        for (std::size_t i = 0; i < some.size(); ++i) {
          const T value = rounded<T>(some[i]);
          std::memcpy(narrow.data() + i * sizeof(T), &value, sizeof(T));
        }
      });
      file.write(std::span<const std::byte>(narrow).first(some.size() * bytes_of(tensor.element)));
    }
  }

  template <class T>
  static T rounded(float value) {
    if constexpr (std::is_same_v<T, bf16>)
      return to_bf16(value);
    else if constexpr (std::is_same_v<T, f16>)
      return to_f16(value);
    else
      return static_cast<T>(value);
  }
};

// Beside a file of that name first, then renamed: a reader sees the old file or the whole new one.
inline void write_safetensors(const std::filesystem::path& path, std::span<const TensorToWrite> tensors,
                              const std::map<std::string, std::string>& metadata = {{"format", "pt"}}) {
  const SafetensorsWriter writer(tensors, metadata);
  replace_file(path, [&](NewFile& file) { writer.write(file); });
}

}  // namespace temper
