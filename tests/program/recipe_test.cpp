// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <sstream>

#include "program/program.hpp"
#include "program/tiny_model.hpp"
#include "recipe_table.hpp"
#include "suggestion.hpp"

namespace recipe_test {

using namespace temper_test;

// The stderr lines of a recipe that must be refused.
std::vector<std::string> complaints(const fs::path& recipe, std::vector<std::string> more = {}) {
  std::vector<std::string> arguments = {"plan", recipe.string()};
  arguments.insert(arguments.end(), more.begin(), more.end());
  const Finished finished = run_program(arguments);
  CHECK(finished.code == 2);
  CHECK(finished.out.empty());
  std::vector<std::string> lines;
  std::istringstream text(finished.err);
  for (std::string line; std::getline(text, line);) lines.push_back(line);
  return lines;
}

bool holds(const std::vector<std::string>& lines, const std::string& part) {
  for (const std::string& line : lines)
    if (line.find(part) != std::string::npos) return true;
  MESSAGE("no line has: " << part);
  for (const std::string& line : lines) MESSAGE(line);
  return false;
}

TEST_CASE("recipe: every mistake is reported at once, with file, line, column and key") {
  const TestFolder folder;
  write_text(folder / "r.json", R"({
  // a comment
  "task": "sft",
  "model": "nowhere",
  "adapter": { "methd": "lora", "rank": "16", "alpha": 32, "alpha": 3 },
  "data": { "train": [], "validation": 1.5, "packing": 1, "max_length": 1 },
  "training": { "optimizer": "adamW", "rank": 4, "batch_size": 0, "epochs": 1.5 },
  "objective": {"beta": 0.1}
})");
  const std::string file = (folder / "r.json").string();
  const auto lines = complaints(folder / "r.json");
  CHECK(lines.size() == 14);
  CHECK(holds(lines, "temper: " + file + ":1:1: output: is missing"));
  CHECK(holds(lines, file + ":4:12: model: "));
  CHECK(holds(lines, file + ":5:16: adapter.methd: unknown key; did you mean 'method'?"));
  CHECK(holds(lines, file + ":5:41: adapter.rank: '16' is a string; expected an integer, 1 or more"));
  CHECK(holds(lines, file + ":5:60: adapter.alpha: stands twice"));
  CHECK(holds(lines, file + ":6:22: data.train: the list is empty"));
  CHECK(holds(lines, file + ":6:40: data.validation: 1.5 is out of range"));
  CHECK(holds(lines, file + ":6:56: data.packing: 1 is a number; expected true or false"));
  CHECK(holds(lines, file + ":6:73: data.max_length: 1 is out of range; expected an integer, 2 or more"));
  CHECK(holds(lines, file + ":7:30: training.optimizer: 'adamW' is not known; did you mean 'adamw'?"));
  CHECK(holds(lines, file + ":7:39: training.rank: unknown key; did you mean 'adapter.rank'?"));
  CHECK(holds(lines, file + ":7:64: training.batch_size: 0 is out of range"));
  CHECK(holds(lines, file + ":8:17: objective.beta: task 'sft' has no such key"));
}

