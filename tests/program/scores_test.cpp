// SPDX-License-Identifier: MIT
// Classification and reward models through the program: trained, saved, resumed, evaluated, merged, and what is
// refused.
#include <doctest/doctest.h>

#include <cmath>
#include <functional>

#include "program/program.hpp"
#include "program/tiny_model.hpp"
#include "temper/io/safetensors.hpp"

namespace scores_test {

using namespace temper_test;

// Texts of which a letter tells the label.
std::string labelled_rows(int count, const std::function<Json(int)>& label) {
  std::string rows;
  for (int i = 0; i < count; ++i)
    rows += Json{{"text", std::string(i % 3 == 0   ? "aaa"
                                      : i % 3 == 1 ? "mmm"
                                                   : "zzz")},
                 {"label", label(i)}}
                .dump() +
            "\n";
  return rows;
}

struct ScoreTask : TinyRun {
  explicit ScoreTask(const std::string& problem) : TinyRun(1) {
    recipe["task"] = "classification";
    recipe["objective"] = {{"problem", problem}};
    recipe["adapter"]["dropout"] = 0.0;
    recipe["data"]["validation"] = "held.jsonl";
    recipe["training"]["max_steps"] = 6;
    const auto label = [&](int i) -> Json {
      static const char* const names[] = {"red", "green", "blue"};
      if (problem == "regression") return 0.5 * (i % 3);
      if (problem == "multi_label") return i % 3 == 0 ? Json::array() : Json{names[i % 3], "any"};
      return names[i % 3];
    };
    write_text(*this / "train.jsonl", labelled_rows(12, label));
    write_text(*this / "held.jsonl", labelled_rows(3, label));
  }
};

Json metrics_line(const TinyRun& run, int step) {
  const std::string text = read_text(run / "run/metrics.jsonl");
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    const Json line = temper::parse_json(std::string_view(text).substr(begin, end - begin), "metrics.jsonl");
    if (line["step"] == step && line.contains("training/loss")) return line;
    begin = end + 1;
  }
  return nullptr;
}

