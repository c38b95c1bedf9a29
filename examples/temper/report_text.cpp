// SPDX-License-Identifier: MIT
#include "report_text.hpp"

#include <algorithm>
#include <cmath>
#include <string_view>

#include "format.hpp"
#include "temper/io/printable.hpp"

namespace temper_cli {
namespace {

using temper::DataReport;
using temper::Finding;
using temper::Severity;

// Lines of at most the screen's columns, broken at spaces; each begins with 'margin' spaces and is coloured by itself.
std::string wrapped(const std::string& text, const Screen& screen, int margin, std::string_view colour) {
  const auto room = static_cast<std::size_t>(std::max(screen.width - margin, 20));
  std::string result;
  for (std::size_t begin = 0; begin < text.size();) {
    std::size_t end = text.size();
    if (end - begin > room) {
      end = text.rfind(' ', begin + room);
      if (end == std::string::npos || end <= begin) end = std::min(text.find(' ', begin), text.size());
    }
    result += std::string(static_cast<std::size_t>(margin), ' ') +
              coloured(screen, colour, std::string_view(text).substr(begin, end - begin)) + "\n";
    begin = end + 1;
  }
  return result;
}

// What does not fit is left out at the beginning, where paths are alike.
std::string tail(const std::string& text, std::size_t columns) {
  if (text.size() <= columns) return text;
  std::size_t begin = text.size() - columns + 3;
  while (begin < text.size() && (static_cast<unsigned char>(text[begin]) & 0xc0u) == 0x80u) ++begin;  // a whole letter
  return "..." + text.substr(begin);
}

std::string files_text(const DataReport& report, const Screen& screen) {
  const int name = std::clamp(screen.width - 65, 12, 60);  // what the other columns leave
  std::string text = coloured(screen, "1",
                              fmt::format("{:<{}}{:>9}{:>13}{:>13}{:>7}{:>9}", "files", name + 14, "rows", "tokens",
                                          "learned", "cut", "dropped")) +
                     "\n";
  for (const temper::FileCount& file : report.files)
    text += fmt::format(
        "  {:<11} {:<{}}{:>9}{:>13}{:>13}{:>7}{:>9}\n", file.side == temper::Side::training ? "training" : "validation",
        tail(near_paths(file.file), static_cast<std::size_t>(name - 1)), name, count_text(file.rows),
        count_text(file.tokens), count_text(file.learned), count_text(file.cut), count_text(file.dropped));
  return text;
}

std::string lengths_text(const DataReport& report, const Screen& screen) {
  const temper::LengthReport& lengths = report.lengths;
  std::string text = coloured(screen, "1", "lengths of training rows, in tokens") + "\n";
  text += wrapped(
      fmt::format("shortest {}, median {}, mean {:.1f}, 90 % {}, 95 % {}, 99 % {}, longest {}",
                  count_text(lengths.shortest), count_text(lengths.median), lengths.mean, count_text(lengths.p90),
                  count_text(lengths.p95), count_text(lengths.p99), count_text(lengths.longest)),
      screen, 2, "");
  temper::Index most = 1;
  for (const temper::LengthBar& bar : lengths.histogram) most = std::max(most, bar.rows);
  const int cells = std::clamp(screen.width - 50, 10, 50);
  for (const temper::LengthBar& bar : lengths.histogram) {
    const double share = static_cast<double>(bar.rows) / static_cast<double>(most);
    const int full = bar.rows == 0 ? 0 : std::max(1, static_cast<int>(std::lround(share * cells)));
    const bool is_limit = bar.from <= lengths.max_length && lengths.max_length <= bar.to;
    text += fmt::format("  {:>9} to {:<9} {} {:>9}{}\n", count_text(bar.from), count_text(bar.to),
                        coloured(screen, bar.from > lengths.max_length ? "33" : "32",
                                 fmt::format("{:<{}}", std::string(static_cast<std::size_t>(full), '#'), cells)),
                        count_text(bar.rows), is_limit ? "  max_length" : "");
  }
  std::string cut =
      fmt::format("max_length {} cuts {} of {} rows ({:.1f} %)", count_text(lengths.max_length),
                  count_text(lengths.cut), count_text(lengths.rows), temper::percent(lengths.cut, lengths.rows));
  if (lengths.advised > lengths.max_length)
    cut += fmt::format("; {} would cut fewer than 1 %", count_text(lengths.advised));
  return text + wrapped(cut, screen, 2, "");
}

std::string classes_text(const DataReport& report, const Screen& screen) {
  constexpr std::size_t shown = 20;
  std::string text = coloured(screen, "1", "classes") + "\n";
  for (std::size_t i = 0; i < std::min(report.classes.size(), shown); ++i)
    text +=
        fmt::format("  {:>9}  {}\n", count_text(report.classes[i].rows), temper::printable(report.classes[i].name, 60));
  if (report.classes.size() > shown) text += fmt::format("  and {} more\n", report.classes.size() - shown);
  return text;
}

std::string pairs_text(const temper::PairReport& pairs, const Screen& screen) {
  return coloured(screen, "1", "pairs") + "\n" +
         wrapped(fmt::format(
                     "chosen: {:.1f} learned tokens in the mean, longer in {} pairs; rejected: {:.1f}, longer in {}",
                     pairs.chosen_mean, count_text(pairs.chosen_longer), pairs.rejected_mean,
                     count_text(pairs.rejected_longer)),
                 screen, 2, "");
}

std::string places_text(const Finding& finding) {
  constexpr std::size_t shown = 3;
  std::string text;
  for (std::size_t i = 0; i < std::min(finding.places.size(), shown); ++i)
    text += (i == 0 ? "" : "; ") + near_paths(finding.places[i]);
  const auto rest = finding.count - static_cast<temper::Index>(shown);
  return finding.places.size() > shown ? text + fmt::format("; and {} more", count_text(rest)) : text;
}

std::string findings_text(const DataReport& report, const Screen& screen) {
  const auto warnings = std::count_if(report.findings.begin(), report.findings.end(),
                                      [](const Finding& f) { return f.severity == Severity::warning; });
  const auto notes = std::ssize(report.findings) - warnings;
  if (report.findings.empty()) return coloured(screen, "1;32", "findings: none") + "\n";
  std::string text = coloured(screen, "1",
                              fmt::format("findings: {} {}, {} {}", warnings, warnings == 1 ? "warning" : "warnings",
                                          notes, notes == 1 ? "note" : "notes")) +
                     "\n";
  for (const Finding& finding : report.findings) {
    const bool grave = finding.severity == Severity::warning;
    text += fmt::format("  {} {}\n", coloured(screen, grave ? "1;33" : "1;36", grave ? "warning" : "note   "),
                        coloured(screen, "1", finding.code));
    text += wrapped(finding.sentence, screen, 10, "");
    if (!finding.places.empty()) text += wrapped(places_text(finding), screen, 10, "2");
  }
  return text;
}

}  // namespace

std::string short_text(const Finding& finding) {
  const std::string first = finding.places.empty() ? "" : fmt::format(" ({})", near_paths(finding.places[0]));
  return fmt::format("{}: {}{}", finding.code, finding.sentence, first);
}

std::string report_text(const DataReport& report, const Screen& screen) {
  std::string text =
      coloured(screen, "1", "data") +
      fmt::format(": {} rows, {} for training", temper::name_of(report.format), count_text(report.training_rows));
  if (report.validation_rows > 0) text += fmt::format(", {} for validation", count_text(report.validation_rows));
  text += "\n" + files_text(report, screen) + lengths_text(report, screen);
  if (!report.classes.empty()) text += classes_text(report, screen);
  if (report.pairs.pairs > 0) text += pairs_text(report.pairs, screen);
  text += findings_text(report, screen);
  text.pop_back();
  return text;
}

Json to_json(const DataReport& report) {
  Json files = Json::array(), histogram = Json::array(), classes = Json::array(), findings = Json::array();
  for (const temper::FileCount& file : report.files)
    files.push_back({{"file", file.file},
                     {"side", file.side == temper::Side::training ? "training" : "validation"},
                     {"rows", file.rows},
                     {"tokens", file.tokens},
                     {"learned", file.learned},
                     {"cut", file.cut},
                     {"dropped", file.dropped}});
  const temper::LengthReport& lengths = report.lengths;
  for (const temper::LengthBar& bar : lengths.histogram)
    histogram.push_back({{"from", bar.from}, {"to", bar.to}, {"rows", bar.rows}});
  for (const temper::ClassCount& count : report.classes)
    classes.push_back({{"name", count.name}, {"rows", count.rows}});
  for (const Finding& finding : report.findings)
    findings.push_back({{"code", finding.code},
                        {"severity", temper::name_of(finding.severity)},
                        {"count", finding.count},
                        {"places", finding.places},
                        {"message", finding.sentence}});
  Json result = {{"format", temper::name_of(report.format)},
                 {"rows", {{"training", report.training_rows}, {"validation", report.validation_rows}}},
                 {"files", std::move(files)},
                 {"lengths",
                  {{"rows", lengths.rows},
                   {"tokens", lengths.tokens},
                   {"shortest", lengths.shortest},
                   {"median", lengths.median},
                   {"mean", lengths.mean},
                   {"p90", lengths.p90},
                   {"p95", lengths.p95},
                   {"p99", lengths.p99},
                   {"longest", lengths.longest},
                   {"max_length", lengths.max_length},
                   {"cut", lengths.cut},
                   {"advised_max_length", lengths.advised},
                   {"histogram", std::move(histogram)}}},
                 {"equal_rows", report.equal_rows},
                 {"nearly_equal_rows", report.near_rows},
                 {"overlapping_rows", report.overlap_rows}};
  if (!report.classes.empty()) result["classes"] = std::move(classes);
  if (report.pairs.pairs > 0)
    result["pairs"] = {{"pairs", report.pairs.pairs},
                       {"chosen_longer", report.pairs.chosen_longer},
                       {"rejected_longer", report.pairs.rejected_longer},
                       {"chosen_mean", report.pairs.chosen_mean},
                       {"rejected_mean", report.pairs.rejected_mean}};
  result["findings"] = std::move(findings);
  return result;
}

}  // namespace temper_cli
