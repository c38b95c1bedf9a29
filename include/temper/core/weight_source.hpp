// SPDX-License-Identifier: MIT
// Where a model's tensors come from, as its builder sees it: dense, or quantized already.
#pragma once
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "temper/storage/quantize.hpp"

namespace temper {

inline std::string shape_text(std::span<const Index> shape) {
  std::string text = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + "]";
}

struct StoredTensor {
  Element element;
  std::vector<Index> shape;
  const void* data;  // row-major, in the element's format, at least as long as the builder's model lives
  Codes codes = {};  // where the source holds a matrix as codes already
};

// Where initial values come from.
class WeightSource {
 public:
  virtual ~WeightSource() = default;
  virtual std::string description() const = 0;  // a path, for messages
  virtual std::optional<StoredTensor> find(std::string_view name) const = 0;
  virtual std::vector<std::string> names() const = 0;
  virtual Coding coding() const { return Coding::dense; }  // of the matrices that are quantized already
  virtual bool holds_values() const { return true; }  // false: types and shapes, which a plan needs, with null data
};

}  // namespace temper
