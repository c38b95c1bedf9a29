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

std::optional<temper::MergedCodes> codes_to_come(const Recipe& recipe) {
  if (recipe.model_is_to_come()) return temper::MergedCodes{};
  return recipe.merged_into();
}

temper::MergedCodes merged_as_asked(const temper::MergedCodes& model, const Recipe& recipe) {
  if (model.coding == temper::Coding::dense) return model;
  std::optional<temper::ScaleForm> form;
  if (recipe.given("quantization.double_quant"))
    form = recipe.boolean("quantization.double_quant") ? temper::ScaleForm::coded : temper::ScaleForm::plain;
  return model.then(coding_named(recipe.text("quantization.type")), form);
}

namespace {

// Whether a folder in 4 bits says that its scales are quantized too.
bool is_nested(const temper::Config& config) {
  const auto stated = config.json.find("quantization_config");
  if (stated == config.json.end() || !stated->is_object()) return false;
  const auto nested = stated->find("bnb_4bit_use_double_quant");
  return nested != stated->end() && nested->is_boolean() && nested->get<bool>();
}

}  // namespace

void settle_storage(Recipe& recipe) {
  const std::filesystem::path folder = recipe.path("model");
  const temper::Config config = temper::open_config(folder);
  const std::optional<temper::MergedCodes> to_come = codes_to_come(recipe);
  const temper::Coding coding = to_come ? to_come->coding : config.coding;
  if (coding == temper::Coding::dense) return;
  const std::string_view type = temper::name_of(coding);
  const std::string shown = temper::shown_path(folder);
  if (recipe.is("adapter.method", "full"))
    recipe.refuse("model", fmt::format("{} is quantized ({}), and the whole model is to be trained; expected the "
                                       "unquantized original, or an adapter",
                                       shown, type));
  if (four_bits(coding) && !recipe.given("quantization.double_quant")) {
    const bool known = to_come && to_come->form;
    recipe.settle("quantization.double_quant", known ? *to_come->form == temper::ScaleForm::coded : is_nested(config));
  }
  if (!recipe.given("quantization.type") && !recipe.is("adapter.method", "qlora"))
    recipe.settle("quantization.type", std::string(type));
  if (recipe.is("quantization.type", type)) return;
  const std::string asked = recipe.text("quantization.type");
  const std::string sentence =
      to_come ? fmt::format(
                    "asks for {} but what the stages before make of {} will be {}; expected {}, or \"start\": "
                    "\"merge\"",
                    asked, shown, type, type)
              : fmt::format("asks for {} but {} is {} already; expected {}, or the unquantized original", asked, shown,
                            type, type);
  if (recipe.given("quantization.type")) recipe.refuse("quantization.type", sentence);
  recipe.refuse("adapter.method", sentence);
}

}  // namespace temper_cli
