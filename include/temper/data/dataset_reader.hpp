// SPDX-License-Identifier: MIT
// Files to datasets, in one pass: a row is read, becomes tokens, and is forgotten, so that memory holds tokens and not
// text (but for conversations whose messages stand in rows of their own). Everything that was cut or dropped is counted
// and placed. A row without a token to learn is dropped, never trained on; a dataset without rows is an error.
#pragma once
#include "temper/data/dataset.hpp"
#include "temper/data/open_rows.hpp"
#include "temper/data/overlap.hpp"
#include "temper/data/report/row_observer.hpp"

#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace temper {

class DatasetReader {
 public:
  DatasetReader(const DataSettings& settings, const Tokenizer& tokenizer, RowOpener open = open_rows,
                RowObserver* observer = nullptr)
      : settings_(settings), tokenizer_(settings, tokenizer), open_(std::move(open)), observer_(observer) {
    require(settings.max_length >= 2, Fault::usage, "rows.max_length", "max_length is {}; expected at least 2",
            settings.max_length);
    require(settings.validation_fraction >= 0 && settings.validation_fraction < 1, Fault::usage, "rows.fraction",
            "the validation fraction is {}; expected 0 or more, and less than 1", settings.validation_fraction);
  }

  DatasetPair read() {
    const Index limit = settings_.max_samples ? std::max<Index>(*settings_.max_samples, 0) : no_limit;
    std::vector<SampleTokens> train = read_files(settings_.train, limit), held_out;
    const std::vector<std::string> train_files = shown_paths(settings_.train);
    DatasetPair pair;
    if (format_ == RowFormat::classification)
      pair.train.labels = LabelSet::of(labels_of(train), settings_.problem, Places{train, train_files});
    if (settings_.validation_fraction > 0) held_out = split(train);
    fill(pair.train, train, train_files, Side::training);
    require(
        pair.train.size() > 0, Fault::data, "rows.none", "{}: no row is left to train on ({} dropped{}); {}",
        settings_.train.empty() ? std::string("data") : shown_path(settings_.train[0]), pair.train.dropped.size(),
        listed(pair.train.dropped, 5),
        "expected an answer (of role assistant, in messages) or a text to learn, within max_length, in at least one "
        "row; look at the rows, or raise max_length");
    pair.validation.labels = pair.train.labels;
    if (settings_.validation_fraction > 0) {
      fill(pair.validation, held_out, train_files, Side::validation);
    } else if (!settings_.validation.empty()) {
      read_validation(pair);
    }
    const bool wanted = settings_.validation_fraction > 0 || !settings_.validation.empty();
    require(!wanted || pair.validation.size() > 0, Fault::data, "rows.none",
            "no validation row is left ({} dropped{}); expected at least one", pair.validation.dropped.size(),
            listed(pair.validation.dropped, 5));
    pair.overlap = OverlapSearch::between(pair.train, pair.validation);
    return pair;
  }

 private:
  static constexpr Index no_limit = std::numeric_limits<Index>::max();

  static std::string listed(const std::vector<std::string>& places, std::size_t limit) {
    std::string text;
    for (std::size_t i = 0; i < std::min(places.size(), limit); ++i) text += (i == 0 ? ": " : ", ") + places[i];
    return places.size() > limit ? text + fmt::format(" and {} more", places.size() - limit) : text;
  }
  static std::vector<std::string> shown_paths(const std::vector<std::filesystem::path>& paths) {
    std::vector<std::string> shown;
    shown.reserve(paths.size());
    for (const auto& path : paths) shown.push_back(shown_path(path));
    return shown;
  }
  static std::vector<LabelValue*> labels_of(const std::vector<SampleTokens>& samples) {
    std::vector<LabelValue*> labels;
    labels.reserve(samples.size());
    for (const SampleTokens& sample : samples) labels.push_back(&sample.more->label);
    return labels;
  }
  struct Places {
    const std::vector<SampleTokens>& samples;
    const std::vector<std::string>& files;
    std::string operator()(std::size_t i) const {
      return fmt::format("{}:{}", files[static_cast<std::size_t>(samples[i].file)], samples[i].line);
    }
  };

  void read_validation(DatasetPair& pair) {
    const RowFormat trained = format_;
    std::vector<SampleTokens> samples = read_files(settings_.validation, no_limit);
    const std::vector<std::string> files = shown_paths(settings_.validation);
    const auto is_special = [](RowFormat format) {
      return format == RowFormat::preference || format == RowFormat::classification || format == RowFormat::prompt;
    };
    require(format_ == trained || (!is_special(format_) && !is_special(trained)), Fault::data, "rows.formats_differ",
            "{}: has {} rows but {} has {} rows; expected the same to validate on", files[0], name_of(format_),
            shown_path(settings_.train[0]), name_of(trained));
    if (format_ == RowFormat::classification)
      pair.validation.labels.require_known(labels_of(samples), Places{samples, files});
    fill(pair.validation, samples, files, Side::validation);
  }

