// SPDX-License-Identifier: MIT
// How fast the data report looks at rows on one thread, a JSON line a part: the scan of texts over FILE's lines (made
// up where there is no FILE), and what looks at tokens, over made-up rows. Bytes of tokens count four a token, about
// what the text behind them has.
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <string>
#include <string_view>
#include <vector>

#include "temper/core/random.hpp"
#include "temper/data/report/data_report.hpp"
#include "temper/io/file.hpp"

using namespace temper;

namespace {

double processor_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

template <class Work>
void measure(const char* what, double bytes, const Work& work) {
  std::vector<double> seconds;
  std::size_t found = 0;
  for (int round = 0; round < 5; ++round) {
    const double began = processor_seconds();
    found = work();
    seconds.push_back(processor_seconds() - began);
  }
  std::sort(seconds.begin(), seconds.end());
  std::printf(
      "{\"what\": \"%s\", \"megabytes\": %.1f, \"seconds\": %.3f, \"megabytes_per_second\": %.0f, \"found\": %zu}\n",
      what, bytes / 1e6, seconds[2], bytes / seconds[2] / 1e6, found);
}

// Words, numbers and some of what is looked for.
std::string made_up_text(std::size_t bytes) {
  static constexpr std::string_view words[] = {"the",  "model",      "learns",   "2024",       "what",
                                               "is",   "there, ",    "3.14",     "and",        "more.",
                                               "e.g.", "x@mail.org", "item 17;", "(see below)"};
  const Random random{1, random_site("bench text"), 0};
  std::string text;
  for (std::uint64_t i = 0; text.size() < bytes; ++i) {
    text += words[static_cast<std::size_t>(random.uniform(i) * 14)];
    text += i % 50 == 49 ? '\n' : ' ';
  }
  return text;
}

Dataset made_up_rows(std::size_t count, std::size_t length) {
  const Random random{2, random_site("bench rows"), 0};
  Dataset dataset;
  dataset.files = {"rows"};
  std::uint64_t element = 0;
  for (std::size_t i = 0; i < count; ++i) {
    Row row;
    for (std::size_t k = 0; k < length; ++k)
      row.tokens.push_back(static_cast<TokenId>(random.uniform(element++) * 30000));
    row.labels.assign(length, 1);
    row.line = static_cast<Index>(i + 1);
    dataset.rows.push_back(std::move(row));
  }
  return dataset;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string text = argc > 1 ? read_file(argv[1], std::size_t{1} << 30) : made_up_text(20000000);
  std::vector<Sample> samples;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    samples.emplace_back().text = text.substr(begin, end - begin);
    begin = end + 1;
  }
  measure("texts", static_cast<double>(text.size()), [&] {
    RowTextFindings findings;
    for (const Sample& sample : samples) findings.see(sample, "rows:1");
    std::vector<Finding> all;
    findings.add_findings(all);
    Index rows = 0;
    for (const Finding& finding : all) rows += finding.count;
    return static_cast<std::size_t>(rows);
  });
  const Dataset rows = made_up_rows(20000, 256);
  const double bytes = 4.0 * 20000 * 256;
  measure("equal rows", bytes, [&] {
    std::size_t found = 0;
    const std::vector<std::size_t> firsts = ExactDuplicates::firsts(rows);
    for (std::size_t i = 0; i < firsts.size(); ++i) found += firsts[i] != i;
    return found;
  });
  const std::vector<std::size_t> firsts = ExactDuplicates::firsts(rows);
  measure("nearly equal rows", bytes, [&] { return NearDuplicates::among(rows, firsts).size(); });
}
