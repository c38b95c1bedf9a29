// SPDX-License-Identifier: MIT
// The data of a run: tokenizer, rows, and which of them each optimizer step takes.
#pragma once
#include <memory>
#include <optional>
#include <vector>

#include "calendar.hpp"
#include "recipe.hpp"
#include "rollout_file.hpp"
#include "temper/data/batch_plan.hpp"
#include "temper/data/report/data_report.hpp"
#include "temper/data/tokenizer.hpp"
#include "terminal.hpp"

namespace temper_cli {

temper::DataSettings data_settings(const Recipe& recipe, const temper::templates::Date& date);

// Whether the rows are also looked at as 'temper check' does.
enum class DataChecks { off, on };

class RunData {
 public:
  RunData(const Recipe& recipe, const temper::templates::Date& date, DataChecks checks = DataChecks::off);
  RunData(const RunData&) = delete;
  RunData& operator=(const RunData&) = delete;

  // What was decided, cut and dropped, and the warnings of the data report.
  void report(Reporter& reporter) const;

  const temper::Tokenizer& tokenizer() const { return tokenizer_; }
  const temper::Dataset& train() const { return rows_.train; }
  const temper::Dataset& validation() const { return rows_.validation; }

  Index steps() const { return steps_; }  // of the whole run
  Index first_epoch_steps() const { return first_steps_.size() > 1 ? first_steps_[1] : steps_; }
  Index first_epoch_tokens() const { return first_epoch_tokens_; }
  Index tokens() const { return tokens_; }         // that the run will see
  Index shared_tokens() const { return shared_; }  // of these: prompts of pairs, which their second side can share
  const std::vector<temper::BatchShape>& training_shapes() const { return training_shapes_; }
  std::vector<temper::BatchShape> validation_shapes() const;

  // Of reinforcement learning: how many answers each prompt gets, and recorded ones, which stand for those of the rows:
  // a prompt's together, in the order of the rows.
  Index answers_of_prompt() const { return answers_; }
  const std::vector<RecordedRollout>& recorded() const { return recorded_; }

  // The micro-batches of step 'number', counted from 0 over all epochs.
  std::vector<temper::MicroBatch> step(Index number);
  temper::EpochPlan validation_plan() const;
  // Rows in the order in which the first epoch, or an evaluation, takes them.
  std::vector<Index> training_order() const;
  std::vector<Index> validation_order() const;

 private:
  temper::DatasetPair load(DataChecks checks);
  void survey(const Recipe& recipe);
  void take_recorded(const Recipe& recipe);
  void survey_answers(const Recipe& recipe);

  temper::Tokenizer tokenizer_;
  temper::DataSettings settings_;
  std::vector<temper::Finding> findings_;
  temper::DatasetPair rows_;
  temper::BatchSettings batches_;
  Index steps_ = 0, tokens_ = 0, shared_ = 0, rows_seen_ = 0, first_epoch_tokens_ = 0;
  std::vector<RecordedRollout> recorded_;
  Index answers_ = 1;
  std::vector<Index> first_steps_;  // of each epoch
  std::vector<temper::BatchShape> training_shapes_;
  std::optional<temper::EpochPlan> epoch_;
  Index epoch_number_ = -1;
};

}  // namespace temper_cli
