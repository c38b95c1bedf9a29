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

}  // namespace optimizers_test
