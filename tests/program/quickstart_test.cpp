// SPDX-License-Identifier: MIT
// The quickstart itself takes minutes and is run by hand; here its recipes, rows and tokenizer must pass every check.
#include <doctest/doctest.h>

#include "program/program.hpp"
#include "program/tiny_model.hpp"

namespace quickstart_test {

using namespace temper_test;

TEST_CASE("quickstart: its recipes pass every check, and the second fits what the first leaves") {
  const TestFolder scratch;
  const std::filesystem::path here = std::filesystem::path(TEMPER_TESTS).parent_path() / "examples" / "quickstart";
  const std::string run = (scratch.path() / "pretrain").string();
  const Finished trained = run_program({"train", (here / "pretrain.json").string(), "--set", "output=" + run, "--set",
                                        "training.max_steps=1", "--set", "data.max_samples=50", "--json"});
  INFO(trained.err);
  REQUIRE(trained.code == 0);
  const Finished plan = run_program({"plan", (here / "finetune.json").string(), "--set", "model=" + run + "/model",
                                     "--set", "output=" + run + "-finetune", "--json"});
  INFO(plan.err);
  REQUIRE(plan.code == 0);
  CHECK(plan.json()["fits"].get<bool>());
  CHECK(plan.err.find("dropped") == std::string::npos);
  CHECK(plan.err.find("cut") == std::string::npos);
}

TEST_CASE("quickstart: what is learned of a row is the answer and its end") {
  const std::filesystem::path here = std::filesystem::path(TEMPER_TESTS).parent_path() / "examples" / "quickstart";
  const Finished rows =
      run_program({"preview", (here / "finetune.json").string(), "--set", "model=" + (here / "model").string(), "--set",
                   "data.shuffle=false", "--rows", "1"});
  INFO(rows.err);
  REQUIRE(rows.code == 0);
  CHECK(rows.out.find("assistant\n<<I am a small model, trained by temper in a few minutes.<|im_end|>>>") !=
        std::string::npos);
}

}  // namespace quickstart_test
