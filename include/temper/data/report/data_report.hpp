// SPDX-License-Identifier: MIT
// The data report: over all rows, what a fine-tuning is about to learn, in numbers and findings. It watches while the
// rows are read (RowObserver), and looks at the tokens when they are there; it keeps no text.
#pragma once
#include "temper/data/report/label_balance.hpp"
#include "temper/data/report/lengths.hpp"
#include "temper/data/report/message_findings.hpp"
#include "temper/data/report/preference_pairs.hpp"
#include "temper/data/report/report_findings.hpp"
#include "temper/data/report/row_observer.hpp"
#include "temper/data/report/row_text_findings.hpp"

#include <algorithm>
#include <tuple>
#include <utility>
#include <vector>

namespace temper {

struct FileCount {
  Side side = Side::training;
  std::string file;
  Index rows = 0;  // as read: cut and dropped ones too
  Index tokens = 0, learned = 0, cut = 0, dropped = 0;
};

struct DataReport {
  RowFormat format = RowFormat::text;
  Index training_rows = 0, validation_rows = 0;  // without those that were dropped
  std::vector<FileCount> files;
  LengthReport lengths;  // of training rows; of a preference the longer side
  Index equal_rows = 0, near_rows = 0, overlap_rows = 0;
  std::vector<ClassCount> classes;
  PairReport pairs;
  std::vector<Finding> findings;  // warnings first
};

// Give it to load_rows, then ask for the report.
class DataReporter : public RowObserver {
 public:
  void see(const Sample& sample, const std::string& place) override {
    texts_.see(sample, place);
    messages_.see(sample, place);
  }

  void see(Side side, const SampleTokens& row, RowFormat format, const std::string& file) override {
    FileCount& count = count_of(side, file);
    Index length = row.first.length, tokens = std::ssize(row.first.tokens), learned = row.first.supervised();
    if (row.more) {
      length = std::max(length, row.more->rejected.length);
      tokens += std::ssize(row.more->rejected.tokens);
      learned += row.more->rejected.supervised();
    }
    ++count.rows;
    count.tokens += tokens;
    count.learned += learned;
    count.cut += row.truncated() ? 1 : 0;
    count.dropped += row.is_dropped(format) ? 1 : 0;
    if (row.truncated()) cut_.add(fmt::format("{}:{} ({} tokens)", file, row.line, length));
    if (side == Side::training) lengths_.add(length);
  }

  DataReport report(const DatasetPair& data, const DataSettings& settings, const Tokenizer& tokenizer) {
    DataReport report;
    report.format = data.train.format;
    report.training_rows = static_cast<Index>(data.train.size());
    report.validation_rows = static_cast<Index>(data.validation.size());
    report.files = files_;
    report.lengths = lengths_.report(settings.max_length);
    report.overlap_rows = data.overlap.rows;
    report.classes = count_classes(data.train);
    report.pairs = report_on_pairs(data.train);

    ReportFindings findings;
    findings.on_size(report.training_rows);
    findings.on_lengths(report.lengths, cut_);
    findings.on_dropped(data);
    findings.on_ends(data, tokenizer);
    std::tie(report.equal_rows, report.near_rows) = findings.on_duplicates(data.train);
    findings.on_overlap(data);
    findings.on_classes(report.classes);
    findings.on_pairs(report.pairs);
    messages_.add_findings(findings.all, settings.chat_template      ? std::string_view(*settings.chat_template)
                                         : tokenizer.chat_template() ? std::string_view(*tokenizer.chat_template())
                                                                     : std::string_view());
    texts_.add_findings(findings.all);
    std::stable_sort(findings.all.begin(), findings.all.end(), [](const Finding& a, const Finding& b) {
      return a.severity == Severity::warning && b.severity != Severity::warning;
    });
    report.findings = std::move(findings.all);
    return report;
  }

 private:
  // Rows come file by file, so mostly it is the last one.
  FileCount& count_of(Side side, const std::string& file) {
    const auto is_it = [&](const FileCount& count) { return count.side == side && count.file == file; };
    if (last_ < files_.size() && is_it(files_[last_])) return files_[last_];
    const auto found = std::find_if(files_.begin(), files_.end(), is_it);
    last_ = static_cast<std::size_t>(found - files_.begin());
    return found == files_.end() ? files_.emplace_back(FileCount{side, file}) : *found;
  }

  RowTextFindings texts_;
  MessageFindings messages_;
  std::vector<FileCount> files_;
  std::size_t last_ = 0;  // of files_: whose row came last
  Lengths lengths_;
  FoundPlaces cut_;
};

}  // namespace temper
