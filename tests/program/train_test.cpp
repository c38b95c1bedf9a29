// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <set>

#include "program/program.hpp"
#include "program/tiny_model.hpp"
#include "temper/io/safetensors.hpp"

namespace train_test {

using namespace temper_test;

std::set<std::string> names_in(const fs::path& folder) {
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) names.insert(entry.path().filename().string());
  return names;
}

Finished train(const TinyRun& tiny, std::vector<std::string> more = {}) {
  std::vector<std::string> arguments = {"train", tiny.write_recipe().string()};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return run_program(arguments);
}

std::string adapter(const fs::path& run) { return read_text(run / "adapter" / "adapter_model.safetensors"); }

TEST_CASE("train: a run leaves an adapter, metrics and a manifest, and nothing beside model and data") {
  TinyRun tiny;
  tiny.recipe["data"]["validation"] = 0.25;
  const auto model_before = names_in(tiny / "model");
  const Finished finished = train(tiny, {"--json"});
  INFO(finished.err);
  REQUIRE(finished.code == 0);
  CHECK(names_in(tiny / "model") == model_before);
  CHECK(names_in(tiny.folder.path()) == std::set<std::string>{"model", "train.jsonl", "recipe.json", "run"});
  const std::set<std::string> files = names_in(tiny / "run");
  for (const char* name : {"recipe.json", "run.json", "metrics.jsonl", "log.txt", "adapter"})
    CHECK(files.count(name) == 1);
  CHECK(names_in(tiny / "run" / "adapter") ==
        std::set<std::string>{"adapter_config.json", "adapter_model.safetensors"});

  // 18 rows, four a step: five steps, an evaluation at the end, and the last line.
  const std::vector<std::string> lines = finished.lines();
  REQUIRE(lines.size() == 7);
  const Json first = Json::parse(lines[0]);
  std::vector<std::string> keys;
  for (const auto& [key, value] : first.items()) keys.push_back(key);
  CHECK(keys == std::vector<std::string>{"step", "training/loss", "training/learning_rate", "training/grad_norm",
                                         "training/tokens", "training/supervised_tokens", "training/samples",
                                         "training/accuracy", "time"});
  CHECK(first["step"] == 1);
  CHECK(first["training/samples"] == 4);
  CHECK(Json::parse(lines[4])["training/samples"] == 2);
  CHECK(Json::parse(lines[5])["validation/loss"].get<double>() > 0);
  CHECK(Json::parse(lines[6])["state"] == "completed");
  CHECK(Json::parse(lines[0])["training/loss"].get<double>() > Json::parse(lines[4])["training/loss"].get<double>());

  std::string metrics;
  for (std::size_t i = 0; i < 6; ++i) metrics += lines[i] + "\n";
  CHECK(read_text(tiny / "run" / "metrics.jsonl") == metrics);
  const Json manifest = Json::parse(read_text(tiny / "run" / "run.json"));
  CHECK(manifest["state"] == "completed");
  CHECK(manifest["plan"]["peak_bytes"] == manifest["measured"]["peak_bytes"]);
  CHECK(manifest["steps"] == 5);
}

TEST_CASE("train: the same recipe gives the same bytes, on one thread and on two, and from the run's own recipe") {
  TinyRun tiny;
  REQUIRE(train(tiny, {"--set", "output=" + (tiny / "a").string(), "--set", "threads=1"}).code == 0);
  REQUIRE(train(tiny, {"--set", "output=" + (tiny / "b").string(), "--set", "threads=2"}).code == 0);
  REQUIRE(
      run_program({"train", (tiny / "a" / "recipe.json").string(), "--set", "output=" + (tiny / "c").string()}).code ==
      0);
  const std::string metrics = without_time(read_text(tiny / "a" / "metrics.jsonl"));
  for (const char* other : {"b", "c"}) {
    CHECK(without_time(read_text(tiny / other / "metrics.jsonl")) == metrics);
    CHECK(adapter(tiny / other) == adapter(tiny / "a"));
  }
}

