// SPDX-License-Identifier: MIT
// The rows of a run: files to token rows, with everything that was cut or dropped counted and placed. A row without a
// token to learn is dropped, never trained on; a dataset without rows is an error.
#pragma once
#include "temper/data/order.hpp"
#include "temper/data/row_tokens.hpp"

#include <cmath>
#include <string>
#include <utility>
#include <vector>

namespace temper {

struct Row {
  std::vector<TokenId> tokens;
  std::vector<std::uint8_t> labels;  // 1: this token is predicted; never the first
  Index number = 1;                  // in its files, from 1, conversations grouped
  Index file = 0;                    // in Dataset::files
  Index line = 1;
  bool truncated = false;
};

struct Dataset {
  std::vector<Row> rows;  // in file order
  std::vector<std::string> files;
  RowFormat format = RowFormat::text;  // what 'auto' decided
  Index truncated = 0;
  std::vector<std::string> dropped;  // file:line of each

  std::string place(const Row& row) const {
    return fmt::format("{}:{}", files[static_cast<std::size_t>(row.file)], row.line);
  }
};

struct DatasetPair {
  Dataset train, validation;  // validation may be empty
};

class DatasetReader {
 public:
  DatasetReader(const DataSettings& settings, const Tokenizer& tokenizer)
      : settings_(settings), row_tokens_(settings, tokenizer) {
    require(settings.max_length >= 2, Fault::usage, "rows.max_length", "max_length is {}; expected at least 2",
            settings.max_length);
    require(settings.validation_fraction >= 0 && settings.validation_fraction < 1, Fault::usage, "rows.fraction",
            "the validation fraction is {}; expected 0 or more, and less than 1", settings.validation_fraction);
  }

  DatasetPair read() {
    std::vector<Placed> samples = read_files(settings_.train);
    if (settings_.max_samples && std::ssize(samples) > *settings_.max_samples)
      samples.resize(static_cast<std::size_t>(std::max<Index>(*settings_.max_samples, 0)));
    std::vector<Placed> held_out;
    if (settings_.validation_fraction > 0) held_out = split(samples);
    DatasetPair pair;
    pair.train = tokenized(samples, settings_.train);
    require(!pair.train.rows.empty(), Fault::data, "rows.none", "{}: no row is left to train on ({} dropped{}); {}",
            settings_.train.empty() ? std::string("data") : shown_path(settings_.train[0]), pair.train.dropped.size(),
            listed(pair.train.dropped, 5), "expected a token to learn within max_length in at least one row");
    if (settings_.validation_fraction > 0) {
      pair.validation = tokenized(held_out, settings_.train);
    } else if (!settings_.validation.empty()) {
      pair.validation = tokenized(read_files(settings_.validation), settings_.validation);
    }
    const bool wanted = settings_.validation_fraction > 0 || !settings_.validation.empty();
    require(!wanted || !pair.validation.rows.empty(), Fault::data, "rows.none",
            "no validation row is left ({} dropped{}); expected at least one", pair.validation.dropped.size(),
            listed(pair.validation.dropped, 5));
    return pair;
  }

 private:
  struct Placed {
    Sample sample;
    Index number, file;
  };

  static std::string listed(const std::vector<std::string>& places, std::size_t limit) {
    std::string text;
    for (std::size_t i = 0; i < std::min(places.size(), limit); ++i) text += (i == 0 ? ": " : ", ") + places[i];
    return places.size() > limit ? text + fmt::format(" and {} more", places.size() - limit) : text;
  }

