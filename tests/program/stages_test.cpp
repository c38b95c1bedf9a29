// SPDX-License-Identifier: MIT
// Recipes of stages: how they are read and refused, what each stage starts from, and runs that are killed in between.
#include <doctest/doctest.h>

#include <cmath>
#include <csignal>

#include "program/program.hpp"
#include "program/tiny_model.hpp"
#include "signals.hpp"
#include "staged_run.hpp"

namespace stages_test {

using namespace temper_test;

struct ThreeStages : TinyRun {
  ThreeStages() : TinyRun(12) {
    std::string texts, pairs;
    for (int i = 0; i < 12; ++i) {
      const std::string number = std::to_string(i);
      texts += Json{{"text", "red green blue " + number}}.dump() + "\n";
      pairs += Json{{"prompt", "Colour " + number + "?"}, {"chosen", "blue"}, {"rejected", "no idea"}}.dump() + "\n";
    }
    write_text(folder / "texts.jsonl", texts);
    write_text(folder / "pairs.jsonl", pairs);
    const Json lora = {{"method", "lora"}, {"rank", 4}, {"alpha", 8}};
    recipe = {{"model", "model"},
              {"output", "run"},
              {"data", {{"max_length", 64}, {"packing", false}}},
              {"training", {{"learning_rate", 1e-2}, {"batch_size", 2}, {"max_steps", 6}, {"seed", 3}}},
              {"checkpoint", {{"every_steps", 2}}},
              {"stages",
               {{{"task", "pretrain"}, {"adapter", {{"method", "full"}}}, {"data", {{"train", "texts.jsonl"}}}},
                {{"task", "sft"}, {"adapter", lora}, {"data", {{"train", "train.jsonl"}}}},
                {{"task", "dpo"}, {"start", "merge"}, {"adapter", lora}, {"data", {{"train", "pairs.jsonl"}}}}}}};
  }
  std::vector<std::string> train(const std::string& name) const {
    return {"train", write_recipe().string(), "--json", "--set", "output=" + (*this / name).string()};
  }
  std::string result(const std::string& name) const {
    std::string all = read_text(*this / name / "1-pretrain/model/model.safetensors") +
                      read_text(*this / name / "2-sft/merged/model.safetensors");
    for (const char* stage : {"2-sft", "3-dpo"})
      all += read_text(*this / name / stage / "adapter/adapter_model.safetensors") +
             read_text(*this / name / stage / "checkpoints/step-6/optimizer.safetensors");
    for (const char* stage : {"1-pretrain", "2-sft", "3-dpo"})
      all += without_time(read_text(*this / name / stage / "metrics.jsonl"));
    return all;
  }
  std::string refusal(const std::string& verb = "train") const {
    const Finished finished = run_program({verb, write_recipe().string()});
    CHECK(finished.code == 2);
    CHECK_FALSE(fs::exists(*this / "run"));
    return finished.err;
  }
};

bool holds(const std::string& text, const std::string& part) {
  if (text.find(part) != std::string::npos) return true;
  MESSAGE("'" << part << "' is not in: " << text);
  return false;
}

TEST_CASE("stages: a run that is killed in its second stage, and moved, ends in the same bytes as one that is not") {
  const ThreeStages stages;
  const Finished whole = run_program(stages.train("whole"));
  INFO(whole.err);
  REQUIRE(whole.code == 0);
  const std::vector<std::string> lines = whole.lines();
  REQUIRE(lines.size() == 3 * 7 + 1);  // each stage is announced before its six steps
  CHECK(Json::parse(lines[0])["stage"] == 1);
  CHECK(Json::parse(lines[14])["task"] == "dpo");
  CHECK(Json::parse(lines[15])["training/loss"].get<double>() == doctest::Approx(std::log(2.0)).epsilon(1e-12));
  CHECK(Json::parse(lines[21])["state"] == "completed");
  const Json manifest = Json::parse(read_text(stages / "whole/run.json"));
  CHECK(manifest["state"] == "completed");
  CHECK(manifest["step"] == 18);
  CHECK(manifest["task"] == "pretrain, sft, dpo");
  for (const Json& stage : manifest["stages"]) CHECK(stage["measured"]["peak_bytes"] == stage["plan"]["peak_bytes"]);

  Program killed(stages.train("killed"));
  killed.read_lines(7 + 5);
  killed.signal(SIGKILL);
  CHECK(killed.finish().code == 128 + SIGKILL);
  CHECK_FALSE(fs::exists(stages / "killed/3-dpo"));
  fs::rename(stages / "killed", stages / "moved");
  Program stopped({"resume", (stages / "moved").string(), "--json"});
  stopped.read_lines(2);
  stopped.signal(SIGTERM);
  const Finished left = stopped.finish();
  CHECK(left.code == 143);
  CHECK(holds(left.err, "go on with: temper resume " + (stages / "moved").string() + "\n"));  // not one stage alone
  CHECK(Json::parse(read_text(stages / "moved/run.json"))["state"] == "stopped");
  const Finished resumed = run_program({"resume", (stages / "moved").string()});
  INFO(resumed.err);
  CHECK(resumed.code == 0);
  CHECK(stages.result("moved") == stages.result("whole"));

  // Between stages: the third has not begun, and a process was killed while it folded the adapter.
  fs::remove_all(stages / "moved/3-dpo");
  fs::create_directories(stages / "moved/2-sft/.tmp-1-merged");
  Json between = Json::parse(read_text(stages / "moved/run.json"));
  between["state"] = "running";
  between["stages"][2]["state"] = "waiting";
  write_text(stages / "moved/run.json", between.dump());
  const std::string adapter = read_text(stages / "moved/2-sft/adapter/adapter_model.safetensors");
  write_text(stages / "moved/2-sft/adapter/adapter_model.safetensors", adapter + " ");
  const Finished damaged = run_program({"resume", (stages / "moved").string()});
  CHECK(damaged.code == 76);
  CHECK(holds(damaged.err, "2-sft/adapter/adapter_model.safetensors has changed"));
  Json lying = between;
  const auto refused = [&](const std::string& part) {
    write_text(stages / "moved/run.json", lying.dump());
    const Finished finished = run_program({"resume", (stages / "moved").string()});
    CHECK(finished.code == 76);
    CHECK(holds(finished.err, part));
    lying = between;
  };
  lying["stages"][1].erase("published");
  refused("does not say what stage 2 has published");
  lying["stages"][0]["state"] = 3;
  refused("'state' is 3; expected a string");
  lying["stages"][0]["step"] = lying["stages"][1]["step"] = std::numeric_limits<Index>::max();
  refused("'step' is 9223372036854775807");
  write_text(stages / "moved/run.json", between.dump());
  write_text(stages / "moved/2-sft/adapter/adapter_model.safetensors", adapter);
  CHECK(run_program({"resume", (stages / "moved").string()}).code == 0);
  CHECK(stages.result("moved") == stages.result("whole"));
  CHECK_FALSE(fs::exists(stages / "moved/2-sft/.tmp-1-merged"));

  const Finished planned = run_program({"plan", stages.write_recipe().string(), "--json"});
  REQUIRE(planned.code == 0);
  const Json plan = planned.json();
  CHECK(plan["steps"] == 18);
  std::size_t most = 0;
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(plan["stages"][i]["peak_bytes"] == manifest["stages"][i]["plan"]["peak_bytes"]);
    most = std::max(most, plan["stages"][i]["peak_bytes"].get<std::size_t>());
  }
  CHECK(plan["peak_bytes"] == most);
  // The recipe that the run wrote is the one it was made from.
  const Finished again = run_program({"plan", (stages / "whole/recipe.json").string(), "--json"});
  CHECK(again.json()["peak_bytes"] == plan["peak_bytes"]);
}

