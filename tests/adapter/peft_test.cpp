// SPDX-License-Identifier: MIT
#include "temper/adapter/peft.hpp"

#include "io/scratch.hpp"
#include "support/golden_model.hpp"

namespace peft_test {

using namespace temper_test;
using temper::test::code_of;
using temper::test::content_of;
using temper::test::ScratchFolder;
using temper::test::Thrown;
using temper::test::thrown_by;

// Family and folder of every adapter that PEFT wrote and that is plain LoRA.
const std::vector<std::pair<std::string, std::string>>& recorded_adapters() {
  static const auto all = [] {
    std::vector<std::pair<std::string, std::string>> found;
    for (const std::string& family : golden_families()) found.emplace_back(family, "adapter");
    found.emplace_back("llama3", "adapter_modules_to_save");
    for (const char* name : {"all_linear", "bias_all", "bias_lora_only", "rslora", "targets"})
      found.emplace_back("qwen2", std::string("adapter_") + name);
    return found;
  }();
  return all;
}

bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

// A configuration as PEFT writes it, with one key changed.
Json config_with(const std::string& key, const Json& value) {
  Json config = read_json(golden_models / "llama3/adapter/adapter_config.json");
  config[key] = value;
  return config;
}
Thrown refused(const Json& config) {
  ScratchFolder folder;
  folder.write("adapter_config.json", config.dump());
  return thrown_by([&] { read_peft_config(folder.path()); });
}

void save(auto& model, const ScratchFolder& folder) { save_peft(model, "base", folder.path()); }

// What was written has every tensor of what PEFT recorded, in shape, type and value, and no other.
void check_same_tensors(const ScratchFolder& written, const std::filesystem::path& recorded) {
  const SafetensorsFile theirs(recorded / "adapter_model.safetensors"), ours(written / "adapter_model.safetensors");
  CHECK(ours.tensors().size() == theirs.tensors().size());
  for (const TensorInfo& tensor : theirs.tensors()) {
    CAPTURE(tensor.name);
    const TensorInfo* mine = ours.find(tensor.name);
    REQUIRE(mine);
    CHECK(mine->shape == tensor.shape);
    CHECK(mine->dtype == tensor.dtype);
    CHECK(widen(*mine) == widen(tensor));
  }
}

TEST_CASE("peft: what is written has the tensors, shapes and values of PEFT's own file, in every variant") {
  for (const auto& [family, name] : recorded_adapters()) {
    const std::string shown_family = family;
    CAPTURE(shown_family);
    const std::string shown_name = name;
    CAPTURE(shown_name);
    const auto recorded = golden_models / family / name;
    auto model = open_decoder<Cpu<float>>(golden_models / family, read_peft_config(recorded));
    load_peft(model, recorded);
    ScratchFolder written;
    save(model, written);

    check_same_tensors(written, recorded);
  }
}

TEST_CASE("peft: the configuration that is written says what PEFT's says") {
  for (const auto& [family, name] : recorded_adapters()) {
    const std::string shown_family = family;
    CAPTURE(shown_family);
    const std::string shown_name = name;
    CAPTURE(shown_name);
    const auto recorded = golden_models / family / name;
    const Json theirs = read_json(recorded / "adapter_config.json");
    const Lora<> lora = read_peft_config(recorded);
    const Json ours = peft_config(lora, theirs["base_model_name_or_path"].get<std::string>());
    for (const auto& [key, value] : ours.items()) {
      const std::string shown_key = key;
      CAPTURE(shown_key);
      CHECK(theirs.contains(key));
      CHECK(value == theirs[key]);
    }
  }
}

TEST_CASE("peft: written, read and written again, an adapter has the same bytes") {
  const Lora<> forms[] = {{.rank = 2, .alpha = 3.5, .dropout = 0.1},
                          {.rank = 3, .rank_stabilized = true, .targets = {"v_proj", "self_attn.q_proj"}},
                          {.rank = 1, .targets = {"q_proj"}, .bias = Bias::all},
                          {.rank = 1, .targets = {"q_proj", "up_proj"}, .bias = Bias::lora_only},
                          {.rank = 2, .targets = {"q_proj"}, .modules_to_save = {"lm_head", "k_proj", "model.norm"}}};
  for (const Lora<>& lora : forms) {
    auto model = open_decoder<Cpu<float>>(golden_models / "qwen2", lora);
    std::uint64_t element = 0;
    model.visit([&](auto& p) {
      for (Index i = 0; i < p.size(); ++i) p.value.data[i] = static_cast<float>(Random{3}.normal(element++));
    });
    ScratchFolder first, second;
    save(model, first);
    auto again = open_decoder<Cpu<float>>(golden_models / "qwen2", read_peft_config(first.path()));
    load_peft(again, first.path());
    save(again, second);
    CHECK(content_of(first / "adapter_model.safetensors") == content_of(second / "adapter_model.safetensors"));
    CHECK(content_of(first / "adapter_config.json") == content_of(second / "adapter_config.json"));
    const Lora<> read = read_peft_config(first.path());
    CHECK(read.rank == lora.rank);
    CHECK(read.alpha == lora.alpha);
    CHECK(read.dropout == lora.dropout);
    CHECK(read.rank_stabilized == lora.rank_stabilized);
    CHECK(read.bias == lora.bias);
    CHECK(read.modules_to_save == lora.modules_to_save);
    if (!lora.targets.empty()) CHECK(read.targets == lora.targets);
  }
}

TEST_CASE("peft: DoRA is read and written as PEFT does") {
  const auto recorded = golden_models / "llama3/adapter_dora";
  CHECK(peft_kind(recorded) == PeftKind::dora);
  CHECK(peft_kind(golden_models / "llama3/adapter") == PeftKind::lora);
  CHECK(peft_kind(golden_models / "llama3/adapter_prompt") == PeftKind::prompt);
  CHECK(thrown_by([] { read_peft_dora(golden_models / "llama3/adapter"); }).code == "peft.unknown");
  const Dora<> dora = read_peft_dora(recorded);
  auto model = open_decoder<Cpu<float>>(golden_models / "llama3", dora);
  load_peft(model, recorded);
  ScratchFolder written;
  save(model, written);
  check_same_tensors(written, recorded);
  const Json config = read_json(recorded / "adapter_config.json");
  const Json written_config = peft_config(dora, "llama3");
  for (const auto& [key, value] : written_config.items()) {
    const std::string shown_key = key;
    CAPTURE(shown_key);
    CHECK(value == config[key]);
  }
}

TEST_CASE("peft: prompt tuning is read and written as PEFT does") {
  const auto recorded = golden_models / "llama3/adapter_prompt";
  const PromptTuning prompt = read_peft_prompt(recorded);
  CHECK(prompt.virtual_tokens == 5);
  CHECK(thrown_by([] { read_peft_prompt(golden_models / "llama3/adapter"); }).code == "peft.type");
  auto model = open_decoder<Cpu<float>>(golden_models / "llama3", prompt);
  load_peft(model, recorded);
  ScratchFolder written;
  save(model, written);
  const SafetensorsFile theirs(recorded / "adapter_model.safetensors"), ours(written / "adapter_model.safetensors");
  REQUIRE(ours.tensors().size() == 1);
  const TensorInfo* mine = ours.find("prompt_embeddings");
  REQUIRE(mine);
  CHECK(mine->shape == std::vector<Index>{5, 32});
  CHECK(widen(*mine) == widen(*theirs.find("prompt_embeddings")));
  const Json config = read_json(recorded / "adapter_config.json"), own = read_json(written / "adapter_config.json");
  for (const auto& [key, value] : own.items()) {
    const std::string shown_key = key;
    CAPTURE(shown_key);
    if (key != "base_model_name_or_path") CHECK(value == config[key]);
  }
  Json changed = config;
  const auto code = [&] { return thrown_by([&] { read_peft_prompt(changed, "adapter_config.json"); }).code; };
  changed["num_transformer_submodules"] = 2;
  CHECK(code() == "peft.unknown");
  changed.erase("num_transformer_submodules");
  CHECK(code() == "none");
  for (const Json& wrong : {Json(0), Json(-1), Json("5"), Json(nullptr), Json(1 << 20)}) {
    changed["num_virtual_tokens"] = wrong;
    CHECK(code() != "none");
  }
}

TEST_CASE("peft: adapters of another kind are refused, naming the key") {
  const auto dora = thrown_by([] { read_peft_config(golden_models / "llama3/adapter_dora"); });
  CHECK(contains(dora.message, "use_dora"));
  CHECK(contains(dora.message, "llama3/adapter_dora"));
  const auto prompt = thrown_by([] { read_peft_config(golden_models / "llama3/adapter_prompt"); });
  CHECK(prompt.code == "peft.type");
  CHECK(contains(prompt.message, "PROMPT_TUNING"));
  CHECK(contains(prompt.message, "expected LORA"));
}

TEST_CASE("peft: settings that change the arithmetic and are not known are refused, naming the key") {
  const Json list = Json::array({1}), map = {{"q_proj", 4}};
  const std::vector<std::pair<std::string, Json>> unknown = {{"use_dora", true},
                                                             {"fan_in_fan_out", true},
                                                             {"lora_bias", true},
                                                             {"use_qalora", true},
                                                             {"rank_pattern", map},
                                                             {"alpha_pattern", map},
                                                             {"layers_to_transform", 1},
                                                             {"layers_to_transform", list},
                                                             {"exclude_modules", "q_proj"},
                                                             {"target_parameters", list},
                                                             {"layer_replication", list},
                                                             {"trainable_token_indices", list},
                                                             {"init_lora_weights", "pissa"},
                                                             {"init_lora_weights", "pissa_niter_16"},
                                                             {"init_lora_weights", "olora"},
                                                             {"init_lora_weights", "loftq"},
                                                             {"init_lora_weights", "corda"},
                                                             {"use_bdlora", map}};
  for (const auto& [key, value] : unknown) {
    const std::string shown_key = key;
    CAPTURE(shown_key);
    const std::string shown_value = value.dump();
    CAPTURE(shown_value);
    const Thrown thrown = refused(config_with(key, value));
    CHECK(thrown.code == "peft.unknown");
    CHECK(contains(thrown.message, key));
  }
}

TEST_CASE("peft: values that are none are refused, naming the key") {
  const std::vector<std::pair<std::string, Json>> wrong = {{"r", 0},
                                                           {"r", -1},
                                                           {"r", "8"},
                                                           {"r", 8.5},
                                                           {"r", nullptr},
                                                           {"r", std::uint64_t(-1)},
                                                           {"lora_alpha", "16"},
                                                           {"lora_dropout", 1},
                                                           {"lora_dropout", -0.1},
                                                           {"lora_dropout", "none"},
                                                           {"bias", "some"},
                                                           {"bias", 1},
                                                           {"use_rslora", 1},
                                                           {"target_modules", nullptr},
                                                           {"target_modules", Json::array()},
                                                           {"target_modules", Json::array({1})},
                                                           {"target_modules", ".*_proj"},
                                                           {"target_modules", Json::object()},
                                                           {"modules_to_save", "lm_head"},
                                                           {"modules_to_save", Json::array({true})},
                                                           {"peft_type", nullptr},
                                                           {"peft_type", 1}};
  for (const auto& [key, value] : wrong) {
    const std::string shown_key = key;
    CAPTURE(shown_key);
    const std::string shown_value = value.dump();
    CAPTURE(shown_value);
    const Thrown thrown = refused(config_with(key, value));
    CHECK(thrown.code != "none");
    CHECK(thrown.fault == Fault::data);
    CHECK(contains(thrown.message, key));
    CHECK(contains(thrown.message, "adapter_config.json"));
  }
  CHECK(refused(Json::array()).code != "none");
  CHECK(refused(config_with("init_lora_weights", "gaussian")).code == "none");
  CHECK(refused(config_with("target_modules", "all-linear")).code == "none");
}

TEST_CASE("peft: keys that are left out have PEFT's own values") {
  ScratchFolder folder;
  folder.write("adapter_config.json", R"({"peft_type": "LORA", "r": 8, "target_modules": ["q_proj"]})");
  const Lora<> lora = read_peft_config(folder.path());
  CHECK(lora.alpha == 8);
  CHECK(lora.dropout == 0);
  CHECK_FALSE(lora.rank_stabilized);
  CHECK(lora.bias == Bias::none);
  CHECK(lora.modules_to_save.empty());
}

TEST_CASE("peft: tensors that do not fit the model are refused") {
  const auto folder = golden_models / "llama3/adapter";
  Lora<> lora = read_peft_config(folder);
  const auto load = [&](const std::string& family, const Lora<>& adapter) {
    auto model = open_decoder<Cpu<float>>(golden_models / family, adapter);
    return thrown_by([&] { load_peft(model, folder); });
  };
  CHECK(load("llama3", lora).code == "none");
  CHECK(load("llama2", lora).code == "weights.shape");
  lora.rank = 2;
  CHECK(load("llama3", lora).code == "weights.shape");
  lora.rank = 3;
  lora.targets = {"q_proj"};
  const Thrown unused = load("llama3", lora);
  CHECK(unused.code == "weights.not_a_bijection");
  CHECK(contains(unused.message, "not used: base_model.model.model.layers.0.mlp.down_proj.lora_A.weight"));
  lora.targets = {};
  lora.modules_to_save = {"lm_head"};
  const Thrown missing = load("llama3", lora);
  CHECK(missing.code == "weights.not_a_bijection");
  CHECK(contains(missing.message, "missing: base_model.model.lm_head.weight"));
}

TEST_CASE("peft: an adapter is checked by a planned model too, and one that is refused changes nothing") {
  const auto base = golden_models / "llama3", folder = base / "adapter";
  Lora<> lora = read_peft_config(folder);
  const auto check = [&] {
    Decoder<Cpu<float>, Lora<>> planned(open_config(base), lora, std::make_shared<FolderWeights>(base),
                                        {.execution = Execution::planning});
    return thrown_by([&] { load_peft(planned, folder, std::nullopt, PeftTensors::checked); }).code;
  };
  CHECK(check() == "none");
  lora.modules_to_save = {"lm_head"};
  CHECK(check() == "weights.not_a_bijection");
  auto model = open_decoder<Cpu<float>>(base, lora);
  const auto values = [&] {
    std::vector<float> all;
    model.visit([&](const auto& p) { all.insert(all.end(), p.value.data, p.value.data + p.size()); });
    return all;
  };
  const auto before = values();
  CHECK(thrown_by([&] { load_peft(model, folder); }).code == "weights.not_a_bijection");
  CHECK(values() == before);
}

TEST_CASE("peft: an adapter with a value that is no number is refused, naming the tensor") {
  const auto recorded = golden_models / "llama3/adapter";
  auto model = open_decoder<Cpu<float>>(golden_models / "llama3", read_peft_config(recorded));
  load_peft(model, recorded);
  model.visit([](auto& p) {
    if (p.name.ends_with("1.mlp.up_proj.lora_A.weight")) p.value.data[1] = std::numeric_limits<float>::infinity();
  });
  ScratchFolder folder;
  save(model, folder);
  const Thrown thrown = thrown_by([&] { load_peft(model, folder.path()); });
  CHECK(thrown.code == "safetensors.not_finite");
  CHECK(contains(thrown.message, "1.mlp.up_proj.lora_A"));
}

}  // namespace peft_test
