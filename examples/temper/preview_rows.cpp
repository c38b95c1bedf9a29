// SPDX-License-Identifier: MIT
#include "preview_rows.hpp"

#include <algorithm>

#include "format.hpp"

namespace temper_cli {
namespace {

// Control characters of a row would move the cursor; line breaks and tabs are wanted.
std::string shown_text(const std::string& text) {
  std::string shown;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = text.find_first_of("\n\t", begin);
    shown += temper::printable(std::string_view(text).substr(begin, end - begin), std::string::npos);
    if (end == std::string::npos) break;
    shown += text[end];
    begin = end + 1;
  }
  return shown;
}

Index learned(const std::vector<std::uint8_t>& labels) {
  return static_cast<Index>(std::count(labels.begin(), labels.end(), std::uint8_t{1}));
}

}  // namespace

Json PreviewRows::sequence(const Tokens& tokens, const Labels& labels) const {
  return {{"tokens", tokens}, {"labels", labels}, {"text", tokenizer_.decode(tokens, temper::SpecialTokens::added)}};
}

Json PreviewRows::json(Index row) const {
  const auto at = static_cast<std::size_t>(row);
  Json line;
  if (!rows_.preferences.empty()) {
    const temper::PreferenceRow& pair = rows_.preferences[at];
    line["row"] = pair.number;
    line["chosen"] = sequence(pair.chosen.tokens, pair.chosen.labels);
    line["rejected"] = sequence(pair.rejected.tokens, pair.rejected.labels);
  } else if (!rows_.classifications.empty()) {
    const temper::ClassificationRow& classified = rows_.classifications[at];
    line["row"] = classified.number;
    line.update(sequence(classified.tokens, Labels(classified.tokens.size(), 0)));
    line["label"] = rows_.labels.shown(classified.classes, classified.value);
  } else if (!rows_.prompts.empty()) {
    const temper::PromptRow& prompt = rows_.prompts[at];
    line["row"] = prompt.number;
    line.update(sequence(prompt.tokens, Labels(prompt.tokens.size(), 0)));
    if (!prompt.expected.empty()) line["expected"] = prompt.expected;
  } else {
    line["row"] = rows_.rows[at].number;
    line.update(sequence(rows_.rows[at].tokens, rows_.rows[at].labels));
  }
  return line;
}

// Runs of tokens that are all learned or all not.
std::string PreviewRows::labelled_text(const Tokens& tokens, const Labels& labels, const Screen& screen) const {
  std::string result;
  for (std::size_t begin = 0; begin < tokens.size();) {
    std::size_t end = begin;
    while (end < tokens.size() && labels[end] == labels[begin]) ++end;
    const std::string part =
        shown_text(tokenizer_.decode(std::span(tokens).subspan(begin, end - begin), temper::SpecialTokens::added));
    if (labels[begin] == 0) {
      result += coloured(screen, "2", part);
    } else {
      result += screen.colour ? coloured(screen, "1;32", part) : "<<" + part + ">>";
    }
    begin = end;
  }
  return result + "\n";
}

template <class AnyRow>
std::string PreviewRows::title(const AnyRow& row, const std::string& what, const Screen& screen) const {
  return coloured(screen, "1;36",
                  fmt::format("row {} ({}): {}{}", row.number, near_paths(rows_.place(row)), what,
                              row.truncated ? ", cut" : "")) +
         "\n";
}

std::string PreviewRows::text(Index row, const Screen& screen) const {
  const auto at = static_cast<std::size_t>(row);
  const auto counts = [](const auto& sequence) {
    return fmt::format("{} tokens, {} learned", sequence.tokens.size(), learned(sequence.labels));
  };
  if (!rows_.preferences.empty()) {
    const temper::PreferenceRow& pair = rows_.preferences[at];
    return title(pair, fmt::format("chosen {}; rejected {}", counts(pair.chosen), counts(pair.rejected)), screen) +
           coloured(screen, "1;36", "chosen:") + "\n" + labelled_text(pair.chosen.tokens, pair.chosen.labels, screen) +
           coloured(screen, "1;36", "rejected:") + "\n" +
           labelled_text(pair.rejected.tokens, pair.rejected.labels, screen);
  }
  if (!rows_.classifications.empty()) {
    const temper::ClassificationRow& classified = rows_.classifications[at];
    const std::string label = temper::to_text(rows_.labels.shown(classified.classes, classified.value));
    return title(classified,
                 fmt::format("{} tokens, label {}", classified.tokens.size(), temper::printable(label, 200)), screen) +
           labelled_text(classified.tokens, Labels(classified.tokens.size(), 0), screen);
  }
  if (!rows_.prompts.empty()) {
    const temper::PromptRow& prompt = rows_.prompts[at];
    const std::string expected = prompt.expected.empty() ? "" : ", expected " + temper::printable(prompt.expected, 200);
    return title(prompt, fmt::format("a prompt of {} tokens{}", prompt.tokens.size(), expected), screen) +
           labelled_text(prompt.tokens, Labels(prompt.tokens.size(), 0), screen);
  }
  return title(rows_.rows[at], counts(rows_.rows[at]), screen) +
         labelled_text(rows_.rows[at].tokens, rows_.rows[at].labels, screen);
}

}  // namespace temper_cli
