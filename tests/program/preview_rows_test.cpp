// SPDX-License-Identifier: MIT
// What 'temper preview' prints of a row of each kind.
#include "preview_rows.hpp"

#include <doctest/doctest.h>

#include "support/row_files.hpp"

namespace temper_cli::preview_rows_test {

using temper::testing::row_tokenizer;

temper::Dataset dataset_of(std::string_view text) {
  const temper::testing::RowFiles files;
  return temper::load_rows(temper::testing::settings_for(files.write("a.jsonl", text)), row_tokenizer()).train;
}

TEST_CASE("preview rows: a row is its number, ids, labels and text") {
  const temper::Dataset rows = dataset_of("{\"text\": \"hello\"}");
  const PreviewRows preview(rows, row_tokenizer());
  CHECK(preview.count() == 1);
  const Json line = preview.json(0);
  CHECK(line["row"] == 1);
  CHECK(line["text"] == "hello</s>");
  CHECK(line["tokens"].size() == line["labels"].size());
  CHECK(line["labels"][0] == 0);
  CHECK(line["labels"].back() == 1);
  CHECK(preview.text(0, Screen{}).find("</s>>>") != std::string::npos);
}

TEST_CASE("preview rows: a preference is two sequences") {
  const temper::Dataset rows = dataset_of(R"({"prompt": "P", "chosen": "C", "rejected": "R"})");
  const PreviewRows preview(rows, row_tokenizer());
  const Json line = preview.json(0);
  CHECK(line["row"] == 1);
  for (const auto& [side, answer] : {std::pair{"chosen", "C"}, std::pair{"rejected", "R"}}) {
    CHECK(line[side]["text"] == "<s>### User:\nP\n\n### Assistant:\n" + std::string(answer) + "</s>\n\n");
    CHECK(line[side]["tokens"].size() == line[side]["labels"].size());
  }
  const std::string text = preview.text(0, Screen{});
  CHECK(text.find("chosen:\n<s>### User:\nP\n\n### Assistant:\n<<C</s>>>") != std::string::npos);
  CHECK(text.find("rejected:\n<s>### User:\nP\n\n### Assistant:\n<<R</s>>>") != std::string::npos);
}

TEST_CASE("preview rows: a classification has its label as the file says it") {
  const auto label = [](const char* text) {
    const temper::Dataset rows = dataset_of(text);
    const PreviewRows preview(rows, row_tokenizer());
    CHECK(preview.text(0, Screen{}).find("label " + temper::to_text(preview.json(0)["label"])) != std::string::npos);
    CHECK(preview.json(0)["text"] == "a");
    return temper::to_text(preview.json(0)["label"]);
  };
  CHECK(label(R"({"text": "a", "label": "x"})") == "\"x\"");
  CHECK(label(R"({"text": "a", "label": 3})") == "3");
  CHECK(label(R"({"text": "a", "label": 0.5})") == "0.5");
  CHECK(label(R"({"text": "a", "label": ["y", "x"]})") == R"(["x","y"])");
}

}  // namespace temper_cli::preview_rows_test
