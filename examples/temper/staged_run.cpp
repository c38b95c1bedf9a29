// SPDX-License-Identifier: MIT
#include "staged_run.hpp"

#include "engine.hpp"
#include "format.hpp"
#include "merge_certificate.hpp"
#include "signals.hpp"
#include "storage_settings.hpp"
#include "temper/adapter/merge.hpp"
#include "temper/core/version.hpp"
#include "temper/io/hash.hpp"
#include "temper/io/json_fields.hpp"

namespace temper_cli {
namespace {

namespace fs = std::filesystem;
using temper::Fault;

constexpr Index most_steps = Index{1} << 50;  // so that sums of all stages' stay far from overflow

// What a stage reads and no stage before it makes.
Json foreign_inputs(const Recipe& recipe, std::size_t at) {
  return hash_inputs(recipe, at == 0 ? Inputs::all : Inputs::without_model);
}

// Of a run's manifest, the hashes of its model's files.
Json model_inputs(const Json& manifest) {
  Json kept = Json::object();
  if (const auto inputs = manifest.find("inputs"); inputs != manifest.end())
    for (const auto& [name, hash] : inputs->items())
      if (name.starts_with("model/")) kept[name] = hash;
  return kept;
}

// run.json may have been written by anybody: what is read of a stage has its type from here on.
void require_stage(const Json& stage, const temper::JsonSource& source) {
  temper::require_string(stage, "state", source);
  for (const char* key : {"step", "steps"}) temper::require_integer(stage, key, source, 0, most_steps);
  temper::require_object(stage, "inputs", source);
  if (stage.contains("published")) temper::require_object(stage, "published", source);
}

// A stage goes on with the scores of the one before it.
void require_same_labels(const Labels& before, const Labels& labels, const std::string& title) {
  if (!before || !labels) return;
  temper::require(before->problem == labels->problem && before->names == labels->names, Fault::data, "stages.labels",
                  "{}: its rows have the labels {}, those of the stage before {}; expected the same, since the head "
                  "that tells them apart goes on",
                  title, fmt::join(labels->names, ", "), fmt::join(before->names, ", "));
}

temper::MergedCodes codes_of(const fs::path& model) { return {.coding = temper::open_config(model).coding}; }

// What the weights of the model that a stage starts from are held in, once it is there.
temper::MergedCodes codes_of_stage(const StagedRecipe& recipe, std::size_t at) {
  const Stage& stage = recipe.stages[at];
  if (at == 0) return codes_of(stage.recipe.path("model"));
  if (stage.start == Start::model) return {};
  const temper::MergedCodes before = codes_of_stage(recipe, at - 1);
  return stage.start == Start::continued ? before : merged_as_asked(before, stage.recipe);
}

// A stand-in that is quantized is looked at as what a stage will have folded into it.
void expect_merges(const StagedRecipe& recipe, std::size_t at, Recipe& own) {
  const bool merged = std::any_of(recipe.stages.begin(), recipe.stages.begin() + static_cast<std::ptrdiff_t>(at) + 1,
                                  [](const Stage& stage) { return stage.start == Start::merged; });
  if (!merged || own.model_is_to_come() || codes_of_stage(recipe, 0).coding == temper::Coding::dense) return;
  own.expect_merge(codes_of_stage(recipe, at));
}

}  // namespace

void over_stages(const StagedRecipe& recipe, std::size_t first, const temper::templates::Date& date, Reporter& reporter,
                 const std::function<void(std::size_t, const Prepared&)>& visit) {
  Labels before;
  for (std::size_t i = first; i < recipe.stages.size(); ++i) {
    Recipe own = recipe.stages[i].recipe;
    require_model_folder(own.path("model"));
    expect_merges(recipe, i, own);
    const Prepared prepared = prepare(std::move(own), date, reporter);
    require_same_labels(before, prepared.labels, title_of(recipe, i));
    before = prepared.labels;
    visit(i, prepared);
  }
}

bool is_staged(const Json& manifest) { return manifest.contains("stages") && manifest["stages"].is_array(); }

fs::path last_stage_of(const fs::path& run) {
  const Json manifest = read_manifest(run);
  fs::path last;
  for (const Json& stage : manifest["stages"]) {
    const bool named = stage.is_object() && stage.contains("folder") && stage["folder"].is_string();
    temper::require(named && temper::is_plain_name(stage["folder"].get<std::string>()), Fault::data, "run.manifest",
                    "{}: a stage has no folder; expected the manifest that the run wrote",
                    temper::shown_path(run / "run.json"));
    const fs::path folder = run / stage["folder"].get<std::string>();
    std::error_code error;
    if (fs::exists(folder / "run.json", error)) last = folder;
  }
  temper::require(!last.empty(), Fault::usage, "stages.none", "{}: no stage has begun yet; expected one",
                  temper::shown_path(run));
  return last;
}

StagedRun StagedRun::create(StagedRecipe recipe, Force force, Echo echo) {
  const temper::templates::Date date = today();
  Reporter reporter(Speech::silent);  // each stage says what it finds when its turn comes
  std::vector<Index> steps;
  std::vector<Json> inputs;
  over_stages(recipe, 0, date, reporter, [&](std::size_t at, const Prepared& prepared) {
    require_memory(prepared.largest_plan());
    steps.push_back(prepared.data->steps());
    inputs.push_back(foreign_inputs(prepared.recipe, at));
    // What the folder's own weights decide is said, or it would stand in recipe.json as the default.
    for (const KeyPath key : {KeyPath("quantization.type"), KeyPath("quantization.double_quant")})
      recipe.stages[at].recipe.settle(key, prepared.recipe.value(key));
  });
  // All checks have passed: from here on the disk is written.
  RunFolder folder = RunFolder::create(recipe.output, force);
  StagedRun run(std::move(folder), std::move(recipe), echo);
  run.date_ = date;
  run.record_stages(steps, inputs);
  return run;
}

StagedRun StagedRun::open(RunFolder folder, Echo echo) {
  require_own_recipe(folder);
  StagedRecipe recipe = StagedRecipe::read(folder.file("recipe.json"), {});
  const Json& stages = folder.manifest()["stages"];
  bool known = stages.size() == recipe.stages.size();
  for (std::size_t i = 0; known && i < recipe.stages.size(); ++i)
    known = stages[i].is_object() && stages[i].value("folder", Json()) == recipe.stages[i].name;
  temper::require(known, Fault::data, "run.manifest", "{}: does not have the stages of recipe.json; expected them",
                  temper::shown_path(folder.file("run.json")));
  for (const Json& stage : stages) require_stage(stage, {folder.file("run.json").string()});
  StagedRun run(std::move(folder), std::move(recipe), echo);
  run.date_ = date_of(run.folder_.manifest().value("date", Json()));
  for (const char* key : {"error", "finished"}) run.folder_.manifest().erase(key);
  return run;
}

void StagedRun::record_stages(const std::vector<Index>& steps, const std::vector<Json>& inputs) {
  const std::string text = recipe_.resolved().dump(2) + "\n";
  temper::write_file_atomically(folder_.file("recipe.json"), text);
  Json stages = Json::array();
  Index total = 0;
  std::vector<std::string> tasks, methods;
  for (std::size_t i = 0; i < recipe_.stages.size(); ++i) {
    const Recipe& recipe = recipe_.stages[i].recipe;
    stages.push_back({{"stage", i + 1},
                      {"folder", recipe_.stages[i].name},
                      {"task", recipe.value("task")},
                      {"method", recipe.value("adapter.method")},
                      {"state", "waiting"},
                      {"step", 0},
                      {"steps", steps[i]},
                      {"inputs", inputs[i]}});
    total += steps[i];
    tasks.push_back(recipe.task());
    if (const std::string method = recipe.text("adapter.method"); methods.empty() || methods.back() != method)
      methods.push_back(method);
  }
  folder_.manifest() = {{"state", "running"},
                        {"version", temper::version},
                        {"started", now_text()},
                        {"task", fmt::format("{}", fmt::join(tasks, ", "))},
                        {"method", fmt::format("{}", fmt::join(methods, ", "))},
                        {"model", recipe_.stages.front().recipe.value("model")},
                        {"date", to_json(date_)},
                        {"recipe_sha256", temper::sha256_of(text)},
                        {"step", 0},
                        {"steps", total},
                        {"stages", std::move(stages)}};
  folder_.write_manifest();
}

fs::path StagedRun::model_of(std::size_t at) const {
  if (at == 0) return recipe_.stages[0].recipe.path("model");
  if (recipe_.stages[at].start == Start::continued) return model_of(at - 1);
  return path_of(at - 1) / (recipe_.stages[at].start == Start::merged ? "merged" : "model");
}

// What the stage reads must be what it was when the run began, although its turn comes only now.
void StagedRun::check_inputs(std::size_t at) const {
  const Json& stages = folder_.manifest()["stages"];
  compare_inputs(stages[at].value("inputs", Json::object()), foreign_inputs(recipe_.stages[at].recipe, at));
  if (at == 0) return;
  temper::require(stages[at - 1].contains("published"), Fault::data, "run.manifest",
                  "{}: does not say what stage {} has published; expected the manifest that the run wrote",
                  temper::shown_path(folder_.file("run.json")), at);
  const Stage& before = recipe_.stages[at - 1];
  const std::string output = before.trains_adapter() ? "adapter" : "model";
  compare_inputs(stages[at - 1]["published"], hash_folder(before.name + "/" + output, path_of(at - 1) / output));
  // An adapter stands on the model that it was trained on, whether it goes on or is folded into that.
  if (recipe_.stages[at].start != Start::model)
    compare_inputs(model_inputs(read_manifest(path_of(at - 1))), hash_folder("model", model_of(at - 1)));
}

// What the stage before has trained, folded into its model; where that is quantized again, with what it loses.
void StagedRun::merge_into(const fs::path& folder, std::size_t at, Reporter& reporter) const {
  const fs::path model = model_of(at - 1), adapter = path_of(at - 1) / "adapter";
  const temper::MergedCodes into = merged_as_asked(codes_of(model), recipe_.stages[at].recipe);
  temper::NewFolder merged(folder, temper::Existing::replaced);
  std::vector<temper::MatrixLoss> losses = temper::merge_adapter(model, adapter, merged.path(), into.coding, into.form);
  if (into.coding != temper::Coding::dense) {
    const MergeCertificate certificate =
        certify(model, adapter, merged.path(), std::string(temper::name_of(into.coding)), std::move(losses));
    if (certificate.loses_most())
      reporter.warn(loss_warning(certificate, folder, "with quantization.type none the merged model is dense"));
  }
  merged.publish();
}

Ended StagedRun::begin_stage(std::size_t at, Reporter& reporter) {
  const Stage& stage = recipe_.stages[at];
  check_inputs(at);
  const fs::path folder = path_of(at), before = at == 0 ? fs::path() : path_of(at - 1);
  if (stage.start == Start::merged) {
    reporter.say(fmt::format("folding {} into its model", temper::shown_path(before / "adapter")));
    temper::remove_abandoned(before);
    merge_into(before / "merged", at, reporter);
  }
  // Paths into the run's folder are relative, so that it can be moved.
  const auto within = [&](const fs::path& path) {
    const fs::path relative = path.lexically_relative(folder_.path());
    return relative.empty() || relative.begin()->string() == ".." ? path.string() : (".." / relative).string();
  };
  Recipe recipe = stage.recipe;
  recipe.settle("output", folder.string());
  if (at > 0) {
    recipe.settle("model", model_of(at).string());
    recipe.arrive_model();
    if (stage.start == Start::continued) recipe.settle("adapter.from", (before / "adapter").string());
  }
  Prepared prepared = prepare(std::move(recipe), date_, reporter);
  require_memory(prepared.largest_plan());
  const Json inputs = hash_inputs(prepared.recipe);
  Json resolved = prepared.recipe.resolved();
  if (at > 0) {
    resolved["model"] = within(model_of(at));
    if (stage.start == Start::continued) resolved["adapter"]["from"] = within(before / "adapter");
  }
  if (SignalWatch::caught() != 0) return {SignalWatch::exit_code()};
  RunFolder run = RunFolder::create(folder, Force::yes);
  run.be_stage_of(folder_.path());
  return begin_run(prepared, run, resolved, inputs, reporter, echo_);
}

Ended StagedRun::run_stage(std::size_t at) {
  if (echo_ == Echo::standard_output)
    print_line(temper::to_text({{"stage", at + 1},
                                {"stages", recipe_.stages.size()},
                                {"task", recipe_.stages[at].recipe.value("task")},
                                {"run", path_of(at).string()}}));
  Reporter reporter;
  reporter.say(title_of(recipe_, at));
  std::error_code error;
  if (!fs::exists(path_of(at) / "run.json", error)) return begin_stage(at, reporter);
  RunFolder run = RunFolder::open(path_of(at));
  run.be_stage_of(folder_.path());
  return go_on(run, reporter, echo_);
}

// What the run's manifest knows of a stage, from the stage's own.
void StagedRun::record(std::size_t at, std::string_view state) {
  Json& stage = entry(at);
  stage["state"] = state;
  std::error_code error;
  if (fs::exists(path_of(at) / "run.json", error)) {
    const Json own = read_manifest(path_of(at));
    const temper::JsonSource source{(path_of(at) / "run.json").string()};
    for (const char* key : {"step", "steps"}) temper::require_integer(own, key, source, 0, most_steps);
    for (const char* key : {"step", "steps", "loss", "validation_loss", "seconds", "tokens", "plan", "measured"})
      if (own.contains(key)) stage[key] = own[key];
    for (const char* key : {"loss", "validation_loss"})
      if (own.contains(key)) folder_.manifest()[key] = own[key];
  }
  Index step = 0, steps = 0;
  for (const Json& each : folder_.manifest()["stages"])
    step += each["step"].get<Index>(), steps += each["steps"].get<Index>();
  folder_.manifest()["step"] = step;
  folder_.manifest()["steps"] = steps;
  folder_.write_manifest();
}

void StagedRun::end(std::string_view state) {
  folder_.manifest()["state"] = state;
  folder_.manifest()["finished"] = now_text();
  folder_.write_manifest();
}

Ended StagedRun::run() {
  const SignalWatch watch;  // also while a stage is prepared, and from its last step to the first of the next
  std::string output;
  folder_.manifest()["state"] = "running";
  const std::size_t count = recipe_.stages.size();
  for (std::size_t i = 0; i < count; ++i) {
    const Stage& stage = recipe_.stages[i];
    output = stage.name + "/" + (stage.trains_adapter() ? "adapter" : "model");
    std::error_code error;
    const bool begun = fs::exists(path_of(i) / "run.json", error);
    const bool complete = begun && read_manifest(path_of(i))["state"] == "completed";
    if (complete && entry(i)["state"] == "completed") continue;
    if (!complete) {
      if (SignalWatch::caught() != 0) {
        end("stopped");
        return {SignalWatch::exit_code(), output};
      }
      record(i, "running");
      try {
        // Before any of the rest is trained: what later stages read is as it was.
        for (std::size_t later = i + 1; later < count; ++later)
          compare_inputs(entry(later).value("inputs", Json::object()),
                         foreign_inputs(recipe_.stages[later].recipe, later));
        const Ended ended = run_stage(i);
        if (ended.code != done) {
          record(i, "stopped");
          end("stopped");
          return {ended.code, output};
        }
      } catch (const std::exception& error_of_stage) {
        folder_.manifest()["error"] = error_of_stage.what();
        try {
          record(i, "failed");
          end("failed");
        } catch (const std::exception&) {
          // The disk may be what failed; what went wrong first is what counts.
        }
        throw;
      }
    }
    // One write for both: a stage that is complete always says what it has made.
    entry(i)["published"] = hash_folder(output, folder_.path() / output);
    record(i, "completed");
  }
  end("completed");
  return {done, output};
}

}  // namespace temper_cli