TEST_CASE("stages: an adapter goes on through stages that agree, and DPO's reference is then the model without it") {
  ThreeStages stages;
  stages.recipe["adapter"] = {{"rank", 4}, {"alpha", 8}};
  stages.recipe["stages"].erase(0);
  stages.recipe["stages"][0]["adapter"] = {{"method", "dora"}, {"dropout", 0.0}, {"modules_to_save", {"lm_head"}}};
  stages.recipe["stages"][1] = {{"task", "dpo"}, {"start", "continue"}, {"data", {{"train", "pairs.jsonl"}}}};
  const Finished finished = run_program(stages.train("run"));
  INFO(finished.err);
  REQUIRE(finished.code == 0);
  const Json first = Json::parse(finished.lines()[8]);
  CHECK(first["training/loss"].get<double>() != doctest::Approx(std::log(2.0)).epsilon(1e-6));
  const Json own = Json::parse(read_text(stages / "run/2-dpo/recipe.json"));
  CHECK(own["adapter"]["from"] == "../1-sft/adapter");
  CHECK(own["adapter"]["rank"] == 4);
  CHECK(own["adapter"]["method"] == "dora");
  CHECK_FALSE(fs::exists(stages / "run/1-sft/merged"));

  // The model that the adapter stands on is another when the second stage begins.
  fs::remove_all(stages / "run/2-dpo");
  Json between = Json::parse(read_text(stages / "run/run.json"));
  between["state"] = "stopped";
  between["stages"][1]["state"] = "waiting";
  write_text(stages / "run/run.json", between.dump());
  write_text(stages / "model/config.json", read_text(stages / "model/config.json") + " ");
  const Finished changed = run_program({"resume", (stages / "run").string()});
  CHECK(changed.code == 76);
  CHECK(holds(changed.err, "model/config.json has changed"));

  // Trained beside the adapter, whose modules these are: what a recipe alone is asked.
  stages.recipe["stages"][1]["training"] = {{"precision", "bf16"}};
  stages.recipe["stages"][0]["quantization"] = {{"type", "int8"}};
  CHECK(run_program({"plan", stages.write_recipe().string()}).code == 0);
  const temper_cli::StagedRecipe read = temper_cli::StagedRecipe::read(stages.write_recipe(), {});
  CHECK(read.stages[1].recipe.is("quantization.type", "int8"));
}