TEST_CASE("recipe: the first suggestion for a mistyped key is nearly always the right one") {
  // key as written = key as meant
  static constexpr const char* corpus[] = {"training.learning_rte=training.learning_rate",
                                           "training.lerning_rate=training.learning_rate",
                                           "training.learningrate=training.learning_rate",
                                           "training.learning-rate=training.learning_rate",
                                           "training.LearningRate=training.learning_rate",
                                           "training.lr=training.learning_rate",
                                           "adapter.learning_rate=training.learning_rate",
                                           "learning_rate=training.learning_rate",
                                           "training.rank=adapter.rank",
                                           "rank=adapter.rank",
                                           "adapter.rnak=adapter.rank",
                                           "adapter.ranks=adapter.rank",
                                           "adapter.r=adapter.rank",
                                           "adapter.aplha=adapter.alpha",
                                           "adapter.lora_alpha=adapter.alpha",
                                           "adapter.drop_out=adapter.dropout",
                                           "adapter.droput=adapter.dropout",
                                           "adapter.rs_lora=adapter.rslora",
                                           "adapter.target=adapter.targets",
                                           "adapter.target_modules=adapter.targets",
                                           "adapter.module_to_save=adapter.modules_to_save",
                                           "adapter.lora_plus=adapter.lora_plus_ratio",
                                           "adapter.methd=adapter.method",
                                           "adapter.biass=adapter.bias",
                                           "modle=model",
                                           "tsak=task",
                                           "ouput=output",
                                           "output_dir=output",
                                           "devcie=device",
                                           "thread=threads",
                                           "data.trian=data.train",
                                           "data.validaton=data.validation",
                                           "data.fromat=data.format",
                                           "data.colums=data.columns",
                                           "data.max_lenght=data.max_length",
                                           "data.max_seq_length=data.max_length",
                                           "data.packin=data.packing",
                                           "data.shufle=data.shuffle",
                                           "data.max_sample=data.max_samples",
                                           "data.systemprompt=data.system_prompt",
                                           "data.template=data.chat_template",
                                           "data.template_args=data.template_arguments",
                                           "training.batchsize=training.batch_size",
                                           "training.bacth_size=training.batch_size",
                                           "data.batch_size=training.batch_size",
                                           "training.gradient_acumulation=training.gradient_accumulation",
                                           "training.gradient_accumulation_steps=training.gradient_accumulation",
                                           "training.epoch=training.epochs",
                                           "training.num_train_epochs=training.epochs",
                                           "training.max_step=training.max_steps",
                                           "training.optimiser=training.optimizer",
                                           "training.sheduler=training.scheduler",
                                           "training.warm_up_steps=training.warmup_steps",
                                           "training.warmup_ration=training.warmup_ratio",
                                           "training.weight_deacy=training.weight_decay",
                                           "training.max_gradient_norm=training.max_grad_norm",
                                           "training.sed=training.seed",
                                           "training.beta_1=training.beta1",
                                           "training.percision=training.precision",
                                           "objective.label_smothing=objective.label_smoothing",
                                           "training.label_smoothing=objective.label_smoothing",
                                           "evaluation.every_step=evaluation.every_steps",
                                           "evaluation.eval_steps=evaluation.every_steps",
                                           "checkpoint.every=checkpoint.every_steps",
                                           "checkpoint.keeps=checkpoint.keep",
                                           "quantization.typ=quantization.type",
                                           "trainning=training",
                                           "checkpoints=checkpoint",
                                           "quantisation=quantization",
                                           "Model=model"};
  Json recipe = {{"task", "sft"}};
  std::map<std::string, std::string> meant;
  for (const std::string pair : corpus) {
    const std::string written = pair.substr(0, pair.find('='));
    meant[written] = pair.substr(pair.find('=') + 1);
    const std::size_t dot = written.find('.');
    if (dot == std::string::npos)
      recipe[written] = Json::object();
    else
      recipe[written.substr(0, dot)][written.substr(dot + 1)] = 1;
  }
  const TestFolder folder;
  write_text(folder / "r.json", recipe.dump(1));
  std::size_t right = 0;
  for (const std::string& line : complaints(folder / "r.json")) {
    const std::size_t message = line.find(": unknown key; did you mean '");
    if (message == std::string::npos) continue;
    const std::size_t key = line.rfind(' ', message) + 1;
    const std::string written = line.substr(key, message - key);
    const std::size_t quote = line.find('\'', message) + 1;
    std::string said = line.substr(quote, line.find('\'', quote) - quote);
    // In the same section the name stands alone.
    const std::size_t dot = written.find('.');
    if (dot != std::string::npos && said.find('.') == std::string::npos && meant[written] != said)
      said = written.substr(0, dot + 1) + said;
    right += said == meant[written];
    if (said != meant[written]) MESSAGE(written << " -> " << said);
  }
  CHECK(static_cast<double>(right) >= 0.9 * static_cast<double>(std::size(corpus)));
}