TEST_CASE("train: a folder that is not empty is refused, and replaced when forced, unless it holds what is read") {
  TinyRun tiny(4);
  fs::create_directories(tiny / "run");
  write_text(tiny / "run" / "keep.txt", "mine");
  const Finished refused = train(tiny);
  CHECK(refused.code == 2);
  CHECK(refused.err.find("not empty") != std::string::npos);
  CHECK(read_text(tiny / "run" / "keep.txt") == "mine");
  CHECK(train(tiny, {"--force"}).code == 0);
  CHECK(!fs::exists(tiny / "run" / "keep.txt"));
  CHECK(train(tiny, {"--force", "--set", "output=" + (tiny / "model").string()}).code == 2);
  CHECK(train(tiny, {"--force", "--set", "output=" + tiny.folder.path().string()}).code == 2);
  CHECK(fs::exists(tiny / "model" / "model.safetensors"));
  fs::create_directories(tiny / "templates");
  write_text(tiny / "templates/own.jinja", "{{ messages[0].content }}");
  tiny.recipe["data"]["chat_template"] = "templates/own.jinja";
  CHECK(train(tiny, {"--force", "--set", "output=" + (tiny / "templates").string()}).code == 2);
  CHECK(fs::exists(tiny / "templates/own.jinja"));
}

TEST_CASE("train: an adapter is gone on from; what the recipe says must agree with it") {
  TinyRun tiny;
  REQUIRE(train(tiny).code == 0);
  tiny.recipe["adapter"] = {{"from", "run/adapter"}};
  tiny.recipe["output"] = "second";
  const Finished second = train(tiny, {"--json"});
  INFO(second.err);
  REQUIRE(second.code == 0);
  const Json settled = Json::parse(read_text(tiny / "second" / "recipe.json"))["adapter"];
  CHECK(settled["rank"] == 4);
  CHECK(settled["alpha"] == 8);
  const Finished first{0, read_text(tiny / "run" / "metrics.jsonl"), ""};
  CHECK(Json::parse(second.lines()[0])["training/loss"] < Json::parse(first.lines()[0])["training/loss"]);
  tiny.recipe["adapter"]["rank"] = 8;
  tiny.recipe["output"] = "third";
  const Finished third = train(tiny);
  CHECK(third.code == 2);
  CHECK(third.err.find("adapter.rank: is 8 but") != std::string::npos);
}

TEST_CASE("train: the whole model becomes a folder of its own") {
  TinyRun tiny(8);
  tiny.recipe["adapter"] = {{"method", "full"}};
  tiny.recipe["training"]["learning_rate"] = nullptr;
  REQUIRE(train(tiny).code == 0);
  const Json recipe = Json::parse(read_text(tiny / "run" / "recipe.json"));
  CHECK(recipe["training"]["learning_rate"] == 5e-6);
  const temper::SafetensorsFile weights(tiny / "run" / "model" / "model.safetensors");
  CHECK(weights.tensors().size() == 21);
  CHECK(fs::exists(tiny / "run" / "model" / "tokenizer.json"));
}

TEST_CASE("train: pretraining may start from a folder without weights") {
  TinyRun tiny;
  fs::remove(tiny / "model" / "model.safetensors");
  write_text(tiny / "train.jsonl", "{\"text\": \"once upon a time\"}\n{\"text\": \"there was a token\"}\n");
  CHECK(train(tiny).code == 76);  // an adapter needs something to stand on
  tiny.recipe["task"] = "pretrain";
  tiny.recipe["adapter"] = {{"method", "full"}};
  CHECK(train(tiny).code == 0);
  CHECK(fs::exists(tiny / "run" / "model" / "model.safetensors"));
}

