// SPDX-License-Identifier: MIT
// Numbers about every supervised token of a run's rows that do not change while it trains, such as what a reference
// says: read once, kept in a file of the run's folder, and put into each batch from there. A file that is not this
// run's, or not whole, is made anew.
#pragma once
#include <filesystem>
#include <functional>
#include <memory>
#include <vector>

#include "engine.hpp"
#include "run_data.hpp"

namespace temper_cli {

enum class Split { train, validation };
inline constexpr Split both_splits[] = {Split::train, Split::validation};
constexpr std::string_view name_of(Split split) { return split == Split::train ? "train" : "validation"; }

// Which of a cache's places are a row's: one for each of its supervised tokens.
class RowPlaces {
 public:
  explicit RowPlaces(const temper::Dataset& rows);

  Index begin(Index row) const { return begins_[static_cast<std::size_t>(row)]; }
  Index end(Index row) const { return begins_[static_cast<std::size_t>(row) + 1]; }
  Index count() const { return begins_.back(); }

 private:
  std::vector<Index> begins_{0};
};

class RowCache {
 public:
  virtual ~RowCache() = default;

  virtual std::string_view file_name() const = 0;
  virtual std::size_t bytes() const = 0;  // of the file

  // Makes the file, or finds it made: before the run's model is in memory (false: a signal came, and it is not made),
  // or once it is there.
  virtual bool before_start(const std::filesystem::path& file, const Json& inputs, Reporter& reporter);
  virtual void after_start(Engine& engine, RunData& data, const std::filesystem::path& file, const Json& inputs,
                           Reporter& reporter);
  // The batch with what is known of it, where all of it is; good until the next call.
  virtual temper::HostBatch host(const temper::MicroBatch& batch, Split split) = 0;

  // What making the file needs before the run's model is in memory: planned, and used.
  virtual const temper::Plan* plan() const { return nullptr; }
  virtual std::size_t measured_bytes() const { return 0; }

  // For a plan: the file, and how many tokens are read for it, and not read again.
  Json json(const RunData& data) const;

 protected:
  // Those of the rows that the run comes to in its first epoch, and of its validation rows.
  virtual Index tokens_read(const RunData& data) const;
};

// Null where the recipe asks for none.
std::unique_ptr<RowCache> open_row_cache(const Recipe& recipe, const RunData& data, Index vocabulary);
std::unique_ptr<RowCache> open_reference_cache(const Recipe& recipe, const RunData& data);
std::unique_ptr<RowCache> open_teacher_cache(const Recipe& recipe, const RunData& data, Index vocabulary);

Index tokens_of(const temper::Dataset& rows);

// Reads a file that may be there. False: it is not there, or not what it should be, which is said together with what
// then happens.
bool read_if_sound(const std::filesystem::path& file, Reporter& reporter, std::string_view otherwise,
                   const std::function<void()>& read);

// The tokens and labels of all rows, in their order.
std::string hash_of_rows(const RunData& data);

// Visits each micro-batch of a run's rows once; false: a signal came, and not all were visited.
bool over_rows_once(RunData& data, const std::function<void(Split, const temper::MicroBatch&)>& visit);

inline temper::HostBatch host_of(RowCache* cache, const temper::MicroBatch& batch, Split split) {
  return cache ? cache->host(batch, split) : batch.host();
}

}  // namespace temper_cli
