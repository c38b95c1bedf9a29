// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include "exit_code.hpp"
#include "program/program.hpp"
#include "program/tiny_model.hpp"

namespace verbs_test {

using namespace temper_test;

TEST_CASE("program: each verb has help with an example and --json, on stdout") {
  for (const std::string verb : {"preview", "check", "plan", "train", "resume", "eval", "generate", "chat", "merge",
                                 "export", "inspect", "runs", "doctor", "recipe"}) {
    const Finished help = run_program({verb, "--help"});
    CHECK(help.code == 0);
    CHECK(help.err.empty());
    for (const std::string& part : {"temper " + verb, std::string("Example"), std::string("--json")})
      CHECK(help.out.find(part) != std::string::npos);
  }
  CHECK(run_program({"--version"}).out.find(TEMPER_BUILD_VERSION) != std::string::npos);
}

TEST_CASE("program: a mistake on the command line is 2 and says what was meant") {
  const Finished verb = run_program({"trian", "x"});
  CHECK(verb.code == 2);
  CHECK(verb.out.empty());
  CHECK(verb.err.find("did you mean 'train'?") != std::string::npos);
  CHECK(run_program({}).code == 2);
  CHECK(run_program({"train"}).code == 2);
  CHECK(run_program({"inspect"}).code == 2);
  CHECK(run_program({"check", "x"}).code == 2);
}

TEST_CASE("program: without a terminal no control characters are written") {
  TinyRun tiny;
  const std::string recipe = tiny.write_recipe().string();
  for (const Finished& finished :
       {run_program({"preview", recipe}), run_program({"plan", recipe}), run_program({"train", recipe}),
        run_program({"runs", tiny.folder.path().string()})}) {
    INFO(finished.err);
    CHECK(finished.code == 0);
    for (const char c : finished.out + finished.err) CHECK((c == '\n' || static_cast<unsigned char>(c) >= 32));
  }
}

TEST_CASE("preview: rows in training order with the tokens that are learned") {
  TinyRun tiny(3);
  tiny.recipe["data"]["shuffle"] = false;
  const Finished finished = run_program({"preview", tiny.write_recipe().string(), "--json"});
  CHECK(finished.code == 0);
  REQUIRE(finished.lines().size() == 3);
  const Json row = Json::parse(finished.lines()[0]);
  CHECK(row["row"] == 1);
  CHECK(row["tokens"].size() == row["labels"].size());
  CHECK(row["labels"][0] == 0);
  // The fallback template: the answer and the end are learned, the prompt is not.
  CHECK(row["text"].get<std::string>().find("### User:\nColour 0?\n\n### Assistant:\nred<|end|>") == 0);
  std::string learned;
  for (std::size_t i = 0; i < row["tokens"].size(); ++i)
    if (row["labels"][i] == 1 && row["tokens"][i] < 256) learned += static_cast<char>(row["tokens"][i].get<int>());
  CHECK(learned == "red");
}

TEST_CASE("preview: columns are mapped, and a field that is not ours is a mistake") {
  TinyRun tiny;
  write_text(tiny / "train.jsonl", "{\"q\": \"a\", \"a\": \"b\"}\n");
  const std::string recipe = tiny.write_recipe().string();
  const Finished mapped = run_program(
      {"preview", recipe, "--json", "--set", "data.columns.prompt=q", "--set", "data.columns.completion=a"});
  INFO(mapped.err);
  REQUIRE(mapped.code == 0);
  CHECK(mapped.json()["text"].get<std::string>().find("### User:\na\n\n### Assistant:\nb<|end|>") == 0);
  const Finished mistyped = run_program({"preview", recipe, "--set", "data.columns.promt=q"});
  CHECK(mistyped.code == 2);
  CHECK(mistyped.err.find("--set: data.columns: 'promt' is no field of ours; did you mean 'prompt'?") !=
        std::string::npos);
  CHECK(run_program({"preview", recipe}).code == 76);
  const Finished wrong =
      run_program({"preview", recipe, "--set", "data.columns.prompt=question", "--set", "data.columns.completion=a"});
  CHECK(wrong.code == 2);
  CHECK(wrong.err.find("'prompt' is said to stand in column 'question'") != std::string::npos);
  CHECK(wrong.err.find("its fields: 'q', 'a'") != std::string::npos);
}

TEST_CASE("preview and check: rows of tasks that cannot be trained yet are shown all the same") {
  TinyRun tiny(3);
  tiny.recipe["task"] = "dpo";
  tiny.recipe["data"]["shuffle"] = false;
  write_text(tiny / "train.jsonl", R"({"prompt": "a", "chosen": "good", "rejected": "bad one"})"
                                   "\n");
  const std::string recipe = tiny.write_recipe().string();
  const Finished pairs = run_program({"preview", recipe, "--json"});
  INFO(pairs.err);
  REQUIRE(pairs.code == 0);
  const Json row = pairs.json();
  CHECK(row["row"] == 1);
  CHECK(row["chosen"]["text"].get<std::string>().find("good") != std::string::npos);
  CHECK(row["rejected"]["tokens"].size() == row["rejected"]["labels"].size());
  CHECK(run_program({"check", recipe, "--json"}).json()["format"] == "preference");

  write_text(tiny / "train.jsonl", "{\"text\": \"a\", \"label\": \"no\"}\n{\"text\": \"b\", \"label\": \"yes\"}\n");
  const Finished labels =
      run_program({"preview", recipe, "--json", "--set", "task=classification", "--set", "training.max_steps=4"});
  INFO(labels.err);
  REQUIRE(labels.code == 0);
  CHECK(labels.lines().size() == 2);
  CHECK(Json::parse(labels.lines()[1])["label"] == "yes");
  CHECK(run_program({"train", recipe}).code == 2);
}

TEST_CASE("preview: CSV is read, rows on both sides are warned of, rows of other tasks are refused") {
  TinyRun tiny;
  write_text(tiny / "train.csv", "prompt,completion\na,b\n\"x,\"\"y\"\"\",z\n");
  write_text(tiny / "held.csv", "prompt,completion\na,b\nc,d\n");
  tiny.recipe["data"]["train"] = (tiny / "train.csv").string();
  tiny.recipe["data"]["validation"] = (tiny / "held.csv").string();
  tiny.recipe["data"]["shuffle"] = false;
  const Finished finished = run_program({"preview", tiny.write_recipe().string(), "--json"});
  INFO(finished.err);
  REQUIRE(finished.code == 0);
  REQUIRE(finished.lines().size() == 2);
  CHECK(Json::parse(finished.lines()[1])["text"].get<std::string>().find("x,\"y\"") != std::string::npos);
  CHECK(finished.err.find("1 of 2 validation rows are trained on too") != std::string::npos);
  CHECK(finished.err.find("held.csv:2 equals ") != std::string::npos);
  write_text(tiny / "train.csv", "text,label\na,b\n");
  const Finished refused = run_program({"preview", tiny.write_recipe().string()});
  CHECK(refused.code == 2);
  CHECK(refused.err.find("is a row of format classification, which this task cannot train on") != std::string::npos);
  CHECK(refused.err.find("built-in") == std::string::npos);
  CHECK(finished.err.find("the model has no chat template: rows are written with the built-in one") !=
        std::string::npos);
}

TEST_CASE("plan: the holders sum to the peak") {
  TinyRun tiny;
  const Finished finished = run_program({"plan", tiny.write_recipe().string(), "--json"});
  REQUIRE(finished.code == 0);
  const Json plan = finished.json();
  std::size_t sum = 0;
  for (const Json& holder : plan["holders"]) sum += holder["bytes"].get<std::size_t>();
  CHECK(sum == plan["peak_bytes"].get<std::size_t>());
  CHECK(plan["steps"] == 6);
  CHECK(plan["fits"] == true);
  CHECK(finished.err.find("warm-up") == std::string::npos);
  CHECK(!fs::exists(tiny / "run"));
}

TEST_CASE("plan: a run that ends before its warm-up does, and rows beyond the model's positions, are warned of") {
  TinyRun tiny;
  write_text(tiny / "train.jsonl", R"({"prompt": "a", "completion": ")" + std::string(400, 'b') + "\"}\n");
  const std::string recipe = tiny.write_recipe().string();
  const Finished one = run_program({"plan", recipe, "--set", "training.max_steps=1", "--set", "data.max_length=300"});
  REQUIRE(one.code == 0);
  CHECK(one.err.find("warm-up takes the whole run of 1 step, so the learning rate ends at 0 and never gets to 0.01") !=
        std::string::npos);
  CHECK(one.err.find("rows have up to 300 tokens, and the model knows 256 positions") != std::string::npos);
  Json config = tiny_config();
  config["rope_scaling"] = {{"rope_type", "linear"}, {"factor", 2.0}};  // for twice as many
  write_text(tiny / "model" / "config.json", config.dump());
  const Finished scaled = run_program({"plan", recipe, "--set", "data.max_length=300"});
  CHECK(scaled.code == 0);
  CHECK(scaled.err.find("positions") == std::string::npos);
}