TEST_CASE("train: an evaluation that does not get better stops the run early") {
  TinyRun tiny;
  tiny.recipe["data"]["validation"] = 0.25;
  tiny.recipe["training"]["epochs"] = 10;
  tiny.recipe["evaluation"] = {{"every_steps", 1}, {"early_stopping_patience", 2}, {"early_stopping_threshold", 100.0}};
  const Finished finished = train(tiny, {"--json"});
  CHECK(finished.code == 0);
  CHECK(finished.lines().size() == 2 * 3 + 1);
  CHECK(Json::parse(read_text(tiny / "run" / "run.json"))["stopped_early"] == true);
}

TEST_CASE("train: checkpoints are kept as the recipe says") {
  for (const std::string keep : {"all", "latest", "best"}) {
    TinyRun tiny;
    tiny.recipe["data"]["validation"] = 0.25;
    tiny.recipe["training"]["epochs"] = 2;  // ten steps
    tiny.recipe["evaluation"] = {{"every_steps", 3}};
    tiny.recipe["checkpoint"] = {{"every_steps", 3}, {"keep", keep}};
    const Finished finished = train(tiny);
    INFO(finished.err);
    REQUIRE(finished.code == 0);
    const auto kept = names_in(tiny / "run" / "checkpoints");
    if (keep == "all") CHECK(kept == std::set<std::string>{"step-3", "step-6", "step-9"});
    if (keep == "latest") CHECK(kept == std::set<std::string>{"step-9"});
    if (keep != "best") continue;
    REQUIRE(kept.size() == 1);
    double lowest = 1e9;
    int step = 0;
    for (const std::string& line : Finished{0, read_text(tiny / "run" / "metrics.jsonl"), ""}.lines()) {
      const Json metrics = Json::parse(line);
      if (!metrics.contains("validation/loss") || metrics["validation/loss"] >= lowest) continue;
      lowest = metrics["validation/loss"];
      step = metrics["step"];
    }
    CHECK(*kept.begin() == "step-" + std::to_string(step));
  }
}

TEST_CASE("train: a loss that is not finite ends with 78 and names step and layer; no adapter is left") {
  TinyRun tiny;
  tiny.recipe["training"]["learning_rate"] = 1e30;
  tiny.recipe["training"]["warmup_ratio"] = 0.0;
  tiny.recipe["training"]["max_grad_norm"] = nullptr;
  const Finished finished = train(tiny, {"--json"});
  CHECK(finished.code == 78);
  CHECK(finished.err.find("step ") != std::string::npos);
  CHECK(finished.err.find("layer") != std::string::npos);
  CHECK(!fs::exists(tiny / "run" / "adapter"));
  CHECK(Json::parse(read_text(tiny / "run" / "run.json"))["state"] == "failed");
}

TEST_CASE("train: files that are bad end with 76, before a run's folder is made") {
  const auto refused = [](const TinyRun& tiny, const std::string& part) {
    const Finished finished = train(tiny);
    INFO(finished.err);
    CHECK(finished.code == 76);
    CHECK(finished.err.find(part) != std::string::npos);
    CHECK(!fs::exists(tiny / "run"));
  };
  {
    TinyRun tiny;
    write_text(tiny / "model" / "model.safetensors", read_text(tiny / "model" / "model.safetensors").substr(0, 3000));
    refused(tiny, "model.safetensors");
  }
  {
    TinyRun tiny;  // the last four bytes are a weight of the final norm
    std::string weights = read_text(tiny / "model" / "model.safetensors");
    weights.replace(weights.size() - 4, 4, std::string("\0\0\xc0\x7f", 4));
    write_text(tiny / "model" / "model.safetensors", weights);
    refused(tiny, "'model.norm.weight': element 31 is NaN");
  }
  {
    TinyRun tiny;
    fs::remove(tiny / "model" / "config.json");
    refused(tiny, "config.json");
  }
  {
    TinyRun tiny;
    write_text(tiny / "train.jsonl", tiny_rows(2) + "{\"prompt\": 3, \"completion\": \"x\"}\n");
    refused(tiny, "train.jsonl:3");
  }
  {
    TinyRun tiny;
    Json config = tiny_config();
    config["vocab_size"] = 200;
    write_text(tiny / "model" / "config.json", config.dump());
    refused(tiny, "shape");
  }
}

