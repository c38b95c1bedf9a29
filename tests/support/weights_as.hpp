// SPDX-License-Identifier: MIT
// A recorded model whose tensors are of another element type.
#pragma once
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "temper/model/folder.hpp"

namespace temper_test {

using namespace temper;

class WeightsAs : public WeightSource {
 public:
  WeightsAs(const std::filesystem::path& folder, Element element) : element_(element) {
    const FolderWeights weights(folder);
    for (const TensorInfo& tensor : weights.folder().tensors()) {
      Held& held = tensors_[tensor.name];
      held.shape = tensor.shape;
      for (const float value : widen<float>(tensor)) append(held.bytes, value);
    }
  }
  std::string description() const override { return "a recorded model"; }
  std::optional<StoredTensor> find(std::string_view name) const override {
    const auto at = tensors_.find(std::string(name));
    if (at == tensors_.end()) return std::nullopt;
    return StoredTensor{element_, at->second.shape, at->second.bytes.data()};
  }
  std::vector<std::string> names() const override {
    std::vector<std::string> all;
    for (const auto& [name, held] : tensors_) all.push_back(name);
    return all;
  }

 private:
  struct Held {
    std::vector<Index> shape;
    std::vector<std::byte> bytes;
  };
  void append(std::vector<std::byte>& bytes, float value) const {
    const auto put = [&](auto narrow) {
      const auto* begin = reinterpret_cast<const std::byte*>(&narrow);
      bytes.insert(bytes.end(), begin, begin + sizeof(narrow));
    };
    if (element_ == Element::bf16)
      put(to_bf16(value));
    else if (element_ == Element::f16)
      put(to_f16(value));
    else
      put(value);
  }

  Element element_;
  std::map<std::string, Held> tensors_;
};

}  // namespace temper_test
