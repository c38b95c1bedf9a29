// SPDX-License-Identifier: MIT
// What a merge into few bits loses. W is the base, M = W + change the exact merged matrix, Q what is stored of M, and S
// what the same storage makes of W (W itself where that is stored so already).
//   error   |Q - M|                        what is stored against what was wanted
//   kept    <Q - S, M - W> / |M - W|^2     the share of the adapter's change that is there: 1 all of it, 0 none
#pragma once
#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "temper/io/json.hpp"
#include "temper/io/safetensors_write.hpp"

namespace temper {

struct MatrixLoss {
  std::string name;
  double weight = 0, change = 0, error = 0, along = 0;  // |M|^2, |M - W|^2, |Q - M|^2, <Q - S, M - W>

  bool changed() const { return change > 0; }
  double relative_change() const { return weight > 0 ? std::sqrt(change / weight) : 0; }
  double relative_error() const { return weight > 0 ? std::sqrt(error / weight) : 0; }
  double kept() const { return changed() ? along / change : 1; }

  MatrixLoss& operator+=(const MatrixLoss& more) {
    weight += more.weight, change += more.change, error += more.error, along += more.along;
    return *this;
  }
};

inline MatrixLoss matrix_loss(std::string name, Index count, const FloatSource& base, const FloatSource& merged,
                              const FloatSource& stored_base, const FloatSource& stored) {
  constexpr Index at_once = Index{1} << 14;
  MatrixLoss loss{.name = std::move(name)};
  std::vector<float> w(static_cast<std::size_t>(std::min(at_once, count))), m = w, s = w, q = w;
  for (Index begin = 0; begin < count; begin += at_once) {
    const auto many = static_cast<std::size_t>(std::min(at_once, count - begin));
    base(begin, std::span(w).first(many));
    merged(begin, std::span(m).first(many));
    stored_base(begin, std::span(s).first(many));
    stored(begin, std::span(q).first(many));
    for (std::size_t i = 0; i < many; ++i) {
      const double wanted = static_cast<double>(m[i]), change = wanted - static_cast<double>(w[i]),
                   error = static_cast<double>(q[i]) - wanted;
      loss.weight += wanted * wanted;
      loss.change += change * change;
      loss.error += error * error;
      loss.along += (static_cast<double>(q[i]) - static_cast<double>(s[i])) * change;
    }
  }
  return loss;
}

// Of the matrices that an adapter changed; the rest lose what every quantized base does.
inline MatrixLoss total_loss(const std::vector<MatrixLoss>& matrices) {
  MatrixLoss total{.name = "total"};
  for (const MatrixLoss& loss : matrices)
    if (loss.changed()) total += loss;
  return total;
}

inline Json to_json(const MatrixLoss& loss) {
  return {{"name", loss.name},
          {"change", loss.relative_change()},
          {"error", loss.relative_error()},
          {"kept", loss.changed() ? Json(loss.kept()) : Json(nullptr)}};
}

}  // namespace temper
