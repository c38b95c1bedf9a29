// SPDX-License-Identifier: MIT
// From what was counted to findings: which counts are worth a word, how grave they are, and what to do about them.
#pragma once
#include "temper/data/report/exact_duplicates.hpp"
#include "temper/data/report/label_balance.hpp"
#include "temper/data/report/lengths.hpp"
#include "temper/data/report/near_duplicates.hpp"
#include "temper/data/report/preference_pairs.hpp"
#include "temper/data/report/turn_ends.hpp"
#include "temper/io/printable.hpp"

#include <string>
#include <utility>
#include <vector>

namespace temper {

struct ReportFindings {
  std::vector<Finding> all;

  void on_size(Index rows) {
    if (rows < 100)
      add("few_rows", Severity::warning, rows,
          fmt::format("{} training {} few: what is learned is mostly these rows themselves; "
                      "collect 100 at least, better 1,000",
                      rows, rows == 1 ? "row is" : "rows are"));
    else if (rows < 1000)
      add("few_rows", Severity::note, rows,
          fmt::format("{} training rows; 1,000 and more are advised for anything but a style", rows));
  }

  void on_lengths(const LengthReport& lengths, const FoundPlaces& cut) {
    if (cut.count() == 0) return;
    const bool grave = 100 * lengths.cut >= lengths.rows && lengths.cut > 0;
    const std::string advice = lengths.advised > lengths.max_length
                                   ? fmt::format("raise max_length to {}, or split them", lengths.advised)
                                   : std::string("shorten or split them if their ends matter");
    add("rows_cut", grave ? Severity::warning : Severity::note, cut,
        fmt::format("{} are longer than max_length {} and lose their end; {}", rows_of(cut.count()), lengths.max_length,
                    advice));
  }

  void on_dropped(const DatasetPair& data) {
    FoundPlaces places;
    for (const Dataset* side : {&data.train, &data.validation})
      for (const std::string& place : side->dropped) places.add(place);
    const bool prompts = data.train.format == RowFormat::prompt;
    add("rows_dropped", Severity::warning, places,
        fmt::format("{} {} and are dropped; complete them, or raise max_length", rows_of(places.count()),
                    prompts ? "have a prompt that is empty or longer than max_length"
                            : "have no token to learn (an empty answer, or cut before it)"));
  }

  void on_ends(const DatasetPair& data, const Tokenizer& tokenizer) {
    TurnEnds ends(tokenizer);
    Index rows = 0;
    for (const Dataset* side : {&data.train, &data.validation}) {
      rows += static_cast<Index>(side->size());
      for (std::size_t i = 0; i < side->size(); ++i) ends.see(*side, view_of(*side, i));
    }
    const Index open = ends.without_end().count();
    if (!ends.has_end())
      add("no_end_token", Severity::warning, rows,
          "the tokenizer names no end token, so nothing teaches the model to stop; set eos_token in "
          "tokenizer_config.json");
    if (open > 0)
      add("end_unlearned", 100 * open >= rows || open > ends.cut() ? Severity::warning : Severity::note,
          ends.without_end(),
          fmt::format(
              "{} {} no end token{}, and of such rows a model learns to go on for ever; {}", rows_of(open),
              open == 1 ? "teaches" : "teach",
              ends.cut() == 0 ? std::string() : fmt::format(" ({} because they were cut)", ends.cut()),
              ends.cut() == open ? "raise max_length" : "let the template write eos_token inside what is learned"));
    if (ends.other_end().count() > 0 && ends.has_end())
      add("other_end", Severity::note, ends.other_end(),
          fmt::format("{} teach '{}' as their end, which is no end token of the tokenizer; make it eos_token, or "
                      "stop generation at it",
                      rows_of(ends.other_end().count()), printable(ends.other_token(), 60)));
    add("begin_twice", Severity::warning, ends.begun_twice(),
        fmt::format("{} begin with two begin tokens, which the model never sees later; take one out of the template or "
                    "the text",
                    rows_of(ends.begun_twice().count())));
  }