TEST_CASE("recipe: --set overrides the file and is checked like it") {
  const TinyRun tiny;
  const std::string recipe = tiny.write_recipe().string();
  const auto lines =
      complaints(recipe, {"--set", "training.learning_rate=fast", "--set", "adapter.rnk=3", "--set", "seed"});
  CHECK(lines.size() == 3);
  CHECK(holds(lines, "temper: --set: training.learning_rate: 'fast' is a string; expected a number, 0 or more"));
  CHECK(holds(lines, "temper: --set: adapter.rnk: unknown key; did you mean 'rank'?"));
  CHECK(holds(lines, "temper: --set: seed: has no '='"));
}

TEST_CASE("recipe: keys that need each other") {
  TinyRun tiny;
  tiny.recipe["evaluation"] = {{"every_steps", 2}, {"early_stopping_patience", 1}};
  tiny.recipe["checkpoint"] = {{"keep", "best"}};
  tiny.recipe["training"]["nesterov"] = true;
  const auto lines = complaints(tiny.write_recipe());
  CHECK(lines.size() == 5);
  CHECK(holds(lines, "evaluation.every_steps: there is nothing to evaluate on"));
  CHECK(holds(lines, "evaluation.early_stopping_patience: there is nothing to evaluate on"));
  CHECK(holds(lines, "checkpoint.keep: 'best' needs a validation loss"));
  CHECK(holds(lines, "training.nesterov: needs a momentum"));
  CHECK(holds(lines, "training.nesterov: the rule adamw has no such setting"));
}

TEST_CASE("recipe: a setting that the optimizer does not read is refused, unless it is the default") {
  TinyRun tiny;
  tiny.recipe["training"].update(
      Json{{"optimizer", "adafactor"}, {"momentum", 0.9}, {"beta1", 0.8}, {"beta2", 0.999}, {"epsilon", 1e-6}});
  const std::string recipe = tiny.write_recipe().string();
  const auto lines = complaints(recipe);
  CHECK(lines.size() == 3);
  for (const std::string key : {"momentum", "beta1", "epsilon"})
    CHECK(holds(lines, "training." + key + ": the rule adafactor has no such setting; expected it to be left out, or"));
  CHECK(complaints(recipe, {"--set", "training.optimizer=lion"}).size() == 2);
  CHECK(complaints(recipe, {"--set", "training.optimizer=sgd"}).size() == 2);
  CHECK(complaints(recipe, {"--set", "training.optimizer=adamw"}).size() == 1);
  CHECK(run_program({"plan", recipe, "--set", "training.optimizer=muon"}).code == 0);
}

TEST_CASE("recipe: how trained matrices are held and moved is asked of those that are trained") {
  TinyRun tiny;
  tiny.recipe["training"].update(Json{{"precision", "bf16"}, {"update", "in_backward"}, {"max_grad_norm", 1.0}});
  tiny.recipe["training"]["gradient_accumulation"] = 2;
  const std::string recipe = tiny.write_recipe().string();
  const auto lines = complaints(recipe);
  CHECK(lines.size() == 4);
  CHECK(holds(lines, "training.precision: is about matrices of the model that are trained"));
  CHECK(holds(lines, "expected after_backward, adapter.method full, or adapter.modules_to_save"));
  CHECK(holds(lines, "training.max_grad_norm: is of all gradients"));
  CHECK(holds(lines, "training.gradient_accumulation: adds gradients up"));
  CHECK(complaints(recipe, {"--set", "adapter.method=full"}).size() == 2);
  const std::vector<std::string> thin = {"--set", "adapter.method=full", "--set", "training.gradients=bf16"};
  CHECK(complaints(recipe, thin).size() == 3);
  CHECK(holds(complaints(recipe, thin), "training.gradients: are not held with training.update in_backward"));
  CHECK(complaints(recipe, {"--set", "training.gradients=bf16"}).size() == 5);
  auto wide = thin;
  wide.insert(wide.end(), {"--set", "training.precision=fp32", "--set", "training.update=after_backward"});
  const auto of_wide = complaints(recipe, wide);
  CHECK(of_wide.size() == 1);
  CHECK(holds(of_wide, "training.gradients: are held in bf16 beside weights in bf16; expected training.precision"));
  const std::vector<std::string> alone = {"--set", "training.max_grad_norm=null", "--set",
                                          "training.gradient_accumulation=1"};
  for (const std::string trained : {"adapter.method=full", "adapter.modules_to_save=[\"lm_head\"]"}) {
    std::vector<std::string> arguments = {"plan", recipe, "--set", trained};
    arguments.insert(arguments.end(), alone.begin(), alone.end());
    CHECK(run_program(arguments).code == 0);
  }
}