TEST_CASE("program: a classifier is trained, saved for PEFT, evaluated by class, and merged") {
  ScoreTask task("single_label");
  const auto recipe = task.write_recipe();
  const Finished plan = run_program({"plan", recipe, "--json"});
  CHECK_MESSAGE(plan.code == 0, plan.err);
  const Finished trained = run_program({"train", recipe});
  REQUIRE_MESSAGE(trained.code == 0, trained.err);
  const Json first = metrics_line(task, 1), last = metrics_line(task, 6);
  CHECK(first["training/loss"].get<double>() == doctest::Approx(std::log(3.0)).epsilon(1e-6));
  CHECK(first["training/supervised_tokens"] == 4);
  CHECK(first["training/samples"] == 4);
  CHECK(last["training/loss"].get<double>() < first["training/loss"].get<double>());
  CHECK(last.contains("training/accuracy"));
  const Json manifest = temper::read_json(task / "run/run.json");
  CHECK(manifest["plan"]["peak_bytes"] == manifest["measured"]["peak_bytes"]);
  CHECK(manifest["plan"]["peak_bytes"] == plan.json()["peak_bytes"]);

  const Json config = temper::read_json(task / "run/adapter/config.json");
  CHECK(config["id2label"] == Json{{"0", "blue"}, {"1", "green"}, {"2", "red"}});
  CHECK(config["num_labels"] == 3);
  CHECK(config["problem_type"] == "single_label_classification");
  CHECK(config["pad_token_id"] == 257);
  CHECK(config["architectures"] == Json{"LlamaForSequenceClassification"});
  const Json settings = temper::read_json(task / "run/adapter/adapter_config.json");
  CHECK(settings["task_type"] == "SEQ_CLS");
  CHECK(settings["modules_to_save"] == Json{"score"});

  const Finished evaluated = run_program({"eval", task / "run", "--json"});
  REQUIRE_MESSAGE(evaluated.code == 0, evaluated.err);
  const Json report = evaluated.json();
  CHECK(report["validation/supervised_tokens"] == 3);
  CHECK(report["validation/confusion"].size() == 3);
  CHECK(report["validation/classes"][2]["label"] == "red");
  CHECK(report["validation/classes"][2]["actual"] == 1);
  CHECK(report.contains("validation/macro_f1"));
  CHECK(run_program({"eval", task / "run"}).out.find("macro F1") != std::string::npos);

  // An adapter's head and labels are gone on with.
  const Finished more = run_program({"train", recipe, "--set", "adapter.from=" + (task / "run/adapter").string(),
                                     "--set", "output=" + (task / "more").string(), "--set", "training.max_steps=1"});
  REQUIRE_MESSAGE(more.code == 0, more.err);
  const std::string continued = read_text(task / "more/metrics.jsonl");
  CHECK(temper::parse_json(continued.substr(0, continued.find('\n')), "metrics.jsonl")["training/loss"] <
        first["training/loss"]);

  const Finished merged =
      run_program({"merge", "--model", task / "model", "--adapter", task / "run/adapter", "--output", task / "merged"});
  REQUIRE_MESSAGE(merged.code == 0, merged.err);
  const Finished whole = run_program({"eval", recipe, "--json", "--set", "model=" + (task / "merged").string()});
  REQUIRE_MESSAGE(whole.code == 0, whole.err);
  CHECK(whole.json()["validation/loss"].get<double>() ==
        doctest::Approx(report["validation/loss"].get<double>()).epsilon(1e-4));
  CHECK(whole.json()["validation/confusion"] == report["validation/confusion"]);

  // The merged folder has labels: rows with others are refused, and so is a label of no training row.
  write_text(task / "other.jsonl", labelled_rows(6, [](int i) { return Json(i % 2 == 0 ? "yes" : "no"); }));
  const Finished other =
      run_program({"plan", recipe, "--set", "model=" + (task / "merged").string(), "--set",
                   "data.train=" + (task / "other.jsonl").string(), "--set", "data.validation=null"});
  CHECK(other.code == 76);
  CHECK(other.err.find("has 3 labels but the rows have 2") != std::string::npos);
  const Finished unknown = run_program({"plan", recipe, "--set", "data.validation=" + (task / "other.jsonl").string()});
  CHECK(unknown.code == 76);
  CHECK(unknown.err.find("is in no training row") != std::string::npos);
  write_text(task / "one.jsonl", labelled_rows(3, [](int) { return Json("same"); }));
  const Finished alike = run_program(
      {"plan", recipe, "--set", "data.train=" + (task / "one.jsonl").string(), "--set", "data.validation=null"});
  CHECK(alike.code == 76);
  CHECK(alike.err.find("expected 2 labels at least") != std::string::npos);
}

