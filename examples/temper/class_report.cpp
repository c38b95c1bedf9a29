// SPDX-License-Identifier: MIT
#include "class_report.hpp"

#include <fmt/format.h>

#include "temper/core/error.hpp"

namespace temper_cli {
namespace {

constexpr std::size_t widest_matrix = 512, widest_on_screen = 12;

Index cell(const temper::ClassTally& tally, std::size_t actual, std::size_t predicted) {
  const auto at = tally.confusions.find({static_cast<Index>(actual), static_cast<Index>(predicted)});
  return at == tally.confusions.end() ? 0 : at->second;
}

}  // namespace

Json class_report(const temper::ClassTally& tally, const temper::ScoreLabels& labels) {
  Json classes = Json::array();
  for (std::size_t c = 0; c < tally.counts.size(); ++c) {
    const temper::ClassOutcome& count = tally.counts[c];
    classes.push_back({{"label", labels.names.at(c)},
                       {"actual", count.actual},
                       {"predicted", count.predicted},
                       {"right", count.right},
                       {"f1", count.f1()}});
  }
  Json report{{"validation/classes", std::move(classes)}};
  if (labels.problem != temper::Problem::single_label) return report;
  Json matrix = Json::array();
  if (tally.counts.size() > widest_matrix) {
    for (const auto& [at, rows] : tally.confusions) matrix.push_back({at.first, at.second, rows});
    report["validation/confusion_cells"] = std::move(matrix);
    return report;
  }
  for (std::size_t actual = 0; actual < tally.counts.size(); ++actual) {
    Json row = Json::array();
    for (std::size_t predicted = 0; predicted < tally.counts.size(); ++predicted)
      row.push_back(cell(tally, actual, predicted));
    matrix.push_back(std::move(row));
  }
  report["validation/confusion"] = std::move(matrix);
  return report;
}

std::string class_text(const temper::ClassTally& tally, const temper::ScoreLabels& labels) {
  const bool matrix = labels.problem == temper::Problem::single_label && tally.counts.size() <= widest_on_screen;
  std::string text = fmt::format("macro F1 {:.4f}\n{:<20}  {:>7} {:>9} {:>7} {:>7}", tally.macro_f1(), "label",
                                 "actual", "predicted", "right", "F1");
  if (matrix) text += "   predicted as";
  for (std::size_t c = 0; matrix && c < tally.counts.size(); ++c) text += fmt::format(" {:>6}", c);
  for (std::size_t c = 0; c < tally.counts.size(); ++c) {
    const temper::ClassOutcome& count = tally.counts[c];
    text += fmt::format("\n{:<20}  {:>7} {:>9} {:>7} {:>7.4f}", temper::printable(labels.names.at(c), 20), count.actual,
                        count.predicted, count.right, count.f1());
    if (matrix) text += fmt::format("   {:>12}", c);
    for (std::size_t p = 0; matrix && p < tally.counts.size(); ++p) text += fmt::format(" {:>6}", cell(tally, c, p));
  }
  return text;
}

}  // namespace temper_cli
