// SPDX-License-Identifier: MIT
#include "row_cache.hpp"

#include "signals.hpp"
#include "temper/io/hash.hpp"

namespace temper_cli {

RowPlaces::RowPlaces(const temper::Dataset& rows) {
  for (std::size_t row = 0; row < rows.size(); ++row) {
    Index count = 0;
    rows.for_each_sequence(static_cast<Index>(row), [&](const auto&, const auto& labels) {
      for (std::size_t i = 1; i < labels.size(); ++i) count += labels[i] != 0;
    });
    begins_.push_back(begins_.back() + count);
  }
}

bool RowCache::before_start(const std::filesystem::path&, const Json&, Reporter&) { return true; }
void RowCache::after_start(Engine&, RunData&, const std::filesystem::path&, const Json&, Reporter&) {}

Index RowCache::tokens_read(const RunData& data) const {
  return data.first_epoch_tokens() + tokens_of(data.validation());
}

Json RowCache::json(const RunData& data) const {
  return {{"file", file_name()},
          {"bytes", bytes()},
          {"tokens", tokens_read(data)},
          {"saved_tokens", data.tokens() - data.first_epoch_tokens()}};
}

std::unique_ptr<RowCache> open_row_cache(const Recipe& recipe, const RunData& data, Index vocabulary) {
  if (recipe.is("task", "dpo") && recipe.boolean("objective.cache_reference"))
    return open_reference_cache(recipe, data);
  if (recipe.is("task", "distillation") && recipe.has("objective.cache_teacher"))
    return open_teacher_cache(recipe, data, vocabulary);
  return nullptr;
}

Index tokens_of(const temper::Dataset& rows) {
  Index count = 0;
  for (std::size_t row = 0; row < rows.size(); ++row)
    rows.for_each_sequence(static_cast<Index>(row),
                           [&](const auto& tokens, const auto&) { count += std::ssize(tokens); });
  return count;
}

bool read_if_sound(const std::filesystem::path& file, Reporter& reporter, std::string_view otherwise,
                   const std::function<void()>& read) {
  std::error_code error;
  if (!std::filesystem::exists(std::filesystem::symlink_status(file, error))) return false;
  try {
    read();
    return true;
  } catch (const temper::Error& wrong) {
    reporter.warn(fmt::format("{}; {}", sentence_of(wrong), otherwise));
    return false;
  }
}

std::string hash_of_rows(const RunData& data) {
  temper::Sha256 hash;
  const auto add = [&](const auto& values) {
    const auto size = static_cast<std::uint64_t>(values.size());
    hash.add(std::as_bytes(std::span(&size, 1)));
    hash.add(std::as_bytes(std::span(values)));
  };
  for (const temper::Dataset* rows : {&data.train(), &data.validation()}) {
    const auto count = static_cast<std::uint64_t>(rows->size());
    hash.add(std::as_bytes(std::span(&count, 1)));
    for (std::size_t row = 0; row < rows->size(); ++row)
      rows->for_each_sequence(static_cast<Index>(row), [&](const auto& tokens, const auto& labels) {
        add(tokens);
        add(labels);
      });
  }
  return hash.finish();
}

bool over_rows_once(RunData& data, const std::function<void(Split, const temper::MicroBatch&)>& visit) {
  for (Index step = 0; step < data.first_epoch_steps(); ++step)
    for (const temper::MicroBatch& batch : data.step(step)) {
      if (SignalWatch::caught() != 0) return false;
      visit(Split::train, batch);
    }
  if (data.validation().size() == 0) return true;
  const temper::EpochPlan plan = data.validation_plan();
  for (Index step = 0; step < plan.steps(); ++step)
    for (const temper::MicroBatch& batch : plan.step(step)) {
      if (SignalWatch::caught() != 0) return false;
      visit(Split::validation, batch);
    }
  return true;
}

}  // namespace temper_cli