TEST_CASE("program: a classifier of the mean over tokens, with weights of classes, is marked and gone on with") {
  ScoreTask task("single_label");
  task.recipe["objective"].update({{"pooling", "mean"}, {"class_weights", {{"red", 3}, {"green", 0.5}}}});
  task.recipe["training"]["max_steps"] = 2;
  const auto recipe = task.write_recipe();
  const Finished trained = run_program({"train", recipe});
  REQUIRE_MESSAGE(trained.code == 0, trained.err);
  CHECK(trained.err.find("transformers and PEFT score the last token") != std::string::npos);
  CHECK(temper::read_json(task / "run/adapter/config.json")["temper_pooling"] == "mean");
  // Every step is of four rows; at a zero head each has the weight of its label times ln 3.
  const double mean = metrics_line(task, 1)["training/loss"].get<double>() * 4 / std::log(3.0);
  bool possible = false;
  for (int red = 0; red <= 4; ++red)
    for (int green = 0; red + green <= 4; ++green)
      possible = possible || (red + green > 0 && std::abs(mean - (3 * red + 0.5 * green + (4 - red - green))) < 1e-5);
  CHECK(possible);
  const auto refused = [&](std::vector<std::string> more, int code, const std::string& part) {
    std::vector<std::string> arguments = {"plan", recipe.string()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Finished finished = run_program(arguments);
    INFO(finished.err);
    CHECK(finished.code == code);
    CHECK(finished.err.find(part) != std::string::npos);
  };
  task.recipe["objective"]["class_weights"] = {{"rot", 3}};
  task.write_recipe();
  refused({}, 2, "'rot' is no label of the training rows; expected one of blue, green, red");
  task.recipe["objective"]["class_weights"] = {{"red", -1}};
  task.write_recipe();
  refused({}, 2, "the weight of 'red' is -1; expected a number, 0 or more");
  const Finished merged =
      run_program({"merge", "--model", task / "model", "--adapter", task / "run/adapter", "--output", task / "merged"});
  REQUIRE_MESSAGE(merged.code == 0, merged.err);
  task.recipe["objective"].erase("class_weights");
  task.write_recipe();
  refused({"--set", "objective.pooling=last", "--set", "model=" + (task / "merged").string()}, 76,
          "expected them to agree; set objective.pooling");
}

TEST_CASE("program: a whole classifier is trained for several labels, and a value") {
  for (const std::string problem : {"multi_label", "regression"}) {
    CAPTURE(problem);
    ScoreTask task(problem);
    task.recipe["adapter"] = {{"method", "full"}};
    const Finished trained = run_program({"train", task.write_recipe()});
    REQUIRE_MESSAGE(trained.code == 0, trained.err);
    const Json config = temper::read_json(task / "run/model/config.json");
    CHECK(config["problem_type"] == (problem == "regression" ? "regression" : "multi_label_classification"));
    const temper::SafetensorsFile weights(task / "run/model/model.safetensors");
    CHECK(weights.find("score.weight") != nullptr);
    CHECK(weights.find("lm_head.weight") == nullptr);
    CHECK(temper::read_json(task / "run/model/tokenizer_config.json")["pad_token"] == "<|im_start|>");
    const Json line = metrics_line(task, 1);
    CHECK(line.contains("training/accuracy") == (problem == "multi_label"));
    const Finished evaluated = run_program({"eval", task / "run", "--json"});
    REQUIRE_MESSAGE(evaluated.code == 0, evaluated.err);
    const std::string text = read_text(task / "run/metrics.jsonl");
    const std::size_t begin = text.rfind("{\"step\"");
    const Json last = temper::parse_json(std::string_view(text).substr(begin), "metrics.jsonl");
    CHECK(evaluated.json()["validation/loss"] == last["validation/loss"]);
  }
}

TEST_CASE("program: a reward model is trained from pairs, and a stopped run goes on to the same bits") {
  TinyRun task(1);
  std::string rows;
  for (int i = 0; i < 6; ++i)
    rows += Json{{"prompt", "Say " + std::to_string(i)}, {"chosen", "yes please"}, {"rejected", "no"}}.dump() + "\n";
  write_text(task / "train.jsonl", rows);
  task.recipe["task"] = "reward";
  task.recipe["objective"] = {{"center_coefficient", 0.01}};
  task.recipe["training"]["max_steps"] = 4;
  task.recipe["checkpoint"] = {{"every_steps", 2}, {"keep", "all"}};
  const Finished trained = run_program({"train", task.write_recipe()});
  REQUIRE_MESSAGE(trained.code == 0, trained.err);
  const Json first = metrics_line(task, 1);
  CHECK(first["training/loss"].get<double>() == std::log(2.0));
  CHECK(first["training/reward_margin"] == 0.0);
  CHECK(first["training/accuracy"] == 0.0);
  CHECK(metrics_line(task, 4)["training/reward_margin"].get<double>() > 0);
  CHECK(temper::read_json(task / "run/adapter/config.json")["num_labels"] == 1);

  // Back to the checkpoint of step 2, as if the run had died there.
  fs::copy(task / "run", task / "again", fs::copy_options::recursive);
  fs::remove_all(task / "again/adapter");
  fs::remove_all(task / "again/checkpoints/step-4");
  Json manifest = temper::read_json(task / "again/run.json");
  manifest["state"] = "running";
  write_text(task / "again/run.json", manifest.dump());
  const Finished resumed = run_program({"resume", task / "again"});
  REQUIRE_MESSAGE(resumed.code == 0, resumed.err);
  CHECK(read_text(task / "again/adapter/adapter_model.safetensors") ==
        read_text(task / "run/adapter/adapter_model.safetensors"));
  CHECK(without_time(read_text(task / "again/metrics.jsonl")) == without_time(read_text(task / "run/metrics.jsonl")));
}

}  // namespace scores_test
