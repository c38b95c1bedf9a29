// SPDX-License-Identifier: MIT
#include "temper/model/score_labels.hpp"

#include "io/scratch.hpp"
#include "support/golden_model.hpp"

namespace score_labels_test {

using namespace temper_test;
using temper::test::ScratchFolder;

const ScoreLabels animals{.problem = Problem::single_label, .names = {"cat", "dog", "eel"}, .pad_token = 3};

std::string refusal(const Json& config, const ScoreLabels& labels = animals) {
  try {
    require_labels(config, "config.json", labels);
    return "";
  } catch (const Error& error) { return std::string(error.code()) + ": " + error.what(); }
}

TEST_CASE("score labels: a configuration says them as transformers does, and reads them again") {
  const Config base = open_config(golden_models / "qwen2");
  const Json json = score_config(base, animals);
  CHECK(json["architectures"] == Json{"Qwen2ForSequenceClassification"});
  CHECK(json["num_labels"] == 3);
  CHECK(json["id2label"] == Json{{"0", "cat"}, {"1", "dog"}, {"2", "eel"}});
  CHECK(json["label2id"] == Json{{"cat", 0}, {"dog", 1}, {"eel", 2}});
  CHECK(json["problem_type"] == "single_label_classification");
  CHECK(json["pad_token_id"] == 3);
  CHECK(json["hidden_size"] == base.json["hidden_size"]);
  CHECK(is_classifier(json));
  CHECK(!is_classifier(base.json));
  CHECK(refusal(json) == "");
  CHECK(stated_labels(json, "config.json") == animals.names);
  CHECK(score_config(base, {})["id2label"] == Json{{"0", "LABEL_0"}});
  CHECK(score_config(base, {})["problem_type"] == "regression");
}

TEST_CASE("score labels: scores of the mean over tokens are marked, and a head goes on with what it reads") {
  const Config base = open_config(golden_models / "qwen2");
  ScoreLabels mean = animals;
  mean.pooling = Pooling::mean;
  const Json marked = score_config(base, mean), plain = score_config(base, animals);
  CHECK(marked["temper_pooling"] == "mean");
  CHECK(!plain.contains("temper_pooling"));
  CHECK(stated_pooling(marked, "config.json") == Pooling::mean);
  CHECK(stated_pooling(plain, "config.json") == Pooling::last);
  CHECK(refusal(marked, mean) == "");
  CHECK(refusal(marked).find("head.pooling") == 0);
  CHECK(refusal(plain, mean).find("head.pooling") == 0);
  Json odd = marked;
  odd["temper_pooling"] = "first";
  CHECK(refusal(odd).find("temper_pooling is 'first'; expected last or mean") != std::string::npos);
}

TEST_CASE("score labels: a head with other labels is refused, one that was never named is only counted") {
  const auto ids = [](std::vector<std::string> names) {
    Json json = {{"id2label", Json::object()}};
    for (std::size_t i = 0; i < names.size(); ++i) json["id2label"][std::to_string(i)] = names[i];
    return json;
  };
  CHECK(refusal(ids({"LABEL_0", "LABEL_1", "LABEL_2"})) == "");
  CHECK(refusal({{"num_labels", 3}}) == "");
  CHECK(refusal(ids({"cat", "dog"})).find("has 2 labels but the rows have 3") != std::string::npos);
  CHECK(refusal({{"num_labels", 5}}).find("has 5 labels") != std::string::npos);
  CHECK(refusal(Json::object()).find("has 2 labels") != std::string::npos);  // transformers' default
  CHECK(refusal(ids({"cat", "eel", "dog"})).find("label 1 of the score head is 'eel' but 'dog'") != std::string::npos);
  Json other = ids({"cat", "dog", "eel"});
  other["problem_type"] = "multi_label_classification";
  CHECK(refusal(other).find("head.problem") == 0);
  other["problem_type"] = nullptr;
  CHECK(refusal(other) == "");
}

TEST_CASE("score labels: labels that are not labels are refused, not believed") {
  for (const Json& bad : {Json{{"id2label", 3}}, Json{{"id2label", {{"0", 1}, {"1", "b"}, {"2", "c"}}}},
                          Json{{"id2label", {{"0", "a"}, {"1", "b"}, {"3", "c"}}}}, Json{{"num_labels", -1}},
                          Json{{"num_labels", 1e30}}, Json{{"num_labels", "three"}}})
    CHECK(refusal(bad) != "");
}

TEST_CASE("score labels: a classifier is saved and loads again, whole and as an adapter, with the same scores") {
  const auto base = golden_models / "llama3";
  const GoldenBatch golden("llama3");
  const auto scores = [&](auto& model) { return logits_of(model, golden.rows[0]); };
  const auto shake = [](auto& model) {
    std::uint64_t element = 0;
    model.visit([&](auto& p) {
      for (Index i = 0; i < p.size(); ++i)
        p.value.data[i] += static_cast<float>(0.1 * Random{1, 2, 3}.normal(element++));
    });
  };
  ScratchFolder whole, adapter, merged, prompt;
  auto full = open_decoder<Cpu<float>>(base, Full{}, {.scores = 3});
  CHECK_THROWS_WITH_AS(save_model(full, base, whole.path()), doctest::Contains("a head of 3 scores"), Error);
  shake(full);
  save_model(full, base, whole.path(), animals);
  auto again = open_decoder<Cpu<float>>(whole.path(), Full{}, {.scores = 3});
  CHECK(scores(again) == scores(full));
  CHECK_THROWS_WITH_AS(open_decoder<Cpu<float>>(whole.path(), Full{}), doctest::Contains("score.weight"), Error);
  CHECK_THROWS_WITH_AS(open_decoder<Cpu<float>>(whole.path(), Full{}, {.scores = 2}), doctest::Contains("[3, 32]"),
                       Error);

  auto lora = open_decoder<Cpu<float>>(base, Lora<>{.rank = 2}, {.scores = 3});
  shake(lora);
  save_peft(lora, base.string(), adapter.path(), animals);
  const Json settings = read_json(adapter / "adapter_config.json");
  CHECK(settings["task_type"] == "SEQ_CLS");
  CHECK(settings["modules_to_save"] == Json{"score"});
  CHECK(read_peft_config(adapter.path()).modules_to_save.empty());  // the head is no choice
  auto loaded = open_decoder<Cpu<float>>(base, read_peft_config(adapter.path()), {.scores = 3});
  load_peft(loaded, adapter.path(), animals);
  CHECK(scores(loaded) == scores(lora));
  CHECK_THROWS_WITH_AS(load_peft(loaded, adapter.path(), ScoreLabels{.names = {"a", "b", "c"}}),
                       doctest::Contains("label 0"), Error);

  auto started = open_decoder<Cpu<float>>(base, read_peft_config(base / "adapter"), {.scores = 3});
  load_peft(started, base / "adapter", animals);  // of a language model: the head is new
  for (const float score : scores(started)) CHECK(score == 0);

  merge_adapter(base, adapter.path(), merged.path());
  auto one = open_decoder<Cpu<float>>(merged.path(), Full{}, {.scores = 3});
  CHECK(relative_error<float>(scores(one), scores(lora)) < 1e-5);
  CHECK(read_json(merged / "config.json") == score_config(open_config(base), animals));

  auto tuned = open_decoder<Cpu<float>>(base, PromptTuning{.virtual_tokens = 2}, {.scores = 3});
  shake(tuned);
  save_peft(tuned, base.string(), prompt.path(), animals);
  auto read = open_decoder<Cpu<float>>(base, read_peft_prompt(prompt.path()), {.scores = 3});
  load_peft(read, prompt.path(), animals);
  CHECK(scores(read) == scores(tuned));
}

}  // namespace score_labels_test
