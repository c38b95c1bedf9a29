// SPDX-License-Identifier: MIT
// Reading a recipe of stages, and what stages must agree on: checked before anything is trained, so that the last one
// does not turn out to be impossible when the first has taken its hours.
#include "staged_recipe.hpp"

#include <algorithm>
#include <charconv>

#include "engine.hpp"

namespace temper_cli {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t most_stages = 64;
constexpr std::string_view expected_start = "\"continue\" or \"merge\"";

bool has_scores(const Recipe& recipe) { return recipe.is("task", "classification") || recipe.is("task", "reward"); }
bool reads_reference(const Recipe& recipe) {
  if (recipe.is("task", "dpo")) return !recipe.is("objective.loss", "simpo") && !recipe.is("objective.loss", "orpo");
  return recipe.is("task", "ppo");
}
std::string kind_of(const Recipe& recipe) {
  return recipe.is("adapter.method", "qlora") ? "lora" : recipe.text("adapter.method");
}
Json comparable(Json value) {
  if (value.is_array()) std::sort(value.begin(), value.end());
  return value;
}

class StageReader {
 public:
  StageReader(const fs::path& file, const Recipe::Overrides& overrides, Words words)
      : file_(file), overrides_(overrides), words_(words), located_(read_recipe_text(file)) {}

  StagedRecipe read() {
    const Json& list = located_.value["stages"];
    if (!list.is_array() || list.empty() || list.size() > most_stages)
      complain("/stages", 0, "stages", fmt::format("is not a list of 1 to {} recipes; expected one", most_stages));
    report();
    sort_overrides(list.size());
    for (std::size_t i = 0; i < list.size(); ++i) {
      check_keys(i);
      add(i);
    }
    report();
    settle_adapter(result_.stages.front().recipe);
    for (std::size_t i = 1; i < result_.stages.size(); ++i) connect(i);
    if (const std::size_t size = result_.resolved().dump(2).size(); size >= largest_recipe)
      complain("/stages", 0, "stages",
               fmt::format("are {} bytes when every key of every stage is written out, as the run does; expected fewer "
                           "than {}; a long chat template stands in a file of its own",
                           size, largest_recipe));
    report();
    return std::move(result_);
  }

 private:
  static std::string pointer_of(std::size_t at) { return fmt::format("/stages/{}", at); }

  void complain(const std::string& pointer, std::size_t stage, std::string key, std::string sentence) {
    const auto place = located_.values.find(pointer);
    mistakes_.push_back({{Origin::Source::file, place == located_.values.end() ? temper::Place{} : place->second, true,
                          static_cast<int>(stage)},
                         std::move(key),
                         std::move(sentence)});
  }
  void complain(std::size_t at, KeyPath key, std::string sentence) {
    Origin origin = result_.stages[at].recipe.origin_of(key);
    origin.stage = static_cast<int>(at) + 1;
    mistakes_.push_back({origin, std::string(key.path), std::move(sentence)});
  }
  void report() {
    if (!mistakes_.empty()) refuse_recipe(file_, std::move(mistakes_));
  }

  static bool is_of_run(const std::string& text, std::size_t stage) {
    return text.starts_with("output=") ||
           (stage > 1 && (text.starts_with("model=") || text.starts_with("adapter.from=")));
  }

  // 'stages.2.KEY=VALUE' goes to the second stage, after what holds for all.
  void sort_overrides(std::size_t count) {
    of_stage_.resize(count);
    for (const std::string& text : overrides_)
      if (!text.starts_with("stages."))
        for (std::size_t i = 0; i < count; ++i)
          if (text.starts_with("output=") || !is_of_run(text, i + 1)) of_stage_[i].push_back(text);
    for (const std::string& text : overrides_) {
      if (!text.starts_with("stages.")) continue;
      std::size_t number = 0;
      const char* const end = text.data() + text.size();
      const auto parsed = std::from_chars(text.data() + sizeof("stages.") - 1, end, number);
      if (parsed.ec != std::errc() || parsed.ptr == end || *parsed.ptr != '.' || number < 1 || number > count)
        mistakes_.push_back({{Origin::Source::command_line, {}},
                             temper::printable(text, 80),
                             fmt::format("names no stage; expected stages.1.KEY=VALUE to stages.{}.KEY=VALUE", count)});
      else if (const std::string own(parsed.ptr + 1, end); is_of_run(own, number))
        mistakes_.push_back({{Origin::Source::command_line, {}},
                             temper::printable(text, 80),
                             "is the whole run's or the stage before decides it; expected it without 'stages.'"});
      else
        of_stage_[number - 1].push_back(own);
    }
  }

