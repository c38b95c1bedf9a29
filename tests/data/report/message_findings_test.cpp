// SPDX-License-Identifier: MIT
// Conversations through the reader of rows: unusual roles and empty answers, with their places, and what is neither.
#include "temper/data/report/message_findings.hpp"
#include <doctest/doctest.h>

#include "support/row_files.hpp"
#include "temper/data/report/data_report.hpp"

namespace temper::message_findings_test {

using testing::row_tokenizer;
using testing::RowFiles;
using testing::settings_for;

DataReport report_on(const DataSettings& settings) {
  DataReporter reporter;
  const DatasetPair rows = load_rows(settings, row_tokenizer(), open_rows, &reporter);
  return reporter.report(rows, settings, row_tokenizer());
}
const Finding* find(const DataReport& report, std::string_view code) {
  for (const Finding& finding : report.findings)
    if (finding.code == code) return &finding;
  return nullptr;
}
std::string row_of(std::string_view prompt, std::string_view completion) {
  return Json{{"prompt", prompt}, {"completion", completion}}.dump() + "\n";
}
struct Report {
  RowFiles files;
  DataReport of(const std::string& rows) const { return report_on(settings_for(files.write("a.jsonl", rows))); }
};

std::string turns(const Json& messages) { return Json{{"messages", messages}}.dump() + "\n"; }
Json turn(std::string_view role, const Json& content) { return Json{{"role", role}, {"content", content}}; }

TEST_CASE("message findings: roles that templates do not know are named, once a row, with what to call them") {
  const std::string sound = turns({turn("system", "s"), turn("user", "a"), turn("assistant", "b"), turn("tool", "c"),
                                   turn("developer", "d"), turn("ipython", "e")});
  CHECK(find(Report().of(sound), "roles_unusual") == nullptr);
  const std::string strange = turns({turn("human", "a"), turn("gpt", "x"), turn("human", "b"), turn("assistant", "c")});
  const DataReport report = Report().of(sound + strange + strange + turns({turn("bot", "a"), turn("assistant", "b")}));
  const Finding* roles = find(report, "roles_unusual");
  REQUIRE(roles);
  CHECK(roles->severity == Severity::warning);
  CHECK(roles->count == 3);
  REQUIRE(roles->places.size() == 3);
  CHECK(roles->places[1].ends_with("a.jsonl:2 ('human')"));
  CHECK(roles->sentence.starts_with("3 rows have messages of unusual roles ('bot', 'gpt', 'human')"));
  CHECK(roles->sentence.find("'conversations' with 'from' and 'value'") != std::string::npos);

  // The names of ShareGPT in its own fields are read, and a template may know any.
  CHECK(find(Report().of(R"({"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]})"
                         "\n"),
             "roles_unusual") == nullptr);
  const Report files;
  DataSettings settings = settings_for(files.files.write("a.jsonl", turns({turn("bot", "a"), turn("assistant", "b")})));
  settings.chat_template =
      "{% for m in messages %}{% if m.role == 'bot' %}B{% endif %}{% generation %}{{ m.content }}</s>"
      "{% endgeneration %}{% endfor %}";
  CHECK(find(report_on(settings), "roles_unusual") == nullptr);
}

TEST_CASE("message findings: answers that say nothing") {
  const Json call = {
      {"role", "assistant"},
      {"content", nullptr},
      {"tool_calls",
       Json::array({{{"type", "function"}, {"function", {{"name", "f"}, {"arguments", Json::object()}}}}})}};
  const DataReport sound = Report().of(turns({turn("user", ""), call, turn("tool", ""), turn("assistant", "b")}));
  CHECK(find(sound, "answers_empty") == nullptr);
  const DataReport report = Report().of(row_of("a", "b") + row_of("a", " \n\t") + row_of("b", ""));
  const Finding* empty = find(report, "answers_empty");
  REQUIRE(empty);
  CHECK(empty->severity == Severity::warning);
  CHECK(empty->count == 2);
  CHECK(empty->places[0].ends_with("a.jsonl:2"));
  const Json blank{{"type", "text"}, {"text", " "}};
  CHECK(find(Report().of(turns({turn("user", "a"), turn("assistant", Json::array({blank}))})), "answers_empty"));
  const DataReport pair = Report().of(R"({"prompt": "a", "chosen": "b", "rejected": " "})"
                                      "\n");
  REQUIRE(find(pair, "answers_empty"));
  CHECK(find(pair, "answers_empty")->sentence.starts_with("1 row has an answer that is empty or white space"));
}

}  // namespace temper::message_findings_test
