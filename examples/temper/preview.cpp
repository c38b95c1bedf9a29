// SPDX-License-Identifier: MIT
// 'temper preview': rows as they will be trained, in training order; what is learned is coloured, or, without colour,
// set between double angles.
#include <unistd.h>

#include "commands.hpp"
#include "engine.hpp"
#include "exit_code.hpp"
#include "metrics.hpp"
#include "run_data.hpp"

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

// Runs of tokens that are all learned or all not.
std::string labelled_text(const Screen& screen, const temper::Tokenizer& tokenizer, const temper::Row& row) {
  std::string result;
  for (std::size_t begin = 0; begin < row.tokens.size();) {
    std::size_t end = begin;
    while (end < row.tokens.size() && row.labels[end] == row.labels[begin]) ++end;
    const std::string part =
        shown_text(tokenizer.decode(std::span(row.tokens).subspan(begin, end - begin), temper::SpecialTokens::added));
    if (row.labels[begin] == 0) {
      result += coloured(screen, "2", part);
    } else {
      result += screen.colour ? coloured(screen, "1;32", part) : "<<" + part + ">>";
    }
    begin = end;
  }
  return result;
}

}  // namespace

int preview(const PreviewOptions& options) {
  Recipe recipe = Recipe::read(options.recipe, options.set);
  require_model_folder(recipe.path("model"));
  if (options.validation && !recipe.has("data.validation"))
    recipe.refuse("data.validation", "there are no validation rows; expected data.validation to be set");
  const RunData data(recipe, today());
  Reporter reporter;
  data.report(reporter);
  const temper::Dataset& rows = options.validation ? data.validation() : data.train();
  const std::vector<Index> order = options.validation ? data.validation_order() : data.training_order();
  const Screen screen = Screen::of(STDOUT_FILENO);
  const Index count = std::min<Index>(std::ssize(rows.rows), options.rows.value_or(std::ssize(rows.rows)));
  for (Index i = 0; i < count; ++i) {
    const temper::Row& row = rows.rows[static_cast<std::size_t>(order[static_cast<std::size_t>(i)])];
    if (options.json) {
      const std::string text = data.tokenizer().decode(row.tokens, temper::SpecialTokens::added);
      print_line(
          temper::to_text({{"row", row.number}, {"tokens", row.tokens}, {"labels", row.labels}, {"text", text}}));
      continue;
    }
    Index learned = 0;
    for (const std::uint8_t label : row.labels) learned += label;
    print_line(coloured(screen, "1;36",
                        fmt::format("row {} ({}): {} tokens, {} learned{}", row.number, rows.place(row),
                                    row.tokens.size(), learned, row.truncated ? ", cut" : "")));
    print_line(labelled_text(screen, data.tokenizer(), row) + "\n");
  }
  return done;
}

}  // namespace temper_cli