TEST_CASE("eval: a recipe, and a run, whose last evaluation it repeats") {
  TinyRun tiny;
  tiny.recipe["data"]["validation"] = 0.25;
  const std::string recipe = tiny.write_recipe().string();
  const Finished before = run_program({"eval", recipe, "--json"});
  REQUIRE(before.code == 0);
  const Finished trained = run_program({"train", recipe, "--json"});
  REQUIRE(trained.code == 0);
  const std::vector<std::string> lines = trained.lines();
  const Finished after = run_program({"eval", (tiny / "run").string(), "--json"});
  REQUIRE(after.code == 0);
  CHECK(after.json()["validation/loss"] == Json::parse(lines[lines.size() - 2])["validation/loss"]);
  CHECK(after.json()["validation/loss"] < before.json()["validation/loss"]);
  CHECK(after.json()["validation/tokens"] == before.json()["validation/tokens"]);
}

TEST_CASE("generate and merge: a merged model answers as the adapter does") {
  std::string method;
  SUBCASE("lora") { method = "lora"; }
  SUBCASE("dora") { method = "dora"; }
  TinyRun tiny;
  tiny.recipe["adapter"]["method"] = method;
  tiny.recipe["training"]["epochs"] = 8;
  REQUIRE(run_program({"train", tiny.write_recipe().string()}).code == 0);
  const std::string model = (tiny / "model").string(), adapter = (tiny / "run" / "adapter").string(),
                    merged = (tiny / "merged").string();
  const Finished made = run_program({"merge", "--model", model, "--adapter", adapter, "--output", merged, "--json"});
  INFO(made.err);
  REQUIRE(made.code == 0);
  CHECK(made.json()["output"] == merged);
  CHECK(run_program({"merge", "--model", model, "--adapter", adapter, "--output", merged}).code == 2);
  CHECK(run_program({"merge", "--model", model, "--adapter", adapter, "--output", model, "--force"}).code == 2);
  CHECK(run_program({"merge", "--model", model, "--adapter", adapter, "--output", merged, "--force"}).code == 0);
  const auto text = [](std::vector<std::string> where) {
    where.insert(where.begin(), "generate");
    for (const char* more : {"--prompt", "Colour 3?", "--chat", "--max-new-tokens", "8", "--json"})
      where.push_back(more);
    const Finished finished = run_program(where);
    INFO(finished.err);
    CHECK(finished.code == 0);
    return finished.json()["text"].get<std::string>();
  };
  CHECK(text({"--model", merged}) == text({"--model", model, "--adapter", adapter}));
  CHECK(run_program({"generate", "--model", (tiny / "absent").string(), "--prompt", "x"}).code == 2);
  // The run's folder, and not what is in it: a likely slip.
  const Finished slip = run_program({"merge", "--model", model, "--adapter", (tiny / "run").string(), "--output", "x"});
  CHECK(slip.code == 76);
  CHECK(slip.err.find("did you mean '" + adapter + "'?") != std::string::npos);
  // A classifier's adapter has a config.json, and is no model all the same.
  write_text(fs::path(adapter) / "config.json", "{}");
  const Finished other = run_program({"generate", "--model", (tiny / "run").string(), "--prompt", "x"});
  CHECK(other.code == 76);
  CHECK(other.err.find("has no config.json") != std::string::npos);
  CHECK(other.err.find("did you mean") == std::string::npos);
}