  // Keys that are the whole run's, or that the stage before decides.
  void check_keys(std::size_t at) {
    const Json& stage = located_.value["stages"][at];
    if (!stage.is_object()) return;
    const std::string pointer = pointer_of(at);
    if (stage.contains("output"))
      complain(pointer + "/output", at + 1, "output", "is the whole run's; expected it beside 'stages'");
    if (at == 0) return;
    if (stage.contains("model"))
      complain(pointer + "/model", at + 1, "model", "is what the stage before has trained; expected no other");
    const auto adapter = stage.find("adapter");
    if (adapter != stage.end() && adapter->is_object() && adapter->contains("from") && !(*adapter)["from"].is_null())
      complain(pointer + "/adapter/from", at + 1, "adapter.from",
               "is what the stage before has trained; expected \"start\": \"continue\" to go on with it");
  }

  void add(std::size_t at) {
    RecipeText text{.file = file_,
                    .located = located_,
                    .objects = {"", pointer_of(at)},
                    .passed_over = {"stages", "start"},
                    .stage = static_cast<int>(at) + 1};
    if (at > 0) {
      text.passed_over.insert(text.passed_over.end(), {"model", "adapter.from"});
      text.settled["model"] = model_;
    }
    starts_.push_back(take_start(at));
    if (starts_.back() == "continue") settle_continued(result_.stages[at - 1].recipe, text.settled);
    Stage stage{.recipe = Recipe::read(text, of_stage_[at], words_, mistakes_), .name = ""};
    if (mistakes_.empty()) {
      if (at == 0) model_ = stage.recipe.value("model");
      stage.name = fmt::format("{}-{}", at + 1, stage.recipe.task());
      result_.output = stage.recipe.path("output");
    } else if (at == 0) {
      // The other stages are looked at all the same; of the model enough is said.
      if (stage.recipe.resolved().is_object()) model_ = stage.recipe.resolved().value("model", Json());
      if (!model_.is_string() || !fs::exists(model_.get<std::string>()))
        model_ = fs::absolute(file_).parent_path().string();
    }
    result_.stages.push_back(std::move(stage));
  }

  // What checks of a recipe alone look at, and an adapter that goes on brings with it.
  static void settle_continued(const Recipe& before, std::map<std::string, Json>& settled) {
    if (!before.resolved().is_object() || before.is("adapter.method", "full")) return;
    settled["adapter.method"] = kind_of(before);
    settled["adapter.modules_to_save"] = before.value("adapter.modules_to_save");
  }

  // "", "continue" or "merge".
  std::string take_start(std::size_t at) {
    const Json& stage = located_.value["stages"][at];
    std::string start;
    const auto check = [&](const Json& said) {
      if (said.is_null()) return;
      if (said == "continue" || said == "merge")
        start = said.get<std::string>();
      else
        complain(pointer_of(at) + "/start", at + 1, "start",
                 fmt::format("{} is not known; expected {}", temper::printable(said.dump(), 60), expected_start));
    };
    if (stage.is_object() && stage.contains("start")) check(stage["start"]);
    std::erase_if(of_stage_[at], [&](const std::string& text) {
      if (!text.starts_with("start=")) return false;
      check(text.substr(sizeof("start=") - 1));
      return true;
    });
    if (at > 0 || start.empty()) return start;
    complain(pointer_of(0) + "/start", 1, "start", "there is no stage before; expected none");
    return "";
  }

