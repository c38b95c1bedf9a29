// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include "program/program.hpp"
#include "program/tiny_model.hpp"

namespace optimizers_test {

using namespace temper_test;

TEST_CASE("optimizers: every word of the recipe trains, whole models and adapters") {
  TinyRun tiny(8);
  tiny.recipe["training"].update(Json{{"max_steps", 3}, {"gradient_accumulation", 1}});
  for (const std::string method : {"lora", "full"}) {
    tiny.recipe["adapter"] = Json{{"method", method}};
    const std::string recipe = tiny.write_recipe().string();
    for (const std::string optimizer : {"sgd", "adafactor", "lion", "adamw_8bit", "muon"}) {
      const std::string output = (tiny / (optimizer + "-" + method)).string();
      CAPTURE(output);
      const bool averages = optimizer == "sgd" || optimizer == "muon";
      const Finished run = run_program({"train", recipe, "--json", "--set", "output=" + output, "--set",
                                        "training.optimizer=" + optimizer, "--set",
                                        averages ? "training.momentum=0.9" : "training.momentum=0.0"});
      CAPTURE(run.err);
      REQUIRE(run.code == 0);
      CHECK(read_text(fs::path(output) / "metrics.jsonl").find("\"step\":3") != std::string::npos);
    }
  }
}

TEST_CASE("optimizers: weights in bf16, with what saves more beside them, are planned to the byte and saved") {
  TinyRun tiny(8);
  tiny.recipe["adapter"] = Json{{"method", "full"}};
  tiny.recipe["training"].update(Json{{"max_steps", 3},
                                      {"gradient_accumulation", 1},
                                      {"max_grad_norm", nullptr},
                                      {"optimizer", "adamw_8bit"},
                                      {"precision", "bf16"}});
  const std::string recipe = tiny.write_recipe().string();
  std::vector<std::string> models;
  Json bytes;
  for (const std::string update : {"after_backward", "in_backward"}) {
    const fs::path output = tiny / update;
    const Finished run =
        run_program({"train", recipe, "--set", "output=" + output.string(), "--set", "training.update=" + update});
    CAPTURE(run.err);
    REQUIRE(run.code == 0);
    models.push_back(read_text(output / "model" / "model.safetensors"));
    const Json manifest = Json::parse(read_text(output / "run.json"));
    CHECK(manifest["measured"]["peak_bytes"] == manifest["plan"]["peak_bytes"]);
    bytes.push_back(manifest["plan"]["peak_bytes"]);
    CHECK(read_text(output / "model" / "config.json").find("bfloat16") != std::string::npos);
  }
  CHECK(models[0] == models[1]);
  CHECK(bytes[1] < bytes[0]);

  // With gradients in bf16 a step accumulates and clips.
  const fs::path output = tiny / "gradients";
  const Finished run =
      run_program({"train", recipe, "--set", "output=" + output.string(), "--set", "training.gradients=bf16", "--set",
                   "training.gradient_accumulation=2", "--set", "training.max_grad_norm=1.0"});
  CAPTURE(run.err);
  REQUIRE(run.code == 0);
  const Json manifest = Json::parse(read_text(output / "run.json"));
  CHECK(manifest["measured"]["peak_bytes"] == manifest["plan"]["peak_bytes"]);
  CHECK(manifest["plan"]["peak_bytes"] < bytes[0]);
  CHECK(models[0].find("\"BF16\"") != std::string::npos);
}

}  // namespace optimizers_test
