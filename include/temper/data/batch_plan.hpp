// SPDX-License-Identifier: MIT
// Which rows each step of each epoch takes: a pure function of settings, seed, epoch and step, so that resuming needs
// two numbers. A step takes batch_size x gradient_accumulation rows (with packing: packs); the last step of an epoch
// takes what is left, and nothing is dropped.
#pragma once
#include "temper/data/dataset.hpp"
#include "temper/data/micro_batch.hpp"
#include "temper/data/order.hpp"
#include "temper/data/packing.hpp"
#include "temper/model/batch.hpp"

#include <algorithm>
#include <vector>

namespace temper {

struct BatchSettings {
  Index batch_size = 4, gradient_accumulation = 1;
  Index max_length = 2048;  // of a pack
  Packing packing = Packing::on;
  Shuffle shuffle = Shuffle::on;
  std::uint64_t seed = 42;
};

// One epoch's units (rows or packs) in training order.
class EpochPlan {
 public:
  EpochPlan(const Dataset& dataset, const BatchSettings& settings, Index epoch)
      : dataset_(&dataset), settings_(settings) {
    const auto count = static_cast<Index>(dataset.size());
    const RowOrder order(settings.shuffle == Shuffle::on ? RowOrder::Kind::shuffled : RowOrder::Kind::as_filed, count,
                         settings.seed, epoch);
    std::vector<Index> rows(static_cast<std::size_t>(count)), lengths(rows.size());
    for (std::size_t i = 0; i < rows.size(); ++i) {
      rows[i] = order[static_cast<Index>(i)];
      dataset.for_each_sequence(rows[i], [&](const auto& tokens, const auto&) { lengths[i] += std::ssize(tokens); });
    }
    if (settings.packing == Packing::off ||
        dataset.rows.empty()) {  // pairs and classified texts are counted, not packed
      for (const Index row : rows) units_.push_back({row});
    } else {
      units_ = pack_first_fit(lengths, settings.max_length);
      for (auto& pack : units_)
        for (Index& at : pack) at = rows[static_cast<std::size_t>(at)];
    }
  }

  Index steps() const { return (std::ssize(units_) + units_of_step() - 1) / units_of_step(); }
  const std::vector<std::vector<Index>>& units() const { return units_; }

  std::vector<MicroBatch> step(Index step) const {
    std::vector<MicroBatch> batches;
    for_each_micro_batch(step, [&](Index begin, Index end) { batches.push_back(micro_batch(begin, end)); });
    return batches;
  }

  std::vector<BatchShape> shapes(Index step) const {
    std::vector<BatchShape> shapes;
    for_each_micro_batch(step,
                         [&](Index begin, Index end) { shapes.push_back(shape_of(micro_batch(begin, end).host())); });
    return shapes;
  }

 private:
  Index units_of_step() const { return settings_.batch_size * settings_.gradient_accumulation; }

  template <class Visit>
  void for_each_micro_batch(Index step, Visit visit) const {
    require(step >= 0 && step < steps(), Fault::usage, "batches.step", "step {} of an epoch of {} steps", step,
            steps());
    const Index end = std::min(std::ssize(units_), (step + 1) * units_of_step());
    for (Index at = step * units_of_step(); at < end; at += settings_.batch_size)
      visit(at, std::min(end, at + settings_.batch_size));
  }

  MicroBatch micro_batch(Index begin, Index end) const {
    MicroBatch batch;
    if (!dataset_->preferences.empty()) batch.prompts = Prompts::shared;
    for (Index unit = begin; unit < end; ++unit)
      for (const Index index : units_[static_cast<std::size_t>(unit)]) {
        dataset_->for_each_sequence(index, [&](const auto& tokens, const auto& labels) { batch.add(tokens, labels); });
        if (!dataset_->classifications.empty()) {
          const ClassificationRow& row = dataset_->classifications[static_cast<std::size_t>(index)];
          batch.label(dataset_->labels.targets(row.classes, row.value));
        }
        batch.rows.push_back(index);
      }
    return batch;
  }

  const Dataset* dataset_;
  BatchSettings settings_;
  std::vector<std::vector<Index>> units_;
};

// Adds a shape to those of which none is, in every number that decides what fits, at most as large as another.
inline void keep_if_large(std::vector<BatchShape>& largest, const BatchShape& shape) {
  const auto within = [](const BatchShape& a, const BatchShape& b) {
    return a.tokens <= b.tokens && a.rows() <= b.rows() && a.documents <= b.documents && a.supervised <= b.supervised &&
           a.longest <= b.longest && a.labels <= b.labels;
  };
  for (const BatchShape& known : largest)
    if (within(shape, known)) return;
  std::erase_if(largest, [&](const BatchShape& known) { return within(known, shape); });
  largest.push_back(shape);
}

class BatchPlan {
 public:
  BatchPlan(const Dataset& dataset, const BatchSettings& settings) : dataset_(dataset), settings_(settings) {
    require(settings.batch_size > 0 && settings.gradient_accumulation > 0, Fault::usage, "batches.size",
            "batch_size is {} and gradient_accumulation {}; expected at least 1", settings.batch_size,
            settings.gradient_accumulation);
    require(dataset.size() > 0, Fault::usage, "batches.no_rows", "a dataset without rows has no batches");
  }

  EpochPlan epoch(Index epoch) const { return EpochPlan(dataset_, settings_, epoch); }
  Index steps_per_epoch(Index epoch) const { return this->epoch(epoch).steps(); }

  // The shapes that the first steps of a run meet (all steps of its epochs without a limit), each in every number at
  // most as large as none of the others: what a plan must try to know the run's peak.
  std::vector<BatchShape> largest_shapes(Index epochs, Index max_steps) const {
    std::vector<BatchShape> largest;
    for (Index e = 0, done = 0; e < epochs && done < max_steps; ++e) {
      const EpochPlan plan = epoch(e);
      for (Index s = 0; s < plan.steps() && done < max_steps; ++s, ++done)
        for (const BatchShape& shape : plan.shapes(s)) keep_if_large(largest, shape);
      const bool same_each_epoch = settings_.shuffle == Shuffle::off;
      if (same_each_epoch) break;
    }
    return largest;
  }

 private:
  const Dataset& dataset_;
  BatchSettings settings_;
};

}  // namespace temper
