// SPDX-License-Identifier: MIT
#include "run_data.hpp"

#include <algorithm>
#include <limits>
#include <thread>

#include "answer_counts.hpp"
#include "format.hpp"
#include "report_text.hpp"
#include "temper/data/dataset_reader.hpp"
#include "temper/data/table/open_all_rows.hpp"

namespace temper_cli {
namespace {

namespace fs = std::filesystem;

temper::RowFormat format_of(const Recipe& recipe) {
  if (recipe.is("task", "ppo")) return temper::RowFormat::prompt;  // which rows of other formats may be too
  for (const auto& [format, name] : temper::row_format_names)
    if (recipe.is("data.format", name)) return format;
  return temper::RowFormat::automatic;
}

// What the task can train on.
std::vector<temper::RowFormat> formats_of(const Recipe& recipe) {
  using temper::RowFormat;
  if (recipe.is("task", "dpo") || recipe.is("task", "reward")) return {RowFormat::preference};
  if (recipe.is("task", "classification")) return {RowFormat::classification};
  if (recipe.is("task", "ppo")) return {};
  return {RowFormat::text, RowFormat::instruction, RowFormat::alpaca, RowFormat::chat, RowFormat::sharegpt};
}

temper::Problem problem_of(const Recipe& recipe) {
  if (recipe.is("task", "classification"))
    for (const temper::Problem problem :
         {temper::Problem::single_label, temper::Problem::multi_label, temper::Problem::regression})
      if (recipe.is("objective.problem", temper::name_of(problem))) return problem;
  return temper::Problem::automatic;
}

std::vector<fs::path> paths_of(const std::vector<std::string>& texts) { return {texts.begin(), texts.end()}; }

}  // namespace

temper::DataSettings data_settings(const Recipe& recipe, const temper::templates::Date& date) {
  temper::DataSettings settings;
  settings.train = paths_of(recipe.texts("data.train"));
  if (recipe.value("data.validation").is_number()) {
    settings.validation_fraction = recipe.number("data.validation");
  } else {
    settings.validation = paths_of(recipe.texts("data.validation"));
  }
  settings.format = format_of(recipe);
  settings.accepted = formats_of(recipe);
  settings.problem = problem_of(recipe);
  for (const auto& [field, column] : recipe.value("data.columns").items())
    settings.columns.emplace_back(field, column.get<std::string>());
  settings.max_length = recipe.integer("data.max_length");
  settings.packing = recipe.boolean("data.packing") ? temper::Packing::on : temper::Packing::off;
  settings.shuffle = recipe.boolean("data.shuffle") ? temper::Shuffle::on : temper::Shuffle::off;
  if (recipe.has("data.max_samples")) settings.max_samples = recipe.integer("data.max_samples");
  settings.train_on = recipe.is("data.train_on", "all")          ? temper::TrainOn::all
                      : recipe.is("data.train_on", "completion") ? temper::TrainOn::completion
                                                                 : temper::TrainOn::assistant;
  if (recipe.has("data.system_prompt")) settings.system_prompt = recipe.text("data.system_prompt");
  if (recipe.is("data.chat_template", "none")) {
    settings.template_use = temper::TemplateUse::off;
  } else if (recipe.has("data.chat_template")) {
    const std::string text = recipe.text("data.chat_template");
    const bool is_text = text.find_first_of("{\n") != std::string::npos;
    settings.chat_template = is_text ? text : temper::read_file(text, std::size_t{1} << 20);
  }
  settings.template_arguments = recipe.value("data.template_arguments");
  settings.date = date;
  settings.seed = recipe.seed();
  settings.threads = recipe.has("threads") ? static_cast<int>(recipe.integer("threads"))
                                           : static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  return settings;
}

RunData::RunData(const Recipe& recipe, const temper::templates::Date& date, DataChecks checks)
    : tokenizer_(temper::Tokenizer::open(recipe.path("model"))),
      settings_(data_settings(recipe, date)),
      rows_(load(checks)),
      batches_{.batch_size = recipe.integer("training.batch_size"),
               .gradient_accumulation = recipe.integer("training.gradient_accumulation"),
               .max_length = settings_.max_length,
               .packing = settings_.packing,
               .shuffle = settings_.shuffle,
               .seed = recipe.seed()} {
  if (recipe.is("task", "ppo")) {
    answers_ = temper_cli::answers_of_prompt(recipe);
    if (recipe.has("objective.rollouts")) take_recorded(recipe);
  }
  survey(recipe);
  if (recipe.is("task", "ppo")) survey_answers(recipe);
}

// Recorded answers are the rows, in their order.
void RunData::take_recorded(const Recipe& recipe) {
  const fs::path path = recipe.path("objective.rollouts");
  recorded_ = read_rollouts(path, tokenizer_.vocabulary());
  const auto each = static_cast<std::size_t>(answers_);
  temper::require(recorded_.size() % each == 0, temper::Fault::data, "rollouts.groups",
                  "{}: has {} rows; expected whole groups of {}, the answers to one prompt", temper::shown_path(path),
                  recorded_.size(), each);
  temper::Dataset prompts;
  prompts.format = temper::RowFormat::prompt;
  prompts.files = {temper::shown_path(path)};
  for (std::size_t i = 0; i < recorded_.size(); ++i) {
    const RecordedRollout& first = recorded_[i - i % each];
    temper::require(recorded_[i].prompt == first.prompt, temper::Fault::data, "rollouts.groups",
                    "{}: row {} has another prompt than row {}; expected groups of {}, the answers to one prompt",
                    temper::shown_path(path), i + 1, i - i % each + 1, each);
    const auto number = static_cast<Index>(i) + 1;
    if (i % each == 0) prompts.prompts.push_back({first.prompt, "", number, 0, number});
  }
  rows_.train = std::move(prompts);
  batches_.shuffle = temper::Shuffle::off;
}

// A bound on every micro-batch of answers, whichever of a step's stand together in one; and on the run's tokens.
void RunData::survey_answers(const Recipe& recipe) {
  Index longest = 0, response = recorded_.empty() ? recipe.integer("objective.max_new_tokens") : 0;
  for (const RecordedRollout& one : recorded_) {
    response = std::max(response, std::ssize(one.response));
    longest = std::max(longest, std::ssize(one.prompt) + std::ssize(one.response));
  }
  for (const temper::PromptRow& prompt : rows_.train.prompts)
    if (recorded_.empty()) longest = std::max(longest, std::ssize(prompt.tokens) + response);
  Index most = 0;
  for (const temper::BatchShape& shape : training_shapes_) most = std::max(most, shape.documents);
  most = std::min(batches_.batch_size, most * batches_.gradient_accumulation * answers_);
  training_shapes_ = {{.tokens = most * longest, .documents = most, .supervised = most * response, .longest = longest}};
  tokens_ = (tokens_ + rows_seen_ * response) * answers_;
}

temper::DatasetPair RunData::load(DataChecks checks) {
  temper::DataReporter reporter;
  const bool looks = checks == DataChecks::on;
  temper::DatasetPair rows =
      temper::load_rows(settings_, tokenizer_, temper::open_all_rows, looks ? &reporter : nullptr);
  if (looks) findings_ = reporter.report(rows, settings_, tokenizer_).findings;
  return rows;
}

// Shuffled epochs differ, in packs also in their number of steps, so each is looked at: more than this is no plan.
constexpr Index most_planned_steps = 10'000'000;

// Walks over every step of the run once: their number, their tokens, and the shapes that a plan must try.
void RunData::survey(const Recipe& recipe) {
  if (rows_.train.size() == 0) return;
  const Index limit =
      recipe.has("training.max_steps") ? recipe.integer("training.max_steps") : std::numeric_limits<Index>::max();
  const Index epochs =
      recipe.has("training.max_steps") ? std::numeric_limits<Index>::max() : recipe.integer("training.epochs");
  Index first_epoch_rows = 0, first_epoch_shared = 0;
  const temper::BatchPlan plan(rows_.train, batches_);
  std::optional<temper::EpochPlan> epoch;
  for (Index e = 0; e < epochs && steps_ < limit; ++e) {
    const bool known = epoch && batches_.shuffle == temper::Shuffle::off;
    if (!known) epoch = plan.epoch(e);
    first_steps_.push_back(steps_);
    const Index count = std::min(epoch->steps(), limit - steps_);
    steps_ += count;
    if (known && count == epoch->steps()) {  // as the first one
      tokens_ += first_epoch_tokens_;
      rows_seen_ += first_epoch_rows;
      shared_ += first_epoch_shared;
      continue;
    }
    for (Index s = 0; s < count; ++s) {
      for (const temper::BatchShape& shape : epoch->shapes(s)) {
        keep_if_large(training_shapes_, shape);
        tokens_ += shape.tokens;
        rows_seen_ += shape.documents;
        shared_ += shape.shared;
      }
    }
    if (e > 0) continue;
    first_epoch_tokens_ = tokens_;
    first_epoch_rows = rows_seen_;
    first_epoch_shared = shared_;
    temper::require(recipe.has("training.max_steps") || epochs == 1 || steps_ <= most_planned_steps / epochs,
                    temper::Fault::usage, "recipe.steps",
                    "training.epochs {} makes more than {} steps, {} an epoch; expected at most {} epochs of these {} "
                    "rows; lower it, or set training.max_steps",
                    epochs, count_text(most_planned_steps), steps_,
                    std::max(Index{1}, most_planned_steps / std::max(Index{1}, steps_)), rows_.train.size());
  }
}

std::vector<temper::MicroBatch> RunData::step(Index number) {
  const auto after = std::upper_bound(first_steps_.begin(), first_steps_.end(), number);
  const Index epoch = std::distance(first_steps_.begin(), after) - 1;
  if (epoch != epoch_number_) {
    epoch_ = temper::BatchPlan(rows_.train, batches_).epoch(epoch);
    epoch_number_ = epoch;
  }
  return epoch_->step(number - first_steps_[static_cast<std::size_t>(epoch)]);
}

temper::EpochPlan RunData::validation_plan() const {
  temper::BatchSettings settings = batches_;
  settings.gradient_accumulation = 1;
  settings.shuffle = temper::Shuffle::off;
  return {rows_.validation, settings, 0};
}

namespace {
std::vector<Index> order_of(const temper::EpochPlan& plan) {
  std::vector<Index> order;
  for (const std::vector<Index>& unit : plan.units()) order.insert(order.end(), unit.begin(), unit.end());
  return order;
}
}  // namespace

std::vector<Index> RunData::training_order() const {
  return order_of(temper::BatchPlan(rows_.train, batches_).epoch(0));
}
std::vector<Index> RunData::validation_order() const {
  return rows_.validation.size() == 0 ? std::vector<Index>{} : order_of(validation_plan());
}

std::vector<temper::BatchShape> RunData::validation_shapes() const {
  std::vector<temper::BatchShape> largest;
  if (rows_.validation.size() == 0) return largest;
  const temper::EpochPlan plan = validation_plan();
  for (Index s = 0; s < plan.steps(); ++s)
    for (const temper::BatchShape& shape : plan.shapes(s)) keep_if_large(largest, shape);
  return largest;
}

void RunData::report(Reporter& reporter) const {
  const bool automatic = settings_.format == temper::RowFormat::automatic;
  reporter.say(
      fmt::format("{} training {}{}{}", rows_.train.size(), rows_.train.size() == 1 ? "row" : "rows",
                  rows_.validation.size() == 0 ? "" : fmt::format(", {} for validation", rows_.validation.size()),
                  automatic ? fmt::format(", format {}", temper::name_of(rows_.train.format)) : ""));
  const temper::RowFormat format = rows_.train.format;
  const bool templated = format != temper::RowFormat::text && format != temper::RowFormat::classification &&
                         settings_.template_use == temper::TemplateUse::on;
  if (templated && !settings_.chat_template && !tokenizer_.chat_template() && recorded_.empty())
    reporter.say("the model has no chat template: rows are written with the built-in one; see 'temper preview'");
  for (const temper::Dataset* dataset : {&rows_.train, &rows_.validation}) {
    const bool prompts = dataset->format == temper::RowFormat::prompt;
    if (dataset->truncated > 0 && prompts)
      reporter.warn(fmt::format("{} {} longer than max_length {}", dataset->truncated,
                                dataset->truncated == 1 ? "prompt is" : "prompts are", settings_.max_length));
    else if (dataset->truncated > 0)
      reporter.warn(fmt::format("{} {} {} longer than max_length {} and cut", dataset->truncated,
                                dataset == &rows_.train ? "training" : "validation",
                                dataset->truncated == 1 ? "row was" : "rows were", settings_.max_length));
    for (const std::string& place : dataset->dropped)
      reporter.warn(fmt::format("{}: dropped: {}", place,
                                prompts ? "this prompt cannot be answered" : "nothing of this row is learned"));
  }
  if (rows_.overlap.rows > 0) {
    std::string places;
    for (const auto& [held, known] : rows_.overlap.places)
      places += fmt::format("{}{} equals {}", places.empty() ? "" : ", ", held, known);
    reporter.warn(fmt::format("{} of {} validation rows are trained on too, so the validation loss is too good: {}",
                              rows_.overlap.rows, rows_.validation.size(), places));
  }
  constexpr std::string_view said[] = {"rows_cut", "rows_dropped", "validation_overlap"};
  for (const temper::Finding& finding : findings_)
    if (finding.severity == temper::Severity::warning &&
        std::find(std::begin(said), std::end(said), finding.code) == std::end(said))
      reporter.warn(short_text(finding));
}

}  // namespace temper_cli
