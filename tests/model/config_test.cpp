// SPDX-License-Identifier: MIT
#include "temper/model/config.hpp"

#include <doctest/doctest.h>

#include "io/scratch.hpp"

namespace config_test {

using namespace temper;
using temper::test::ScratchFolder;
using temper::test::Thrown;
using temper::test::thrown_by;

const std::filesystem::path models = std::filesystem::path(TEMPER_TESTS) / "golden/model";
const char* const families[] = {"llama2",     "llama3", "llama_linear", "llama_dynamic",
                                "llama_bf16", "qwen2",  "qwen3",        "mistral"};

Json llama() { return read_json(models / "llama3/config.json"); }
Json with(Json config, const std::string& key, const Json& value) {
  config[key] = value;
  return config;
}
Json without(Json config, const std::string& key) {
  config.erase(key);
  return config;
}
Thrown refused(const Json& config) {
  return thrown_by([&] { read_config(config, "there/config.json"); });
}
bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

void check_equal(const Config& a, const Config& b) {
  CHECK(a.model_type == b.model_type);
  CHECK(a.vocabulary == b.vocabulary);
  CHECK(a.width == b.width);
  CHECK(a.layers == b.layers);
  CHECK(a.heads == b.heads);
  CHECK(a.kv_heads == b.kv_heads);
  CHECK(a.head_width == b.head_width);
  CHECK(a.feed_forward == b.feed_forward);
  CHECK(a.max_positions == b.max_positions);
  CHECK(a.norm_epsilon == b.norm_epsilon);
  CHECK(a.initializer_range == b.initializer_range);
  CHECK(a.tied == b.tied);
  CHECK(a.query_bias == b.query_bias);
  CHECK(a.output_bias == b.output_bias);
  CHECK(a.feed_forward_bias == b.feed_forward_bias);
  CHECK(a.query_norm == b.query_norm);
  CHECK(a.windows == b.windows);
  CHECK(a.rope.kind == b.rope.kind);
  CHECK(a.rope.theta == b.rope.theta);
  CHECK(a.rope.factor == b.rope.factor);
  CHECK(a.rope.low_frequency == b.rope.low_frequency);
  CHECK(a.rope.high_frequency == b.rope.high_frequency);
  CHECK(a.rope.original_positions == b.rope.original_positions);
}

TEST_CASE("config: the words of transformers 5 and of transformers 4 mean the same model") {
  for (const std::string family : families) {
    CAPTURE(family);
    const Config now = open_config(models / family);
    ScratchFolder folder;
    std::filesystem::copy_file(models / family / "config.old.json", folder / "config.json");
    check_equal(now, open_config(folder.path()));
  }
}

TEST_CASE("config: what makes each family") {
  const auto config = [](const std::string& family) { return open_config(models / family); };
  const Config llama3 = config("llama3");
  CHECK(llama3.vocabulary == 64);
  CHECK(llama3.width == 32);
  CHECK(llama3.query_width() == 32);
  CHECK(llama3.kv_width() == 16);
  CHECK(llama3.norm_epsilon == 1e-5);
  CHECK(llama3.rope.kind == Rope::Kind::llama3);
  CHECK(llama3.rope.theta == 100);
  CHECK(llama3.rope.original_positions == 32);
  CHECK_FALSE(llama3.tied);
  CHECK(config("llama_linear").rope.kind == Rope::Kind::linear);
  CHECK(config("llama_linear").rope.factor == 4);
  CHECK(config("llama_dynamic").rope.kind == Rope::Kind::dynamic);
  CHECK(config("llama_dynamic").rope.original_positions == 16);
  const Config qwen2 = config("qwen2");
  CHECK(qwen2.query_bias);
  CHECK_FALSE(qwen2.output_bias);
  CHECK(qwen2.tied);
  CHECK(qwen2.windows == std::vector<Index>{0, 0});
  CHECK(config("qwen3").query_norm);
  CHECK_FALSE(config("qwen3").query_bias);
  const Config mistral = config("mistral");
  CHECK(mistral.windows == std::vector<Index>{8, 8});
  CHECK(mistral.query_width() != mistral.width);
}

TEST_CASE("config: biases stand where transformers puts them") {
  const auto read = [](const std::string& type) {
    return read_config(with(with(with(llama(), "model_type", type), "attention_bias", true), "mlp_bias", true), "c");
  };
  CHECK(read("llama").query_bias);
  CHECK(read("llama").output_bias);
  CHECK(read("llama").feed_forward_bias);
  CHECK(read("qwen2").query_bias);
  CHECK_FALSE(read("qwen2").output_bias);
  CHECK(read("qwen3").query_bias);
  CHECK(read("qwen3").output_bias);
  CHECK_FALSE(read("mistral").query_bias);
  CHECK_FALSE(read("mistral").output_bias);
  CHECK_FALSE(read("mistral").feed_forward_bias);
}

TEST_CASE("config: windows follow layer types, else the first layer that slides, and only when asked for") {
  Json json = with(with(llama(), "model_type", "qwen2"), "sliding_window", 4);
  const auto windows = [](const Json& config) { return read_config(config, "c").windows; };
  CHECK(windows(json) == std::vector<Index>{0, 0});
  json["use_sliding_window"] = true;
  CHECK(windows(json) == std::vector<Index>{0, 0});
  json["max_window_layers"] = 1;
  CHECK(windows(json) == std::vector<Index>{0, 4});
  json["layer_types"] = {"sliding_attention", "full_attention"};
  CHECK(windows(json) == std::vector<Index>{4, 0});
  const Json mistral = with(without(llama(), "sliding_window"), "model_type", "mistral");
  CHECK(windows(mistral) == std::vector<Index>{4096, 4096});
  CHECK(windows(with(mistral, "sliding_window", nullptr)) == std::vector<Index>{0, 0});
  CHECK(windows(with(with(llama(), "model_type", "llama"), "sliding_window", 4)) == std::vector<Index>{0, 0});
}

TEST_CASE("config: what may be left out has the value of transformers") {
  Json json = llama();
  for (const char* key : {"num_key_value_heads", "head_dim", "max_position_embeddings", "rms_norm_eps", "hidden_act",
                          "initializer_range", "tie_word_embeddings", "rope_parameters", "attention_bias", "mlp_bias"})
    json.erase(key);
  const Config config = read_config(json, "c");
  CHECK(config.kv_heads == config.heads);
  CHECK(config.head_width == config.width / config.heads);
  CHECK(config.max_positions == 2048);
  CHECK(config.norm_epsilon == 1e-6);
  CHECK(config.initializer_range == 0.02);
  CHECK_FALSE(config.tied);
  CHECK(config.rope.kind == Rope::Kind::plain);
  CHECK(config.rope.theta == 10000);
  CHECK(read_config(with(json, "model_type", "qwen3"), "c").head_width == 128);
}

TEST_CASE("config: a key that is missing is named, with the file") {
  for (const char* key :
       {"vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size"}) {
    CAPTURE(key);
    for (const Json& config : {without(llama(), key), with(llama(), key, nullptr)}) {
      const Thrown thrown = refused(config);
      CHECK(thrown.code == "config.missing");
      CHECK(thrown.fault == Fault::data);
      CHECK(contains(thrown.message, key));
      CHECK(contains(thrown.message, "there/config.json"));
    }
  }
}

TEST_CASE("config: hostile sizes are refused, naming the key") {
  const Json hostile[] = {0,
                          -1,
                          1.5,
                          "64",
                          true,
                          Json::array(),
                          Json::object(),
                          1e30,
                          std::uint64_t(-1),
                          std::int64_t{1} << 62,
                          Json::array({64})};
  for (const char* key : {"vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size",
                          "num_key_value_heads", "head_dim", "max_position_embeddings"})
    for (const Json& value : hostile) {
      CAPTURE(key);
      CAPTURE(value.dump());
      const Thrown thrown = refused(with(llama(), key, value));
      CHECK(thrown.code.starts_with("config."));
      CHECK(thrown.fault == Fault::data);
      CHECK(contains(thrown.message, key));
    }
}

TEST_CASE("config: wrong flags, numbers and words are refused, naming the key") {
  const std::vector<std::pair<std::string, Json>> wrong = {{"tie_word_embeddings", 1},
                                                           {"attention_bias", "true"},
                                                           {"mlp_bias", Json::array()},
                                                           {"rms_norm_eps", "1e-5"},
                                                           {"rms_norm_eps", -1},
                                                           {"initializer_range", 1e9},
                                                           {"hidden_act", 3},
                                                           {"hidden_act", "gelu"},
                                                           {"model_type", 3},
                                                           {"partial_rotary_factor", 0.5},
                                                           {"quantization_config", {{"bits", 4}}}};
  for (const auto& [key, value] : wrong) {
    const std::string shown_key = key;
    CAPTURE(shown_key);
    const Thrown thrown = refused(with(llama(), key, value));
    CHECK(thrown.code.starts_with("config."));
    CHECK(contains(thrown.message, key));
  }
}

TEST_CASE("config: weights that bitsandbytes quantized to 4 or 8 bits are known, others are refused") {
  const Json nf4 = {{"quant_method", "bitsandbytes"}, {"load_in_4bit", true}, {"bnb_4bit_quant_type", "nf4"}};
  CHECK(read_config(llama(), "c").coding == Coding::dense);
  CHECK(read_config(with(llama(), "quantization_config", nullptr), "c").coding == Coding::dense);
  CHECK(read_config(with(llama(), "quantization_config", nf4), "c").coding == Coding::nf4);
  CHECK(read_config(with(llama(), "quantization_config", with(nf4, "bnb_4bit_quant_type", "fp4")), "c").coding ==
        Coding::fp4);
  for (const auto& [key, value] : std::vector<std::pair<std::string, Json>>{{"quant_method", "gptq"},
                                                                            {"load_in_4bit", false},
                                                                            {"bnb_4bit_quant_type", "nf3"},
                                                                            {"bnb_4bit_quant_storage", "bfloat16"}})
    CHECK(refused(with(llama(), "quantization_config", with(nf4, key, value))).code == "config.quantized");
  const Json int8 = {{"quant_method", "bitsandbytes"}, {"load_in_8bit", true}, {"load_in_4bit", false}};
  CHECK(read_config(with(llama(), "quantization_config", int8), "c").coding == Coding::int8);
  for (const char* both : {"load_in_4bit", "llm_int8_has_fp16_weight"})
    CHECK(refused(with(llama(), "quantization_config", with(int8, both, true))).code == "config.quantized");
}

TEST_CASE("config: a long value is not repeated whole") {
  CHECK(refused(with(llama(), "hidden_size", std::string(100000, 'x'))).message.size() < 500);
  CHECK(refused(with(llama(), "model_type", std::string(100000, 'x'))).message.size() < 1000);
  CHECK(refused(with(llama(), "hidden_act", std::string(100000, 'x'))).message.size() < 1000);
}

TEST_CASE("config: other model types are refused with those that are known") {
  for (const char* type : {"", "gpt2", "gemma", "LLAMA", "qwen2_moe"}) {
    const Thrown thrown = refused(with(llama(), "model_type", type));
    CHECK(thrown.code == "config.model_type");
    CHECK(contains(thrown.message, "expected llama, qwen2, qwen3 or mistral"));
  }
  CHECK(refused(without(llama(), "model_type")).code == "config.model_type");
  CHECK(refused(Json::array()).code == "config.not_object");
  CHECK(refused(Json(3)).code == "config.not_object");
}

TEST_CASE("config: heads that do not divide are refused") {
  CHECK(refused(with(llama(), "num_key_value_heads", 3)).code == "config.heads");
  CHECK(refused(with(llama(), "num_key_value_heads", 8)).code == "config.integer");
  CHECK(refused(with(without(llama(), "head_dim"), "hidden_size", 33)).code == "config.heads");
  CHECK(refused(with(llama(), "head_dim", 7)).code == "config.head_dim");
  CHECK(refused(with(llama(), "head_dim", 2048)).code == "config.head_dim");
  CHECK(refused(with(without(llama(), "head_dim"), "hidden_size", 4)).code == "config.head_dim");
}

TEST_CASE("config: rope scalings that are not known, or are wrong, are refused") {
  const auto rope = [](const Json& parameters) { return refused(with(llama(), "rope_parameters", parameters)); };
  for (const char* kind : {"yarn", "longrope", "su", "mrope", ""}) {
    const Thrown thrown = rope({{"rope_type", kind}, {"factor", 2}});
    CHECK(thrown.code == "config.rope");
    CHECK(contains(thrown.message, "expected default, linear, dynamic or llama3"));
  }
  const Json good = llama()["rope_parameters"];
  CHECK(rope(good).code == "none");
  CHECK(rope(with(good, "factor", 0)).code == "config.number");
  CHECK(rope(with(good, "factor", "4")).code == "config.number");
  CHECK(rope(with(good, "rope_theta", -1)).code == "config.number");
  CHECK(rope(with(good, "low_freq_factor", 4)).code == "config.rope");
  CHECK(rope(without(good, "original_max_position_embeddings")).code == "config.missing");
  CHECK(rope(with(good, "original_max_position_embeddings", 0)).code == "config.integer");
  CHECK(rope(with(good, "rope_type", 3)).code == "config.word");
  CHECK(rope(Json::array()).code == "config.not_object");
  CHECK(rope(3).code == "config.not_object");
}

TEST_CASE("config: layer types that are no list of the layers are refused") {
  const Json json = with(with(llama(), "model_type", "mistral"), "sliding_window", 4);
  for (const Json& types : {Json("sliding_attention"), Json(3), Json::array({"full_attention"}), Json::object()})
    CHECK(refused(with(json, "layer_types", types)).code == "config.layer_types");
  for (const Json& types : {Json::array({1, 2}), Json::array({"full_attention", "linear_attention"})})
    CHECK(refused(with(json, "layer_types", types)).code == "config.layer_types");
}

TEST_CASE("config: a folder without the file is an error that names it") {
  ScratchFolder folder;
  const Thrown thrown = thrown_by([&] { open_config(folder.path()); });
  CHECK(contains(thrown.message, "config.json"));
  folder.write("config.json", "{\"model_type\": ");
  CHECK(contains(thrown_by([&] { open_config(folder.path()); }).message, "config.json"));
}

}  // namespace config_test