  // A conversation whose messages are rows of their own: it can be finished when all files were read.
  struct Parts {
    Sample sample;
    Index number, file;
  };

  // All files of a list have one format, since they are one dataset. Samples beyond 'limit' are read, to be sure that
  // they are right, and not kept.
  std::vector<SampleTokens> read_files(const std::vector<std::filesystem::path>& paths, Index limit) {
    const std::vector<std::string> wanted = RowFields::wanted_columns(settings_);
    format_ = settings_.format;
    decided_at_.clear();
    use_ = {};
    Index number = 0;
    std::vector<Parts> conversations;
    std::map<std::string, std::size_t> known;
    for (std::size_t file = 0; file < paths.size(); ++file) {
      const RowReader reader(settings_, paths[file]);
      const std::unique_ptr<RowSource> source = open_(paths[file], wanted);
      Record record;
      bool any = false;
      while (source->next(record)) {
        any = true;
        decide(reader, record);
        const auto at = static_cast<Index>(file);
        if (!reader.is_part(record, format_)) {
          Sample sample = about_columns(record, reader, [&] { return reader.sample(record, format_); });
          if (number++ < limit) add(std::move(sample), number, at, reader);
          continue;
        }
        const std::string id = about_columns(record, reader, [&] { return reader.conversation_of(record); });
        const auto [entry, fresh] = known.emplace(id, conversations.size());
        if (fresh) conversations.push_back({{}, ++number, at});
        Sample& conversation = conversations[entry->second].sample;
        about_columns(record, reader, [&] { reader.add_part(conversation, record); });
      }
      require(any, Fault::data, "rows.empty_file", "{}: has no rows; expected one at least", shown_path(paths[file]));
    }
    reader_columns(paths).require_columns(use_);
    for (Parts& parts : conversations) {
      if (parts.number > limit) break;
      const RowReader reader(settings_, paths[static_cast<std::size_t>(parts.file)]);
      reader.finish_parts(parts.sample);
      add(std::move(parts.sample), parts.number, parts.file, reader);
    }
    std::vector<SampleTokens> samples = tokenizer_.take();
    if (!conversations.empty())
      std::sort(samples.begin(), samples.end(), [](const auto& a, const auto& b) { return a.number < b.number; });
    refuse_unlearned(samples, shown_paths(paths));
    return samples;
  }

  RowFields reader_columns(const std::vector<std::filesystem::path>& paths) const {
    return RowFields(settings_, paths.empty() ? std::filesystem::path() : paths[0]);
  }

  void add(Sample sample, Index number, Index file, const RowReader& reader) {
    SampleTokens tokens;
    tokens.number = number;
    tokens.file = file;
    tokens.line = sample.line;
    std::string place = reader.place(sample.line);
    if (observer_) observer_->see(sample, place);
    tokenizer_.add(std::move(sample), std::move(tokens), std::move(place), format_);
  }

  // A row that cannot be read because of a column that is nowhere is the caller's mistake.
  template <class Work>
  auto about_columns(const Record& record, const RowReader& reader, const Work& work) -> decltype(work()) {
    reader.fields().note_columns(record, use_);
    try {
      return work();
    } catch (const Error& error) {
      if (error.code() == "rows.missing_field" || error.code() == "rows.format") reader.fields().require_columns(use_);
      throw;
    }
  }

  // Nothing where a row only lacks fields of the format that those before it have: reading it says which. A field of
  // another format is not passed over: what it holds would not be learned.
  std::optional<RowFormat> found_format(const RowReader& reader, const Record& record) {
    const auto lacks = [&] {
      return !decided_at_.empty() && format_ != RowFormat::chat && reader.has_none_but_those_of(record, format_);
    };
    try {
      const RowFormat found = about_columns(record, reader, [&] { return reader.format_of(record); });
      if (found != format_ && lacks()) return std::nullopt;
      return found;
    } catch (const Error& error) {
      if (error.code() != "rows.format" || !lacks()) throw;
      return std::nullopt;
    }
  }

