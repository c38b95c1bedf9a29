// SPDX-License-Identifier: MIT
// 'task: ppo' from recipe to adapter or model.
#include <doctest/doctest.h>
#include <signal.h>

#include <cmath>

#include "program/program.hpp"
#include "program/tiny_model.hpp"

namespace ppo_test {

using namespace temper_test;

struct PolicyRun : TinyRun {
  PolicyRun() : TinyRun(8) {
    recipe["task"] = "ppo";
    recipe["adapter"]["dropout"] = 0.0;
    recipe["data"]["shuffle"] = false;
    recipe["objective"] = {{"max_new_tokens", 6}, {"epochs", 2}, {"minibatches", 2}, {"reward_rule", "length:3"}};
  }
  Finished train(const std::string& name, std::vector<std::string> more = {}) const {
    std::vector<std::string> arguments = {"train", write_recipe().string(), "--json", "--set",
                                          "output=" + (*this / name).string()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_program(arguments);
  }
  void refused(int code, const std::string& part, std::vector<std::string> more = {}) const {
    const Finished finished = train("refused", std::move(more));
    CHECK(finished.code == code);
    INFO(finished.err);
    CHECK(finished.err.find(part) != std::string::npos);
    CHECK_FALSE(fs::exists(*this / "refused"));
  }
};

// A line without its clock.
Json without_time(const std::string& text) {
  Json line = Json::parse(text);
  line.erase("time");
  return line;
}

TEST_CASE("ppo: a run by a rule has the metrics of the contract, and needs the memory of its plan") {
  PolicyRun run;
  write_text(run / "train.jsonl",
             "{\"prompt\": \"one\"}\n{\"prompt\": \"two\"}\n{\"prompt\": [{\"role\": \"user\", "
             "\"content\": \"three\"}]}\n{\"prompt\": \"four\"}\n{\"prompt\": \"five\"}\n");
  const auto planned = [&](std::vector<std::string> more) {
    std::vector<std::string> arguments = {"plan", run.write_recipe().string(), "--json"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_program(arguments).json();
  };
  // Four prompts a step: all answers are drawn at once while they are 16 at most, a token of each in a pass.
  CHECK(planned({})["generation_passes"] == 6);
  CHECK(planned({"--set", "objective.advantage=group", "--set", "objective.group_size=5"})["generation_passes"] == 12);
  CHECK(planned({})["step_seconds"].get<double>() > 0);
  for (const std::string advantage : {"gae", "group", "leave_one_out"}) {
    CAPTURE(advantage);
    const Finished finished = run.train(advantage, {"--set", "objective.advantage=" + advantage, "--set",
                                                    "objective.group_size=3", "--set", "checkpoint.every_steps=1"});
    INFO(finished.err);
    REQUIRE(finished.code == 0);
    const auto lines = finished.lines();  // five rows: a step of four and one of one; the end
    REQUIRE(lines.size() == 3);
    const int each = advantage == "gae" ? 1 : 3;
    for (std::size_t i = 0; i < 2; ++i) {
      const Json line = Json::parse(lines[i]);
      for (const char* name : {"loss", "grad_norm", "kl", "entropy", "reward", "ratio", "clip_fraction", "value_loss"})
        CHECK(line[std::string("training/") + name].is_number());
      const int rows = i == 0 ? 4 : 1;
      CHECK(line["training/samples"] == rows);
      CHECK(line["training/supervised_tokens"].get<int>() <= rows * each * 6);
      CHECK(line["training/tokens"].get<int>() > line["training/supervised_tokens"].get<int>());
      CHECK(line["training/reward"].get<double>() <= 0);
      CHECK((line["training/entropy"].get<double>() > 0 && line["training/entropy"].get<double>() < std::log(262.0)));
      CHECK((line["training/value_loss"].get<double>() > 0) == (advantage == "gae"));
    }
    CHECK(Json::parse(lines[0])["training/kl"] == 0);
    const Json manifest = Json::parse(read_text(run / (advantage + "/run.json")));
    CHECK(manifest["plan"]["peak_bytes"] == manifest["measured"]["peak_bytes"]);
    CHECK(fs::exists(run / (advantage + "/adapter/adapter_model.safetensors")));
    const std::string adapter = read_text(run / (advantage + "/adapter/adapter_model.safetensors"));
    CHECK(adapter.find("value.weight") == std::string::npos);
  }
}

TEST_CASE("ppo: a run that is stopped goes on to the same numbers and the same bytes") {
  PolicyRun run;
  run.recipe["objective"].update({{"kl_target", 0.001}, {"kl_horizon", 20}, {"kl_estimator", "k3"}});
  for (const std::string method : {"lora", "full"}) {
    const std::vector<std::string> more = {"--set", "training.epochs=3",        "--set", "checkpoint.every_steps=2",
                                           "--set", "adapter.method=" + method, "--set", "data.shuffle=true"};
    const Finished whole = run.train(method + "_whole", more);
    INFO(whole.err);
    REQUIRE(whole.code == 0);
    std::vector<std::string> arguments = {"train", (run / "recipe.json").string(), "--json", "--set",
                                          "output=" + (run / (method + "_part")).string()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    Program program(arguments);
    program.read_lines(2);
    program.signal(SIGTERM);
    const Finished part = program.finish();
    INFO(part.err);
    CHECK((part.code == 143 || part.code == 0));
    const Finished resumed = run_program({"resume", (run / (method + "_part")).string()});
    INFO(resumed.err);
    REQUIRE(resumed.code == 0);
    const auto metrics = [&](const std::string& name) {
      std::vector<Json> lines;
      const std::string text = read_text(run / (name + "/metrics.jsonl"));
      for (std::size_t begin = 0; begin < text.size();) {
        const std::size_t end = text.find('\n', begin);
        lines.push_back(without_time(text.substr(begin, end - begin)));
        begin = end + 1;
      }
      return lines;
    };
    const std::vector<Json> lines = metrics(method + "_whole");
    CHECK(metrics(method + "_part") == lines);
    double coefficient = 0.05;
    for (const Json& line : lines) {  // of four answers a step
      if (!line.contains("training/kl")) continue;
      CHECK(line["training/kl_coefficient"] == coefficient);
      coefficient *= 1 + std::clamp(line["training/kl"].get<double>() / 0.001 - 1, -0.2, 0.2) * 4 / 20;
    }
    CHECK(coefficient != doctest::Approx(0.05));
    const std::string output = method == "full" ? "/model/model.safetensors" : "/adapter/adapter_model.safetensors";
    CHECK(read_text(run / (method + "_part" + output)) == read_text(run / (method + "_whole" + output)));
  }
}

TEST_CASE("ppo: recorded answers are used in order, and their first ratio is 1") {
  PolicyRun run;
  run.recipe["objective"] = {{"rollouts", "rollouts.jsonl"}, {"epochs", 1}};
  std::string rows;
  for (int i = 0; i < 4; ++i)
    rows += Json{{"prompt", {65 + i, 66}}, {"response", {70, 71 + i, i == 0 ? 75 : 256}}, {"reward", 0.5 * i}}.dump() +
            "\n";
  write_text(run / "rollouts.jsonl", rows);
  const Finished finished = run.train("run", {"--set", "objective.missing_eos_penalty=1"});
  INFO(finished.err);
  REQUIRE(finished.code == 0);
  REQUIRE(finished.lines().size() == 2);
  const Json line = Json::parse(finished.lines()[0]);
  CHECK(line["training/ratio"] == 1);
  CHECK(line["training/kl"] == 0);
  CHECK(line["training/reward"] == 0.5);
  CHECK(line["training/tokens"] == 20);
  CHECK(line["training/supervised_tokens"] == 12);
  CHECK(line["training/samples"] == 4);
  CHECK(line["training/loss"].get<double>() != 0);

  const Finished both =
      run.train("both", {"--set", "objective.reward_rule=exact_match", "--set", "objective.missing_eos_penalty=1"});
  CHECK(both.code == 0);
  CHECK(both.err.find("objective.reward_rule is not asked") != std::string::npos);
  CHECK(Json::parse(both.lines().at(0))["training/loss"] == line["training/loss"]);

  run.refused(76, "groups of 3", {"--set", "objective.advantage=group", "--set", "objective.group_size=3"});
  run.refused(76, "another prompt", {"--set", "objective.advantage=group", "--set", "objective.group_size=2"});
  write_text(run / "rollouts.jsonl", "{\"prompt\": [1], \"response\": [2], \"reward\": \"x\"}");
  run.refused(76, "rollouts.jsonl:1");
  fs::remove(run / "rollouts.jsonl");
  run.refused(2, "rollouts.jsonl does not exist");
}

TEST_CASE("ppo: a program scores answers, with the answer that the row expects") {
  PolicyRun run;
  run.recipe["objective"].erase("reward_rule");
  run.recipe["objective"]["reward_command"] =
      "tee " + (run / "asked.jsonl").string() + " | while read -r line; do echo 0.25; done";
  const Finished finished = run.train("run", {"--set", "training.max_steps=1"});
  INFO(finished.err);
  REQUIRE(finished.code == 0);
  CHECK(Json::parse(finished.lines()[0])["training/reward"] == 0.25);
  const std::string asked = read_text(run / "asked.jsonl");
  const Json first = Json::parse(asked.substr(0, asked.find('\n')));
  CHECK(first["prompt"].get<std::string>().find("Colour 0?") != std::string::npos);
  CHECK(first["expected"] == "red");
  CHECK(first["tokens"].get<int>() >= 1);

  run.recipe["objective"]["reward_command"] = "while read -r line; do echo much; done";
  const Finished garbage = run.train("garbage");
  INFO(garbage.err);
  CHECK(garbage.code != 0);
  CHECK(garbage.err.find("much") != std::string::npos);
}

TEST_CASE("ppo: a reward model of the task reward scores answers; one of another tokenizer is refused") {
  PolicyRun run;
  std::string pairs;
  for (int i = 0; i < 8; ++i) pairs += Json{{"prompt", "Q"}, {"chosen", "yes"}, {"rejected", "nooo"}}.dump() + "\n";
  write_text(run / "pairs.jsonl", pairs);
  Json reward = run.recipe;
  reward["task"] = "reward";
  reward["objective"] = Json::object();
  reward["data"]["train"] = "pairs.jsonl";
  reward["adapter"] = {{"method", "full"}};
  write_text(run / "reward.json", reward.dump());
  const Finished taught =
      run_program({"train", (run / "reward.json").string(), "--set", "output=" + (run / "reward").string()});
  INFO(taught.err);
  REQUIRE(taught.code == 0);

  run.recipe["objective"].erase("reward_rule");
  run.recipe["reward_model"] = "reward/model";
  const Finished finished = run.train("run", {"--set", "training.max_steps=1"});
  INFO(finished.err);
  REQUIRE(finished.code == 0);
  CHECK(Json::parse(finished.lines()[0])["training/reward"].get<double>() != 0);
  const Json manifest = Json::parse(read_text(run / "run/run.json"));
  CHECK(manifest["plan"]["peak_bytes"] == manifest["measured"]["peak_bytes"]);

  run.refused(76, "score.weight", {"--set", "reward_model=" + (run / "model").string()});
  Json tokenizer = Json::parse(read_text(run / "reward/model/tokenizer.json"));
  tokenizer["added_tokens"][1]["content"] = "<|other|>";
  write_text(run / "reward/model/tokenizer.json", tokenizer.dump());
  run.refused(76, "id 257 is '<|im_start|>' and '<|other|>'");
}

TEST_CASE("ppo: recipes that cannot be trained say what is missing, and rows without a prompt too") {
  PolicyRun run;
  run.refused(2, "expected 0 with task ppo", {"--set", "adapter.dropout=0.1"});
  run.refused(2, "expected objective.kl above 0", {"--set", "objective.kl_target=1", "--set", "objective.kl=0"});
  run.refused(2, "data.validation", {"--set", "data.validation=0.5"});
  run.refused(2, "objective.group_size", {"--set", "objective.advantage=group", "--set", "objective.group_size=1"});
  run.refused(2, "objective.reward_rule", {"--set", "objective.reward_rule=guess"});
  run.refused(2, "one reward too many", {"--set", "objective.reward_command=cat"});
  run.refused(2, "reward_model", {"--set", "objective.reward_rule=null"});
  run.refused(76, "dropped", {"--set", "data.max_length=3"});
  write_text(run / "train.jsonl", "{\"prompt\": \"one\"}\n");
  run.refused(76, "which answer is right", {"--set", "objective.reward_rule=exact_match"});
  write_text(run / "train.jsonl", "{\"question\": \"one\"}\n");
  run.refused(76, "prompt");
}

TEST_CASE("ppo: preview, check and plan know rows of prompts") {
  PolicyRun run;
  const std::string recipe = run.write_recipe().string();
  const Finished preview = run_program({"preview", recipe, "--json"});
  INFO(preview.err);
  REQUIRE(preview.code == 0);
  const Json first = Json::parse(preview.lines()[0]);
  CHECK(first["row"] == 1);
  CHECK(first["text"].get<std::string>().find("Assistant") != std::string::npos);
  CHECK(first["expected"] == "red");
  CHECK(first["labels"] == Json(std::vector<int>(first["tokens"].size(), 0)));
  CHECK(run_program({"check", recipe}).code == 0);
  const Finished plan = run_program({"plan", recipe, "--json"});
  INFO(plan.err);
  REQUIRE(plan.code == 0);
  CHECK(plan.json()["steps"] == 2);
  const Finished longer = run_program({"plan", recipe, "--set", "objective.max_new_tokens=300"});
  CHECK(longer.err.find("prompts with their answers have up to ") != std::string::npos);
  CHECK(longer.err.find("lower objective.max_new_tokens or data.max_length") != std::string::npos);
}

}  // namespace ppo_test
