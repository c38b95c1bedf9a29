// SPDX-License-Identifier: MIT
// From a recipe to a plan: tokenizer, rows, model and memory, all checked before anything is made on disk.
#include <algorithm>
#include <cmath>

#include "storage_settings.hpp"
#include "temper/optimizer/schedule.hpp"
#include "training.hpp"

namespace temper_cli {

Prepared prepare(Recipe recipe, const temper::templates::Date& date, Reporter& reporter) {
  settle_adapter(recipe);
  require_model_folder(recipe.path("model"));
  settle_storage(recipe);
  std::unique_ptr<Engine> engine = open_engine(recipe);
  auto data = std::make_unique<RunData>(recipe, date, DataChecks::on);
  data->report(reporter);
  temper::require(
      data->tokenizer().vocabulary() <= engine->config().vocabulary, temper::Fault::data, "model.vocabulary",
      "{}: tokenizer.json has ids up to {} but vocab_size of config.json is {}; expected every id below it",
      temper::shown_path(recipe.path("model")), data->tokenizer().vocabulary() - 1, engine->config().vocabulary);
  temper::Plan plan = engine->plan({data->training_shapes(), data->validation_shapes()});
  return {std::move(recipe), date, std::move(data), std::move(engine), std::move(plan)};
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

Evaluation evaluate_rows(Engine& engine, const RunData& data) {
  temper::Loss loss;
  Evaluation result;
  const temper::EpochPlan plan = data.validation_plan();
  for (Index step = 0; step < plan.steps(); ++step) {
    for (const temper::MicroBatch& batch : plan.step(step)) {
      loss += engine.evaluate(batch.host());
      result.tokens += std::ssize(batch.tokens);
      result.supervised += batch.supervised_tokens();
      result.rows += std::ssize(batch.rows);
    }
  }
  result.loss = loss.cross_entropy / loss.count;
  result.accuracy = loss.accuracy();
  return result;
}

Json to_json(const Evaluation& e) {
  return {{"validation/loss", temper::number_to_json(e.loss)},
          {"validation/tokens", e.tokens},
          {"validation/supervised_tokens", e.supervised},
          {"validation/samples", e.rows},
          {"validation/accuracy", temper::number_to_json(e.accuracy)}};
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
