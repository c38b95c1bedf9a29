// SPDX-License-Identifier: MIT
// 'task: distillation' from recipe to adapter or model.
#include <doctest/doctest.h>

#include <cmath>

#include "program/program.hpp"
#include "program/tiny_model.hpp"

namespace distillation_test {

using namespace temper_test;

struct TaughtRun : TinyRun {
  TaughtRun() : TinyRun(12) {
    write_model(folder / "teacher", 3);  // the same tokens, other weights
    recipe["task"] = "distillation";
    recipe["teacher"] = "teacher";
    recipe["adapter"]["dropout"] = 0.0;
    recipe["data"]["validation"] = 0.25;
  }
  Finished train(const std::string& name, std::vector<std::string> more = {}) const {
    std::vector<std::string> arguments = {"train", write_recipe().string(), "--json", "--set",
                                          "output=" + (*this / name).string()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_program(arguments);
  }
};

TEST_CASE("distillation: a run comes nearer to its teacher, and needs the memory of its plan") {
  const TaughtRun run;
  const Finished finished = run.train("run", {"--set", "training.epochs=4"});
  INFO(finished.err);
  REQUIRE(finished.code == 0);
  const auto lines = finished.lines();  // nine rows: three steps an epoch; an evaluation; the end
  REQUIRE(lines.size() == 14);
  const Json first = Json::parse(lines[0]), last = Json::parse(lines[11]), evaluation = Json::parse(lines[12]);
  CHECK(first["training/divergence"] == first["training/loss"]);  // alpha 1, temperature 1
  CHECK(first["training/divergence"].get<double>() > 0);
  CHECK(last["training/divergence"].get<double>() < first["training/divergence"].get<double>());
  CHECK(evaluation["validation/divergence"].get<double>() > 0);
  CHECK(evaluation["validation/loss"].get<double>() > evaluation["validation/divergence"].get<double>());
  const Json manifest = Json::parse(read_text(run / "run/run.json"));
  CHECK(manifest["plan"]["peak_bytes"] == manifest["measured"]["peak_bytes"]);

  const Finished evaluated = run_program({"eval", (run / "run").string(), "--json"});
  INFO(evaluated.err);
  REQUIRE(evaluated.code == 0);
  CHECK(Json::parse(evaluated.lines()[0])["validation/loss"] == evaluation["validation/loss"]);
}

TEST_CASE("distillation: a model that is its own teacher has loss 0 and stays as it is") {
  const TaughtRun run;
  for (const std::string method : {"lora", "full"}) {
    const Finished finished = run.train(
        method, {"--set", "teacher=" + (run / "model").string(), "--set", "adapter.method=" + method, "--set",
                 "objective.divergence=jsd", "--set", "objective.temperature=2", "--set", "training.max_steps=2"});
    INFO(finished.err);
    REQUIRE(finished.code == 0);
    for (int line = 0; line < 2; ++line) {
      const Json step = Json::parse(finished.lines()[static_cast<std::size_t>(line)]);
      CHECK(step["training/loss"] == 0);
      CHECK(step["training/grad_norm"] == 0);
      if (method == "full") break;  // decay alone moves the whole model
    }
  }
}

TEST_CASE("distillation: with alpha 0 the loss is that of fine-tuning") {
  const TaughtRun run;
  const Finished taught = run.train("taught", {"--set", "objective.alpha=0", "--set", "training.max_steps=3"});
  const Finished plain = run.train("plain", {"--set", "task=sft", "--set", "training.max_steps=3"});
  INFO(taught.err);
  INFO(plain.err);
  REQUIRE(taught.code == 0);
  REQUIRE(plain.code == 0);
  for (std::size_t line = 0; line < 3; ++line)
    CHECK(Json::parse(taught.lines()[line])["training/loss"].get<double>() ==
          doctest::Approx(Json::parse(plain.lines()[line])["training/loss"].get<double>()).epsilon(1e-6));
}

TEST_CASE("distillation: a teacher that is none, or has another tokenizer, is refused before anything is made") {
  const TaughtRun run;
  const auto refused = [&](int code, const std::string& part) {
    const Finished finished = run.train("refused");
    CHECK(finished.code == code);
    INFO(finished.err);
    CHECK(finished.err.find(part) != std::string::npos);
    CHECK_FALSE(fs::exists(run / "refused"));
  };
  Json tokenizer = Json::parse(read_text(run / "teacher/tokenizer.json"));
  const Json before = tokenizer;
  tokenizer["added_tokens"][1]["content"] = "<|other|>";
  write_text(run / "teacher/tokenizer.json", tokenizer.dump());
  refused(76, "id 257 is '<|im_start|>' and '<|other|>'");
  tokenizer["added_tokens"].erase(2);
  write_text(run / "teacher/tokenizer.json", tokenizer.dump());
  refused(76, "2 ids differ");
  write_text(run / "teacher/tokenizer.json", before.dump());
  Json config = Json::parse(read_text(run / "teacher/config.json"));
  config["vocab_size"] = config["vocab_size"].get<int>() - 1;
  const std::string whole = read_text(run / "teacher/config.json");
  write_text(run / "teacher/config.json", config.dump());
  refused(76, "and its teacher " + (run / "teacher").string() + " scores ");
  write_text(run / "teacher/config.json", whole);
  fs::remove(run / "teacher/model.safetensors");
  refused(76, "teacher");
  fs::remove_all(run / "teacher");
  refused(2, "teacher");
}

TEST_CASE(
    "distillation: with all of its logits kept the run has the bits of one with its teacher, with some it is near") {
  TaughtRun run;
  run.recipe["checkpoint"] = {{"every_steps", 2}};
  run.recipe["training"]["epochs"] = 2;
  run.recipe["objective"] = {{"temperature", 2.0}, {"alpha", 0.5}};
  const auto result = [&](const std::string& name) {
    return without_time(read_text(run / name / "metrics.jsonl")) +
           read_text(run / name / "adapter/adapter_model.safetensors");
  };
  const auto divergence = [&](const Finished& finished) {
    return Json::parse(finished.lines()[0])["training/divergence"].get<double>();
  };
  const Finished taught = run.train("taught");
  const Finished all = run.train("all", {"--set", "objective.cache_teacher=9999"});
  INFO(all.err);
  REQUIRE(all.code == 0);
  CHECK(result("all") == result("taught"));
  const Finished some = run.train("some", {"--set", "objective.cache_teacher=8"});
  REQUIRE(some.code == 0);
  CHECK(divergence(some) < divergence(taught));
  CHECK(divergence(some) > 0.2 * divergence(taught));
  for (const std::string name : {"all", "some"}) {
    const Json manifest = Json::parse(read_text(run / name / "run.json"));
    CHECK(manifest["plan"]["peak_bytes"] == manifest["measured"]["peak_bytes"]);
    CHECK(manifest["plan"]["peak_bytes"] <
          Json::parse(read_text(run / "taught/run.json"))["plan"]["peak_bytes"].get<std::size_t>());
  }
  const Finished evaluated = run_program({"eval", (run / "some").string(), "--json"});
  CHECK(evaluated.code == 0);

  // The teacher reads all rows, whatever the run comes to; these are 12, of which validation has some.
  const auto tokens_read = [&](const std::string& steps) {
    return run_program({"plan", run.write_recipe().string(), "--json", "--set", "objective.cache_teacher=8", "--set",
                        "training.max_steps=" + steps})
        .json()["cache"]["tokens"]
        .get<Index>();
  };
  CHECK(tokens_read("1") == tokens_read("3"));

  // Stopped, and what was kept harmed.
  for (const std::string harm : {"altered", "cut"}) {
    fs::remove_all(run / "stopped");
    Program first({"train", run.write_recipe().string(), "--json", "--set", "objective.cache_teacher=8", "--set",
                   "output=" + (run / "stopped").string()});
    first.read_lines(1);
    first.signal(SIGTERM);
    REQUIRE(first.finish().code == 143);
    std::string bytes = read_text(run / "stopped/teacher.cache");
    if (harm == "cut") {  // so that no new one can be made: the run ends before there is an engine
      const Json before = Json::parse(read_text(run / "stopped/run.json"));
      fs::remove(run / "stopped/teacher.cache");
      fs::create_directories(run / "stopped/teacher.cache/in_the_way");
      const Finished failed = run_program({"resume", (run / "stopped").string()});
      INFO(failed.err);
      CHECK(failed.code > 1);
      CHECK(failed.code < 128);
      const Json after = Json::parse(read_text(run / "stopped/run.json"));
      CHECK(after["state"] == "failed");
      CHECK(after["loss"] == before["loss"]);
      CHECK_FALSE(after.contains("measured"));
      fs::remove_all(run / "stopped/teacher.cache");
    }
    if (harm == "altered") bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
    if (harm == "cut") bytes.pop_back();
    write_text(run / "stopped/teacher.cache", bytes);
    const Finished resumed = run_program({"resume", (run / "stopped").string()});
    INFO(resumed.err);
    CHECK(resumed.code == 0);
    CHECK(resumed.err.find("the teacher reads the rows again") != std::string::npos);
    CHECK(result("stopped") == result("some"));
    const Json manifest = Json::parse(read_text(run / "stopped/run.json"));
    CHECK(manifest["plan"]["peak_bytes"] == manifest["measured"]["peak_bytes"]);
  }
}

}  // namespace distillation_test
