// SPDX-License-Identifier: MIT
// A recipe that has been read and checked: every key has its value, given or default, and every path is absolute. All
// mistakes of a recipe are collected, so that one run of the program shows them all.
#pragma once
#include <filesystem>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "recipe_table.hpp"
#include "temper/io/json.hpp"
#include "temper/storage/merged_codes.hpp"

namespace temper_cli {

using temper::Index;
using temper::Json;

// The mistakes of a recipe, in the order of its text, one a line, each without the leading 'temper: '.
class RecipeError : public std::runtime_error {
 public:
  explicit RecipeError(std::vector<std::string> lines);
  const std::vector<std::string>& lines() const { return lines_; }

 private:
  std::vector<std::string> lines_;
};

// Where a value came from.
struct Origin {
  enum class Source { file, command_line, fallback } source = Source::fallback;
  temper::Place place{};
  bool sound = true;  // false: the value was refused, and the default stands in for it
  int stage = 0;      // of a recipe of stages: the one that says it, counted from 1; 0: what holds for all
};

struct Mistake {
  Origin origin;
  std::string key;
  std::string sentence;
};

// What it says, without who says it: to stand in a mistake or another message.
inline std::string sentence_of(const temper::Error& error) {
  return std::string(error.what()).substr(sizeof("temper: ") - 1);
}

// The words that a recipe may use: those that this version trains with, or, to look at rows alone, all of the
// contract's.
enum class Words { built, all };

// Where a recipe stands in a file: the objects of its text that hold its keys, the last one winning. A recipe alone has
// one, the text itself; one stage of several has what is shared and its own.
struct RecipeText {
  const std::filesystem::path& file;
  const temper::LocatedJson& located;
  std::vector<std::string> objects = {""};  // JSON pointers
  std::vector<std::string> passed_over{};   // keys that are somebody else's to read: 'stages', 'adapter.from'
  int stage = 0;                            // counted from 1; 0: a recipe alone
  std::map<std::string, Json> settled{};    // what is known beforehand
};

// Files of recipes are read up to this many bytes.
inline constexpr std::size_t largest_recipe = std::size_t{4} << 20;

// The text of a recipe, whatever it holds.
temper::LocatedJson read_recipe_text(const std::filesystem::path& file);
bool has_stages(const Json& recipe);

// Says all of them, in the order of the text, each once.
[[noreturn]] void refuse_recipe(const std::filesystem::path& file, std::vector<Mistake> mistakes);

class Recipe {
 public:
  using Overrides = std::vector<std::string>;  // 'training.learning_rate=2e-4'

  // Throws RecipeError. 'file' is shown as it was given; '--set' paths are relative to the working directory.
  static Recipe read(const std::filesystem::path& file, const Overrides& overrides, Words words = Words::built);
  // Appends to 'mistakes' instead; where there are any, what is returned is not to be used for more than looking.
  static Recipe read(const RecipeText& text, const Overrides& overrides, Words words, std::vector<Mistake>& mistakes);

  const Json& value(KeyPath key) const { return at(key.path); }
  bool has(KeyPath key) const { return !at(key.path).is_null(); }
  bool boolean(KeyPath key) const { return at(key.path).get<bool>(); }
  double number(KeyPath key) const { return at(key.path).get<double>(); }
  Index integer(KeyPath key) const { return at(key.path).get<Index>(); }
  std::uint64_t seed() const { return at("training.seed").get<std::uint64_t>(); }
  std::string text(KeyPath key) const { return at(key.path).get<std::string>(); }
  std::filesystem::path path(KeyPath key) const { return text(key); }
  std::vector<std::string> texts(KeyPath key) const;  // a single string is a list of one
  bool is(KeyPath key, std::string_view word) const { return at(key.path) == word; }

  // Did the writer say it, or is it the default?
  bool given(KeyPath key) const { return origin(key.path).source != Origin::Source::fallback; }
  Origin origin_of(KeyPath key) const { return origin(key.path); }
  // Takes the place of a default that depends on more than the table, such as a learning rate.
  void settle(KeyPath key, Json value);

  // The model is yet to be made, by a stage before this one: 'model' names one of the same shapes and tokens, whose
  // weights will then be float32 numbers (but for what docs/command_line.md says of bf16 and of merged heads).
  bool model_is_to_come() const { return model_is_to_come_; }
  void expect_model() { model_is_to_come_ = true; }
  // 'model' is quantized, and adapters are yet to be folded into it: what it will then be held in, or nothing.
  const std::optional<temper::MergedCodes>& merged_into() const { return merged_into_; }
  void expect_merge(temper::MergedCodes into) { merged_into_ = into; }
  void arrive_model() { model_is_to_come_ = false, merged_into_.reset(); }

  // The recipe as it is run, every default in it.
  const Json& resolved() const { return resolved_; }
  const std::filesystem::path& file() const { return file_; }
  std::string task() const { return resolved_["task"].get<std::string>(); }

  // A mistake that shows only when the files have been looked at.
  [[noreturn]] void refuse(KeyPath key, const std::string& sentence) const;

 private:
  friend class RecipeReader;
  const Json& at(std::string_view path) const;
  Json& slot(std::string_view path);
  Origin origin(std::string_view path) const;

  bool model_is_to_come_ = false;
  std::optional<temper::MergedCodes> merged_into_;
  int stage_ = 0;
  std::filesystem::path file_;
  Json resolved_;
  std::map<std::string, Origin, std::less<>> origins_;
};

// Checks that look at more than one key, or at what lies on disk. Appends to 'mistakes'.
void check_recipe(const Recipe& recipe, std::vector<Mistake>& mistakes);

// The value of '--set key=TEXT' as the table types it; nullopt when the text is no such value.
std::optional<Json> parse_override(const Key& key, std::string_view text);

// What a value must be: 'an integer, 1 or more'.
std::string expectation(const Key& key);

// What is wrong with the value of a key, and what is expected; empty when all is well.
std::string complaint(const Key& key, const Json& value, Words words);

}  // namespace temper_cli
