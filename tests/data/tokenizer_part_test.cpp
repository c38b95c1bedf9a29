// SPDX-License-Identifier: MIT
#include "temper/data/tokenizer_part.hpp"
#include <doctest/doctest.h>
#include <support/refusal.hpp>

#include <string>

namespace tokenizer_part_test {

using namespace temper;
using temper::test::refusal;

const Json json = Json::parse(R"({"type": "Split", "invert": true, "off": null, "empty": "", "count": 3,
  "pattern": {"Regex": "x"}, "steps": [{"type": "A"}, {"type": "B"}], "mixed": [{}, 1], "long": "\u001b[2J"})");

TokenizerPart part() { return TokenizerPart(json, "pre_tokenizer", "folder/tokenizer.json"); }

TEST_CASE("tokenizer_part: fields are read as what they are") {
  CHECK(part().text("type") == "Split");
  CHECK(part().flag("invert", false));
  CHECK(part().flag("off", true));
  CHECK_FALSE(part().flag("absent", false));
  CHECK(part().find("off") == nullptr);
  CHECK(part().find("absent") == nullptr);
  REQUIRE(part().find("count") != nullptr);
  CHECK(*part().find("count") == 3);
  CHECK(part().part("pattern").text("Regex") == "x");
  CHECK(part().part("pattern").name() == "pre_tokenizer.pattern");
  const auto steps = part().parts("steps");
  REQUIRE(steps.size() == 2);
  CHECK(steps[1].text("type") == "B");
  CHECK(steps[1].name() == "pre_tokenizer.steps[1]");
  CHECK(steps[1].source() == "folder/tokenizer.json");
  for (const char* field : {"off", "empty", "absent"}) part().require_empty(field);
}

TEST_CASE("tokenizer_part: a field of another type is named with file, place and value") {
  const std::string start = "tokenizer.field | temper: folder/tokenizer.json: pre_tokenizer";
  CHECK(refusal([] { part().text("count"); }).starts_with(start + ".count is 3; expected a string"));
  CHECK(refusal([] { part().text("absent"); }).starts_with(start + ".absent is missing; expected a string"));
  CHECK(refusal([] { part().flag("type", true); }).starts_with(start + ".type is \"Split\"; expected true or false"));
  CHECK(refusal([] { part().parts("pattern"); }).starts_with(start + R"(.pattern is {"Regex":"x"}; expected a list)"));
  CHECK(refusal([] { part().parts("absent"); }).starts_with(start + ".absent is missing; expected a list"));
  CHECK(refusal([] { part().parts("mixed"); }).starts_with(start + ".mixed[1] is number; expected an object"));
  CHECK(refusal([] { part().part("count"); }).starts_with(start + ".count is number; expected an object"));
  CHECK(refusal([] { part().part("absent"); }).starts_with(start + ".absent is null; expected an object"));
}

TEST_CASE("tokenizer_part: what is not supported is named, and shown without control characters") {
  const std::string start = "tokenizer.not_supported | temper: folder/tokenizer.json: pre_tokenizer ";
  CHECK(refusal([] { part().require_empty("type"); }).starts_with(start + "type is not supported yet; expected null"));
  const std::string said = refusal([] { part().not_supported("type " + part().text("long"), "Split"); });
  CHECK(said.starts_with(start + "type \\u001b[2J is not supported yet; expected Split"));
  CHECK(refusal([] { part().flag("long", true); }).find('\x1b') == std::string::npos);
}

}  // namespace tokenizer_part_test
