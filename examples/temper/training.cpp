// SPDX-License-Identifier: MIT
// The loop over optimizer steps. After each: a line of metrics; then, where due, an evaluation; then, where due, a
// checkpoint, which therefore knows the evaluation. What a step computes depends on its number alone, so a resumed run
// repeats what an undisturbed one does.
#include "training.hpp"

#include <algorithm>
#include <cmath>

#include "format.hpp"
#include "signals.hpp"

namespace temper_cli {
namespace {

// A loss on answers or pairs says little by itself.
std::string told_beside_loss(const Json& metrics) {
  for (const std::string_view name : {"reward", "reward_margin"}) {
    const auto found = metrics.find(fmt::format("training/{}", name));
    if (found != metrics.end() && found->is_number())
      return fmt::format("{} {:.4f}", name == "reward" ? "reward" : "margin", found->get<double>());
  }
  return "";
}

// Whether the same run may succeed when it is gone on with.
bool is_temporary(const std::exception& error) {
  if (const auto* known = dynamic_cast<const temper::Error*>(&error)) return known->fault() == temper::Fault::temporary;
  const auto* file = dynamic_cast<const std::filesystem::filesystem_error*>(&error);
  return file && exit_code(*file) == temporary;
}

}  // namespace

TrainingLoop::TrainingLoop(Prepared& prepared, RunFolder& run, Reporter& reporter, Echo echo, std::string recipe_hash,
                           Json inputs)
    : prepared_(prepared),
      run_(run),
      reporter_(reporter),
      echo_(echo),
      checkpoints_(run.path(), prepared.recipe.text("checkpoint.keep")),
      rate_(schedule_of(prepared.recipe, prepared.data->steps())),
      step_(prepared.recipe.is("task", "ppo") ? open_policy_step(prepared) : open_supervised_step(prepared)),
      recipe_hash_(std::move(recipe_hash)),
      inputs_(std::move(inputs)) {}

ExitCode TrainingLoop::run(const std::optional<Checkpoint>& from) {
  const SignalWatch watch;
  try {
    began_ = Clock::now();
    if (from) progress_ = from->progress;
    seconds_before_ = progress_.seconds;
    tokens_before_ = progress_.tokens;
    if (!progress_.recent_losses.empty()) last_loss_ = progress_.recent_losses.back();
    metrics_.emplace(run_.file("metrics.jsonl"), from ? from->metrics_bytes : 0, echo_);
    RowCache* const cache = prepared_.cache.get();
    const bool ready = !cache || cache->before_start(run_.file(cache->file_name()), inputs_, reporter_);
    if (!ready || SignalWatch::caught() != 0) {
      end("stopped");
      return SignalWatch::exit_code();
    }
    prepared_.engine->start(prepared_.plan);
    started_ = true;
    if (cache)
      cache->after_start(*prepared_.engine, *prepared_.data, run_.file(cache->file_name()), inputs_, reporter_);
    if (from) prepared_.engine->load_state(from->folder);
    return steps();
  } catch (const std::exception& error) {
    run_.manifest()["error"] = error.what();
    try {
      end("failed");
      reporter_.log_only(error.what());
    } catch (const std::exception&) {
      // The disk may be what failed; what went wrong first is what counts.
    }
    if (is_temporary(error))
      reporter_.say(fmt::format("failed; go on with: temper resume {}", temper::shown_path(run_.resumed_by())));
    throw;
  }
}

ExitCode TrainingLoop::steps() {
  const Index total = prepared_.data->steps();
  while (progress_.step < total && !stopped_early_) {
    step(progress_.step);
    after_step();
    if (SignalWatch::caught() != 0 && progress_.step < total && !stopped_early_) {
      save(Occasion::stop);
      reporter_.say(fmt::format("stopped after step {}; go on with: temper resume {}", progress_.step,
                                temper::shown_path(run_.resumed_by())));
      end("stopped");
      return SignalWatch::exit_code();
    }
  }
  publish();
  return done;
}

void TrainingLoop::step(Index number) {
  const double rate = rate_(number);
  StepOutcome outcome;
  const auto line = [&] {
    Json written{{"step", number + 1},
                 {"training/loss", temper::number_to_json(outcome.loss)},
                 {"training/learning_rate", rate},
                 {"training/grad_norm", temper::number_to_json(outcome.grad_norm)},
                 {"training/tokens", outcome.tokens},
                 {"training/supervised_tokens", outcome.supervised},
                 {"training/samples", outcome.samples}};
    written.update(outcome.metrics);
    return written;
  };
  try {
    step_->run(number, rate, outcome);
  } catch (const temper::Error& error) {
    if (error.fault() != temper::Fault::numeric) throw;
    Json failed = line();
    failed["time"] = seconds();
    metrics_->write(failed);
    throw;
  }
  Json written = line();
  const std::optional<double> leap = loss_leap(progress_.recent_losses, outcome.loss);
  if (leap) written["training/loss_spike"] = *leap;
  written["time"] = seconds();
  metrics_->write(written);
  if (leap)
    reporter_.warn(fmt::format("step {}: the loss leapt to {:.4f}, {:.1f} times the mean of the steps before",
                               number + 1, outcome.loss, *leap));

  constexpr std::size_t remembered = 16;
  progress_.recent_losses.push_back(outcome.loss);
  if (progress_.recent_losses.size() > remembered) progress_.recent_losses.erase(progress_.recent_losses.begin());
  progress_.step = number + 1;
  progress_.tokens += outcome.tokens;
  progress_.supervised += outcome.supervised;
  last_loss_ = outcome.loss;
  also_ = told_beside_loss(outcome.metrics);
  show_progress();
}

bool TrainingLoop::is_due(KeyPath every) const {
  return prepared_.recipe.has(every) && progress_.step % prepared_.recipe.integer(every) == 0;
}

void TrainingLoop::after_step() {
  const bool last = progress_.step == prepared_.data->steps();
  bool best = false;
  if (prepared_.recipe.has("data.validation") && (is_due("evaluation.every_steps") || last)) best = evaluate();
  const bool keeps_best = prepared_.recipe.is("checkpoint.keep", "best");
  if (is_due("checkpoint.every_steps") || (keeps_best && best)) save(Occasion::planned);
}

// Whether this evaluation is the best so far.
bool TrainingLoop::evaluate() {
  const Recipe& recipe = prepared_.recipe;
  const Evaluation evaluation = evaluate_rows(*prepared_.engine, *prepared_.data, prepared_.cache.get());
  Json line{{"step", progress_.step}};
  line.update(to_json(evaluation));
  metrics_->write(line);
  reporter_.say(fmt::format("step {}: validation loss {:.4f}", progress_.step, evaluation.loss()));
  run_.manifest()["validation_loss"] = evaluation.loss();

  const double before = progress_.lowest_loss.value_or(HUGE_VAL);
  const bool gained = before - evaluation.loss() > recipe.number("evaluation.early_stopping_threshold");
  progress_.evaluations_without_gain = gained ? 0 : progress_.evaluations_without_gain + 1;
  const bool best = evaluation.loss() < before;
  if (best) progress_.lowest_loss = evaluation.loss(), progress_.lowest_step = progress_.step;
  if (recipe.has("evaluation.early_stopping_patience") &&
      progress_.evaluations_without_gain >= recipe.integer("evaluation.early_stopping_patience") &&
      progress_.step < prepared_.data->steps()) {
    stopped_early_ = true;
    reporter_.say(fmt::format("step {}: no better validation loss in {} evaluations; stopping early", progress_.step,
                              progress_.evaluations_without_gain));
  }
  return best;
}

void TrainingLoop::save(Occasion occasion) {
  progress_.seconds = seconds();
  checkpoints_.save(*prepared_.engine, progress_, occasion, *metrics_, recipe_hash_, inputs_);
  Json& manifest = run_.manifest();
  manifest["step"] = progress_.step;
  manifest["loss"] = temper::number_to_json(last_loss_);
  run_.write_manifest();
}

// The finished run: what was trained, whole or not at all, and then the word that it is complete.
void TrainingLoop::publish() {
  metrics_->sync();
  const std::string name(prepared_.engine->output_name());
  temper::NewFolder folder(run_.file(name), temper::Existing::replaced);
  prepared_.engine->save_output(folder.path());
  folder.publish();
  checkpoints_.finish(progress_);
  if (stopped_early_) run_.manifest()["stopped_early"] = true;
  reporter_.say(fmt::format("{}, {} in {}; loss {:.4f}", counted_text(progress_.step, "step"),
                            counted_text(progress_.tokens, "token"), duration_text(seconds()), last_loss_));
  end("completed");
}

void TrainingLoop::end(std::string_view state) {
  Json& manifest = run_.manifest();
  manifest["state"] = state;
  manifest["finished"] = now_text();
  manifest["seconds"] = seconds();
  manifest["step"] = progress_.step;
  if (progress_.step > 0) manifest["loss"] = temper::number_to_json(last_loss_);
  manifest["tokens"] = progress_.tokens;
  manifest["supervised_tokens"] = progress_.supervised;
  if (started_ && progress_.step > 0) manifest["measured"] = {{"peak_bytes", measured_bytes()}};
  // A process that found the cache made did not need what making it takes.
  if (prepared_.cache)
    manifest["plan"] = to_json(prepared_.cache->measured_bytes() > 0 ? prepared_.largest_plan() : prepared_.plan);
  run_.write_manifest();
}

void TrainingLoop::show_progress() {
  const double spent = std::chrono::duration<double>(Clock::now() - began_).count();
  const auto seen = static_cast<double>(progress_.tokens - tokens_before_);
  const double per_second = spent > 0 ? seen / spent : 0;
  const auto left = static_cast<double>(prepared_.data->tokens() - progress_.tokens);
  reporter_.progress({.step = progress_.step,
                      .steps = prepared_.data->steps(),
                      .loss = last_loss_,
                      .also = also_,
                      .tokens_per_second = per_second,
                      .seconds_left = per_second > 0 ? left / per_second : 0});
}

std::size_t TrainingLoop::measured_bytes() const {
  const std::size_t before = prepared_.cache ? prepared_.cache->measured_bytes() : 0;
  return std::max(before, prepared_.engine->measured_bytes());
}

double TrainingLoop::seconds() const {
  return seconds_before_ + std::chrono::duration<double>(Clock::now() - began_).count();
}

}  // namespace temper_cli
