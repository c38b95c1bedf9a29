// SPDX-License-Identifier: MIT
// Runs that are killed, stopped, copied, damaged, and go on. What a run waits for is its own output: the test reads
// some lines, and the small pipe holds the rest back, so that nothing here depends on speed.
#include <doctest/doctest.h>

#include "program/program.hpp"
#include "program/tiny_model.hpp"
#include "temper/io/hash.hpp"

namespace resume_test {

using namespace temper_test;

// Forty steps, an evaluation every seven, a checkpoint every four.
struct LongRun : TinyRun {
  LongRun() {
    recipe["data"]["validation"] = 0.2;
    recipe["training"].update(Json{{"max_steps", 40}, {"gradient_accumulation", 1}});
    recipe["evaluation"] = {{"every_steps", 7}};
    recipe["checkpoint"] = {{"every_steps", 4}};
  }
  std::vector<std::string> train(const std::string& name) const {
    return {"train", write_recipe().string(), "--json", "--set", "output=" + (*this / name).string()};
  }
  // What must be equal, however the run came about.
  std::string result(const std::string& name) const {
    return without_time(read_text(*this / name / "metrics.jsonl")) +
           read_text(*this / name / "adapter" / "adapter_model.safetensors") +
           read_text(*this / name / "checkpoints" / "step-40" / "optimizer.safetensors");
  }
};

Finished resume(const fs::path& run) { return run_program({"resume", run.string(), "--json"}); }

void flip_a_byte(const fs::path& file) {
  std::string bytes = read_text(file);
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
  write_text(file, bytes);
}

TEST_CASE("resume: a run that is killed or stopped ends in the same bytes as one that is not") {
  LongRun runs;
  REQUIRE(run_program(runs.train("whole")).code == 0);
  const std::string expected = runs.result("whole");

  SUBCASE("killed, twice") {
    Program first(runs.train("killed"));
    first.read_lines(10);
    first.signal(SIGKILL);
    CHECK(first.finish().code == 128 + SIGKILL);
    Program second({"resume", (runs / "killed").string(), "--json"});
    second.read_lines(9);
    second.signal(SIGKILL);
    second.finish();
    CHECK(resume(runs / "killed").code == 0);
    CHECK(runs.result("killed") == expected);
  }
  SUBCASE("killed before its first checkpoint") {
    Program first(runs.train("early"));
    first.read_lines(2);
    first.signal(SIGKILL);
    first.finish();
    fs::remove_all(runs / "early" / "checkpoints");
    CHECK(resume(runs / "early").code == 0);
    CHECK(runs.result("early") == expected);
  }
  SUBCASE("stopped by SIGTERM: the step is finished and saved, the exit is 143") {
    Program first(runs.train("stopped"));
    first.read_lines(6);
    first.signal(SIGTERM);
    const Finished stopped = first.finish();
    CHECK(stopped.code == 143);
    CHECK(Json::parse(stopped.lines().back())["state"] == "stopped");
    CHECK(Json::parse(read_text(runs / "stopped" / "run.json"))["state"] == "stopped");
    CHECK(resume(runs / "stopped").code == 0);
    CHECK(runs.result("stopped") == expected);
  }
  SUBCASE("moved after SIGINT") {
    Program first(runs.train("here"));
    first.read_lines(5);
    first.signal(SIGINT);
    CHECK(first.finish().code == 130);
    fs::rename(runs / "here", runs / "there");
    CHECK(resume(runs / "there").code == 0);
    CHECK(runs.result("there") == expected);
  }
}

TEST_CASE("resume: a finished run is left as it is") {
  TinyRun tiny(4);
  REQUIRE(run_program({"train", tiny.write_recipe().string()}).code == 0);
  const std::string before = read_text(tiny / "run" / "run.json");
  const Finished again = resume(tiny / "run");
  CHECK(again.code == 0);
  CHECK(again.json()["state"] == "completed");
  CHECK(read_text(tiny / "run" / "run.json") == before);
}

TEST_CASE("resume: a second process on a live run gets 75") {
  LongRun runs;
  Program live(runs.train("run"));
  live.read_lines(3);
  CHECK(resume(runs / "run").code == 75);
  CHECK(run_program(runs.train("run")).code == 75);
  live.signal(SIGKILL);
  live.finish();
  CHECK(resume(runs / "run").code == 0);  // the dead leave no lock
}

TEST_CASE("resume: what was damaged or changed is refused with 76 and named") {
  LongRun runs;
  Program first(runs.train("run"));
  first.read_lines(10);
  first.signal(SIGTERM);
  REQUIRE(first.finish().code == 143);
  fs::path checkpoint;
  for (const auto& entry : fs::directory_iterator(runs / "run" / "checkpoints")) checkpoint = entry.path();

  const auto refused = [&](const fs::path& file, const std::string& part) {
    const std::string before = read_text(file);
    flip_a_byte(file);
    const Finished finished = resume(runs / "run");
    INFO(finished.err);
    CHECK(finished.code == 76);
    CHECK(finished.err.find(part) != std::string::npos);
    write_text(file, before);
  };
  refused(checkpoint / "parameters.safetensors", "parameters.safetensors");
  refused(checkpoint / "optimizer.safetensors", "optimizer.safetensors");
  refused(checkpoint / "checkpoint.json", "checkpoint.json");
  refused(runs / "run" / "recipe.json", "recipe.json");
  refused(runs / "run" / "metrics.jsonl", "metrics.jsonl");
  refused(runs / "model" / "model.safetensors", "model");
  const std::string rows = read_text(runs / "train.jsonl");
  write_text(runs / "train.jsonl", rows + tiny_rows(1));
  const Finished changed = resume(runs / "run");
  CHECK(changed.code == 76);
  CHECK(changed.err.find("train.jsonl") != std::string::npos);
  write_text(runs / "train.jsonl", rows);

  // Whole JSON, with the wrong things in it.
  const auto refuses = [&](const fs::path& file, const std::string& written, const std::string& part) {
    const std::string before = read_text(file);
    write_text(file, written);
    const Finished finished = resume(runs / "run");
    INFO(finished.err);
    CHECK(finished.code == 76);
    CHECK(finished.err.find(part) != std::string::npos);
    write_text(file, before);
  };
  temper::Json manifest = temper::read_json(runs / "run" / "run.json");
  manifest["recipe_sha256"] = 7;
  refuses(runs / "run" / "run.json", manifest.dump(), "run.json: has no recipe_sha256");
  temper::Json record = temper::read_json(checkpoint / "checkpoint.json");
  record.erase("sha256");
  record["files"]["../../run.json"] = "";
  record["sha256"] = temper::sha256_of(record.dump());
  refuses(checkpoint / "checkpoint.json", record.dump(), "'../../run.json' among its files");
  CHECK(resume(runs / "run").code == 0);
}

TEST_CASE("resume: a folder that is no run is a usage error") {
  const TestFolder folder;
  CHECK(resume(folder.path()).code == 2);
  CHECK(resume(folder / "absent").code == 2);
}

}  // namespace resume_test