TEST_CASE("train, eval, generate: a tuned prompt lowers the loss, is small, and goes on from where it was") {
  TinyRun tiny;
  tiny.recipe["adapter"] = {{"method", "prompt"}, {"virtual_tokens", 4}};
  tiny.recipe["data"]["validation"] = (tiny / "train.jsonl").string();
  tiny.recipe["training"].update(Json{{"epochs", 8}, {"learning_rate", 0.1}});
  const std::string recipe = tiny.write_recipe().string(), adapter = (tiny / "run" / "adapter").string();
  const Finished before = run_program({"eval", recipe, "--json"});
  REQUIRE(before.code == 0);
  const Finished trained = run_program({"train", recipe});
  INFO(trained.err);
  REQUIRE(trained.code == 0);
  const Finished after = run_program({"eval", (tiny / "run").string(), "--json"});
  CHECK(after.json()["validation/loss"] < before.json()["validation/loss"]);
  CHECK(fs::file_size(fs::path(adapter) / "adapter_model.safetensors") < 1'000'000);
  CHECK(run_program({"generate", "--model", (tiny / "model").string(), "--adapter", adapter, "--prompt", "Colour 3?",
                     "--max-new-tokens", "4", "--json"})
            .code == 0);
  // Its number of places is the folder's, and another is refused.
  const std::string from = "adapter.from=" + adapter;
  CHECK(run_program({"plan", recipe, "--set", from}).code == 0);
  CHECK(run_program({"plan", recipe, "--set", from, "--set", "adapter.virtual_tokens=5"}).code == 2);
  CHECK(run_program({"plan", recipe, "--set", from, "--set", "adapter.method=lora"}).code == 2);
}

