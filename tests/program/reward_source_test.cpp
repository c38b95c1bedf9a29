// SPDX-License-Identifier: MIT
#include "reward_source.hpp"

#include <doctest/doctest.h>

#include <fstream>

#include "program/tiny_model.hpp"
#include "temper/core/error.hpp"

namespace reward_source_test {

using namespace temper_test;
using namespace temper_cli;
using Numbers = std::vector<double>;

Numbers scored(RewardSource& source, const std::vector<ScoredAnswer>& answers) { return source.rewards(answers); }

// The code of the error that asking ends with, and whose fault it is.
std::pair<std::string, temper::Fault> refusal(auto&& call) {
  try {
    call();
  } catch (const temper::Error& error) { return {error.code(), error.fault()}; }
  return {"none", temper::Fault::usage};
}

TEST_CASE("reward: the rules score by match, by pattern and by length") {
  const auto exact = open_reward_rule("exact_match");
  CHECK(scored(*exact, {{.response = " 42\n", .expected = "42"}, {.response = "43", .expected = "42"}}) ==
        Numbers{1, 0});
  const auto pattern = open_reward_rule(R"(regex:^<think>.*</think>\s*\d+$)");
  CHECK(scored(*pattern, {{.response = "<think>hm</think> 7"}, {.response = "7"}, {.response = "\xff"}, {}}) ==
        Numbers{1, 0, 0, 0});
  const auto length = open_reward_rule("length:40");
  CHECK(scored(*length, {{.tokens = 40}, {.tokens = 50}, {.tokens = 0}}) == Numbers{0, -0.25, -1});
}

TEST_CASE("reward: rules that are none are refused as the recipe's fault, a row that expects nothing as the data's") {
  for (const char* rule : {"", "exact", "regex:(", "length:", "length:0", "length:-3", "length:4x"}) {
    CAPTURE(rule);
    CHECK(refusal([&] { open_reward_rule(rule); }) == std::pair(std::string("reward.rule"), temper::Fault::usage));
  }
  const auto exact = open_reward_rule("exact_match");
  CHECK(refusal([&] { scored(*exact, {{.prompt = "p", .response = "r"}}); }) ==
        std::pair(std::string("reward.nothing_expected"), temper::Fault::data));
}

TEST_CASE("reward: a program is started once and answers line for line, step for step") {
  const TestFolder folder;
  // Numbers its lines, so that a second start would be seen.
  const auto source = open_reward_command("n=0; echo started >> " + (folder / "log").string() +
                                          "; while read -r line; do n=$((n+1)); echo \" $n.5 \"; done");
  CHECK(scored(*source, {{.response = "a"}, {.response = "b"}}) == Numbers{1.5, 2.5});
  CHECK(scored(*source, {}) == Numbers{});
  CHECK(scored(*source, {{.response = "c"}}) == Numbers{3.5});
  std::ifstream log(folder / "log");
  const std::string text((std::istreambuf_iterator<char>(log)), {});
  CHECK(text == "started\n");
}

TEST_CASE("reward: a program is sent JSON, whatever the texts hold") {
  const TestFolder folder;
  const std::string file = (folder / "lines").string();
  {
    const auto source =
        open_reward_command("while read -r line; do printf '%s\\n' \"$line\" >> " + file + "; echo -1e-3; done");
    CHECK(scored(*source, {{.prompt = "say \"hi\"\n", .response = "\xff\x01", .expected = "x", .tokens = 3},
                           {.prompt = "p", .response = "r", .tokens = 1, .stopped = false}}) == Numbers{-1e-3, -1e-3});
  }
  std::ifstream lines(file);
  std::string first, second;
  std::getline(lines, first), std::getline(lines, second);
  const auto sent = temper::parse_json(first, "line");
  CHECK(sent["prompt"] == "say \"hi\"\n");
  CHECK(sent["response"] == "\xef\xbf\xbd\x01");
  CHECK(sent["expected"] == "x");
  CHECK(sent["tokens"] == 3);
  CHECK(sent["stopped"] == true);
  CHECK(temper::parse_json(second, "line") ==
        temper::parse_json(R"({"prompt": "p", "response": "r", "tokens": 1, "stopped": false})", "expected"));
}

TEST_CASE("reward: more than the pipes hold goes through, also where the program answers only at the end") {
  const std::string text(3000, 'x');
  const std::vector<ScoredAnswer> answers(500, {.prompt = text, .response = text});
  for (const char* command :
       {"while read -r line; do echo 2; done",
        "n=0; while read -r line; do n=$((n+1)); if [ $n = 500 ]; then yes 2 | head -500; fi; done"}) {
    const auto source = open_reward_command(command, std::chrono::seconds(60));
    CHECK(scored(*source, answers) == Numbers(500, 2));
  }
}

TEST_CASE("reward: a program that dies is temporary, and so is one that is late or does not exist") {
  const std::vector<ScoredAnswer> two = {{.response = "a"}, {.response = "b"}};
  using temper::Fault;
  const auto asked = [&](const char* command) {
    return refusal([&] { scored(*open_reward_command(command, std::chrono::milliseconds(300)), two); });
  };
  CHECK(asked("exit 3") == std::pair(std::string("reward.ended"), Fault::temporary));
  CHECK(asked("read -r line; echo 1; kill -9 $$") == std::pair(std::string("reward.ended"), Fault::temporary));
  CHECK(asked("/no/such/program 2> /dev/null") == std::pair(std::string("reward.ended"), Fault::temporary));
  CHECK(asked("exec 1>&-; sleep 0.2") == std::pair(std::string("reward.ended"), Fault::temporary));
  CHECK(asked("read -r line; echo 1; sleep 100") == std::pair(std::string("reward.late"), Fault::temporary));
}

TEST_CASE("reward: a program that says anything but a number for each line is told what it said") {
  const std::vector<ScoredAnswer> two = {{.response = "a"}, {.response = "b"}};
  const auto asked = [&](const std::string& command) {
    const auto [code, fault] = refusal([&] { scored(*open_reward_command(command, std::chrono::seconds(20)), two); });
    CHECK(fault == temper::Fault::data);
    return code;
  };
  for (const char* answer : {"hello", "", "nan", "inf", "1 2", "0x10", "1,5", "{\"reward\": 1}"}) {
    CAPTURE(answer);
    CHECK(asked("read -r line; echo 1; read -r line; echo '" + std::string(answer) + "'; cat > /dev/null") ==
          "reward.not_a_number");
  }
  CHECK(asked("yes no | tr -d '\\n'") == "reward.not_a_number");
  CHECK(asked("read -r line; read -r line; printf '1\\n2\\n3\\n'; cat > /dev/null") == "reward.too_many");
}

}  // namespace reward_source_test
