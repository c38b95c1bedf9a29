// SPDX-License-Identifier: MIT
// Recipes on quantized bases: planned, trained, resumed, evaluated, merged.
#include <doctest/doctest.h>

#include <array>

#include "program/program.hpp"
#include "program/tiny_model.hpp"
#include "temper/model/code_tensors.hpp"

namespace quantized_test {

using namespace temper_test;

std::size_t frozen_bytes(const Json& plan) {
  for (const Json& holder : plan["holders"])
    if (holder["name"] == "frozen weights") return holder["bytes"].get<std::size_t>();
  return 0;
}

// Evaluates, trains, stops, goes on: everything that a base must serve.
void check_run(TinyRun& tiny, const std::string& type, std::size_t dense_bytes) {
  tiny.recipe["data"]["validation"] = 0.25;
  tiny.recipe["checkpoint"] = {{"every_steps", 2}};
  const std::string recipe = tiny.write_recipe().string();
  const Finished plan = run_program({"plan", recipe, "--json"});
  REQUIRE(plan.code == 0);
  CHECK(frozen_bytes(plan.json()) < dense_bytes);

  const Finished trained = run_program({"train", recipe, "--json"});
  CHECK(trained.code == 0);
  const Json manifest = temper::parse_json(read_text(tiny / "run/run.json"), "run.json");
  CHECK(manifest["state"] == "completed");
  CHECK(manifest["plan"]["peak_bytes"] == manifest["measured"]["peak_bytes"]);
  const Json used = temper::parse_json(read_text(tiny / "run/recipe.json"), "recipe.json");
  CHECK(used["quantization"]["type"] == type);
  const double before = run_program({"eval", recipe, "--json"}).json()["validation/loss"].get<double>();
  const double after = run_program({"eval", (tiny / "run").string(), "--json"}).json()["validation/loss"].get<double>();
  CHECK(after < before);
}

std::size_t dense_bytes_of(const TinyRun& tiny) {
  return frozen_bytes(run_program({"plan", tiny.write_recipe("dense.json").string(), "--json"}).json());
}

TEST_CASE("quantized: the word qlora is lora on nf4, and its adapter is one of the dense model too") {
  TinyRun tiny;
  const std::size_t dense = dense_bytes_of(tiny);
  tiny.recipe["adapter"]["method"] = "qlora";
  check_run(tiny, "nf4", dense);
  const Json adapter = temper::parse_json(read_text(tiny / "run/adapter/adapter_config.json"), "adapter_config.json");
  CHECK(adapter["peft_type"] == "LORA");

  const Finished merged = run_program({"merge", "--model", (tiny / "model").string(), "--adapter",
                                       (tiny / "run/adapter").string(), "--output", (tiny / "merged").string()});
  CHECK(merged.code == 0);
  const Finished said = run_program(
      {"generate", "--model", (tiny / "merged").string(), "--prompt", "Colour 1?", "--max-new-tokens", "4", "--json"});
  CHECK(said.code == 0);

  // Going on from it, the word stays what it is.
  tiny.recipe["adapter"]["from"] = "run/adapter";
  tiny.recipe["output"] = "again";
  CHECK(run_program({"train", tiny.write_recipe().string()}).code == 0);
}

TEST_CASE("quantized: a run that was stopped goes on with the same bits") {
  TinyRun tiny;
  tiny.recipe["quantization"] = {{"type", "nf4"}, {"double_quant", false}, {"skip", {"down_proj"}}};
  tiny.recipe["checkpoint"] = {{"every_steps", 2}};
  tiny.recipe["training"]["max_steps"] = 6;
  CHECK(run_program({"train", tiny.write_recipe().string()}).code == 0);
  const std::string whole = without_time(read_text(tiny / "run/metrics.jsonl"));
  tiny.recipe["output"] = "stopped";
  const std::string recipe = tiny.write_recipe().string();
  Program stopped({"train", recipe, "--json"});
  stopped.read_lines(3);
  stopped.signal(SIGINT);
  stopped.finish();
  CHECK(run_program({"resume", (tiny / "stopped").string()}).code == 0);
  CHECK(without_time(read_text(tiny / "stopped/metrics.jsonl")) == whole);
}

TEST_CASE("quantized: int8, fp4 under dora, and prompts on nf4") {
  for (const std::array<std::string, 2>& both :
       {std::array<std::string, 2>{"lora", "int8"}, {"dora", "fp4"}, {"prompt", "nf4"}}) {
    const std::string &method = both[0], &type = both[1];
    CAPTURE(type);
    TinyRun tiny;
    const std::size_t dense = dense_bytes_of(tiny);
    tiny.recipe["quantization"] = {{"type", type}};
    tiny.recipe["adapter"] = {{"method", method}};
    if (method != "prompt") tiny.recipe["adapter"]["rank"] = 4;
    check_run(tiny, type, dense);
  }
}

TEST_CASE("quantized: what cannot be is said where it stands in the recipe") {
  const auto refused = [](const Json& adapter, const Json& quantization) {
    TinyRun tiny;
    tiny.recipe["adapter"] = adapter;
    tiny.recipe["quantization"] = quantization;
    const Finished run = run_program({"plan", tiny.write_recipe().string()});
    CHECK(run.code == 2);
    return run.err;
  };
  const auto holds = [](const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
  };
  CHECK(holds(refused({{"method", "full"}}, {{"type", "nf4"}}), "quantization.type: the whole model is trained"));
  CHECK(holds(refused({{"method", "qlora"}}, {{"type", "int8"}}), "quantization.type: qlora is lora on nf4"));
  CHECK(holds(refused({{"method", "lora"}}, {{"type", "nf4"}, {"skip", {"down_prj"}}}),
              "quantization.skip: storage: skip names 'down_prj'"));
}

TEST_CASE("quantized: a checkpoint in 4 bits is opened as it lies, and not as something else") {
  const fs::path golden = fs::path(TEMPER_TESTS) / "golden/storage/checkpoint_nf4";
  TinyRun tiny;
  fs::remove_all(tiny / "model");
  fs::create_directories(tiny / "model");
  write_tokenizer(tiny / "model");
  for (const char* file : {"config.json", "model.safetensors"}) fs::copy_file(golden / file, tiny / "model" / file);
  // Its vocabulary is smaller than the tokenizer's: as far as the shapes it opens.
  const Finished run = run_program({"plan", tiny.write_recipe().string()});
  CHECK(run.err.find("vocab_size of config.json is 64") != std::string::npos);
  tiny.recipe["quantization"] = {{"type", "int8"}};
  CHECK(run_program({"plan", tiny.write_recipe().string()}).err.find("is nf4 already") != std::string::npos);
  tiny.recipe["quantization"] = {{"type", "none"}};
  CHECK(run_program({"plan", tiny.write_recipe().string()}).err.find("is nf4 already") != std::string::npos);
  tiny.recipe.erase("quantization");
  tiny.recipe["adapter"] = {{"method", "full"}};
  CHECK(run_program({"plan", tiny.write_recipe().string()}).err.find("the whole model is to be trained") !=
        std::string::npos);
}

// The tiny model as transformers saves it in 4 or 8 bits; that the bytes are transformers' own is shown for the golden
// one (tests/adapter/merge_test.cpp).
void save_quantized(const fs::path& folder, temper::Coding coding, temper::Element original = temper::Element::f32) {
  using namespace temper;
  std::vector<TensorToWrite> tensors;
  std::vector<std::unique_ptr<CodedMatrix>> matrices;
  const WeightFolder weights(folder);
  for (const TensorInfo& tensor : weights.tensors()) {
    const FloatSource values = [&tensor](Index first, std::span<float> to) { widen(tensor, first, to); };
    if (tensor.name.find("_proj") == std::string::npos) {
      tensors.push_back({tensor.name, Element::f32, tensor.shape, {}, values});
      continue;
    }
    matrices.push_back(
        std::make_unique<CodedMatrix>(coding, merged_form(coding, {}), tensor.shape[0], tensor.shape[1], values));
    matrices.back()->add_to(tensors, tensor.name, original);
  }
  write_safetensors(folder / "model.safetensors", tensors);
  Json config = tiny_config();
  config["quantization_config"] = quantization_config(coding, merged_form(coding, {}), "float32");
  write_text(folder / "config.json", config.dump());
}

TEST_CASE("quantized: a checkpoint in 4 bits is trained on, resumed, evaluated, asked and merged") {
  TinyRun tiny;
  save_quantized(tiny / "model", temper::Coding::nf4);
  tiny.recipe["training"].update(Json{{"epochs", 8}, {"max_steps", 40}});
  check_run(tiny, "nf4", std::size_t{1} << 20);
  const std::string whole = without_time(read_text(tiny / "run/metrics.jsonl"));
  tiny.recipe["output"] = "stopped";
  Program stopped({"train", tiny.write_recipe().string(), "--json"});
  stopped.read_lines(3);
  stopped.signal(SIGINT);
  stopped.finish();
  CHECK(run_program({"resume", (tiny / "stopped").string()}).code == 0);
  CHECK(without_time(read_text(tiny / "stopped/metrics.jsonl")) == whole);

  const std::string model = (tiny / "model").string(), adapter = (tiny / "run/adapter").string();
  const auto text = [](std::vector<std::string> where) {
    where.insert(where.begin(), "generate");
    for (const char* more : {"--prompt", "Colour 3?", "--chat", "--max-new-tokens", "4", "--json"})
      where.emplace_back(more);
    const Finished finished = run_program(where);
    CHECK(finished.code == 0);
    return finished.json()["text"].get<std::string>();
  };
  const auto merged = [&](const std::string& output, const std::string& quantization) {
    return run_program({"merge", "--model", model, "--adapter", adapter, "--output", (tiny / output).string(),
                        "--quantization", quantization, "--json"});
  };
  CHECK(merged("dense", "none").json()["output"] == (tiny / "dense").string());
  CHECK(text({"--model", (tiny / "dense").string()}) == text({"--model", model, "--adapter", adapter}));

  // Into 4 bits again, with what that loses said on the way and kept beside it.
  const Finished coded = merged("coded", "nf4");
  REQUIRE(coded.code == 0);
  const Json certificate = coded.json()["certificate"];
  CHECK(certificate == temper::parse_json(read_text(tiny / "coded/merge_certificate.json"), "merge_certificate.json"));
  CHECK(certificate["matrices"].size() == 14);
  CHECK(certificate["total"]["kept"] > 0);
  CHECK(certificate["total"]["kept"] < 1.5);
  CHECK(certificate["total"]["error"] > 0);
  CHECK(certificate["logits"]["tokens"] == 32);
  CHECK(certificate["logits"]["base_divergence"] > 0);
  CHECK(certificate["loses_most"] == (coded.err.find("keeps less than half") != std::string::npos));
  CHECK(run_program({"eval", (tiny / "run").string(), "--json"}).code == 0);
  CHECK_FALSE(text({"--model", (tiny / "coded").string()}).empty());
  CHECK(merged("other", "int4").code == 2);
}

TEST_CASE("quantized: a checkpoint in 8 bits is trained on, evaluated and merged, into 8 bits again too") {
  TinyRun tiny;
  const std::size_t dense = dense_bytes_of(tiny);
  save_quantized(tiny / "model", temper::Coding::int8);
  check_run(tiny, "int8", dense);
  for (const std::string type : {"none", "int8"}) {
    const Finished merged =
        run_program({"merge", "--model", (tiny / "model").string(), "--adapter", (tiny / "run/adapter").string(),
                     "--output", (tiny / type).string(), "--quantization", type, "--json"});
    REQUIRE(merged.code == 0);
    CHECK(merged.json().contains("certificate") == (type == "int8"));
    const Finished said = run_program(
        {"generate", "--model", (tiny / type).string(), "--prompt", "Colour 1?", "--max-new-tokens", "4", "--json"});
    CHECK(said.code == 0);
  }
  tiny.recipe["quantization"] = {{"type", "nf4"}};
  CHECK(run_program({"plan", tiny.write_recipe().string()}).err.find("is int8 already") != std::string::npos);
}

TEST_CASE("quantized: a teacher that is quantized already is read as it lies: a model that is its own learns nothing") {
  for (const temper::Coding coding : {temper::Coding::nf4, temper::Coding::int8}) {
    TinyRun tiny(12);
    save_quantized(tiny / "model", coding);
    tiny.recipe["task"] = "distillation";
    tiny.recipe["teacher"] = "model";
    tiny.recipe["adapter"]["dropout"] = 0.0;
    tiny.recipe["training"]["max_steps"] = 1;
    const Finished finished = run_program({"train", tiny.write_recipe().string(), "--json"});
    INFO(finished.err);
    REQUIRE(finished.code == 0);
    CHECK(Json::parse(finished.lines()[0])["training/divergence"] == 0);
  }
}

TEST_CASE("quantized: stages on a checkpoint in 4 bits go on with it") {
  TinyRun tiny(12);
  save_quantized(tiny / "model", temper::Coding::nf4);
  tiny.recipe["training"]["max_steps"] = 4;
  tiny.recipe["stages"] = {Json::object(), {{"start", "continue"}}};
  Program stopped({"train", tiny.write_recipe().string(), "--json"});
  stopped.read_lines(2);
  stopped.signal(SIGTERM);
  CHECK(stopped.finish().code == 143);
  CHECK_FALSE(fs::exists(tiny / "run/2-sft"));
  const Finished resumed = run_program({"resume", (tiny / "run").string()});
  INFO(resumed.err);
  CHECK(resumed.code == 0);
  const Json own = temper::parse_json(read_text(tiny / "run/2-sft/recipe.json"), "recipe.json");
  CHECK(own["quantization"]["type"] == "nf4");
  CHECK(run_program({"plan", (tiny / "run/recipe.json").string()}).code == 0);
}

TEST_CASE("quantized: stages fold an adapter into a checkpoint in 4 bits, densely, or into codes with a certificate") {
  TinyRun tiny(12);
  // As PEFT leaves one that it prepared for training: the embedding is of another type than the codes say.
  save_quantized(tiny / "model", temper::Coding::nf4, temper::Element::bf16);
  tiny.recipe["training"]["max_steps"] = 2;
  // What stages hold their model in, and what that takes, is known before the first is trained.
  const auto trained = [&](const Json& stages) {
    tiny.recipe["stages"] = stages;
    const std::string recipe = tiny.write_recipe().string();
    const Finished plan = run_program({"plan", recipe, "--json"});
    INFO(plan.err);
    REQUIRE(plan.code == 0);
    const Finished finished = run_program({"train", recipe, "--force"});
    INFO(finished.err);
    REQUIRE(finished.code == 0);
    const Json manifest = temper::parse_json(read_text(tiny / "run/run.json"), "run.json");
    const Json planned = plan.json();
    for (std::size_t i = 0; i < stages.size(); ++i)
      CHECK(manifest["stages"][i]["plan"]["peak_bytes"] == planned["stages"][i]["peak_bytes"]);
    return planned;
  };
  const auto config = [&](const std::string& folder) {
    return temper::parse_json(read_text(tiny / folder / "config.json"), "config.json");
  };
  const auto type_of = [&](const std::string& stage) {
    return temper::parse_json(read_text(tiny / ("run/" + stage) / "recipe.json"),
                              "recipe.json")["quantization"]["type"];
  };

  // As 'temper merge' does: what nothing is asked for becomes dense.
  const Json dense =
      trained({Json::object(), {{"start", "merge"}}, {{"start", "merge"}, {"adapter", {{"method", "full"}}}}});
  CHECK(frozen_bytes(dense["stages"][1]) > frozen_bytes(dense["stages"][0]));
  CHECK_FALSE(config("run/1-sft/merged").contains("quantization_config"));
  CHECK_FALSE(fs::exists(tiny / "run/1-sft/merged/merge_certificate.json"));
  CHECK(type_of("1-sft") == "nf4");
  CHECK(type_of("2-sft") == "none");
  CHECK(fs::exists(tiny / "run/3-sft/model/model.safetensors"));

  const Json coded = trained({Json::object(),
                              {{"start", "merge"}, {"quantization", {{"type", "nf4"}}}},
                              {{"start", "continue"}},
                              {{"start", "merge"}, {"quantization", {{"type", "int8"}}}}});
  CHECK(frozen_bytes(coded["stages"][1]) == frozen_bytes(coded["stages"][0]));
  CHECK(frozen_bytes(coded["stages"][3]) > frozen_bytes(coded["stages"][0]));
  CHECK(config("run/1-sft/merged")["quantization_config"]["bnb_4bit_quant_type"] == "nf4");
  CHECK(config("run/3-sft/merged")["quantization_config"]["load_in_8bit"] == true);
  const Json certificate =
      temper::parse_json(read_text(tiny / "run/1-sft/merged/merge_certificate.json"), "certificate");
  CHECK(certificate["matrices"].size() == 14);
  CHECK(read_text(tiny / "run/2-sft/log.txt").find("keeps less than half") != std::string::npos);
  CHECK(type_of("3-sft") == "nf4");
  CHECK(run_program({"plan", (tiny / "run/recipe.json").string()}).code == 0);

  // Scales that are asked for otherwise than the folder has them; then 8 bits, which do not say what the weights were.
  trained({Json::object(),
           {{"start", "merge"}, {"quantization", {{"type", "nf4"}, {"double_quant", false}}}},
           {{"start", "merge"}, {"quantization", {{"type", "int8"}}}},
           {{"start", "merge"}}});
  CHECK(config("run/1-sft/merged")["quantization_config"]["bnb_4bit_use_double_quant"] == false);
  const auto settings = [&](const std::string& stage) {
    return temper::parse_json(read_text(tiny / ("run/" + stage) / "recipe.json"), "recipe.json")["quantization"];
  };
  CHECK(settings("1-sft")["double_quant"] == true);
  CHECK(settings("2-sft")["double_quant"] == false);

  // Which layers are in codes is not for the stage to say.
  tiny.recipe["stages"] = {Json::object(),
                           {{"start", "merge"}, {"quantization", {{"type", "int8"}, {"skip", {"down_proj"}}}}}};
  const Finished skipped = run_program({"plan", tiny.write_recipe().string()});
  CHECK(skipped.code == 2);
  CHECK(skipped.err.find("quantization.skip: ") != std::string::npos);
  CHECK(skipped.err.find("model, merged: tensor 'model.layers.0.mlp.down_proj.weight' is quantized (int8)") !=
        std::string::npos);

  // A stage that goes on with codes has those; another type is a mistake that is found before anything is trained.
  tiny.recipe["stages"] = {Json::object(),
                           {{"start", "merge"}, {"quantization", {{"type", "nf4"}}}},
                           {{"start", "continue"}, {"quantization", {{"type", "int8"}}}}};
  const Finished other = run_program({"plan", tiny.write_recipe().string()});
  CHECK(other.code == 2);
  CHECK(other.err.find("what the stages before make of") != std::string::npos);
  CHECK(other.err.find("will be nf4") != std::string::npos);
}

}  // namespace quantized_test
