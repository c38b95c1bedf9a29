// SPDX-License-Identifier: MIT
// LoRA, DoRA and prompt tuning as PEFT's folders: adapter_config.json and adapter_model.safetensors, in and out.
// Loading is a bijection: every tensor of the file finds its parameter and every parameter its tensor.
#pragma once
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "temper/adapter/dora.hpp"
#include "temper/adapter/prompt.hpp"
#include "temper/io/json_fields.hpp"
#include "temper/model/folder.hpp"

namespace temper {

inline constexpr const char* peft_prefix = "base_model.model.";
inline constexpr std::array<const char*, 7> projection_names = {"q_proj",    "k_proj",  "v_proj",   "o_proj",
                                                                "gate_proj", "up_proj", "down_proj"};

inline std::string_view name_of(Bias bias) {
  return bias == Bias::none ? "none" : bias == Bias::all ? "all" : "lora_only";
}

inline std::filesystem::path peft_config_path(const std::filesystem::path& folder) {
  return folder / "adapter_config.json";
}

enum class PeftKind { lora, dora, prompt, other };

inline PeftKind peft_kind(const std::filesystem::path& folder) {
  const std::string path = peft_config_path(folder).string();
  const Json json = read_json(path);
  const JsonSource source{path};
  const std::string type = require_string(json, "peft_type", source);
  if (type == "PROMPT_TUNING") return PeftKind::prompt;
  if (type != "LORA") return PeftKind::other;
  return find_boolean(json, "use_dora", source).value_or(false) ? PeftKind::dora : PeftKind::lora;
}

// What LoRA and DoRA have in common.
inline Lora<> read_low_rank_settings(const Json& json, const std::string& path) {
  const JsonSource source{path};
  const std::string type = require_string(json, "peft_type", source);
  require(type == "LORA", Fault::data, "peft.type", "{}: peft_type is {}; expected LORA", path, type);
  for (const char* flag : {"fan_in_fan_out", "use_qalora", "lora_bias"})
    require(!find_boolean(json, flag, source).value_or(false), Fault::data, "peft.unknown",
            "{}: {} is true, which is not known here; expected false", path, flag);
  for (const char* pattern : {"rank_pattern", "alpha_pattern", "layers_to_transform", "exclude_modules",
                              "target_parameters", "layer_replication", "trainable_token_indices", "megatron_config",
                              "alora_invocation_tokens", "kasa_config", "use_bdlora", "velora_config"}) {
    const auto at = json.find(pattern);
    require(at == json.end() || at->is_null() || *at == false || at->empty(), Fault::data, "peft.unknown",
            "{}: {} is set, which is not known here; expected none", path, pattern);
  }
  // Other ways to begin (pissa, olora, loftq, corda) change the base's weights too, whenever PEFT loads the adapter.
  if (const auto begin = json.find("init_lora_weights"); begin != json.end() && begin->is_string())
    require(*begin == "gaussian" || *begin == "eva" || *begin == "orthogonal", Fault::data, "peft.unknown",
            "{}: init_lora_weights is {}, which changes the base's weights; expected true, false, gaussian, eva or "
            "orthogonal; convert the adapter with PEFT's save_pretrained(path_initial_model_for_weight_conversion=...)",
            path, shown_json(*begin));
  Lora<> lora{.rank = require_integer(json, "r", source, 1, 1 << 20),
              .alpha = find_number(json, "lora_alpha", source).value_or(8),
              .dropout = find_number(json, "lora_dropout", source).value_or(0),
              .rank_stabilized = find_boolean(json, "use_rslora", source).value_or(false)};
  require(lora.dropout >= 0 && lora.dropout < 1, Fault::data, "peft.dropout", "{}: lora_dropout is {}; expected [0, 1)",
          path, lora.dropout);
  const Json& targets = require_field(json, "target_modules", source);
  if (targets.is_string()) {
    require(targets == "all-linear", Fault::data, "peft.targets",
            "{}: target_modules is a pattern; expected a list of "
            "names or all-linear",
            path);
  } else {
    for (const Json& name : as_array(targets, "target_modules", source))
      lora.targets.push_back(as_string(name, "target_modules", source));
    require(!lora.targets.empty(), Fault::data, "peft.targets",
            "{}: target_modules is empty; expected names of modules", path);
  }
  const std::string bias = find_string(json, "bias", source).value_or("none");
  require(bias == "none" || bias == "all" || bias == "lora_only", Fault::data, "peft.bias",
          "{}: bias is '{}'; expected none, all or lora_only", path, bias);
  lora.bias = bias == "none" ? Bias::none : bias == "all" ? Bias::all : Bias::lora_only;
  if (const auto saved = json.find("modules_to_save"); saved != json.end() && !saved->is_null())
    for (const Json& name : as_array(*saved, "modules_to_save", source))
      lora.modules_to_save.push_back(as_string(name, "modules_to_save", source));
  // PEFT lists the heads of every model there is; ours is trained in any case.
  if (find_string(json, "task_type", source).value_or("") == "SEQ_CLS")
    std::erase_if(lora.modules_to_save,
                  [](const std::string& name) { return name == "classifier" || name == "score"; });
  return lora;
}

// What adapter_config.json says, checked; words that change the arithmetic and are not known here are refused.
inline Lora<> read_peft_config(const Json& json, const std::string& path) {
  Lora<> lora = read_low_rank_settings(json, path);
  require(!find_boolean(json, "use_dora", JsonSource{path}).value_or(false), Fault::data, "peft.unknown",
          "{}: use_dora is true, which LoRA does not know; expected false; read it as DoRA", path);
  return lora;
}
inline Lora<> read_peft_config(const std::filesystem::path& folder) {
  return read_peft_config(read_json(peft_config_path(folder)), peft_config_path(folder).string());
}

inline Dora<> read_peft_dora(const Json& json, const std::string& path) {
  Lora<> lora = read_low_rank_settings(json, path);
  require(find_boolean(json, "use_dora", JsonSource{path}).value_or(false), Fault::data, "peft.unknown",
          "{}: use_dora is false; expected true; read it as LoRA", path);
  return {std::move(lora)};
}
inline Dora<> read_peft_dora(const std::filesystem::path& folder) {
  return read_peft_dora(read_json(peft_config_path(folder)), peft_config_path(folder).string());
}

inline PromptTuning read_peft_prompt(const Json& json, const std::string& path) {
  const JsonSource source{path};
  const std::string type = require_string(json, "peft_type", source);
  require(type == "PROMPT_TUNING", Fault::data, "peft.type", "{}: peft_type is {}; expected PROMPT_TUNING", path, type);
  if (const auto parts = json.find("num_transformer_submodules"); parts != json.end() && !parts->is_null())
    require(*parts == 1, Fault::data, "peft.unknown",
            "{}: num_transformer_submodules is {}; expected 1, a decoder alone", path, shown_json(*parts));
  return {.virtual_tokens = require_integer(json, "num_virtual_tokens", source, 1, 65536)};
}
inline PromptTuning read_peft_prompt(const std::filesystem::path& folder) {
  return read_peft_prompt(read_json(peft_config_path(folder)), peft_config_path(folder).string());
}

template <class Storage>
Json peft_config(const Lora<Storage>& lora, const std::string& base) {
  Json targets = Json::array();
  if (lora.targets.empty())
    for (const char* name : projection_names) targets.push_back(name);
  else
    targets = lora.targets;
  const Json alpha = lora.alpha == std::floor(lora.alpha) && std::abs(lora.alpha) < 1e15
                         ? Json(static_cast<std::int64_t>(lora.alpha))
                         : Json(lora.alpha);
  return {{"alpha_pattern", Json::object()},
          {"auto_mapping", nullptr},
          {"base_model_name_or_path", base},
          {"bias", name_of(lora.bias)},
          {"fan_in_fan_out", false},
          {"inference_mode", true},
          {"init_lora_weights", true},
          {"layers_pattern", nullptr},
          {"layers_to_transform", nullptr},
          {"lora_alpha", alpha},
          {"lora_dropout", lora.dropout},
          {"modules_to_save", lora.modules_to_save.empty() ? Json(nullptr) : Json(lora.modules_to_save)},
          {"peft_type", "LORA"},
          {"r", lora.rank},
          {"rank_pattern", Json::object()},
          {"revision", nullptr},
          {"target_modules", targets},
          {"task_type", "CAUSAL_LM"},
          {"use_dora", false},
          {"use_rslora", lora.rank_stabilized}};
}
template <class Storage>
Json peft_config(const Dora<Storage>& dora, const std::string& base) {
  Json config = peft_config(dora.lora, base);
  config["use_dora"] = true;
  return config;
}

// How the states began is over when they are saved: PEFT would want the text's tokenizer for anything but RANDOM.
template <class Storage>
Json peft_config(const PromptTuningOn<Storage>& prompt, const std::string& base, const Config& config) {
  return {{"auto_mapping", nullptr},
          {"base_model_name_or_path", base},
          {"inference_mode", true},
          {"modules_to_save", nullptr},
          {"num_attention_heads", config.heads},
          {"num_layers", config.layers},
          {"num_transformer_submodules", 1},
          {"num_virtual_tokens", prompt.virtual_tokens},
          {"peft_type", "PROMPT_TUNING"},
          {"prompt_tuning_init", "RANDOM"},
          {"prompt_tuning_init_text", nullptr},
          {"revision", nullptr},
          {"task_type", "CAUSAL_LM"},
          {"token_dim", config.width},
          {"tokenizer_kwargs", nullptr},
          {"tokenizer_name_or_path", nullptr}};
}
template <class A>
Json peft_config(const A& adapter, const std::string& base, const Config&) {
  return peft_config(adapter, base);
}

// PEFT wraps a projection that it adapts, so a bias that is trained there is known under base_layer.
template <class Storage>
std::string peft_name(const Lora<Storage>& lora, const std::string& name) {
  const std::string_view ending = ".bias";
  if (name.ends_with(ending)) {
    const std::string path = name.substr(0, name.size() - ending.size());
    if (lora.adapts(path)) return peft_prefix + path + ".base_layer.bias";
  }
  return peft_prefix + name;
}
template <class Storage>
std::string peft_name(const Dora<Storage>& dora, const std::string& name) {
  return peft_name(dora.lora, name);
}

// Without layers of its own PEFT puts nothing around the model.
template <class Storage>
std::string peft_name(const PromptTuningOn<Storage>&, const std::string& name) {
  return name == "score.weight" ? "base_model.score.weight" : name;
}

// 'folder' is one that a NewFolder builds. With a score head also the config.json of the classifier, which the base's
// own does not describe.
template <class B, class A>
void save_peft(Decoder<B, A>& model, const std::string& base, const std::filesystem::path& folder,
               const std::optional<ScoreLabels>& labels = std::nullopt) {
  require_outputs(model, labels ? labels->outputs() : 0);
  Json settings = peft_config(model.adapter(), base, model.config());
  if (labels) {
    settings["task_type"] = "SEQ_CLS";
    Json& saved = settings["modules_to_save"];
    if (!saved.is_array()) saved = Json::array();
    if (std::find(saved.begin(), saved.end(), "score") == saved.end()) saved.push_back("score");
    write_file_atomically(folder / "config.json", score_config(model.config(), *labels).dump(2) + "\n");
  }
  write_file_atomically(peft_config_path(folder), settings.dump(2) + "\n");
  std::vector<TensorToWrite> tensors;
  model.visit([&](const auto& p) { tensors.push_back(tensor_of(p, peft_name(model.adapter(), p.name))); });
  write_safetensors(folder / "adapter_model.safetensors", tensors);
}

// Refuses a file that has not each trained parameter exactly once, in its shape and with numbers; the model may be
// planned only. 'name_in_file' says what a parameter is called there, and nothing of one that keeps its value.
template <class M, class Name>
void check_parameters(M& model, const SafetensorsFile& file, const std::string& shown, Name&& name_in_file) {
  std::set<std::string> used;
  std::string missing, unused;
  model.visit([&](const auto& p) {
    const std::string name = name_in_file(p.name);
    if (name.empty()) return;
    const TensorInfo* tensor = file.find(name);
    if (!tensor) {
      missing += (missing.empty() ? "" : ", ") + name;
      return;
    }
    require(tensor->shape == p.shape, Fault::data, "weights.shape",
            "{}: tensor '{}' has shape {}; expected {}; it was made "
            "for another model or rank",
            shown, name, shape_text(tensor->shape), shape_text(p.shape));
    refuse_non_finite(*tensor);
    used.insert(name);
  });
  for (const TensorInfo& tensor : file.tensors())
    if (!used.count(tensor.name)) unused += (unused.empty() ? "" : ", ") + tensor.name;
  require(missing.empty() && unused.empty(), Fault::data, "weights.not_a_bijection",
          "{}: tensors and parameters do not fit together: missing: {}; not used: {}; expected each exactly once",
          shown, missing.empty() ? "none" : missing.substr(0, 600), unused.empty() ? "none" : unused.substr(0, 600));
}

// Sets every trained parameter from tensors of a file, or none where the file does not fit.
template <class M, class Name>
void load_parameters(M& model, const SafetensorsFile& file, const std::string& shown, Name&& name_in_file) {
  using B = typename M::Backend;
  check_parameters(model, file, shown, name_in_file);
  typename B::Stream stream(1);
  std::vector<typename B::Activation> values;
  std::vector<bf16> narrow;
  model.visit([&](auto& p) {
    const std::string name = name_in_file(p.name);
    if (name.empty()) return;
    values = widen<typename B::Activation>(*file.find(name));
    if (p.is_narrow()) {
      narrow.clear();
      for (const auto value : values) narrow.push_back(to_bf16(static_cast<float>(value)));
      B::upload(stream, p.narrow.data, narrow.data(), p.narrow.bytes());
    } else {
      B::upload(stream, p.value.data, values.data(), p.value.bytes());
    }
  });
}

enum class PeftTensors { checked, loaded };  // checked: also by a model that is planned only

// With labels: those of the score head in the folder, where it says them, must be the same.
template <class B, class A>
void load_peft(Decoder<B, A>& model, const std::filesystem::path& folder,
               const std::optional<ScoreLabels>& labels = std::nullopt, PeftTensors tensors = PeftTensors::loaded) {
  const std::filesystem::path config = folder / "config.json";
  if (labels && std::filesystem::exists(config)) require_labels(read_json(config), config.string(), *labels);
  const std::filesystem::path path = folder / "adapter_model.safetensors";
  const SafetensorsFile file(path);
  // An adapter of a language model has no score head: a new one stays as it is.
  const Json settings = read_json(peft_config_path(folder));
  const bool scores =
      find_string(settings, "task_type", JsonSource{peft_config_path(folder).string()}).value_or("") == "SEQ_CLS";
  const auto name_in_file = [&](const std::string& name) {
    return name == "score.weight" && !scores ? "" : peft_name(model.adapter(), name);
  };
  if (tensors == PeftTensors::checked)
    check_parameters(model, file, path.string(), name_in_file);
  else
    load_parameters(model, file, path.string(), name_in_file);
}

}  // namespace temper
