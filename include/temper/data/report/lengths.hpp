// SPDX-License-Identifier: MIT
// How long rows are in tokens before they are cut, and which max_length would cut fewer than one in a hundred.
#pragma once
#include "temper/core/types.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

namespace temper {

struct LengthBar {
  Index from = 1, to = 1, rows = 0;  // both ends included
};

struct LengthReport {
  Index rows = 0, tokens = 0, shortest = 0, median = 0, p90 = 0, p95 = 0, p99 = 0, longest = 0;
  double mean = 0;
  Index max_length = 0, cut = 0;     // rows that are longer
  Index advised = 0;                 // the least power of two that cuts fewer than 1 %, at least max_length
  std::vector<LengthBar> histogram;  // by powers of two, from the first to the last that has rows
};

class Lengths {
 public:
  void add(Index length) {
    constexpr Index most = std::numeric_limits<std::uint32_t>::max();
    lengths_.push_back(static_cast<std::uint32_t>(std::clamp<Index>(length, 0, most)));
  }

  LengthReport report(Index max_length) {
    LengthReport report;
    report.max_length = report.advised = max_length;
    report.rows = std::ssize(lengths_);
    if (lengths_.empty()) return report;
    std::sort(lengths_.begin(), lengths_.end());
    for (const std::uint32_t length : lengths_) report.tokens += static_cast<Index>(length);
    report.mean = static_cast<double>(report.tokens) / static_cast<double>(report.rows);
    report.shortest = lengths_.front();
    report.longest = lengths_.back();
    report.median = percentile(0.5);
    report.p90 = percentile(0.9);
    report.p95 = percentile(0.95);
    report.p99 = percentile(0.99);
    report.cut = longer_than(max_length);
    if (100 * report.cut >= report.rows) {
      Index wanted = 1;
      while (100 * longer_than(wanted) >= report.rows) wanted *= 2;
      report.advised = std::min(wanted, report.longest);
    }
    fill_histogram(report);
    return report;
  }

 private:
  // The least length that this share of rows does not exceed.
  Index percentile(double share) const {
    const double rank = std::ceil(share * static_cast<double>(lengths_.size()));
    return lengths_[static_cast<std::size_t>(std::max(rank, 1.0)) - 1];
  }
  Index longer_than(Index length) const {
    return lengths_.end() - std::upper_bound(lengths_.begin(), lengths_.end(), length,
                                             [](Index a, std::uint32_t b) { return a < static_cast<Index>(b); });
  }
  void fill_histogram(LengthReport& report) const {
    const auto top = [](Index length) {
      return static_cast<Index>(std::bit_ceil(static_cast<std::uint64_t>(std::max<Index>(length, 1))));
    };
    for (Index to = top(report.shortest); to <= top(report.longest); to *= 2) {
      const Index from = to == 1 ? 0 : to / 2 + 1;
      report.histogram.push_back({from, to, longer_than(from - 1) - longer_than(to)});
    }
  }

  std::vector<std::uint32_t> lengths_;
};

}  // namespace temper