TEST_CASE("plan: more steps than it can look at are refused at once, epochs that are alike are counted once") {
  const TinyRun tiny(24);  // six steps an epoch
  const std::string recipe = tiny.write_recipe().string();
  const auto plan = [&](const std::string& setting, const std::string& more) {
    return run_program({"plan", recipe, "--json", "--set", setting, "--set", more});
  };
  const Finished endless = plan("training.epochs=1000000000", "data.shuffle=true");
  CHECK(endless.code == 2);
  CHECK(endless.err.find("training.epochs 1000000000 makes more than 10,000,000 steps, 6 an epoch; expected at most "
                         "1666666 epochs of these 24 rows") != std::string::npos);
  CHECK(plan("training.max_steps=10000001", "data.shuffle=true").code == 2);
  const Json one = plan("training.epochs=1", "data.shuffle=false").json();
  const Json many = plan("training.epochs=100000", "data.shuffle=false").json();
  CHECK(many["steps"] == 600000);
  CHECK(many["tokens"].get<std::int64_t>() == 100000 * one["tokens"].get<std::int64_t>());
  CHECK(many["peak_bytes"] == one["peak_bytes"]);
  const Json part = plan("training.max_steps=11", "data.shuffle=false").json(),
             two = plan("training.epochs=2", "data.shuffle=false").json();
  CHECK(part["steps"] == 11);
  CHECK(part["tokens"] < two["tokens"]);
}

