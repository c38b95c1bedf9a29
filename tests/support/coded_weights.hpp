// SPDX-License-Identifier: MIT
// A random matrix on a storage, and the floats that it decodes to.
#pragma once
#include <vector>

#include "support/layer_bench.hpp"
#include "temper/storage/any_storage.hpp"

namespace temper_test {

// A source of one tensor, random and with rows of unequal size.
class OneWeight : public WeightSource {
 public:
  OneWeight(Index rows, Index cols, std::uint32_t site = 1) : shape_{rows, cols} {
    const Random random{11, site, 0};
    for (Index i = 0; i < rows * cols; ++i)
      values_.push_back(static_cast<float>(0.05 * random.normal(static_cast<std::uint64_t>(i)) *
                                           static_cast<double>(1 + i / cols % 3)));
  }
  std::string description() const override { return "one"; }
  std::optional<StoredTensor> find(std::string_view name) const override {
    if (name != "p.weight") return std::nullopt;
    return StoredTensor{Element::f32, shape_, values_.data()};
  }
  std::vector<std::string> names() const override { return {"p.weight"}; }
  const std::vector<float>& values() const { return values_; }

 private:
  std::vector<Index> shape_;
  std::vector<float> values_;
};

template <class B>
std::vector<float> decoded(const WeightMatrix<B>& w) {
  std::vector<float> values(static_cast<std::size_t>(w.rows * w.cols));
  decode(w.data, w.codes, w.cols, 0, w.rows * w.cols, values.data());
  return values;
}

inline std::vector<AnyStorage> coded_storages() {
  return {{Nf4{}}, {Nf4{.double_quantized = false}}, {Fp4{}}, {Fp4{.double_quantized = false}}, {Int8{}}};
}

}  // namespace temper_test