TEST_CASE("recipe: words of the contract that are not built say so") {
  TinyRun tiny;
  tiny.recipe["device"] = "cuda";
  const auto lines = complaints(tiny.write_recipe());
  CHECK(lines.size() == 1);
  for (const std::string& line : lines) CHECK(line.find("not yet built") != std::string::npos);
}

TEST_CASE("recipe: text that is no JSON, or no object, is a usage error with its place") {
  const TestFolder folder;
  write_text(folder / "a.json", "{\n  \"task\": ,\n}");
  CHECK(holds(complaints(folder / "a.json"), "a.json:2:11"));
  write_text(folder / "b.json", "[]");
  CHECK(holds(complaints(folder / "b.json"), "b.json:1:1: recipe: is a list; stages stand in an object"));
  write_text(folder / "c.json", "3");
  CHECK(holds(complaints(folder / "c.json"), "c.json:1:1: recipe: is not an object"));
  CHECK(holds(complaints(folder / "absent.json"), "absent.json: no such file"));
  CHECK(complaints(folder.path()).size() == 1);
}

TEST_CASE("recipe: a key of other tools is refused with ours, as the table for those who know them says") {
  const std::string page = read_text(fs::path(TEMPER_TESTS).parent_path() / "docs" / "first_run.md");
  std::istringstream lines(page.substr(page.find("| theirs | here |")));
  std::size_t keys = 0;
  for (std::string line; std::getline(lines, line) && line.starts_with('|');) {
    // Words in backticks, theirs before the second bar; one that begins with a dot is of the section before it.
    std::vector<std::string> theirs, ours;
    const std::size_t bar = line.find('|', 1);
    for (std::size_t begin = line.find('`'); begin != std::string::npos;) {
      const std::size_t end = line.find('`', begin + 1);
      std::string word = line.substr(begin + 1, end - begin - 1);
      word = word.substr(0, word.find(':'));
      if (word.starts_with('.')) word = ours.back().substr(0, ours.back().find('.')) + word;
      (begin < bar ? theirs : ours).push_back(word);
      begin = line.find('`', end + 1);
    }
    for (const char* task : {"sft", "dpo"}) {
      const auto is_key = [&](const std::string& path) { return temper_cli::find_key(path, task) != nullptr; };
      if (std::none_of(ours.begin(), ours.end(), is_key)) continue;
      for (const std::string& word : theirs) {
        if (word.find(' ') != std::string::npos) continue;  // a command
        CAPTURE(word);
        CHECK(std::find(ours.begin(), ours.end(), temper_cli::nearest_key("", word, task)) != ours.end());
        ++keys;
      }
    }
  }
  CHECK(keys > 40);
}

TEST_CASE("recipe: the page of keys in docs is the table of the program") {
  const std::string page = read_text(fs::path(TEMPER_TESTS).parent_path() / "docs" / "recipe.md");
  const std::string table = run_program({"recipe"}).out;
  CHECK(table.size() > 1000);
  CHECK(page.find(table) != std::string::npos);
}

}  // namespace recipe_test
