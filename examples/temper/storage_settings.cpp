// SPDX-License-Identifier: MIT
#include "storage_settings.hpp"

namespace temper_cli {

temper::AnyStorage storage_settings(const Recipe& recipe) {
  const bool nested = recipe.boolean("quantization.double_quant");
  const std::vector<std::string> skip = recipe.texts("quantization.skip");
  if (recipe.is("quantization.type", "nf4")) return {temper::Nf4{.double_quantized = nested, .skip = skip}};
  if (recipe.is("quantization.type", "fp4")) return {temper::Fp4{.double_quantized = nested, .skip = skip}};
  if (recipe.is("quantization.type", "int8")) return {temper::Int8{.skip = skip}};
  return {};
}

temper::AnyStorage storage_of(const temper::Config& config) {
  if (config.coding == temper::Coding::nf4) return {temper::Nf4{}};
  if (config.coding == temper::Coding::fp4) return {temper::Fp4{}};
  if (config.coding == temper::Coding::int8) return {temper::Int8{}};
  return {};
}

temper::Coding coding_named(std::string_view type) {
  for (const temper::Coding coding : {temper::Coding::nf4, temper::Coding::fp4, temper::Coding::int8})
    if (type == temper::name_of(coding)) return coding;
  return temper::Coding::dense;
}

std::optional<temper::Coding> coding_to_come(const Recipe& recipe) {
  if (recipe.model_is_to_come()) return temper::Coding::dense;
  if (recipe.merged_into().empty()) return std::nullopt;
  return coding_named(recipe.merged_into());
}

void settle_storage(Recipe& recipe) {
  const std::filesystem::path folder = recipe.path("model");
  const std::optional<temper::Coding> to_come = coding_to_come(recipe);
  const temper::Coding coding = to_come ? *to_come : temper::open_config(folder).coding;
  if (coding == temper::Coding::dense) return;
  const std::string_view type = temper::name_of(coding);
  if (recipe.is("adapter.method", "full"))
    recipe.refuse("model", fmt::format("{} is quantized ({}), and the whole model is to be trained; expected the "
                                       "unquantized original, or an adapter",
                                       temper::shown_path(folder), type));
  if (!recipe.given("quantization.type") && !recipe.is("adapter.method", "qlora"))
    recipe.settle("quantization.type", std::string(type));
  if (recipe.is("quantization.type", type)) return;
  const std::string sentence = fmt::format("asks for {} but {} is {} already; expected {}, or the unquantized original",
                                           recipe.text("quantization.type"), temper::shown_path(folder), type, type);
  if (recipe.given("quantization.type")) recipe.refuse("quantization.type", sentence);
  recipe.refuse("adapter.method", sentence);
}

}  // namespace temper_cli
