// SPDX-License-Identifier: MIT
// Samples to token rows, a block at a time and on several threads; samples themselves are kept no longer than that. A
// block is as large as its count or its text says, never as the number of threads, so failures too are the same for
// every number.
#pragma once
#include "temper/data/parallel_rows.hpp"
#include "temper/data/row_tokens.hpp"

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace temper {

// A sample when it is tokens. The second sequence and the label are there where the format has them.
struct SampleTokens {
  struct More {
    TokenRow rejected;
    LabelValue label;
    std::string expected;  // the right answer to a prompt
  };
  TokenRow first;
  std::unique_ptr<More> more;
  Index number = 1, file = 0, line = 1;

  bool truncated() const { return first.truncated || (more && more->rejected.truncated); }
  bool unlearned_end() const { return first.unlearned_end || (more && more->rejected.unlearned_end); }
  bool is_dropped(RowFormat format) const {
    if (format == RowFormat::classification) return first.tokens.empty();
    if (format == RowFormat::prompt) return first.tokens.empty() || first.truncated;
    return first.supervised() == 0 || (format == RowFormat::preference && more->rejected.supervised() == 0);
  }
};

class RowTokenizer {
 public:
  RowTokenizer(const DataSettings& settings, const Tokenizer& tokenizer) {
    for (int i = 0; i < std::max(1, settings.threads); ++i)
      workers_.push_back(std::make_unique<RowTokens>(settings, tokenizer));
  }

  // 'place' is what messages about the sample begin with.
  void add(Sample sample, SampleTokens tokens, std::string place, RowFormat format) {
    format_ = format;
    bytes_ += size_of(sample);
    pending_.push_back({std::move(sample), std::move(tokens), std::move(place)});
    if (pending_.size() >= block_rows || bytes_ >= block_bytes) flush();
  }

  void flush() {
    for_each_row(pending_.size(), workers_.size(),
                 [&](std::size_t worker, std::size_t i) { tokenize(*workers_[worker], pending_[i]); });
    for (Pending& row : pending_) done_.push_back(std::move(row.tokens));
    pending_.clear();
    bytes_ = 0;
  }

  // All that were added, in that order.
  std::vector<SampleTokens> take() {
    flush();
    return std::exchange(done_, {});
  }

 private:
  static constexpr std::size_t block_rows = 1024, block_bytes = std::size_t{32} << 20;

  struct Pending {
    Sample sample;
    SampleTokens tokens;
    std::string place;
  };

  // What the template or the tokenizer says about a row gets the row's place.
  void tokenize(RowTokens& row_tokens, Pending& row) const {
    try {
      if (format_ == RowFormat::preference) {
        row.tokens.first = row_tokens.side(row.sample.messages, row.sample);
        row.tokens.more = std::make_unique<SampleTokens::More>();
        row.tokens.more->rejected = row_tokens.side(row.sample.rejected, row.sample);
      } else if (format_ == RowFormat::classification) {
        row.tokens.first = row_tokens.classified(row.sample);
        row.tokens.more = std::make_unique<SampleTokens::More>();
        row.tokens.more->label = std::move(row.sample.label);
      } else if (format_ == RowFormat::prompt) {
        row.tokens.first = row_tokens.prompt(row.sample);
        row.tokens.more = std::make_unique<SampleTokens::More>();
        row.tokens.more->expected = std::move(row.sample.expected);
      } else {
        row.tokens.first = row_tokens.row(row.sample);
      }
    } catch (const Error& error) {
      constexpr std::string_view name = "temper: ";
      std::string_view sentence = error.what();
      if (sentence.starts_with(name)) sentence.remove_prefix(name.size());
      throw Error(error.fault(), error.code(), fmt::format("{}: {}", row.place, sentence));
    }
  }

  std::vector<std::unique_ptr<RowTokens>> workers_;  // one a thread: each has its own caches
  RowFormat format_ = RowFormat::text;
  std::vector<Pending> pending_;
  std::size_t bytes_ = 0;
  std::vector<SampleTokens> done_;
};

}  // namespace temper
