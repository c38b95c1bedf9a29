// SPDX-License-Identifier: MIT
#include "temper/model/folder.hpp"

#include "io/scratch.hpp"
#include "temper/adapter/full.hpp"
#include "temper/backend/cpu.hpp"

#include <doctest/doctest.h>

namespace folder_test {

using namespace temper;
using temper::test::content_of;
using temper::test::ScratchFolder;
using temper::test::Thrown;
using temper::test::thrown_by;

const std::filesystem::path models = std::filesystem::path(TEMPER_TESTS) / "golden/model";

bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

std::vector<float> weights_of(auto& model) {
  std::vector<float> all;
  model.visit([&](const auto& p) { all.insert(all.end(), p.value.data, p.value.data + p.size()); });
  return all;
}

std::vector<TensorToWrite> tensors_of(const WeightFolder& folder) {
  std::vector<TensorToWrite> tensors;
  for (const TensorInfo& t : folder.tensors()) tensors.push_back(tensor_of_bytes(t.name, *t.element, t.shape, t.bytes));
  return tensors;
}

TEST_CASE("model folder: a model that is saved and opened again has the same weights, whatever its family") {
  for (const std::string family : {"llama3", "qwen2", "qwen3", "mistral", "llama_bf16"}) {
    CAPTURE(family);
    auto model = open_decoder<Cpu<float>>(models / family, Full{});
    ScratchFolder folder;
    save_model(model, models / family, folder.path());
    auto again = open_decoder<Cpu<float>>(folder.path(), Full{});
    CHECK(weights_of(model) == weights_of(again));
    const WeightFolder before(models / family), after(folder.path());
    CHECK(before.tensors().size() == after.tensors().size());
    for (const TensorInfo& tensor : before.tensors()) {
      REQUIRE(after.find(tensor.name));
      CHECK(after.find(tensor.name)->shape == tensor.shape);
      CHECK(after.find(tensor.name)->dtype == "F32");
    }
    CHECK(read_json(folder / "config.json")["dtype"] == "float32");
  }
}

TEST_CASE("model folder: shards hold the model that one file holds") {
  auto whole = open_decoder<Cpu<float>>(models / "llama2", Full{});
  auto sharded = open_decoder<Cpu<float>>(models / "llama_sharded", Full{});
  CHECK(weights_of(whole) == weights_of(sharded));
}

TEST_CASE("model folder: weights that config.json does not describe are refused, naming both lists") {
  ScratchFolder folder;
  std::filesystem::copy(models / "llama2", folder.path(), std::filesystem::copy_options::recursive);
  const auto open = [&] { return thrown_by([&] { open_decoder<Cpu<float>>(folder.path(), Full{}); }); };
  CHECK(open().code == "none");

  Json config = read_json(models / "llama2/config.json");
  config["num_hidden_layers"] = 3;
  folder.write("config.json", config.dump());
  const Thrown missing = open();
  CHECK(missing.code == "weights.not_a_bijection");
  CHECK(contains(missing.message, "missing: model.layers.2.input_layernorm.weight"));
  config["num_hidden_layers"] = 1;
  folder.write("config.json", config.dump());
  CHECK(contains(open().message, "not used: model.layers.1.input_layernorm.weight"));
  config["num_hidden_layers"] = 2;
  config["vocab_size"] = 65;
  folder.write("config.json", config.dump());
  const Thrown shape = open();
  CHECK(shape.code == "weights.shape");
  CHECK(contains(shape.message, "model.embed_tokens.weight"));
}

TEST_CASE("model folder: tensors that old files hold beside the model are let be") {
  ScratchFolder folder;
  const WeightFolder weights(models / "qwen2");
  auto tensors = tensors_of(weights);
  const std::vector<float> frequencies(2, 1);
  tensors.push_back(tensor_of_floats("model.layers.0.self_attn.rotary_emb.inv_freq", Element::f32, {2}, frequencies));
  const TensorInfo& table = *weights.find("model.embed_tokens.weight");
  tensors.push_back(tensor_of_bytes("lm_head.weight", *table.element, table.shape, table.bytes));
  write_weights(folder.path(), tensors);
  folder.write("config.json", content_of(models / "qwen2/config.json"));
  CHECK_NOTHROW(open_decoder<Cpu<float>>(folder.path(), Full{}));
}

TEST_CASE("model folder: a value that is no number is found, and named, when asked for") {
  ScratchFolder folder;
  const WeightFolder weights(models / "llama2");
  auto tensors = tensors_of(weights);
  std::vector<float> norm = widen(*weights.find("model.norm.weight"));
  norm[3] = std::numeric_limits<float>::quiet_NaN();
  for (TensorToWrite& tensor : tensors)
    if (tensor.name == "model.norm.weight") tensor = tensor_of_floats(tensor.name, Element::f32, tensor.shape, norm);
  write_weights(folder.path(), tensors);
  const FolderWeights source(folder.path());
  const Thrown thrown = thrown_by([&] { source.refuse_non_finite(); });
  CHECK(thrown.code == "safetensors.not_finite");
  CHECK(contains(thrown.message, "model.norm.weight"));
  CHECK_NOTHROW(FolderWeights(models / "llama2").refuse_non_finite());
}

TEST_CASE("model folder: the tokenizer's files are copied, and what is not the model's is not") {
  ScratchFolder from, to;
  from.write("tokenizer.json", "1");
  from.write("chat_template.jinja", "2");
  from.write("optimizer.pt", "3");
  to.write("tokenizer.json", "old");
  copy_companions(from.path(), to.path());
  CHECK(content_of(to / "tokenizer.json") == "1");
  CHECK(content_of(to / "chat_template.jinja") == "2");
  CHECK(to.entries() == 2);
  CHECK(thrown_by([&] { copy_companions(from.path(), to / "none"); }).code == "file.create");
}

TEST_CASE("model folder: padding is set in a tokenizer's settings that name a length without end") {
  const ScratchFolder folder;
  folder.write("tokenizer_config.json",
               R"({"model_max_length": 1000000000000000019884624838656, "seed": 18446744073709551615})");
  set_padding(folder.path(), "<pad>");
  const Json config = read_json(folder / "tokenizer_config.json");
  CHECK(config["pad_token"] == "<pad>");
  CHECK(config["model_max_length"].is_number_float());
  CHECK(config["model_max_length"] == 1e30);
  CHECK(config["seed"] == std::uint64_t{18446744073709551615u});
}

TEST_CASE("model folder: one that is to be merged is for planning: it has no values to run on") {
  const auto base = std::filesystem::path(TEMPER_TESTS) / "golden/storage/checkpoint_nf4";
  const auto source = std::make_shared<FolderWeights>(base, MergedCodes{});
  const auto tensor = source->find("model.layers.0.mlp.up_proj.weight");
  REQUIRE(tensor);
  CHECK(tensor->codes.coding == Coding::dense);
  CHECK(tensor->data == nullptr);
  Config config = open_config(base);
  config.coding = Coding::dense;
  const auto open = [&](Execution execution) {
    Decoder<Cpu<float>, Full>(config, Full{}, source, {.execution = execution});
  };
  CHECK_NOTHROW(open(Execution::planning));
  CHECK(thrown_by([&] { open(Execution::running); }).code == "decoder.no_values");
}

TEST_CASE("model folder: merges into 8 bits leave what the embedding is, others what the codes say") {
  const auto base = std::filesystem::path(TEMPER_TESTS) / "golden/storage/checkpoint_nf4";
  ScratchFolder folder;  // the embedding in another type than the codes say
  const WeightFolder weights(base);
  std::vector<TensorToWrite> tensors;
  for (const TensorInfo& t : weights.tensors()) {
    const bool table = t.name == "model.embed_tokens.weight";
    TensorToWrite tensor =
        table ? TensorToWrite{t.name,
                              Element::f16,
                              t.shape,
                              {},
                              [&t](Index first, std::span<float> to) { widen(t, first, to); }}
        : t.element
            ? tensor_of_bytes(t.name, *t.element, t.shape, t.bytes)
            : tensor_of_codes(t.name, t.shape, {reinterpret_cast<const std::uint8_t*>(t.bytes.data()), t.bytes.size()});
    tensors.push_back(std::move(tensor));
  }
  write_safetensors(folder / "model.safetensors", tensors);
  const MergedCodes own{.coding = Coding::nf4};
  const auto element_after = [&](const MergedCodes& merged) {
    return FolderWeights(folder.path(), merged).find("model.layers.0.mlp.up_proj.weight")->element;
  };
  CHECK(element_after(own.then(Coding::nf4).then(Coding::dense)) == Element::f32);
  CHECK(element_after(own.then(Coding::int8).then(Coding::dense)) == Element::f16);
}

TEST_CASE("model folder: it has weights as one file or as an index") {
  CHECK(has_weights(models / "llama2"));
  CHECK(has_weights(models / "llama_sharded"));
  CHECK_FALSE(has_weights(models));
  CHECK_FALSE(has_weights(models / "nowhere"));
}

}  // namespace folder_test
