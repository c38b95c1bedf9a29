// SPDX-License-Identifier: MIT
#include "rollout_file.hpp"

#include <doctest/doctest.h>

#include <fstream>

#include "program/tiny_model.hpp"
#include "temper/core/error.hpp"

namespace rollout_file_test {

using namespace temper_test;
using namespace temper_cli;
using Ids = std::vector<temper::TokenId>;

struct Told {
  std::string code, sentence;
};
Told refusal(const std::string& text) {
  const TestFolder folder;
  std::ofstream(folder / "r.jsonl") << text;
  try {
    read_rollouts(folder / "r.jsonl", 10);
  } catch (const temper::Error& error) {
    CHECK(error.fault() == temper::Fault::data);
    return {error.code(), error.what()};
  }
  return {"none", ""};
}

TEST_CASE("rollout file: prompts, responses and rewards, in the order of the file") {
  const TestFolder folder;
  std::ofstream(folder / "r.jsonl") << R"({"prompt": [1, 2], "response": [9], "reward": -0.5})"
                                    << "\n\n"
                                    << R"({"reward": 2, "response": [3, 0], "prompt": [4]})";
  const auto all = read_rollouts(folder / "r.jsonl", 10);
  REQUIRE(all.size() == 2);
  CHECK(all[0].prompt == Ids{1, 2});
  CHECK(all[0].response == Ids{9});
  CHECK(all[0].reward == -0.5);
  CHECK(all[1].prompt == Ids{4});
  CHECK(all[1].response == Ids{3, 0});
  CHECK(all[1].reward == 2);
}

TEST_CASE("rollout file: what is no rollout is refused with file, line and key") {
  const std::string good = R"({"prompt": [1], "response": [2], "reward": 1})"
                           "\n";
  const auto third = [&](const std::string& row) { return refusal(good + good + row); };
  for (const char* row :
       {R"({"prompt": [1], "response": [2]})", R"({"prompt": [1], "response": [2], "reward": null})"}) {
    CHECK(third(row).code == "json.missing_field");
    CHECK(third(row).sentence.find("r.jsonl:3: has no 'reward'") != std::string::npos);
  }
  for (const char* row :
       {R"({"prompt": [1], "response": [10], "reward": 1})", R"({"prompt": [-1], "response": [2], "reward": 1})",
        R"({"prompt": [1.0], "response": [2], "reward": 1})", R"({"prompt": "1", "response": [2], "reward": 1})",
        R"({"prompt": [1], "response": [2], "reward": "1"})"}) {
    CHECK(third(row).code == "json.field");
    CHECK(third(row).sentence.find("r.jsonl:3: ") != std::string::npos);
  }
  CHECK(third(R"({"prompt": [], "response": [2], "reward": 1})").code == "rollouts.length");
  CHECK(third(R"({"prompt": [1], "response": [2], "reward": 1, "score": 2})").code == "rollouts.field");
  CHECK(third("[1, 2]").code != "none");
  CHECK(third("{").code != "none");
  CHECK(refusal("").code == "rollouts.empty");
}

}  // namespace rollout_file_test
