// SPDX-License-Identifier: MIT
// The account that makes loading a bijection: every slot is filled and every tensor of the source is used, or it is an
// error that names both lists.
#pragma once
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "temper/core/weight_source.hpp"

namespace temper {

class WeightAccount {
 public:
  explicit WeightAccount(const WeightSource* source) : source_(source) {}

  // The tensor of that name, which must have that shape; nothing where there is no source, or where it lacks the
  // tensor, which finish() then says.
  std::optional<StoredTensor> take(const std::string& name, std::vector<Index> shape) {
    if (!source_) return std::nullopt;
    auto tensor = source_->find(name);
    if (!tensor) {
      if (missed_.insert(name).second) missing_ += (missing_.empty() ? "" : ", ") + name;
      return std::nullopt;
    }
    require(
        tensor->shape == shape, Fault::data, "weights.shape",
        "{}: tensor '{}' has shape {} but config.json wants {}; expected them equal; config.json and weights are from "
        "different models",
        source_->description(), name, shape_text(tensor->shape), shape_text(shape));
    used_.insert(name);
    return tensor;
  }

  // Tensors that a file may hold although no slot needs them; a name that ends so is left over, not unused.
  void allow_left_over(std::string ending) { left_over_.push_back(std::move(ending)); }

  void finish() const {
    if (!source_) return;
    std::string unused;
    for (const std::string& name : source_->names())
      if (!used_.count(name) && !is_left_over(name)) unused += (unused.empty() ? "" : ", ") + name;
    require(missing_.empty() && unused.empty(), Fault::data, "weights.not_a_bijection",
            "{}: weights and config.json do not fit together: missing: {}; not used: {}; expected each tensor exactly "
            "once; use the config.json that belongs to these weights",
            source_->description(), missing_.empty() ? "none" : shortened(missing_),
            unused.empty() ? "none" : shortened(unused));
  }

 private:
  static std::string shortened(const std::string& list) {
    return list.size() > 600 ? list.substr(0, 600) + ", ..." : list;
  }
  bool is_left_over(std::string_view name) const {
    for (const std::string& ending : left_over_)
      if (name.ends_with(ending)) return true;
    return false;
  }

  const WeightSource* source_;
  std::set<std::string> used_, missed_;
  std::string missing_;  // for the message, in the order in which they were wanted
  std::vector<std::string> left_over_;
};

}  // namespace temper
