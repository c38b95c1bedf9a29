// SPDX-License-Identifier: MIT
// Rows that are nearly another one, by MinHash with locality-sensitive hashing: rows that agree in all of one band of
// their signature are compared by the whole. An estimate: of pairs at the threshold about half are found, of pairs well
// above it nearly all. The same rows give the same answer; memory is 192 bytes a row up to 'most_rows', more are not
// compared.
#pragma once
#include "temper/data/report/min_hash.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>
#include <vector>

namespace temper {

class NearDuplicates {
 public:
  static constexpr std::size_t most_rows = std::size_t{1} << 20;
  static constexpr double threshold = 0.8;

  struct Pair {
    std::size_t row = 0, earlier = 0;
  };

  // Each row that is nearly an earlier one, with one such. Rows that equal an earlier one ('firsts' says it) are left
  // out.
  static std::vector<Pair> among(const Dataset& dataset, const std::vector<std::size_t>& firsts) {
    std::vector<std::size_t> rows;
    for (std::size_t i = 0; i < firsts.size() && rows.size() < most_rows; ++i)
      if (firsts[i] == i) rows.push_back(i);
    const std::vector<std::uint64_t> common = common_shingles(dataset, rows);
    std::vector<Signature> signatures(rows.size());
    std::vector<std::array<std::uint32_t, bands>> keys(rows.size());
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const MinHash::Values values = MinHash::of(view_of(dataset, rows[i]), common);
      for (std::size_t bin = 0; bin < MinHash::bins; ++bin) signatures[i][bin] = static_cast<std::uint8_t>(values[bin]);
      for (std::size_t band = 0; band < bands; ++band) keys[i][band] = key_of(values, band);
    }
    std::vector<std::size_t> earlier(rows.size());
    for (std::size_t i = 0; i < rows.size(); ++i) earlier[i] = i;
    std::vector<std::pair<std::uint32_t, std::uint32_t>> sorted(rows.size());
    for (std::size_t band = 0; band < bands; ++band) {
      for (std::size_t i = 0; i < rows.size(); ++i) sorted[i] = {keys[i][band], static_cast<std::uint32_t>(i)};
      std::sort(sorted.begin(), sorted.end());
      for (std::size_t i = 0, run = 0; i < sorted.size(); ++i) {
        if (sorted[i].first != sorted[run].first) run = i;
        const std::size_t row = sorted[i].second;
        // Of a crowded bucket the first few are looked at.
        for (std::size_t k = run; k < std::min(i, run + compared) && earlier[row] == row; ++k)
          if (similar(signatures[row], signatures[sorted[k].second])) earlier[row] = sorted[k].second;
      }
    }
    std::vector<Pair> pairs;
    for (std::size_t i = 0; i < rows.size(); ++i)
      if (earlier[i] != i) pairs.push_back({rows[i], rows[earlier[i]]});
    return pairs;
  }

 private:
  static constexpr std::size_t bands = 16, band_bins = 4, compared = 8;
  using Signature = std::array<std::uint8_t, MinHash::bins>;  // the low byte of each value

  static std::uint32_t key_of(const MinHash::Values& values, std::size_t band) {
    std::uint64_t key = band;
    for (std::size_t i = 0; i < band_bins; ++i) key = (key ^ values[band * band_bins + i]) * 0x9e3779b97f4a7c15u;
    return static_cast<std::uint32_t>(key >> 32);
  }
  static bool similar(const Signature& a, const Signature& b) {
    std::size_t equal = 0;
    for (std::size_t i = 0; i < a.size(); ++i) equal += a[i] == b[i];
    return static_cast<double>(equal) >= threshold * static_cast<double>(MinHash::bins);
  }

  // Shingles of more than nine in ten of up to 128 rows taken evenly; none where there are few rows.
  static std::vector<std::uint64_t> common_shingles(const Dataset& dataset, const std::vector<std::size_t>& rows) {
    constexpr std::size_t fewest = 16, most = 128, longest = std::size_t{1} << 14;
    if (rows.size() < fewest) return {};
    const std::size_t taken = std::min(rows.size(), most);
    std::vector<std::uint64_t> all, one;
    for (std::size_t i = 0; i < taken; ++i) {
      one.clear();
      MinHash::each_shingle(view_of(dataset, rows[i * rows.size() / taken]), [&](std::uint64_t hash) {
        if (one.size() < longest) one.push_back(hash);
      });
      std::sort(one.begin(), one.end());
      all.insert(all.end(), one.begin(), std::unique(one.begin(), one.end()));
    }
    std::sort(all.begin(), all.end());
    std::vector<std::uint64_t> common;
    for (std::size_t begin = 0; begin < all.size();) {
      std::size_t end = begin;
      while (end < all.size() && all[end] == all[begin]) ++end;
      if (10 * (end - begin) > 9 * taken) common.push_back(all[begin]);
      begin = end;
    }
    return common;
  }
};

}  // namespace temper
