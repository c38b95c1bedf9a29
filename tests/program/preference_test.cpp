// SPDX-License-Identifier: MIT
// 'task: dpo' from recipe to adapter or model.
#include <doctest/doctest.h>

#include <cmath>

#include "program/program.hpp"
#include "program/tiny_model.hpp"

namespace preference_test {

using namespace temper_test;

struct PairRun : TinyRun {
  PairRun() : TinyRun(1) {
    std::string rows;
    for (int i = 0; i < 12; ++i)
      rows +=
          Json{{"prompt", "Colour " + std::to_string(i) + "?"}, {"chosen", "blue"}, {"rejected", "no idea"}}.dump() +
          "\n";
    write_text(folder / "train.jsonl", rows);
    recipe["task"] = "dpo";
    recipe["data"]["validation"] = 0.25;
    recipe["adapter"]["dropout"] = 0.0;
  }
  Finished train(const std::string& name, std::vector<std::string> more = {}) const {
    std::vector<std::string> arguments = {"train", write_recipe().string(), "--json", "--set",
                                          "output=" + (*this / name).string()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_program(arguments);
  }
};

TEST_CASE("preference: a run starts at ln 2, learns the margin, and its numbers are pairs") {
  const PairRun run;
  const Finished finished = run.train("run", {"--set", "training.epochs=3"});
  INFO(finished.err);
  REQUIRE(finished.code == 0);
  const std::vector<std::string> lines = finished.lines();  // nine rows: three steps an epoch; an evaluation; the end
  REQUIRE(lines.size() == 11);
  const Json first = Json::parse(lines[0]), last = Json::parse(lines[8]), evaluation = Json::parse(lines[9]);
  CHECK(first["training/loss"].get<double>() == doctest::Approx(std::log(2.0)).epsilon(1e-12));
  CHECK(first["training/reward_margin"] == 0);
  CHECK(first["training/accuracy"] == 0);
  CHECK(first["training/samples"] == 4);
  CHECK(last["training/loss"].get<double>() < std::log(2.0));
  CHECK(last["training/accuracy"] == 1);
  CHECK(last["training/reward_margin"].get<double>() ==
        doctest::Approx(last["training/reward_chosen"].get<double>() - last["training/reward_rejected"].get<double>()));
  CHECK(evaluation["validation/samples"] == 3);
  CHECK(evaluation["validation/accuracy"] == 1);
  CHECK(evaluation["validation/loss"].get<double>() < std::log(2.0));
  const Json manifest = Json::parse(read_text(run / "run/run.json"));
  CHECK(manifest["plan"]["peak_bytes"] == manifest["measured"]["peak_bytes"]);

  const Finished planned = run_program({"plan", run.write_recipe().string(), "--json"});
  REQUIRE(planned.code == 0);
  // The prompt of a pair is the same on both sides, and at least half of these tokens.
  CHECK(planned.json()["shared_tokens"].get<Index>() * 3 > planned.json()["tokens"].get<Index>());
  CHECK(planned.json()["shared_tokens"].get<Index>() * 2 < planned.json()["tokens"].get<Index>());

  const Finished evaluated = run_program({"eval", (run / "run").string(), "--json"});
  REQUIRE(evaluated.code == 0);
  CHECK(Json::parse(evaluated.lines()[0])["validation/loss"] == evaluation["validation/loss"]);
}

TEST_CASE("preference: the whole model is trained against what it began as, and every loss trains") {
  const PairRun run;
  const Finished whole = run.train("whole", {"--set", "adapter.method=full"});
  INFO(whole.err);
  REQUIRE(whole.code == 0);
  CHECK(Json::parse(whole.lines()[0])["training/loss"].get<double>() == doctest::Approx(std::log(2.0)).epsilon(1e-12));
  for (const std::string loss : {"ipo", "hinge", "simpo", "orpo"}) {
    const Finished other = run.train(loss, {"--set", "objective.loss=" + loss, "--set", "training.max_steps=1"});
    INFO(other.err);
    CHECK(other.code == 0);
  }
  const Finished refused =
      run.train("refused", {"--set", "objective.loss=hinge", "--set", "objective.label_smoothing=0.1"});
  CHECK(refused.code == 2);
  CHECK(refused.err.find("objective.label_smoothing: has no meaning with loss hinge") != std::string::npos);
}

TEST_CASE("preference: a reference that is kept gives the bits of one that is read in each pass") {
  PairRun run;
  run.recipe["training"]["epochs"] = 3;
  run.recipe["checkpoint"] = {{"every_steps", 2}};
  run.recipe["evaluation"] = {{"every_steps", 3}};
  const std::string keeps = "objective.cache_reference=true";
  const auto result = [&](const std::string& name, const std::string& output = "adapter/adapter_model") {
    return without_time(read_text(run / name / "metrics.jsonl")) + read_text(run / name / (output + ".safetensors"));
  };
  REQUIRE(run.train("plain").code == 0);
  REQUIRE(run.train("kept", {"--set", keeps}).code == 0);
  CHECK(result("kept") == result("plain"));
  const Json manifest = Json::parse(read_text(run / "kept/run.json"));
  CHECK(manifest["plan"]["peak_bytes"] == manifest["measured"]["peak_bytes"]);
  const std::vector<std::string> full = {"--set", "adapter.method=full", "--set", "training.epochs=2"};
  REQUIRE(run.train("plain-full", full).code == 0);
  REQUIRE(run.train("kept-full", {full[0], full[1], full[2], full[3], "--set", keeps}).code == 0);
  CHECK(result("kept-full", "model/model") == result("plain-full", "model/model"));

  const Finished planned = run_program({"plan", run.write_recipe().string(), "--json", "--set", keeps});
  REQUIRE(planned.code == 0);
  const Json cache = planned.json()["cache"];
  // Of three epochs the first is read, and the validation rows, once.
  const auto tokens = planned.json()["tokens"].get<Index>();
  CHECK(cache["saved_tokens"].get<Index>() == tokens / 3 * 2);
  CHECK(cache["tokens"].get<Index>() > tokens / 3);
  CHECK(cache["tokens"].get<Index>() < tokens / 3 * 2);

  // Stopped; what is kept is then altered, or another run's.
  const std::string other = read_text(run / "kept-full/reference.safetensors");
  for (const std::string harm : {"none", "altered", "replaced"}) {
    fs::remove_all(run / "stopped");
    Program first({"train", run.write_recipe().string(), "--json", "--set", keeps, "--set",
                   "output=" + (run / "stopped").string()});
    first.read_lines(2);
    first.signal(SIGTERM);
    REQUIRE(first.finish().code == 143);
    const fs::path file = run / "stopped/reference.safetensors";
    std::string bytes = read_text(file);
    CHECK(bytes == other);  // of the same model and rows
    if (harm == "altered") bytes[bytes.size() - 2] = static_cast<char>(bytes[bytes.size() - 2] ^ 1);
    if (harm == "replaced") bytes[bytes.find("\"key\":\"") + 7] ^= 1;
    write_text(file, bytes);
    const Finished resumed = run_program({"resume", (run / "stopped").string()});
    INFO(resumed.err);
    CHECK(resumed.code == 0);
    CHECK((resumed.err.find("the reference is read again") != std::string::npos) == (harm != "none"));
    CHECK(result("stopped") == result("plain"));
  }
  CHECK(run.train("refused", {"--set", keeps, "--set", "objective.loss=orpo"}).code == 2);
}

}  // namespace preference_test