  // All files of a list have one format, since they are one dataset.
  std::vector<Placed> read_files(const std::vector<std::filesystem::path>& paths) {
    std::vector<std::vector<Record>> files;
    RowFormat format = settings_.format;
    std::string decided_at;
    for (const auto& path : paths) {
      files.push_back(read_rows(path));
      if (settings_.format != RowFormat::automatic) continue;
      const RowReader reader(settings_, path);
      for (const Record& record : files.back()) {
        const RowFormat found = reader.format_of(record);
        if (decided_at.empty()) {
          format = found;
          decided_at = reader.place(record.line);
        }
        require(found == format, Fault::data, "rows.formats_differ", "{}: is a row of format {} but {} is {}; {}",
                reader.place(record.line), name_of(found), decided_at, name_of(format),
                "expected one format; set 'format' or split the files");
      }
    }
    format_ = format;
    std::vector<Placed> placed;
    for (std::size_t i = 0; i < files.size(); ++i)
      for (Sample& sample : RowReader(settings_, paths[i]).samples(std::move(files[i]), format))
        placed.push_back({std::move(sample), std::ssize(placed) + 1, static_cast<Index>(i)});
    return placed;
  }

  // round(f n) samples, at least one, by seed alone; both parts stay in file order.
  std::vector<Placed> split(std::vector<Placed>& samples) const {
    const Index count = std::ssize(samples);
    const Index taken = std::max<Index>(
        1, static_cast<Index>(std::llround(settings_.validation_fraction * static_cast<double>(count))));
    require(taken < count, Fault::data, "rows.fraction",
            "a validation fraction of {} takes {} of {} rows; expected some left to train on",
            settings_.validation_fraction, taken, count);
    const Permutation permutation(count, Random{settings_.seed, random_site("validation split"), 0});
    std::vector<std::uint8_t> held(samples.size(), 0);
    for (Index i = 0; i < taken; ++i) held[static_cast<std::size_t>(permutation[i])] = 1;
    std::vector<Placed> kept, held_out;
    for (std::size_t i = 0; i < samples.size(); ++i) (held[i] ? held_out : kept).push_back(std::move(samples[i]));
    samples = std::move(kept);
    return held_out;
  }

  Dataset tokenized(const std::vector<Placed>& samples, const std::vector<std::filesystem::path>& paths) {
    Dataset dataset;
    dataset.format = format_;
    for (const auto& path : paths) dataset.files.push_back(shown_path(path));
    std::vector<std::string> unlearned;
    for (const Placed& placed : samples) {
      Row row{{}, {}, placed.number, placed.file, placed.sample.line, false};
      TokenRow tokens = token_row(placed.sample, dataset.place(row));
      if (tokens.unlearned_end) unlearned.push_back(dataset.place(row));
      dataset.truncated += tokens.truncated;
      if (tokens.supervised() == 0) {
        dataset.dropped.push_back(dataset.place(row));
        continue;
      }
      row.tokens = std::move(tokens.tokens);
      row.labels = std::move(tokens.labels);
      row.truncated = tokens.truncated;
      dataset.rows.push_back(std::move(row));
    }
    require(unlearned.empty(), Fault::data, "rows.end_unlearned",
            "the chat template's generation block ends before the token that ends the turn, so that the model would "
            "never learn to stop (rows{}); {}",
            listed(unlearned, 1000),
            "expected the end token inside the block; move {% endgeneration %} behind it, or set train_on to 'all'");
    return dataset;
  }

  // What the template or the tokenizer says about a row gets the row's place.
  TokenRow token_row(const Sample& sample, const std::string& place) {
    try {
      return row_tokens_.row(sample);
    } catch (const Error& error) {
      constexpr std::string_view name = "temper: ";
      std::string_view sentence = error.what();
      if (sentence.starts_with(name)) sentence.remove_prefix(name.size());
      throw Error(error.fault(), error.code(), fmt::format("{}: {}", place, sentence));
    }
  }

  const DataSettings& settings_;
  RowTokens row_tokens_;
  RowFormat format_ = RowFormat::text;
};

inline DatasetPair load_rows(const DataSettings& settings, const Tokenizer& tokenizer) {
  return DatasetReader(settings, tokenizer).read();
}

}  // namespace temper