  // How a stage starts from the one before it, and whether it can.
  void connect(std::size_t at) {
    const Stage& before = result_.stages[at - 1];
    Stage& stage = result_.stages[at];
    const std::string& said = starts_[at];
    const auto complain_start = [&](std::string sentence) {
      const std::string pointer = pointer_of(at);
      complain(located_.values.contains(pointer + "/start") ? pointer + "/start" : pointer, at + 1, "start",
               std::move(sentence));
    };
    if (has_scores(before.recipe) && stage.recipe.task() != before.recipe.task())
      complain(at, "task",
               fmt::format("'{}' cannot follow '{}', whose model has a score head in place of its language head; "
                           "expected '{}'",
                           stage.recipe.task(), before.recipe.task(), before.recipe.task()));
    connect_pooling(at);
    if (before.recipe.model_is_to_come() || !before.trains_adapter()) stage.recipe.expect_model();
    if (!before.trains_adapter()) {
      if (!said.empty()) complain_start("has no meaning after a stage that trains the whole model; expected none");
      return;
    }
    const bool prompt = kind_of(before.recipe) == "prompt";
    const bool same =
        kind_of(before.recipe) == kind_of(stage.recipe) && has_scores(before.recipe) == has_scores(stage.recipe);
    if (prompt && (!same || said == "merge"))
      return complain_start(
          "cannot fold a prompt into a model; expected the method 'prompt' again, and \"start\": \"continue\"");
    if (said == "continue" && !same)
      return complain_start(fmt::format(
          "'continue' is to go on with the adapter of the stage before, which is {} for {}; expected \"merge\"",
          kind_of(before.recipe), before.recipe.task()));
    if (said.empty() && same && reads_reference(stage.recipe))
      return complain_start(fmt::format(
          "is missing, and decides what {} compares with; expected {}\"continue\" (the same adapter goes on, and the "
          "reference is the model without it, as it was before stage {})",
          stage.recipe.task(),
          prompt ? ""
                 : fmt::format("\"merge\" (the adapter of stage {} is folded into its model, which is the reference "
                               "of a new adapter) or ",
                               at),
          at));
    stage.start = said == "merge" || !same ? Start::merged : Start::continued;
    if (stage.start == Start::continued) inherit_adapter(at);
  }

  // A head goes on with what it reads of a text.
  void connect_pooling(std::size_t at) {
    const Recipe& before = result_.stages[at - 1].recipe;
    Recipe& recipe = result_.stages[at].recipe;
    const KeyPath pooling("objective.pooling");
    if (!before.is("task", "classification") || !recipe.is("task", "classification")) return;
    if (!recipe.given(pooling)) return recipe.settle(pooling, before.value(pooling));
    if (recipe.value(pooling) != before.value(pooling))
      complain(at, pooling,
               fmt::format("is {} but the stage before trains a head with {}, which this one goes on with; expected "
                           "the same",
                           recipe.text(pooling), before.text(pooling)));
  }

  void inherit_adapter(std::size_t at) {
    const Recipe& before = result_.stages[at - 1].recipe;
    Recipe& recipe = result_.stages[at].recipe;
    for (const KeyPath key :
         {KeyPath("adapter.rank"), KeyPath("adapter.alpha"), KeyPath("adapter.rslora"), KeyPath("adapter.targets"),
          KeyPath("adapter.bias"), KeyPath("adapter.modules_to_save"), KeyPath("adapter.virtual_tokens")}) {
      if (!recipe.given(key)) {
        recipe.settle(key, before.value(key));
      } else if (comparable(recipe.value(key)) != comparable(before.value(key))) {
        complain(at, key,
                 fmt::format("is {} but the stage before trains an adapter with {}, which this one goes on with; "
                             "expected the same, or \"start\": \"merge\"",
                             recipe.value(key).dump(), before.value(key).dump()));
      }
    }
    // The adapter has learned beside the weights as they were quantized; who wants others says so.
    if (recipe.given("quantization.type") || !recipe.is("quantization.type", "none")) return;
    for (const KeyPath key :
         {KeyPath("quantization.type"), KeyPath("quantization.double_quant"), KeyPath("quantization.skip")})
      if (!recipe.given(key)) recipe.settle(key, before.value(key));
  }

  const fs::path& file_;
  const Recipe::Overrides& overrides_;
  Words words_;
  temper::LocatedJson located_;
  StagedRecipe result_;
  Json model_;  // of the first stage
  std::vector<Recipe::Overrides> of_stage_;
  std::vector<std::string> starts_;
  std::vector<Mistake> mistakes_;
};

}  // namespace

bool StagedRecipe::is_one(const fs::path& file) {
  std::error_code error;
  return fs::is_regular_file(file, error) && has_stages(read_recipe_text(file).value);
}

StagedRecipe StagedRecipe::read(const fs::path& file, const Recipe::Overrides& overrides, Words words) {
  return StageReader(file, overrides, words).read();
}

Json StagedRecipe::resolved() const {
  Json list = Json::array();
  for (const Stage& stage : stages) {
    Json said = stage.recipe.resolved();
    said.erase("output");
    if (!list.empty()) {
      said.erase("model");
      said["adapter"].erase("from");
    }
    if (stage.start != Start::model) said["start"] = stage.start == Start::merged ? "merge" : "continue";
    list.push_back(std::move(said));
  }
  return {{"output", output.string()}, {"stages", std::move(list)}};
}

std::string title_of(const StagedRecipe& recipe, std::size_t at) {
  return fmt::format("stage {} of {}: {}", at + 1, recipe.stages.size(), recipe.stages[at].recipe.task());
}

}  // namespace temper_cli