  // How many rows equal an earlier one, and how many nearly do.
  std::pair<Index, Index> on_duplicates(const Dataset& train) {
    const std::vector<std::size_t> firsts = ExactDuplicates::firsts(train);
    FoundPlaces equal, near;
    for (std::size_t i = 0; i < firsts.size(); ++i)
      if (firsts[i] != i) equal.add(twins(train, i, firsts[i], "equals"));
    for (const NearDuplicates::Pair& pair : NearDuplicates::among(train, firsts))
      near.add(twins(train, pair.row, pair.earlier, "is nearly"));
    const auto rows = static_cast<Index>(train.size());
    add("rows_equal", 10 * equal.count() > rows ? Severity::warning : Severity::note, equal,
        fmt::format("{} ({:.1f} %) equal an earlier one and weigh as much again; remove them, or lower epochs",
                    rows_of(equal.count()), percent(equal.count(), rows)));
    add("rows_nearly_equal", Severity::note, near,
        fmt::format("{} ({:.1f} %) are nearly an earlier one (an estimate); look whether they add anything",
                    rows_of(near.count()), percent(near.count(), rows)));
    return {equal.count(), near.count()};
  }

  void on_overlap(const DatasetPair& data) {
    if (data.overlap.rows == 0) return;
    Finding& finding =
        add("validation_overlap", Severity::warning, data.overlap.rows,
            fmt::format("{} of {} validation rows are trained on too, so the validation loss is too good; remove them "
                        "from one side",
                        data.overlap.rows, data.validation.size()));
    for (const auto& [held, known] : data.overlap.places)
      finding.places.push_back(fmt::format("{} equals {}", held, known));
  }

  void on_classes(const std::vector<ClassCount>& classes) {
    if (classes.size() < 2) return;
    const ClassCount &most = classes.front(), &least = classes.back();
    if (most.rows <= 10 * least.rows) return;
    add("classes_unbalanced", Severity::warning, least.rows,
        fmt::format("class '{}' has {} training rows, '{}' has {}: more than 10 to 1, so the rare one is hardly "
                    "learned; add rows of it, or judge by more than accuracy",
                    printable(most.name, 60), most.rows, printable(least.name, 60), least.rows));
  }

  void on_pairs(const PairReport& pairs) {
    add("sides_equal", Severity::warning, pairs.equal,
        fmt::format("{} prefer nothing: chosen and rejected are equal, perhaps because both were cut; remove them",
                    rows_of(pairs.equal.count())));
    if (!pairs.is_biased()) return;
    const bool chosen = pairs.chosen_longer > pairs.rejected_longer;
    const Index longer = chosen ? pairs.chosen_longer : pairs.rejected_longer;
    add("length_bias", Severity::warning, longer,
        fmt::format("in {:.0f} % of the pairs the {} side is the longer one ({:.1f} tokens against {:.1f} in the "
                    "mean), so length may be what is learned; balance it, or choose a loss that divides by length",
                    percent(longer, pairs.pairs), chosen ? "chosen" : "rejected",
                    chosen ? pairs.chosen_mean : pairs.rejected_mean,
                    chosen ? pairs.rejected_mean : pairs.chosen_mean));
  }

 private:
  static std::string rows_of(Index count) { return fmt::format("{} {}", count, count == 1 ? "row" : "rows"); }

  static std::string twins(const Dataset& train, std::size_t row, std::size_t earlier, std::string_view relation) {
    return fmt::format("{} {} {}", train.place(view_of(train, row)), relation, train.place(view_of(train, earlier)));
  }

  Finding& add(std::string_view code, Severity severity, Index count, std::string sentence) {
    return all.emplace_back(Finding{code, severity, count, {}, std::move(sentence)});
  }
  void add(std::string_view code, Severity severity, const FoundPlaces& places, std::string sentence) {
    if (places.count() > 0) all.push_back({code, severity, places.count(), places.first(), std::move(sentence)});
  }
};

}  // namespace temper
