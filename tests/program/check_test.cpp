// SPDX-License-Identifier: MIT
// 'temper check', and what of it 'plan' and 'train' say.
#include <doctest/doctest.h>

#include "program/program.hpp"
#include "program/tiny_model.hpp"

namespace check_test {

using namespace temper_test;

bool holds(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

const std::string mail_row = R"({"prompt": "mail jane@host.example", "completion": "yes"})"
                             "\n";

TEST_CASE("check: the report as JSON, with every number and finding") {
  TinyRun tiny(24);
  write_text(tiny / "train.jsonl", tiny_rows(24) + tiny_rows(4) + mail_row);
  tiny.recipe["data"]["max_length"] = 512;
  const Finished finished = run_program({"check", tiny.write_recipe().string(), "--json"});
  INFO(finished.err);
  REQUIRE(finished.code == 0);
  CHECK(finished.err.empty());
  const Json report = finished.json();
  CHECK(report["format"] == "instruction");
  CHECK(report["rows"]["training"] == 29);
  CHECK(report["equal_rows"] == 4);
  CHECK(report["files"][0]["rows"] == 29);
  CHECK(report["lengths"]["cut"] == 0);
  CHECK(report["lengths"]["max_length"] == 512);
  std::vector<std::string> codes;
  for (const Json& finding : report["findings"]) {
    codes.push_back(finding["code"].get<std::string>());
    CHECK(finding["severity"] == "warning");
  }
  CHECK(codes == std::vector<std::string>{"few_rows", "rows_equal", "email_addresses"});
  CHECK(report["findings"][2]["count"] == 1);
  CHECK(report["findings"][2]["places"][0].get<std::string>().ends_with("train.jsonl:29 (j***@***.example)"));
  CHECK(!holds(finished.out, "jane"));
}

TEST_CASE("check: the page for people, without control characters, no wider than 100 columns") {
  TinyRun tiny(24);
  write_text(tiny / "train.jsonl", tiny_rows(24) + mail_row);
  const Finished finished = run_program({"check", tiny.write_recipe().string()});
  REQUIRE(finished.code == 0);
  for (const char* part : {"instruction rows, 25 for training", "max_length 64 cuts ", "findings: ", "warning few_rows",
                           "warning email_addresses", "train.jsonl:25 (j***@***.example)", "####"})
    CHECK_MESSAGE(holds(finished.out, part), part);
  for (const char c : finished.out) CHECK((c == '\n' || static_cast<unsigned char>(c) >= 32));
}

TEST_CASE("check: rows that cannot be read are 76, and nothing is made on disk") {
  TinyRun tiny(3);
  write_text(tiny / "train.jsonl", tiny_rows(3) + "{\"prompt\": 1, \"completion\": \"x\"}\n");
  const Finished finished = run_program({"check", tiny.write_recipe().string()});
  CHECK(finished.code == 76);
  CHECK(holds(finished.err, "train.jsonl:4: field 'prompt' is 1"));
  CHECK(finished.out.empty());
  CHECK(!fs::exists(tiny / "run"));
}

TEST_CASE("plan and train: say the warnings of the report, and go on") {
  TinyRun tiny(24);
  write_text(tiny / "train.jsonl", tiny_rows(24) + mail_row);
  tiny.recipe["training"]["max_steps"] = 1;
  for (const char* verb : {"plan", "train"}) {
    const Finished finished = run_program({verb, tiny.write_recipe().string()});
    CHECK(finished.code == 0);
    CHECK(holds(finished.err, "warning: few_rows: 25 training rows are few"));
    CHECK(holds(finished.err, "warning: email_addresses: 1 row has "));
    CHECK(!holds(finished.err, "jane"));
  }
}

}  // namespace check_test
