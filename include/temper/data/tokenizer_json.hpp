// SPDX-License-Identifier: MIT
// tokenizer.json read in one pass: vocabulary and merges, which have hundreds of thousands of entries, go where they
// are used; the rest becomes a small JSON value.
#pragma once
#include "temper/data/bpe.hpp"
#include "temper/data/tokenizer_part.hpp"
#include "temper/data/vocabulary.hpp"
#include "temper/io/json.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace temper {

struct TokenizerFile {
  Json rest;  // everything but model.vocab and model.merges, which are null here
  Vocabulary vocabulary;
  BytePairModel::MergeTexts merges;
};

// Receives the events of json_events.hpp and passes on what it does not take.
class TokenizerFileReader final : public JsonEvents {
  enum class Taking { nothing, vocabulary, merges };
  static constexpr std::size_t max_merges = std::size_t{1} << 22;

  std::string_view source_;
  JsonBuilder rest_;
  TokenizerFile& file_;
  std::size_t depth_ = 0;  // of the objects and lists that are open
  bool in_model_ = false;
  Taking next_ = Taking::nothing;    // what the value after the last key is
  Taking taking_ = Taking::nothing;  // what is being read
  std::string key_;                  // a token, while its id is read
  std::vector<std::string> pair_;    // a merge that is written as a list

 public:
  TokenizerFileReader(std::string_view text, std::string_view source, const JsonOptions& options, TokenizerFile& file)
      : source_(source), rest_(text, source, options, nullptr), file_(file) {}

  Json take_rest() { return rest_.take(); }

  void begin_object(std::size_t offset) override {
    ++depth_;
    if (taking_ != Taking::nothing) wrong_shape();
    if (std::exchange(next_, Taking::nothing) == Taking::vocabulary) {
      taking_ = Taking::vocabulary;
      rest_.scalar(Json(nullptr), offset);
      return;
    }
    rest_.begin_object(offset);
  }

  void begin_array(std::size_t offset) override {
    ++depth_;
    if (taking_ == Taking::merges && depth_ == 4) {
      pair_.clear();
      return;
    }
    if (taking_ != Taking::nothing) wrong_shape();
    if (std::exchange(next_, Taking::nothing) == Taking::merges) {
      taking_ = Taking::merges;
      rest_.scalar(Json(nullptr), offset);
      return;
    }
    rest_.begin_array(offset);
  }

  void key(std::string& name, std::size_t offset) override {
    if (taking_ == Taking::vocabulary) {
      key_ = std::move(name);
      return;
    }
    if (depth_ == 1) in_model_ = name == "model";
    next_ = Taking::nothing;
    if (depth_ == 2 && in_model_) {
      if (name == "vocab") next_ = Taking::vocabulary;
      if (name == "merges") next_ = Taking::merges;
    }
    rest_.key(name, offset);
  }

  void scalar(Json&& value, std::size_t offset) override {
    if (taking_ == Taking::vocabulary) {
      if (!value.is_number_integer()) wrong_shape();
      const bool huge = value.is_number_unsigned() && value.get<std::uint64_t>() >> 63 != 0;
      file_.vocabulary.add(std::move(key_), huge ? INT64_MAX : value.get<std::int64_t>(), source_);
    } else if (taking_ == Taking::merges) {
      if (!value.is_string()) wrong_shape();
      std::string& text = value.get_ref<std::string&>();
      if (depth_ == 4)
        pair_.push_back(std::move(text));
      else if (!text.starts_with("#version"))
        add_written(text);
    } else {
      next_ = Taking::nothing;
      rest_.scalar(std::move(value), offset);
    }
  }

  void end_object() override {
    --depth_;
    if (taking_ == Taking::nothing) return rest_.end_object();
    taking_ = Taking::nothing;
  }

  void end_array() override {
    --depth_;
    if (taking_ == Taking::nothing) return rest_.end_array();
    if (depth_ == 3) {
      if (pair_.size() != 2) wrong_shape();
      add(std::move(pair_[0]), std::move(pair_[1]));
      return;
    }
    taking_ = Taking::nothing;
  }

 private:
  void add_written(std::string_view text) {
    const std::size_t space = text.find(' ');
    if (space == std::string_view::npos || text.find(' ', space + 1) != std::string_view::npos) wrong_shape();
    add(std::string(text.substr(0, space)), std::string(text.substr(space + 1)));
  }

  void add(std::string&& left, std::string&& right) {
    require(file_.merges.size() < max_merges, Fault::data, "tokenizer.too_large",
            "{}: model.merges has more than {} entries; expected fewer", printable(source_), max_merges);
    file_.merges.emplace_back(std::move(left), std::move(right));
  }

  [[noreturn]] void wrong_shape() const {
    if (taking_ == Taking::vocabulary)
      fail(Fault::data, "tokenizer.field", "{}: model.vocab: token '{}' has an id that is not a number; {}",
           printable(source_), printable(key_), "expected a number for each token; download the file again");
    fail(Fault::data, "tokenizer.field", "{}: model.merges: entry {} is neither 'a b' nor a pair of tokens; {}",
         printable(source_), file_.merges.size(), "expected merges of two tokens; download the file again");
  }
};

inline TokenizerFile read_tokenizer_json(std::string_view text, std::string_view source) {
  JsonOptions options;
  options.max_nodes = std::size_t{1} << 24;
  TokenizerFile file;
  TokenizerFileReader reader(text, source, options, file);
  read_json_events(text, source, options, reader);
  file.rest = reader.take_rest();
  require(file.rest.is_object(), Fault::data, "tokenizer.field", "{}: is {}; expected an object; {}", printable(source),
          file.rest.type_name(), TokenizerPart::advice());
  return file;
}

}  // namespace temper