TEST_CASE("stages: a signal between two of them stops the run") {
  using temper_cli::SignalWatch;
  const ThreeStages stages;
  const temper_cli::StagedRecipe recipe = temper_cli::StagedRecipe::read(stages.write_recipe(), {});
  temper_cli::StagedRun run = temper_cli::StagedRun::create(recipe, temper_cli::Force::no, temper_cli::Echo::none);
  const SignalWatch outer;
  {
    const SignalWatch inner;
    std::raise(SIGTERM);
  }
  CHECK(run.run().code == temper_cli::terminated);
  CHECK(SignalWatch::caught() == SIGTERM);
  CHECK(run.folder().manifest()["state"] == "stopped");
  CHECK_FALSE(fs::exists(stages / "run/1-pretrain"));
  const Finished none = run_program({"eval", (stages / "run").string()});
  CHECK(none.code == 2);
  CHECK(holds(none.err, "no stage has begun yet"));

  // A process that goes on with one stage holds that one's folder.
  fs::create_directories(stages / "other/2-sft");
  const temper::FolderLock lock(stages / "other/2-sft");
  std::vector<std::string> forced = stages.train("other");
  forced.push_back("--force");
  CHECK(run_program(forced).code == 75);
}

TEST_CASE("stages: a classifier goes on with the same labels, read in the same way") {
  ThreeStages stages;
  const auto rows = [&](const std::string& name, const std::string& other) {
    std::string text;
    for (const std::string& label : {std::string("warm"), other, std::string("warm"), other})
      text += Json{{"text", "red " + label}, {"label", label}}.dump() + "\n";
    write_text(stages / name, text);
  };
  rows("first.jsonl", "cold");
  rows("second.jsonl", "mild");
  stages.recipe["task"] = "classification";
  stages.recipe["stages"] = {
      {{"data", {{"train", "first.jsonl"}}}, {"objective", {{"pooling", "mean"}}}, {"adapter", {{"rank", 4}}}},
      {{"data", {{"train", "second.jsonl"}}}, {"start", "continue"}}};
  const Finished labels = run_program({"plan", stages.write_recipe().string()});
  CHECK(labels.code == 76);
  CHECK(holds(labels.err, "its rows have the labels mild, warm, those of the stage before cold, warm"));
  stages.recipe["stages"][1]["objective"] = {{"pooling", "last"}};
  CHECK(holds(stages.refusal(), "stages.2.objective.pooling: is last but the stage before trains a head with mean"));
}