  void decide(const RowReader& reader, const Record& record) {
    if (settings_.format == RowFormat::automatic) {
      const std::optional<RowFormat> found = found_format(reader, record);
      if (!found) return;
      if (decided_at_.empty()) format_ = *found;
      if (found != format_)
        fail(Fault::data, "rows.formats_differ", "{}: is a row of format {} but {} is {}; {}",
             reader.place(record.line), name_of(*found), decided_at_, name_of(format_),
             "expected one format; set 'format' or split the files");
    }
    if (!decided_at_.empty()) return;
    decided_at_ = reader.place(record.line);
    const auto& accepted = settings_.accepted;
    if (accepted.empty() || std::find(accepted.begin(), accepted.end(), format_) != accepted.end()) return;
    std::string names;
    for (const RowFormat format : accepted) names += (names.empty() ? "" : ", ") + std::string(name_of(format));
    fail(Fault::usage, "rows.format_of_task",
         "{}: is a row of format {}, which this task cannot train on; expected {}; {}", decided_at_, name_of(format_),
         names, "set 'format', or train with the task that such rows are for");
  }

  // round(f n) samples, at least one, by seed alone; both parts stay in file order.
  std::vector<SampleTokens> split(std::vector<SampleTokens>& samples) const {
    const Index count = std::ssize(samples);
    const Index taken = std::max<Index>(
        1, static_cast<Index>(std::llround(settings_.validation_fraction * static_cast<double>(count))));
    require(taken < count, Fault::data, "rows.fraction",
            "{}: a validation fraction of {} takes {} of {} rows; expected some left to train on; take a smaller one",
            settings_.train.empty() ? std::string("data") : shown_path(settings_.train[0]),
            settings_.validation_fraction, taken, count);
    const Permutation permutation(count, Random{settings_.seed, random_site("validation split"), 0});
    std::vector<std::uint8_t> held(samples.size(), 0);
    for (Index i = 0; i < taken; ++i) held[static_cast<std::size_t>(permutation[i])] = 1;
    std::vector<SampleTokens> kept, held_out;
    for (std::size_t i = 0; i < samples.size(); ++i) (held[i] ? held_out : kept).push_back(std::move(samples[i]));
    samples = std::move(kept);
    return held_out;
  }

  static void refuse_unlearned(const std::vector<SampleTokens>& samples, const std::vector<std::string>& files) {
    std::vector<std::string> unlearned;
    const Places place{samples, files};
    for (std::size_t i = 0; i < samples.size(); ++i)
      if (samples[i].unlearned_end()) unlearned.push_back(place(i));
    require(unlearned.empty(), Fault::data, "rows.end_unlearned",
            "the chat template's generation block ends before the token that ends the turn, so that the model would "
            "never learn to stop (rows{}); {}",
            listed(unlearned, 1000),
            "expected the end token inside the block; move {% endgeneration %} behind it, or set train_on to 'all'");
  }

  // Empties the samples into the dataset.
  void fill(Dataset& dataset, std::vector<SampleTokens>& samples, const std::vector<std::string>& files,
            Side side) const {
    dataset.format = format_;
    dataset.files = files;
    const Places place{samples, files};
    for (std::size_t i = 0; i < samples.size(); ++i) {
      SampleTokens& sample = samples[i];
      dataset.truncated += sample.truncated();
      if (observer_) observer_->see(side, sample, format_, files[static_cast<std::size_t>(sample.file)]);
      if (sample.is_dropped(format_)) {
        dataset.dropped.push_back(place(i));
        continue;
      }
      TokenRow& first = sample.first;
      const bool truncated = sample.truncated();
      if (format_ == RowFormat::preference) {
        TokenRow& rejected = sample.more->rejected;
        dataset.preferences.push_back({{std::move(first.tokens), std::move(first.labels)},
                                       {std::move(rejected.tokens), std::move(rejected.labels)},
                                       sample.number,
                                       sample.file,
                                       sample.line,
                                       truncated});
      } else if (format_ == RowFormat::classification) {
        const LabelValue& label = sample.more->label;
        dataset.classifications.push_back({std::move(first.tokens), dataset.labels.classes(label), label.number,
                                           sample.number, sample.file, sample.line, truncated});
      } else if (format_ == RowFormat::prompt) {
        dataset.prompts.push_back({std::move(first.tokens), std::move(sample.more->expected), sample.number,
                                   sample.file, sample.line, false});
      } else {
        dataset.rows.push_back(
            {std::move(first.tokens), std::move(first.labels), sample.number, sample.file, sample.line, truncated});
      }
    }
    samples.clear();
  }

  const DataSettings& settings_;
  RowTokenizer tokenizer_;
  RowOpener open_;
  RowObserver* observer_;
  RowFormat format_ = RowFormat::text;
  std::string decided_at_;
  ColumnUse use_;
};

// 'open' says which kinds of files there are: open_all_rows of the component tables, or by default those of text.
// 'observer' sees every row on the way.
inline DatasetPair load_rows(const DataSettings& settings, const Tokenizer& tokenizer,
                             const RowOpener& open = open_rows, RowObserver* observer = nullptr) {
  return DatasetReader(settings, tokenizer, open, observer).read();
}

}  // namespace temper