TEST_CASE("train: an adapter or a storage that cannot be is refused before a run's folder is made") {
  const fs::path golden = fs::path(TEMPER_TESTS) / "golden/model";
  const auto refused = [](const TinyRun& tiny, int code, const std::string& part) {
    tiny.write_recipe();
    const auto before = names_in(tiny.folder.path()), model_before = names_in(tiny / "model");
    const Finished finished = train(tiny);
    INFO(finished.err);
    CHECK(finished.code == code);
    CHECK(finished.err.find(part) != std::string::npos);
    CHECK(names_in(tiny.folder.path()) == before);
    CHECK(names_in(tiny / "model") == model_before);
  };
  {
    TinyRun tiny;
    tiny.recipe["adapter"] = {{"rank", 17}};
    refused(tiny, 2, "adapter.rank: lora: rank 17 does not fit model.layers.0.self_attn.k_proj, which is 16 x 32");
    tiny.recipe["adapter"] = {{"method", "dora"}, {"rank", 17}};
    refused(tiny, 2, "adapter.rank: lora: rank 17 does not fit model.layers.0.self_attn.k_proj, which is 16 x 32");
    tiny.recipe["adapter"] = {{"targets", {"q_proj", "o_porj"}}};
    refused(tiny, 2, "adapter.targets: lora: targets names 'o_porj'");
    refused(tiny, 2, "the nearest are o_proj, ");
    tiny.recipe["adapter"] = {{"modules_to_save", {"lm_heads"}}};
    refused(tiny, 2, "adapter.modules_to_save: lora: modules_to_save names 'lm_heads'");
    refused(tiny, 2, "the nearest are lm_head, ");
    tiny.recipe["adapter"] = {{"targets", {"modules_to_save"}}};
    refused(tiny, 2, "adapter.targets: lora: targets names 'modules_to_save'");
  }
  {
    TinyRun tiny;  // an adapter of another model, and one whose configuration is not that of its tensors
    tiny.recipe["adapter"] = {{"from", (golden / "qwen2/adapter").string()}};
    refused(tiny, 76, "lora_A.weight");
    fs::create_directories(tiny / "lies");
    fs::copy_file(golden / "llama3/adapter/adapter_model.safetensors", tiny / "lies/adapter_model.safetensors");
    Json config = Json::parse(read_text(golden / "llama3/adapter/adapter_config.json"));
    config["r"] = 2;
    write_text(tiny / "lies/adapter_config.json", config.dump());
    tiny.recipe["adapter"] = {{"from", "lies"}};
    refused(tiny, 76, "lora_A.weight");
  }
  {
    TinyRun tiny;
    Json config = tiny_config();
    config["quantization_config"] = Json::parse(
        read_text(fs::path(TEMPER_TESTS) / "golden/storage/checkpoint_nf4/config.json"))["quantization_config"];
    write_text(tiny / "model" / "config.json", config.dump());
    refused(tiny, 76, "quantization_config");
    config["quantization_config"]["bnb_4bit_quant_type"] = "nf5";
    write_text(tiny / "model" / "config.json", config.dump());
    refused(tiny, 76, "nf5");
  }
}

TEST_CASE("train: blocks that are computed once more plan less memory, and write the same bytes") {
  TinyRun tiny;
  const auto peak = [&](const char* run) {
    return Json::parse(read_text(tiny / run / "run.json"))["measured"]["peak_bytes"].get<std::size_t>();
  };
  REQUIRE(train(tiny, {"--set", "output=" + (tiny / "a").string()}).code == 0);
  REQUIRE(train(tiny, {"--set", "output=" + (tiny / "b").string(), "--set", "training.recompute=blocks"}).code == 0);
  CHECK(without_time(read_text(tiny / "a/metrics.jsonl")) == without_time(read_text(tiny / "b/metrics.jsonl")));
  CHECK(adapter(tiny / "a") == adapter(tiny / "b"));
  CHECK(peak("b") < peak("a"));
}

}  // namespace train_test
