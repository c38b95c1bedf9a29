// SPDX-License-Identifier: MIT
// From a recipe to a plan: tokenizer, rows, model and memory, all checked before anything is made on disk.
#include <algorithm>
#include <cmath>
#include <limits>

#include "format.hpp"
#include "reward_model.hpp"
#include "storage_settings.hpp"
#include "teacher.hpp"
#include "temper/data/pad_token.hpp"
#include "temper/optimizer/schedule.hpp"
#include "training.hpp"

namespace temper_cli {
namespace {

// What the scores of a classification or of a reward are called.
Labels labels_of(const Recipe& recipe, const RunData& data) {
  const temper::Config config = temper::open_config(recipe.path("model"));
  temper::ScoreLabels labels;
  labels.pad_token = temper::padding_token(config.json, data.tokenizer(), config.vocabulary);
  labels.pad_text = data.tokenizer().token(labels.pad_token);
  if (recipe.is("task", "classification") && recipe.is("objective.pooling", "mean"))
    labels.pooling = temper::Pooling::mean;
  const temper::LabelSet& set = data.train().labels;
  if (recipe.is("task", "reward") || set.problem() == temper::Problem::regression) return labels;
  labels.problem = set.problem();
  labels.names = set.names();
  // Of several labels, one is whether it is given.
  if (labels.problem == temper::Problem::single_label && labels.names.size() == 1)
    temper::fail(temper::Fault::data, "head.classes",
                 "{}: all training rows have the label '{}'; expected 2 labels at least, to tell them apart",
                 data.train().files[0], temper::printable(labels.names[0], 60));
  return labels;
}

// What could end a run of reinforcement learning at its first reward.
void check_rewards(const Recipe& recipe, const RunData& data, Reporter& reporter) {
  if (recipe.has("objective.rollouts")) {
    for (const KeyPath key :
         {KeyPath("reward_model"), KeyPath("objective.reward_command"), KeyPath("objective.reward_rule")})
      if (recipe.has(key))
        reporter.warn(fmt::format("objective.rollouts brings its own rewards: {} is not asked", key.path));
    return;
  }
  if (recipe.has("reward_model")) require_tokens_of_policy(data.tokenizer(), recipe.path("reward_model"));
  if (!recipe.is("objective.reward_rule", "exact_match")) return;
  for (const temper::PromptRow& prompt : data.train().prompts)
    temper::require(!prompt.expected.empty(), temper::Fault::data, "reward.nothing_expected",
                    "{}: the row does not say which answer is right; expected a field 'completion' with rule "
                    "exact_match",
                    data.train().place(prompt));
}

// How long rows may be: linear scaling is for as many times the pretrained length, dynamic scaling for any.
Index known_positions(const temper::Config& model) {
  if (model.rope.kind == temper::Rope::Kind::dynamic) return std::numeric_limits<Index>::max();
  if (model.rope.kind != temper::Rope::Kind::linear) return model.max_positions;
  return static_cast<Index>(static_cast<double>(model.max_positions) * model.rope.factor);
}

// What is allowed, and hardly meant.
void warn_of_settings(const Recipe& recipe, const RunData& data, const temper::Config& model, Reporter& reporter) {
  const Index steps = data.steps();
  const double peak = recipe.number("training.learning_rate");
  const auto rate = schedule_of(recipe, steps);
  bool reached = steps == 0;
  for (temper::Step step = 0; step < steps && !reached; ++step) reached = rate(step) >= peak * (1 - 1e-9);
  if (!reached)
    reporter.warn(
        fmt::format("warm-up takes the whole run of {}, so the learning rate ends at {:.3g} and never gets to {:.3g}; "
                    "take more steps "
                    "(more epochs, a smaller batch_size, data.packing false), or set training.warmup_steps to 0",
                    counted_text(steps, "step"), rate(steps - 1), peak));

  Index longest = 0;
  for (const auto& shapes : {data.training_shapes(), data.validation_shapes()})
    for (const temper::BatchShape& shape : shapes) longest = std::max(longest, shape.longest);
  if (longest > known_positions(model)) {
    const bool policy = recipe.is("task", "ppo");
    reporter.warn(fmt::format("{} have up to {} tokens, and the model knows {} positions (max_position_embeddings); {}",
                              policy ? "prompts with their answers" : "rows", count_text(longest),
                              count_text(known_positions(model)),
                              !policy                   ? "lower data.max_length"
                              : data.recorded().empty() ? "lower objective.max_new_tokens or data.max_length"
                                                        : "leave the longest out of objective.rollouts"));
  }
}

}  // namespace

Prepared prepare(Recipe recipe, const temper::templates::Date& date, Reporter& reporter) {
  settle_adapter(recipe);
  require_model_folder(recipe.path("model"));
  settle_storage(recipe);
  if (recipe.is("task", "distillation")) require_teacher_of(recipe.path("model"), recipe.path("teacher"));
  // How many scores a head has is known by the rows; else the model is looked at first, since that is quick.
  const bool scored = recipe.is("task", "classification") || recipe.is("task", "reward");
  std::unique_ptr<RunData> data;
  if (scored) data = std::make_unique<RunData>(recipe, date, DataChecks::on);
  Labels labels = scored ? labels_of(recipe, *data) : std::nullopt;
  std::unique_ptr<Engine> engine = open_engine(recipe, labels);
  if (!data) data = std::make_unique<RunData>(recipe, date, DataChecks::on);
  data->report(reporter);
  temper::require(
      data->tokenizer().vocabulary() <= engine->config().vocabulary, temper::Fault::data, "model.vocabulary",
      "{}: tokenizer.json has ids up to {} but vocab_size of config.json is {}; expected every id below it",
      temper::shown_path(recipe.path("model")), data->tokenizer().vocabulary() - 1, engine->config().vocabulary);
  if (recipe.is("task", "distillation"))
    require_same_tokens(data->tokenizer(), recipe.path("model"), recipe.path("teacher"));
  if (labels && labels->pooling == temper::Pooling::mean)
    reporter.warn(
        "objective.pooling mean: the saved folder is marked, but transformers and PEFT score the last token and will "
        "give other scores");
  if (recipe.is("task", "ppo")) check_rewards(recipe, *data, reporter);
  warn_of_settings(recipe, *data, engine->config(), reporter);
  temper::Plan plan = engine->plan({data->training_shapes(), data->validation_shapes()});
  std::unique_ptr<RowCache> cache = open_row_cache(recipe, *data, engine->config().vocabulary);
  return {std::move(recipe), date, std::move(data), std::move(labels), std::move(engine), std::move(plan),
          std::move(cache)};
}

std::function<double(temper::Step)> schedule_of(const Recipe& recipe, Index steps) {
  const double peak = recipe.number("training.learning_rate"), floor = recipe.number("training.min_learning_rate");
  const auto warmup =
      static_cast<temper::Step>(recipe.has("training.warmup_steps")
                                    ? static_cast<double>(recipe.integer("training.warmup_steps"))
                                    : std::ceil(recipe.number("training.warmup_ratio") * static_cast<double>(steps)));
  if (peak == 0) return [](temper::Step) { return 0.0; };
  if (recipe.is("training.scheduler", "constant")) return temper::Constant{.peak = peak, .warmup = warmup};
  if (recipe.is("training.scheduler", "cosine"))
    return temper::Cosine{.peak = peak, .warmup = warmup, .total = steps, .floor = floor};
  if (recipe.is("training.scheduler", "wsd"))
    return temper::WarmupStableDecay{.peak = peak, .warmup = warmup, .total = steps, .floor = floor};
  return temper::Linear{.peak = peak, .warmup = warmup, .total = steps, .floor = floor};
}

Evaluation evaluate_rows(Engine& engine, const RunData& data, RowCache* cache) {
  Evaluation result;
  const temper::EpochPlan plan = data.validation_plan();
  for (Index step = 0; step < plan.steps(); ++step) {
    for (const temper::MicroBatch& batch : plan.step(step)) {
      result.sums += engine.evaluate(host_of(cache, batch, Split::validation));
      result.tokens += std::ssize(batch.tokens);
      result.supervised += batch.supervised_tokens();
      result.rows += std::ssize(batch.rows);
    }
  }
  return result;
}

void add_metrics(Json& line, std::string_view stage, const temper::Loss& loss) {
  const auto add = [&](std::string_view name, double mean) {
    line[fmt::format("{}/{}", stage, name)] = temper::number_to_json(mean);
  };
  if (loss.predicts == temper::Predicts::yes) add("accuracy", loss.accuracy());
  if (!loss.classes.empty()) add("macro_f1", loss.classes.macro_f1());
  for (const temper::Metric& metric : loss.metrics)
    if (!metric.name.empty()) add(metric.name, metric.sum / loss.count);
}

Json to_json(const Evaluation& e) {
  Json line{{"validation/loss", temper::number_to_json(e.loss())},
            {"validation/tokens", e.tokens},
            {"validation/supervised_tokens", e.supervised},
            {"validation/samples", e.rows}};
  add_metrics(line, "validation", e.sums);
  return line;
}

Json to_json(const temper::Plan& plan) {
  Json holders = Json::array();
  for (std::size_t h = 0; h < plan.bytes.size(); ++h)
    holders.push_back({{"name", temper::holder_names[h]}, {"bytes", plan.bytes[h]}});
  return {{"peak_bytes", plan.peak_bytes()}, {"holders", std::move(holders)}};
}

std::optional<double> loss_leap(const std::vector<double>& recent, double loss) {
  if (recent.size() < 5) return std::nullopt;
  const auto count = static_cast<double>(recent.size());
  double mean = 0, square = 0;
  for (const double x : recent) mean += x / count;
  for (const double x : recent) square += (x - mean) * (x - mean) / count;
  const bool far = loss > mean + 4 * std::sqrt(square) && loss > 1.5 * mean;
  if (!far || mean <= 0) return std::nullopt;
  return loss / mean;
}

}  // namespace temper_cli