TEST_CASE("stages: what one of them gets wrong is refused before the first trains") {
  ThreeStages stages;
  SUBCASE("in the recipe: all mistakes at once, with their stage") {
    stages.recipe["stages"][1]["model"] = "model";
    stages.recipe["stages"][2]["training"] = {{"epochs", 0}};
    stages.recipe["stages"][2]["output"] = "elsewhere";
    stages.recipe["traning"] = Json::object();
    const std::string error = stages.refusal();
    CHECK(holds(error, "stages.2.model: is what the stage before has trained"));
    CHECK(holds(error, "stages.3.training.epochs: 0 is out of range"));
    CHECK(holds(error, "stages.3.output: is the whole run's"));
    CHECK(error.find("traning") == error.rfind("traning"));  // once, not for each stage
  }
  SUBCASE("in the third's rows") {
    write_text(stages / "pairs.jsonl", "{\"prompt\": \"a\", \"chosen\": \"b\"}\n");
    const Finished finished = run_program(stages.train("run"));
    CHECK(finished.code == 76);
    CHECK_FALSE(fs::exists(stages / "run"));
  }
  SUBCASE("in what the third trains on the second's model") {
    stages.recipe["stages"][2]["adapter"]["targets"] = {"nowhere"};
    CHECK(holds(stages.refusal(), "stages.3.adapter.targets: "));
  }
  SUBCASE("DPO after an adapter does not say what it compares with") {
    stages.recipe["stages"][2].erase("start");
    CHECK(holds(stages.refusal("plan"), "stages.3.start: is missing, and decides what dpo compares with"));
    CHECK(run_program({"plan", stages.write_recipe().string(), "--set", "stages.3.start=continue"}).code == 0);
    stages.recipe["stages"][2]["adapter"]["rank"] = 2;
    stages.recipe["stages"][2]["start"] = "continue";
    CHECK(holds(stages.refusal("plan"), "stages.3.adapter.rank: is 2 but the stage before trains an adapter with 4"));
  }
  SUBCASE("what cannot follow") {
    stages.recipe["stages"][1]["start"] = "continue";  // the first trains the whole model
    CHECK(holds(stages.refusal("plan"), "stages.2.start: has no meaning"));
    stages.recipe["stages"][1].erase("start");
    stages.recipe["stages"][1]["adapter"] = {{"method", "prompt"}};
    CHECK(holds(stages.refusal("plan"), "stages.3.start: cannot fold a prompt"));
    stages.recipe["stages"][1] = {{"task", "reward"}, {"data", {{"train", "pairs.jsonl"}}}};
    CHECK(holds(stages.refusal("plan"), "'dpo' cannot follow 'reward'"));
  }
  SUBCASE("a key that a stage leaves out is missed where the stage stands") {
    stages.recipe["stages"][2]["task"] = "distillation";
    const std::string error = stages.refusal("plan");
    CHECK(holds(error, "stages.3.teacher: is missing"));
    CHECK(error.find(":1:1: ") == std::string::npos);
  }
  SUBCASE("stages that could not be read again") {
    stages.recipe["data"]["chat_template"] = "{{ '" + std::string(100'000, 'x') + "' }}";
    stages.recipe["stages"][1].erase("start");
    stages.recipe["stages"].erase(2);
    while (stages.recipe["stages"].size() < 64) stages.recipe["stages"].push_back(stages.recipe["stages"][1]);
    CHECK(holds(stages.refusal(), "bytes when every key of every stage is written out"));
  }
  SUBCASE("a list that is none") {
    stages.recipe["stages"] = Json::array();
    CHECK(holds(stages.refusal("plan"), "stages: is not a list of 1 to 64"));
    stages.recipe = Json::array({1});
    CHECK(holds(stages.refusal("plan"), "stages stand in an object"));
  }
}

TEST_CASE("stages: check and preview show each") {
  const ThreeStages stages;
  const Finished checked = run_program({"check", stages.write_recipe().string(), "--json"});
  REQUIRE(checked.code == 0);
  CHECK(checked.json()["stages"].size() == 3);
  const Finished previewed = run_program({"preview", stages.write_recipe().string(), "--json", "--rows", "1"});
  REQUIRE(previewed.code == 0);
  REQUIRE(previewed.lines().size() == 3);
  CHECK(Json::parse(previewed.lines()[2])["stage"] == 3);
  CHECK(Json::parse(previewed.lines()[2]).contains("chosen"));
  const Finished without = run_program({"preview", stages.write_recipe().string(), "--validation"});
  CHECK(without.code == 2);
  CHECK(holds(without.err, "there are no validation rows"));
}

}  // namespace stages_test