TEST_CASE("inspect: tensors of files and folders, and tokens of a file") {
  TinyRun tiny(4);
  const Finished model = run_program({"inspect", (tiny / "model").string(), "--json"});
  REQUIRE(model.code == 0);
  CHECK(model.json()["tensors"].size() == 21);
  CHECK(run_program({"inspect", (tiny / "model" / "model.safetensors").string(), "--json"}).json()["tensors"].size() ==
        21);
  CHECK(run_program({"inspect", (tiny / "train.jsonl").string()}).code == 76);
  const std::string page = run_program({"inspect", (tiny / "model").string()}).out;
  CHECK(page.find("\n  vocab_size ") != std::string::npos);  // a line a member, and no JSON
  CHECK(page.find("{\"") == std::string::npos);
  for (const char* coding : {"nf4", "fp4", "int8"}) {  // parameters of the model, whatever holds them
    const std::string folder = std::string(TEMPER_TESTS "/golden/storage/checkpoint_") + coding;
    CHECK(run_program({"inspect", folder, "--json"}).json()["parameters"] == 18080);  // as transformers counts
  }
  // Bytes that are no codes count once; parts of a weight that stands in another shard are no parameters.
  const std::string header = R"({"mask.weight":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},)"
                             R"("far.weight.absmax":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})";
  write_text(tiny / "shard.safetensors",
             std::string(1, static_cast<char>(header.size())) + std::string(7, '\0') + header + std::string(8, '\0'));
  CHECK(run_program({"inspect", (tiny / "shard.safetensors").string(), "--json"}).json()["parameters"] == 4);
  const Finished tokens = run_program(
      {"inspect", "--tokenize", (tiny / "train.jsonl").string(), "--tokenizer", (tiny / "model").string(), "--json"});
  REQUIRE(tokens.code == 0);
  CHECK(tokens.json()["bytes"] == tiny_rows(4).size() - 4);
  CHECK(tokens.json()["tokens"] == tiny_rows(4).size() - 4);
  write_text(tiny / "bad.txt", "fine\nb\xff\n");
  const Finished bad =
      run_program({"inspect", "--tokenize", (tiny / "bad.txt").string(), "--tokenizer", (tiny / "model").string()});
  CHECK(bad.code == 76);
  CHECK(bad.err.find("bad.txt:2: byte 2 of the line is not valid UTF-8") != std::string::npos);
}

TEST_CASE("program: what the standard library says of a file has the exit code that reading and writing have") {
  const auto code = [](std::errc error) {
    return temper_cli::exit_code(fs::filesystem_error("status", "/folder", std::make_error_code(error)));
  };
  for (const std::errc error : {std::errc::no_space_on_device, std::errc::io_error, std::errc::too_many_files_open,
                                std::errc::not_enough_memory, std::errc::resource_unavailable_try_again})
    CHECK(code(error) == 75);
  CHECK(code(std::errc::permission_denied) == 76);
  CHECK(code(std::errc::no_such_file_or_directory) == 2);
  CHECK(code(std::errc::not_a_directory) == 2);
}

TEST_CASE("runs and doctor: JSON for scripts") {
  TinyRun tiny(4);
  REQUIRE(run_program({"train", tiny.write_recipe().string()}).code == 0);
  const Json runs = run_program({"runs", tiny.folder.path().string(), "--json"}).json();
  REQUIRE(runs.size() == 1);
  CHECK(runs[0]["run"] == (tiny / "run").string());
  CHECK(runs[0]["state"] == "completed");
  fs::create_directory(tiny / "odd");
  write_text(tiny / "odd" / "run.json", R"({"state": "completed", "started": 7})");
  CHECK(run_program({"runs", tiny.folder.path().string(), "--json"}).json().size() == 2);
  const Finished doctor = run_program({"doctor", "--json"});
  CHECK(doctor.code == 0);
  for (const char* key : {"version", "device", "threads", "gpus", "checks"}) CHECK(doctor.json().contains(key));
}

}  // namespace verbs_test
