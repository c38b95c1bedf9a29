// SPDX-License-Identifier: MIT
// A text that was made from another one, with the bytes of the original that each of its parts stands for.
#pragma once
#include "temper/data/text_span.hpp"
#include "temper/data/unicode.hpp"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace temper {

// A run is either bytes that are as they were (as many in the original), or text that stands, as a whole, for all bytes
// of its original range. What was put in and stands for nothing has an empty range.
class NormalizedText {
  struct Run {
    Index begin;  // in text_
    TextSpan original;
    bool same;
  };
  std::string text_;
  std::vector<Run> runs_;

 public:
  const std::string& text() const { return text_; }

  void clear() {
    text_.clear();
    runs_.clear();
  }

  // Room for a text of that size, with its parts.
  void reserve(std::size_t bytes) {
    text_.reserve(bytes);
    runs_.reserve(bytes / 4 + 2);
  }

  void append_same(std::string_view bytes, Index original_begin) {
    const Index size = static_cast<Index>(bytes.size()), begin = static_cast<Index>(text_.size());
    if (size == 0) return;
    text_ += bytes;
    if (!runs_.empty() && runs_.back().same && runs_.back().original.end == original_begin)
      runs_.back().original.end += size;
    else
      runs_.push_back({begin, {original_begin, original_begin + size}, true});
  }

  void append_changed(std::string_view bytes, TextSpan original) {
    if (bytes.empty()) return;
    runs_.push_back({static_cast<Index>(text_.size()), original, false});
    text_ += bytes;
  }

  void append_changed(char32_t c, TextSpan original) {
    runs_.push_back({static_cast<Index>(text_.size()), original, false});
    append_code_point(text_, c);
  }

  // The bytes of the original that a range of this text stands for. 'hint' starts at 0 and is kept between calls:
  // ranges that follow each other are found without a search.
  TextSpan original(TextSpan range, std::size_t& hint) const {
    if (runs_.empty()) return {0, 0};
    std::size_t run = hint;
    if (run >= runs_.size() || runs_[run].begin > range.begin) {
      const auto after = std::upper_bound(runs_.begin(), runs_.end(), range.begin,
                                          [](Index at, const Run& other) { return at < other.begin; });
      run = static_cast<std::size_t>(after - runs_.begin()) - 1;
    }
    while (run + 1 < runs_.size() && runs_[run + 1].begin <= range.begin) ++run;
    hint = run;
    const Run& first = runs_[run];
    const Index begin = first.same ? first.original.begin + (range.begin - first.begin) : first.original.begin;
    if (range.begin >= range.end) return {begin, begin};
    TextSpan found{begin, begin};
    for (std::size_t i = run; i < runs_.size() && runs_[i].begin < range.end; ++i) {
      const Run& part = runs_[i];
      if (i > run) found.begin = std::min(found.begin, part.original.begin);  // marks may have changed places
      const Index end = part.original.begin + (range.end - part.begin);
      found.end = std::max(found.end, part.same ? std::min(end, part.original.end) : part.original.end);
    }
    return found;
  }

  TextSpan original(TextSpan range) const {
    std::size_t hint = 0;
    return original(range, hint);
  }

  // This text was made from before.text(); afterwards its original is that of 'before'.
  void look_through(const NormalizedText& before) {
    std::vector<Run> mine;
    mine.swap(runs_);
    runs_.reserve(mine.size() + before.runs_.size());
    std::size_t hint = 0, from = 0;
    for (const Run& run : mine) {
      if (!run.same) {
        runs_.push_back({run.begin, before.original(run.original, hint), false});
        continue;
      }
      const auto end_of = [&](std::size_t i) {
        return i + 1 < before.runs_.size() ? before.runs_[i + 1].begin : static_cast<Index>(before.text_.size());
      };
      if (from >= before.runs_.size() || before.runs_[from].begin > run.original.begin) from = 0;
      while (end_of(from) <= run.original.begin) ++from;
      for (Index at = run.original.begin; at < run.original.end; ++from) {
        const Run& under = before.runs_[from];
        const Index end = std::min(end_of(from), run.original.end), into = at - under.begin;
        const Index begin = run.begin + (at - run.original.begin);
        if (under.same)
          runs_.push_back({begin, {under.original.begin + into, under.original.begin + into + (end - at)}, true});
        else
          runs_.push_back({begin, under.original, false});
        at = end;
      }
      --from;
    }
  }
};

}  // namespace temper
