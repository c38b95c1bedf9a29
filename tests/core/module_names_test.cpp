// SPDX-License-Identifier: MIT
#include "temper/core/module_names.hpp"

#include <doctest/doctest.h>

namespace module_names_test {

using namespace temper;

const std::vector<std::string> known = {"model.embed_tokens",
                                        "lm_head",
                                        "model.layers.0.self_attn.q_proj",
                                        "model.layers.1.self_attn.q_proj",
                                        "model.layers.1.self_attn.k_proj",
                                        "model.layers.1.mlp.up_proj"};

TEST_CASE("module names: a name is a module's whole path or its last words") {
  CHECK(names_module("model.layers.1.mlp.up_proj", "up_proj"));
  CHECK(names_module("model.layers.1.mlp.up_proj", "mlp.up_proj"));
  CHECK(names_module("lm_head", "lm_head"));
  CHECK_FALSE(names_module("model.layers.1.mlp.up_proj", "p_proj"));
  CHECK_FALSE(names_module("up_proj", "mlp.up_proj"));
  CHECK(names_module("lm_head", std::vector<std::string>{"norm", "lm_head"}));
  CHECK_FALSE(names_module("lm_head", std::vector<std::string>{}));
}

TEST_CASE("module names: edits are letters put in, left out, exchanged, or swapped with their neighbours") {
  CHECK(edit_distance("", "q_proj") == 6);
  CHECK(edit_distance("q_proj", "q_proj") == 0);
  CHECK(edit_distance("Q-proj", "q_proj") == 0);
  CHECK(edit_distance("q_prj", "q_proj") == 1);
  CHECK(edit_distance("q_porj", "q_proj") == 1);
  CHECK(edit_distance("up_proj", "q_proj") == 2);
}

TEST_CASE("module names: the nearest are of as many words as what was written, each once") {
  CHECK(nearest_modules("q_prj", known) == "q_proj, k_proj, up_proj");
  CHECK(nearest_modules("lm_heads", known).starts_with("lm_head, "));
  CHECK(nearest_modules("attn.q_proj", known).starts_with("self_attn.q_proj, "));
  CHECK(nearest_modules("model.layers.2.self_attn.k_proj", known).starts_with("model.layers.1.self_attn.k_proj, "));
  CHECK(nearest_modules("", {"norm"}) == "norm");
  CHECK(nearest_modules("x", {}).empty());
  CHECK_FALSE(nearest_modules(std::string(1 << 20, 'x'), known).empty());
  CHECK_FALSE(nearest_modules(std::string(1 << 20, '.'), known).empty());
}

TEST_CASE("module names: one that no module has is refused with the setting and the nearest") {
  const ModuleNames modules{.all = known, .projections = {known.begin() + 2, known.end()}};
  const auto required = [&](const std::vector<std::string>& names, ModuleKind kind) {
    require_modules(names, modules, kind, "lora: targets", "lora.unknown_module");
  };
  CHECK_NOTHROW(required({"q_proj", "self_attn.k_proj"}, ModuleKind::projection));
  CHECK_THROWS_WITH_AS(required({"q_proj", "k_porj"}, ModuleKind::projection),
                       doctest::Contains("targets names 'k_porj', which no module of this model is called; the nearest "
                                         "are k_proj, q_proj, up_proj; expected"),
                       Error);
  CHECK_NOTHROW(required({"lm_head"}, ModuleKind::any));
  CHECK_THROWS_WITH_AS(required({"lm_head"}, ModuleKind::projection),
                       doctest::Contains("'lm_head', a module of this model but no projection; expected"), Error);
  CHECK_THROWS_WITH_AS(required({"lm_heads"}, ModuleKind::projection),
                       doctest::Contains("which no module of this model is called; the nearest are "), Error);
}

}  // namespace module_names_test
