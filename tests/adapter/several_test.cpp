// SPDX-License-Identifier: MIT
#include "temper/adapter/several.hpp"

#include "io/scratch.hpp"
#include "support/golden_model.hpp"
#include "support/layer_bench.hpp"

namespace several_test {

using namespace temper_test;
using temper::test::ScratchFolder;
using temper::test::Thrown;
using temper::test::thrown_by;

using B = Cpu<float>;
using List = std::vector<Named<QLora>>;

const std::filesystem::path base = golden_models / "llama3";
const QLora terse{.rank = 2, .alpha = 6, .dropout = 0.2, .targets = {"q_proj", "v_proj"}};
const QLora formal{.rank = 3, .rank_stabilized = true};
const Several<QLora> both{.adapters = {{"terse", terse}, {"formal", formal}}};

void spread(auto& model, std::uint32_t site) {
  std::uint64_t element = 0;
  model.visit([&](auto& p) {
    for (Index i = 0; i < p.size(); ++i)
      p.value.data[i] += static_cast<float>(0.1 * Random{3, site, 0}.normal(element++));
  });
}
std::vector<float> values_of(auto& model) {
  std::vector<float> all;
  model.visit([&](const auto& p) { all.insert(all.end(), p.value.data, p.value.data + p.size()); });
  return all;
}

// What the session's own context says of each supervised token.
std::vector<double> log_probs_of(auto& trainee, const PackedRows& rows, Adapters adapters) {
  std::vector<double> result;
  run_log_probs(trainee.session.context(), trainee.session.staging(), trainee.model, rows.host(), adapters, result);
  return result;
}

// A step up to its gradients, these, and the step's end.
std::vector<float> gradients_of_step(auto& trainee, Step number, const PackedRows& rows) {
  auto& [model, objective, rule, plan, session] = trainee;
  begin_step(session, model, number, static_cast<double>(rows.count()) / 2);
  std::vector<float> all = {static_cast<float>(forward_backward(session, model, objective, rows.host()).sum)};
  model.visit([&](const auto& p) { all.insert(all.end(), p.gradient.data, p.gradient.data + p.size()); });
  update(session, model, rule, 1e-2);
  return all;
}

TEST_CASE(
    "several: two on one NF4 base have the bits of two models, however they take turns, and the base is held once") {
  const PackedRows rows = GoldenBatch("llama3").packed(0, 4);
  const Dpo objective;
  const AdamW rule;
  const BatchShape shape = shape_of(rows.host());

  auto model = open_decoder<B>(base, both);
  auto terse_alone = open_decoder<B>(base, terse), formal_alone = open_decoder<B>(base, formal);
  const auto holds = [](const auto& m, Holder holder) { return m.bytes()[static_cast<std::size_t>(holder)]; };
  for (const Holder trained : {Holder::trained_weights, Holder::gradients})
    CHECK(holds(model, trained) == holds(terse_alone, trained) + holds(formal_alone, trained));

  Trainee first(model, objective, rule, shape);
  model.adapter().choose("formal");
  Trainee second(model, objective, rule, shape);
  Trainee terse_trainee(terse_alone, objective, rule, shape), formal_trainee(formal_alone, objective, rule, shape);
  CHECK(first.plan.of(Holder::frozen_weights) == holds(terse_alone, Holder::frozen_weights));
  CHECK(first.plan.trained_elements == trained_elements(terse_alone));
  CHECK(first.plan.arena_bytes() == terse_trainee.plan.arena_bytes());
  CHECK(first.session.allocated_bytes() == first.plan.peak_bytes());
  const std::vector<double> untrained = log_probs_of(formal_trainee, rows, Adapters::off);

  for (Step k = 0; k < 2; ++k) {
    model.adapter().choose("terse");
    CHECK(values_of(model) == values_of(terse_alone));
    CHECK(gradients_of_step(first, k, rows) == gradients_of_step(terse_trainee, k, rows));
    model.adapter().choose("formal");
    CHECK(values_of(model) == values_of(formal_alone));
    CHECK(gradients_of_step(second, k, rows) == gradients_of_step(formal_trainee, k, rows));
  }
  for (auto* alone : {&terse_trainee, &formal_trainee}) {
    model.adapter().choose(alone == &terse_trainee ? "terse" : "formal");
    const std::vector<double> found = log_probs_of(first, rows, Adapters::on);
    CHECK(found == log_probs_of(*alone, rows, Adapters::on));
    CHECK(found != untrained);
    CHECK(log_probs_of(first, rows, Adapters::off) == untrained);
  }
  // A session moves what it was made for, and nothing else.
  const auto begin = [&] { begin_step(first.session, model, 2, 1); };
  CHECK(thrown_by(begin).code == "step.other_model");
  model.adapter().choose("terse");
  CHECK(thrown_by(begin).code == "none");
  model.adapter().choose("formal");
  CHECK(thrown_by([&] { update(first.session, model, rule, 1e-2); }).code == "step.other_model");
}

TEST_CASE("several: DPO goes on from an adapter, which stays beside it as the reference") {
  const PackedRows rows = GoldenBatch("llama3").packed(0, 4);
  const Dpo dpo;
  const AdamW rule;
  // [open]
  auto model = open_decoder<B>(base, Several<QLora>{.adapters = {{"policy", formal}, {"reference", formal}}});
  // [/open]
  for (const char* name : {"reference", "policy"}) {
    model.adapter().choose(name);
    spread(model, 1);
  }
  const std::vector<float> start = values_of(model);
  Trainee trainee(model, dpo, rule, shape_of(rows.host()));
  auto& session = trainee.session;
  for (Step k = 0; k < 2; ++k) {
    HostBatch batch = rows.host();
    // [reference]
    begin_step(session, model, k, 2);  // pairs
    model.adapter().choose("reference");
    session.context().set_position({.step = k});
    run_log_probs(session.context(), session.staging(), model, batch, Adapters::on, session.reference());
    batch.reference = session.reference();
    model.adapter().choose("policy");
    const Loss loss = forward_backward(session, model, dpo, batch);
    // [/reference]
    update(session, model, rule, 1e-3);
    if (k == 0) CHECK(loss.mean() == std::log(2.0));  // to the bit: they are one model yet
    if (k == 1) CHECK(loss.mean() < std::log(2.0));
  }
  CHECK(values_of(model) != start);
  model.adapter().choose("reference");
  CHECK(values_of(model) == start);
}

TEST_CASE("several: each is saved as a PEFT folder of its own, and loaded again, alone or beside others") {
  const PackedRows rows = GoldenBatch("llama3").packed(0, 1);
  const ScratchFolder folder;
  auto model = open_decoder<B>(base, both), again = open_decoder<B>(base, both, {.seed = 7});
  for (const auto& [name, adapter] : both.adapters) {
    std::filesystem::create_directory(folder / name);
    model.adapter().choose(name);
    spread(model, 3);
    save_peft(model, "base", folder / name);
    again.adapter().choose(name);
    CHECK(values_of(again) != values_of(model));
    load_peft(again, folder / name);
    CHECK(values_of(again) == values_of(model));
    const Lora<> read = read_peft_config(folder / name);
    CHECK(read.rank == adapter.rank);
    CHECK(read.scale() == adapter.scale());
    auto alone = open_decoder<B>(base, on(Nf4{}, read));
    load_peft(alone, folder / name);
    CHECK(logits_of(alone, rows) == logits_of(model, rows));
  }
  again.adapter().choose("terse");
  CHECK(thrown_by([&] { load_peft(again, folder / "formal"); }).code == "weights.shape");
  auto moved = std::move(again);
  moved.adapter().choose("formal");
  model.adapter().choose("formal");
  CHECK(values_of(moved) == values_of(model));
  CHECK(both.chosen().name == "terse");  // a model's choice is its own
}

TEST_CASE("several: a layer has the bits and the gradients of the chosen one's, be it LoRA or DoRA") {
  using D = Cpu<double>;
  const Several<Lora<>> loras{.adapters = {{"a", {.rank = 2}}, {"b", {.rank = 3, .targets = {"q_proj"}}}}};
  loras.choose("b");
  CHECK(check_adapter_gradient(loras, 5, 6, 7).largest_error < 1e-7);

  const Several<Dora<>> doras{.adapters = {{"a", {{.rank = 2}}}, {"b", {{.rank = 3, .dropout = 0.2}}}}};
  LayerBench<double> bench, alone;
  auto layer = doras.linear<D>(bench.build, "q_proj", {9, 8, true});
  for (const auto& [name, adapter] : doras.adapters) {
    doras.choose(name);
    auto expected = adapter.linear<D>(alone.build, "q_proj", {9, 8, true});
    for (auto* each : {&layer.chosen(), &expected}) each->magnitude->value.data[1] *= 2;
    CHECK(bench.output(layer, 5, 9, 8) == alone.output(expected, 5, 9, 8));
    CHECK(names_of(layer) == names_of(expected));
  }
}

TEST_CASE("several: what would not be shared, or not be told apart, is refused") {
  const auto made = [](std::vector<Named<Lora<AnyStorage>>> adapters) {
    const Several<Lora<AnyStorage>> several{.adapters = std::move(adapters)};
    return thrown_by([&] {
      LayerBench<float> bench;
      several.linear(bench.build, "model.layers.0.self_attn.q_proj", {64, 8, true});
    });
  };
  const auto with = [](AnyStorage storage) { return Lora<AnyStorage>{.rank = 2, .storage = std::move(storage)}; };
  const Lora<AnyStorage> plain{.rank = 2};
  CHECK(made({{"a", plain}, {"b", plain}}).code == "none");
  CHECK(made({}).code == "several.names");
  CHECK(made({{"a", plain}, {"a", plain}}).code == "several.names");
  CHECK(made({{"", plain}}).code == "several.names");
  CHECK(made({{"a", with({Nf4{}})}, {"b", with({Nf4{}})}}).code == "none");
  CHECK(made({{"a", with({Nf4{}})}, {"b", with({Int8{}})}}).message ==
        "temper: adapter 'b' would hold model.layers.0.self_attn.q_proj in int8 and 'a' in nf4; expected one storage, "
        "with the same settings, for all");
  CHECK(made({{"a", with({Nf4{}})}, {"b", with({Nf4{.double_quantized = false}})}}).code == "several.base");
  CHECK(made({{"a", with({Nf4{}})}, {"b", with({Nf4{.skip = {"q_proj"}}})}}).code == "several.base");
  CHECK(made({{"a", plain}, {"b", {.rank = 2, .modules_to_save = {"q_proj"}}}}).code == "several.base");
  CHECK(made({{"a", plain}, {"b", {.rank = 2, .bias = Bias::all}}}).message ==
        "temper: adapter 'b' trains model.layers.0.self_attn.q_proj itself, on which the others stand too; expected "
        "Bias::none and no modules_to_save; build a model for it alone");

  const ModuleNames words{.all = {"q_proj", "model.norm", "lm_head"}, .projections = {"q_proj"}};
  const ModuleNames scores{.all = {"q_proj", "model.norm", "score"}, .projections = {"q_proj"}};
  const auto named = [](const QLora& second, const ModuleNames& modules) {
    const Several<QLora> several{.adapters = {{"a", {}}, {"b", second}}};
    return thrown_by([&] { several.check_names(modules); }).code;
  };
  CHECK(named({}, words) == "none");
  CHECK(named({}, scores) == "several.head");
  CHECK(named({.targets = {"k_prj"}}, words) == "lora.unknown_module");
  CHECK(named({.modules_to_save = {"norm"}}, words) == "several.base");

  CHECK(thrown_by([] { both.choose("formall"); }).message ==
        "temper: no adapter is called 'formall'; expected one of terse, formal");
}

}  // namespace several_test
