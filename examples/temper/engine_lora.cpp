// SPDX-License-Identifier: MIT
#include <algorithm>

#include "adapter_settings.hpp"
#include "engine_of.hpp"
#include "storage_settings.hpp"
#include "suggestion.hpp"

namespace temper_cli {
namespace {

temper::Bias bias_of(const Recipe& recipe) {
  return recipe.is("adapter.bias", "all")         ? temper::Bias::all
         : recipe.is("adapter.bias", "lora_only") ? temper::Bias::lora_only
                                                  : temper::Bias::none;
}

std::vector<std::string> targets_of(const Recipe& recipe) {
  if (recipe.is("adapter.targets", "all-linear")) return {};
  return recipe.texts("adapter.targets");
}

Json sorted(std::vector<std::string> names) {
  std::sort(names.begin(), names.end());
  return names;
}

// A list of all seven projections says the same as "all-linear".
Json comparable_targets(const std::vector<std::string>& names) {
  if (!names.empty()) return sorted(names);
  return sorted({temper::projection_names.begin(), temper::projection_names.end()});
}

}  // namespace

temper::Lora<temper::AnyStorage> lora_settings(const Recipe& recipe) {
  temper::Lora<temper::AnyStorage> lora{.rank = recipe.integer("adapter.rank"),
                                        .alpha = recipe.number("adapter.alpha"),
                                        .dropout = recipe.number("adapter.dropout"),
                                        .rank_stabilized = recipe.boolean("adapter.rslora"),
                                        .targets = targets_of(recipe),
                                        .bias = bias_of(recipe),
                                        .modules_to_save = recipe.texts("adapter.modules_to_save"),
                                        .storage = storage_settings(recipe)};
  if (recipe.has("adapter.lora_plus_ratio")) lora.lora_plus_ratio = recipe.number("adapter.lora_plus_ratio");
  return lora;
}

std::unique_ptr<Engine> open_lora_engine(const Recipe& recipe, const Labels& labels) {
  return std::make_unique<EngineOf<temper::Lora<temper::AnyStorage>>>(recipe, lora_settings(recipe), labels);
}

void settle_adapter(Recipe& recipe) {
  if (!recipe.has("adapter.from")) return;
  const std::filesystem::path from = recipe.path("adapter.from");
  temper::require(std::filesystem::exists(from / "adapter_config.json"), temper::Fault::data, "adapter.from",
                  "{}: has no adapter_config.json; expected a PEFT adapter's folder{}", temper::shown_path(from),
                  inner_folder_hint(from, "adapter_config.json"));
  const auto agree = [&](KeyPath key, const Json& said, const Json& wanted, const Json& settled) {
    if (!recipe.given(key)) return recipe.settle(key, settled);
    if (said != wanted)
      recipe.refuse(key, fmt::format("is {} but {} has {}; expected them to agree", said.dump(),
                                     temper::shown_path(from / "adapter_config.json"), wanted.dump()));
  };
  const temper::PeftKind kind = temper::peft_kind(from);
  const bool dora = kind == temper::PeftKind::dora, prompt = kind == temper::PeftKind::prompt;
  const Json method = prompt ? "prompt" : dora ? "dora" : "lora";
  if (!recipe.is("adapter.method", "qlora") || method != "lora")  // the word says where LoRA stands
    agree("adapter.method", recipe.value("adapter.method"), method, method);
  if (prompt) {
    const Index places = temper::read_peft_prompt(from).virtual_tokens;
    return agree("adapter.virtual_tokens", recipe.integer("adapter.virtual_tokens"), places, places);
  }
  const temper::Lora<> lora = dora ? temper::read_peft_dora(from).lora : temper::read_peft_config(from);
  agree("adapter.rank", recipe.integer("adapter.rank"), lora.rank, lora.rank);
  agree("adapter.alpha", recipe.number("adapter.alpha"), lora.alpha, lora.alpha);
  agree("adapter.rslora", recipe.boolean("adapter.rslora"), lora.rank_stabilized, lora.rank_stabilized);
  agree("adapter.bias", recipe.value("adapter.bias"), temper::name_of(lora.bias), temper::name_of(lora.bias));
  agree("adapter.targets", comparable_targets(targets_of(recipe)), comparable_targets(lora.targets),
        lora.targets.empty() ? Json("all-linear") : Json(lora.targets));
  std::vector<std::string> saved = recipe.texts("adapter.modules_to_save");
  if (recipe.is("task", "classification") || recipe.is("task", "reward")) std::erase(saved, "score");  // always is
  agree("adapter.modules_to_save", sorted(saved), sorted(lora.modules_to_save), lora.modules_to_save);
}

std::unique_ptr<Engine> open_engine(const Recipe& recipe, const Labels& labels) {
  if (recipe.is("adapter.method", "full")) return open_full_engine(recipe, labels);
  if (recipe.is("adapter.method", "dora")) return open_dora_engine(recipe, labels);
  if (recipe.is("adapter.method", "prompt")) return open_prompt_engine(recipe, labels);
  return open_lora_engine(recipe, labels);
}

void require_model_folder(const std::filesystem::path& folder) {
  for (const char* name : {"config.json", "tokenizer.json"}) {
    const std::string hint = inner_folder_hint(folder, name);
    temper::require(std::filesystem::exists(folder / name), temper::Fault::data, "model.incomplete",
                    "{}: has no {}; expected a Hugging Face folder{}", temper::shown_path(folder), name,
                    hint.empty() ? "; download the model again" : hint);
  }
}

}  // namespace temper_cli
