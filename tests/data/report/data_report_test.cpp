// SPDX-License-Identifier: MIT
// Each finding through the reader of rows: data that has it, with its place, and data that has not.
#include "temper/data/report/data_report.hpp"
#include <doctest/doctest.h>

#include "support/row_files.hpp"
#include "temper/core/random.hpp"

namespace temper::data_report_test {

using testing::row_tokenizer;
using testing::RowFiles;
using testing::settings_for;

DataReport report_on(const DataSettings& settings) {
  // [report]
  DataReporter reporter;
  const DatasetPair rows = load_rows(settings, row_tokenizer(), open_rows, &reporter);
  return reporter.report(rows, settings, row_tokenizer());
  // [/report]
}

const Finding* find(const DataReport& report, std::string_view code) {
  for (const Finding& finding : report.findings)
    if (finding.code == code) return &finding;
  return nullptr;
}

// Rows without any finding: numbers that differ, and a few words.
std::string sound_text(std::uint64_t row) {
  const Random random{row, random_site("data report test"), 0};
  std::string text;
  for (std::uint64_t i = 0; i < 12; ++i) text += std::string(1, static_cast<char>('a' + random.uniform(i) * 26)) + "q ";
  return text + std::to_string(row);
}
std::string sound_rows(int count) {
  std::string rows;
  for (int i = 0; i < count; ++i)
    rows += Json{{"prompt", sound_text(static_cast<std::uint64_t>(i))}, {"completion", "A"}}.dump() + "\n";
  return rows;
}
std::string row_of(std::string_view prompt, std::string_view completion) {
  return Json{{"prompt", prompt}, {"completion", completion}}.dump() + "\n";
}

struct Report {
  RowFiles files;
  DataReport of(const std::string& rows, Index max_length = 2048) const {
    DataSettings settings = settings_for(files.write("a.jsonl", rows));
    settings.max_length = max_length;
    return report_on(settings);
  }
};

TEST_CASE("data report: a thousand sound rows have no finding") {
  const DataReport report = Report().of(sound_rows(1000));
  for (const Finding& finding : report.findings) MESSAGE(finding.code << ": " << finding.sentence);
  CHECK(report.findings.empty());
  CHECK(report.training_rows == 1000);
  CHECK(report.format == RowFormat::instruction);
  REQUIRE(report.files.size() == 1);
  CHECK(report.files[0].rows == 1000);
  CHECK(report.files[0].tokens == report.lengths.tokens);
  CHECK(report.files[0].learned < report.files[0].tokens);
}

TEST_CASE("data report: few rows are a warning, some a note") {
  CHECK(find(Report().of(sound_rows(99)), "few_rows")->severity == Severity::warning);
  CHECK(find(Report().of(sound_rows(100)), "few_rows")->severity == Severity::note);
  CHECK(find(Report().of(sound_rows(1000)), "few_rows") == nullptr);
}

TEST_CASE("data report: rows that are cut or dropped are named, with a better max_length") {
  std::string words;
  for (int i = 0; i < 60; ++i) words += "word ";
  const DataReport report = Report().of(row_of("a", words) + row_of(words, "b") + row_of("a", "b"), 60);
  const Finding* cut = find(report, "rows_cut");
  REQUIRE(cut);
  CHECK(cut->count == 2);
  CHECK(cut->severity == Severity::warning);
  CHECK(cut->places[0].find("a.jsonl:1 (") != std::string::npos);
  CHECK(cut->sentence.find("raise max_length to ") != std::string::npos);
  const Finding* dropped = find(report, "rows_dropped");
  REQUIRE(dropped);
  CHECK(dropped->count == 1);
  CHECK(dropped->places[0].ends_with("a.jsonl:2"));
  CHECK(report.lengths.cut == 2);
  CHECK(report.lengths.advised == report.lengths.longest);
  CHECK(report.files[0].cut == 2);
  CHECK(report.files[0].dropped == 1);
  // The one that remains has lost its end; the report says why.
  const Finding* end = find(report, "end_unlearned");
  REQUIRE(end);
  CHECK(end->count == 1);
  CHECK(end->sentence.find("because they were cut") != std::string::npos);
}

TEST_CASE("data report: rows that teach no end, and rows that teach another end") {
  const Report files;
  DataSettings settings = settings_for(files.files.write("a.jsonl", sound_rows(3)));
  const auto with = [&](const std::string& end) {
    settings.chat_template =
        "{{ messages[0].content }}{% generation %}{{ messages[1].content }}" + end + "{% endgeneration %}";
    return report_on(settings);
  };
  CHECK(find(with("</s>"), "end_unlearned") == nullptr);
  CHECK(find(with("</s>"), "other_end") == nullptr);
  const DataReport open = with("");
  REQUIRE(find(open, "end_unlearned"));
  CHECK(find(open, "end_unlearned")->count == 3);
  CHECK(find(open, "end_unlearned")->severity == Severity::warning);
  const DataReport other = with("<s>");
  CHECK(find(other, "end_unlearned") == nullptr);
  REQUIRE(find(other, "other_end"));
  CHECK(find(other, "other_end")->sentence.find("'<s>'") != std::string::npos);
}

TEST_CASE("data report: two begin tokens") {
  CHECK(find(Report().of("{\"text\": \"<s>one\"}\n"), "begin_twice") == nullptr);
  const DataReport report = Report().of("{\"text\": \"one\"}\n{\"text\": \"<s><s>two\"}\n");
  REQUIRE(find(report, "begin_twice"));
  CHECK(find(report, "begin_twice")->places[0].ends_with("a.jsonl:2"));
}

TEST_CASE("data report: equal rows are a note, above a tenth a warning") {
  const DataReport few = Report().of(sound_rows(20) + sound_rows(2));
  REQUIRE(find(few, "rows_equal"));
  CHECK(few.equal_rows == 2);
  CHECK(find(few, "rows_equal")->severity == Severity::note);
  CHECK(find(few, "rows_equal")->places[0].find("a.jsonl:21 equals ") != std::string::npos);
  CHECK(find(Report().of(sound_rows(20) + sound_rows(3)), "rows_equal")->severity == Severity::warning);
}

TEST_CASE("data report: rows that are nearly another") {
  std::string text = "{\"text\": \"";
  for (int i = 0; i < 100; ++i) text += std::to_string(i * 7919 % 1000) + " ";
  const DataReport report = Report().of(text + "x\"}\n{\"text\": \"other\"}\n" + text + "y\"}\n");
  REQUIRE(find(report, "rows_nearly_equal"));
  CHECK(report.near_rows == 1);
  CHECK(find(report, "rows_nearly_equal")->places[0].find("a.jsonl:3 is nearly ") != std::string::npos);
}

TEST_CASE("data report: validation rows that are trained on, counted by side") {
  const RowFiles files;
  DataSettings settings = settings_for(files.write("a.jsonl", sound_rows(20)));
  settings.validation = {files.write("b.jsonl", row_of("x", "y") + sound_rows(2))};
  const DataReport report = report_on(settings);
  REQUIRE(find(report, "validation_overlap"));
  CHECK(report.overlap_rows == 2);
  CHECK(find(report, "validation_overlap")->places[0].find("b.jsonl:2 equals ") != std::string::npos);
  REQUIRE(report.files.size() == 2);
  CHECK(report.files[1].side == Side::validation);
  CHECK(report.files[1].rows == 3);
  CHECK(report.lengths.rows == 20);
  settings.validation = {files.write("c.jsonl", row_of("x", "y"))};
  CHECK(find(report_on(settings), "validation_overlap") == nullptr);
  // A fraction is of the same file, and belongs to the other side.
  settings.validation.clear();
  settings.validation_fraction = 0.25;
  const DataReport split = report_on(settings);
  REQUIRE(split.files.size() == 2);
  CHECK(split.files[0].rows == 15);
  CHECK(split.files[1].rows == 5);
}

TEST_CASE("data report: classes of more than ten to one") {
  const auto rows = [](int many, int few) {
    std::string text;
    for (int i = 0; i < many + few; ++i)
      text +=
          Json{{"text", sound_text(static_cast<std::uint64_t>(i))}, {"label", i < many ? "yes" : "no"}}.dump() + "\n";
    return text;
  };
  const DataReport uneven = Report().of(rows(31, 3));
  REQUIRE(find(uneven, "classes_unbalanced"));
  CHECK(find(uneven, "classes_unbalanced")->sentence.find("'yes' has 31 training rows, 'no' has 3") !=
        std::string::npos);
  CHECK(uneven.classes[0].name == "yes");
  CHECK(uneven.classes[1].rows == 3);
  CHECK(find(uneven, "end_unlearned") == nullptr);
  CHECK(find(Report().of(rows(30, 3)), "classes_unbalanced") == nullptr);
}

TEST_CASE("data report: pairs of equal sides, and of longer answers") {
  const auto pairs = [](int count, std::string_view chosen, std::string_view rejected) {
    std::string text;
    for (int i = 0; i < count; ++i)
      text += Json{{"prompt", sound_text(static_cast<std::uint64_t>(i))}, {"chosen", chosen}, {"rejected", rejected}}
                  .dump() +
              "\n";
    return text;
  };
  const DataReport equal = Report().of(pairs(1, "a", "a") + pairs(1, "a", "b"));
  REQUIRE(find(equal, "sides_equal"));
  CHECK(find(equal, "sides_equal")->count == 1);
  CHECK(find(equal, "sides_equal")->places[0].ends_with("a.jsonl:1"));
  CHECK(find(Report().of(pairs(20, "a", "b")), "sides_equal") == nullptr);
  CHECK(find(Report().of(pairs(20, "a", "b")), "length_bias") == nullptr);
  const DataReport longer = Report().of(pairs(20, "a b c d e f g h i j", "b"));
  REQUIRE(find(longer, "length_bias"));
  CHECK(find(longer, "length_bias")->sentence.find("100 % of the pairs the chosen side") != std::string::npos);
  CHECK(longer.pairs.chosen_longer == 20);
  CHECK(find(Report().of(pairs(20, "b", "a b c d e f g h i j")), "length_bias")
            ->sentence.find("the rejected side is the longer") != std::string::npos);
  CHECK(find(Report().of(pairs(19, "a b c d e f g h i j", "b")), "length_bias") == nullptr);
}

TEST_CASE("data report: personal data is placed and never printed") {
  const DataReport report = Report().of(row_of("hello", "world") + row_of("mail jane@host.example", "+49 30 1234567") +
                                        row_of("4111 1111 1111 1111", "DE89 3704 0044 0532 0130 00"));
  for (const auto& [code, shown] :
       {std::pair("email_addresses", "a.jsonl:2 (j***@***.example)"), std::pair("phone_numbers", "a.jsonl:2 (+4***67)"),
        std::pair("card_numbers", "a.jsonl:3 (***1111)"), std::pair("bank_accounts", "a.jsonl:3 (DE***00)")}) {
    REQUIRE(find(report, code));
    CHECK(find(report, code)->severity == Severity::warning);
    CHECK(find(report, code)->count == 1);
    CHECK(find(report, code)->places[0].ends_with(shown));
  }
}

TEST_CASE("data report: unusual characters are placed, in any text of a row") {
  const std::string rows = row_of("a", "b") + R"({"prompt": "a\u0007", "completion": "b\ufffd"})" + "\n" +
                           R"({"prompt": "a\ue000\u202e", "completion": "b\u200b"})" + "\n";
  const DataReport report = Report().of(rows);
  for (const auto& [code, shown] : {std::pair("control_characters", "a.jsonl:2 (U+0007)"),
                                    std::pair("replacement_characters", "a.jsonl:2 (U+FFFD)"),
                                    std::pair("private_use_characters", "a.jsonl:3 (U+E000)"),
                                    std::pair("direction_overrides", "a.jsonl:3 (U+202E)"),
                                    std::pair("invisible_characters", "a.jsonl:3 (U+200B)")}) {
    REQUIRE(find(report, code));
    CHECK(find(report, code)->places[0].ends_with(shown));
  }
  const DataReport chat =
      Report().of(R"({"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b x@y.org"}]})"
                  "\n");
  CHECK(find(chat, "email_addresses") != nullptr);
  const DataReport pair = Report().of(R"({"prompt": "a", "chosen": "b", "rejected": "x@y.org"})"
                                      "\n");
  CHECK(find(pair, "email_addresses") != nullptr);
}

TEST_CASE("data report: warnings come first, and the report does not depend on threads") {
  const RowFiles files;
  DataSettings settings = settings_for(files.write("a.jsonl", sound_rows(150) + sound_rows(40)));
  const DataReport one = report_on(settings);
  settings.threads = 3;
  const DataReport three = report_on(settings);
  REQUIRE(one.findings.size() == 2);
  CHECK(one.findings[0].severity == Severity::warning);
  CHECK(one.findings[1].severity == Severity::note);
  REQUIRE(three.findings.size() == 2);
  for (std::size_t i = 0; i < 2; ++i) {
    CHECK(one.findings[i].sentence == three.findings[i].sentence);
    CHECK(one.findings[i].places == three.findings[i].places);
  }
}

}  // namespace temper::data_report_test
