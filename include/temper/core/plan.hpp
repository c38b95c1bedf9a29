// SPDX-License-Identifier: MIT
// What a step will need, known before the first byte is allocated: the same code is run once without executing it, and
// what it asked for is written down here.
#pragma once
#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>
#include <vector>

#include "temper/core/memory.hpp"

namespace temper {

struct Plan {
  BytesByHolder bytes{};                     // the holders sum to the peak
  std::vector<OperationTotal> operations{};  // of the largest micro-batch: forward and backward
  Index trained_elements = 0;
  Index most_tokens = 0, most_documents = 0;  // of a micro-batch to come

  std::size_t of(Holder holder) const { return bytes[static_cast<std::size_t>(holder)]; }
  std::size_t& of(Holder holder) { return bytes[static_cast<std::size_t>(holder)]; }
  std::size_t peak_bytes() const { return std::accumulate(bytes.begin(), bytes.end(), std::size_t{0}); }
  std::size_t arena_bytes() const { return of(Holder::kept_activations) + of(Holder::scratch); }

  Cost cost() const {
    Cost total;
    for (const OperationTotal& o : operations) total.flops += o.cost.flops, total.bytes += o.cost.bytes;
    return total;
  }
  std::int64_t calls() const {
    std::int64_t total = 0;
    for (const OperationTotal& o : operations) total += o.calls;
    return total;
  }

  // A line a holder, the largest share drawn as a bar; then the work of a micro-batch.
  std::string table() const {
    std::string text;
    const double peak = static_cast<double>(std::max<std::size_t>(1, peak_bytes()));
    for (std::size_t h = 0; h < bytes.size(); ++h) {
      if (bytes[h] == 0) continue;
      const double share = static_cast<double>(bytes[h]) / peak;
      text += fmt::format("  {:<18}{:>12}  {:>5.1f} %  {}\n", holder_names[h], bytes_text(bytes[h]), 100 * share,
                          std::string(static_cast<std::size_t>(std::lround(share * 32)), '#'));
    }
    text += fmt::format("  {:<18}{:>12}\n", "peak", bytes_text(peak_bytes()));
    text += fmt::format("  {:<18}{:>12}  a micro-batch, in {} operations\n", "work",
                        fmt::format("{:.1f} GFLOP", cost().flops * 1e-9), calls());
    return text;
  }

  static std::string bytes_text(std::size_t n) {
    const auto value = static_cast<double>(n);
    if (n >= std::size_t{1} << 30) return fmt::format("{:.2f} GiB", value / (1 << 30));
    if (n >= std::size_t{1} << 20) return fmt::format("{:.1f} MiB", value / (1 << 20));
    if (n >= std::size_t{1} << 10) return fmt::format("{:.1f} KiB", value / (1 << 10));
    return fmt::format("{} B", n);
  }
};

}  // namespace temper
