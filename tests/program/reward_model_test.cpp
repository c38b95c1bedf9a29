// SPDX-License-Identifier: MIT
// The reward model of a PPO run, from a folder to scores.
#include "reward_model.hpp"

#include <doctest/doctest.h>

#include "program/tiny_model.hpp"
#include "temper/io/safetensors.hpp"

namespace reward_model_test {

using namespace temper_test;
using temper::Cpu;
using temper::TokenId;

const fs::path golden = fs::path(TEMPER_TESTS) / "golden";

// A recorded language model with the recorded score head.
void write_scored(const fs::path& recorded, const Json& head, const fs::path& folder) {
  fs::create_directories(folder);
  fs::copy_file(recorded / "config.json", folder / "config.json");
  write_tokenizer(folder);
  const temper::SafetensorsFile weights(recorded / "model.safetensors");
  std::vector<temper::TensorToWrite> tensors;
  for (const temper::TensorInfo& tensor : weights.tensors()) {
    if (tensor.name == "lm_head.weight") continue;
    tensors.push_back(temper::tensor_of_bytes(tensor.name, temper::Element::f32, tensor.shape, tensor.bytes));
    if (!tensor.element) tensors.back().codes = tensor.dtype;
  }
  const auto values = head.get<std::vector<float>>();
  tensors.push_back(temper::tensor_of_bytes("score.weight", temper::Element::f32, {1, std::ssize(values)},
                                            std::as_bytes(std::span(values))));
  temper::write_safetensors(folder / "model.safetensors", tensors);
}

std::vector<double> scores_of(temper_cli::RunRewardModel& model, const Json& rows) {
  std::vector<TokenId> tokens;
  std::vector<Index> starts = {0};
  for (const Json& row : rows["documents"]) {
    for (const Json& token : row["tokens"]) tokens.push_back(token.get<TokenId>());
    starts.push_back(std::ssize(tokens));
  }
  const std::vector<TokenId> targets(tokens.size(), 0);
  const std::vector<std::uint8_t> supervised(tokens.size(), 0);
  std::vector<std::byte> memory(std::size_t{1} << 22);
  temper::Arena arena(memory.data(), memory.size());
  temper::Threads stream(1);
  temper::Context<Cpu<float>> ctx(stream, arena, 0, temper::Execution::running);
  temper::BatchStaging<Cpu<float>> staging;
  std::vector<double> scores;
  model.score(ctx, staging, {tokens, targets, supervised, starts}, scores);
  return scores;
}

TEST_CASE("reward model: every score is that of transformers, whatever is scored beside it") {
  const Json record = temper::read_json(golden / "objective/scores.json");
  for (const std::string family : {"llama3", "qwen2"}) {
    CAPTURE(family);
    const TestFolder folder;
    write_scored(golden / "model" / family, record[family]["reward"]["head"], folder / "model");
    const Json rows = temper::read_json(golden / "model" / family / "batch.json");
    const auto model = temper_cli::open_reward_model(folder / "model", 64, temper::Execution::running);
    const std::vector<double> scores = scores_of(*model, rows);
    const auto expected = record[family]["reward"]["scores"].get<std::vector<double>>();
    REQUIRE(scores.size() == expected.size());
    double spread = 0;
    for (std::size_t i = 0; i < scores.size(); ++i) {
      CHECK(scores[i] == doctest::Approx(expected[i]).epsilon(2e-5));
      spread = std::max(spread, std::abs(expected[i] - expected[0]));
    }
    CHECK(spread > 0.1);  // so that a row taken for another would show
  }
}

TEST_CASE("reward model: one that is quantized already is read as it lies, and scores nearly the same") {
  const Json record = temper::read_json(golden / "objective/scores.json")["llama3"]["reward"];
  const Json rows = temper::read_json(golden / "model/llama3/batch.json");
  const auto expected = record["scores"].get<std::vector<double>>();
  const TestFolder folder;
  write_scored(golden / "storage/checkpoint_int8", record["head"], folder / "model");
  const auto model = temper_cli::open_reward_model(folder / "model", 64, temper::Execution::running);
  const std::vector<double> scores = scores_of(*model, rows);
  REQUIRE(scores.size() == expected.size());
  double error = 0, size = 0;
  for (std::size_t i = 0; i < scores.size(); ++i)
    error = std::max(error, std::abs(scores[i] - expected[i])), size = std::max(size, std::abs(expected[i]));
  CHECK(error > 0);
  CHECK(error < 0.05 * size);
}

TEST_CASE("reward model: an adapter, a language model and another vocabulary are refused") {
  const Json record = temper::read_json(golden / "objective/scores.json");
  const TestFolder folder;
  write_scored(golden / "model/qwen2", record["qwen2"]["reward"]["head"], folder / "model");
  const auto refused = [&](const fs::path& path, Index vocabulary, const std::string& part) {
    CHECK_THROWS_WITH_AS((void)temper_cli::open_reward_model(path, vocabulary, temper::Execution::planning),
                         doctest::Contains(part.c_str()), temper::Error);
  };
  refused(golden / "model/qwen2/adapter", 64, "is an adapter; expected a whole reward model; merge it first");
  refused(folder / "model", 65, "reads 64 tokens and the policy writes 65");
  write_model(folder / "language");
  refused(folder / "language", 64, "has no tensor 'score.weight'");
}

}  // namespace reward_model_test
