// SPDX-License-Identifier: MIT
// The labels of a classification: which problem they state, the sorted set of their names, and each row's label as
// class numbers or as a value. Labels that are all integers are sorted as numbers, others as text (by their bytes).
#pragma once
#include "temper/data/data_settings.hpp"
#include "temper/data/sample.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace temper {

// A field's value as a label; none if it cannot be one.
inline std::optional<LabelValue> label_of(const Json& value) {
  constexpr std::uint64_t beyond = std::uint64_t{1} << 62;
  using Kind = LabelValue::Kind;
  LabelValue label;
  if (value.is_string()) {
    label.kind = Kind::name;
    label.name = value.get<std::string>();
  } else if (value.is_number_integer() && !(value.is_number_unsigned() && value.get<std::uint64_t>() > beyond)) {
    label.kind = Kind::integer;
    label.integer = value.get<Index>();
    label.number = static_cast<double>(label.integer);
    label.name = std::to_string(label.integer);
  } else if (value.is_number_float() && std::isfinite(value.get<double>())) {
    label.kind = Kind::number;
    label.number = value.get<double>();
    label.name = value.dump();
  } else if (value.is_array()) {
    label.kind = Kind::names;
    for (const Json& name : value) {
      if (!name.is_string() && !name.is_number_integer()) return std::nullopt;
      label.names.push_back(name.is_string() ? name.get<std::string>() : name.dump());
    }
  }
  return label.kind == Kind::none ? std::nullopt : std::optional(std::move(label));
}

// Collects every label with its place, then decides for all together.
class LabelSet {
 public:
  Problem problem() const { return problem_; }
  const std::vector<std::string>& names() const { return names_; }  // of the classes, sorted; none for regression

  // Outputs of a head that tells them: a score for each class, or the one value.
  Index outputs() const { return problem_ == Problem::regression ? 1 : std::ssize(names_); }
  // What each output is held against.
  std::vector<double> targets(const std::vector<Index>& classes, double value) const {
    if (problem_ == Problem::regression) return {value};
    std::vector<double> targets(names_.size(), 0);
    for (const Index index : classes) targets.at(static_cast<std::size_t>(index)) = 1;
    return targets;
  }

  // All labels of a dataset, each with what says where it stands. 'asked' is what the caller says the problem is.
  template <class Place>
  static LabelSet of(const std::vector<LabelValue*>& labels, Problem asked, const Place& place) {
    LabelSet set;
    read_cells(labels, asked);
    set.problem_ = asked == Problem::automatic ? decided(labels) : asked;
    for (std::size_t i = 0; i < labels.size(); ++i) set.require_kind(*labels[i], place(i));
    if (set.problem_ == Problem::regression) return set;
    std::vector<std::pair<Index, std::string>> sorted;
    set.integers_ = set.problem_ == Problem::single_label &&
                    std::all_of(labels.begin(), labels.end(),
                                [](const LabelValue* label) { return label->kind == LabelValue::Kind::integer; });
    for (std::size_t i = 0; i < labels.size(); ++i) {
      require(set.integers_ || labels[i]->kind != LabelValue::Kind::integer, Fault::data, "rows.label",
              "{}: label {} is an integer, others are text; expected one kind", place(i), labels[i]->integer);
      if (set.problem_ == Problem::multi_label) {
        for (const std::string& name : names_of(*labels[i])) sorted.emplace_back(0, name);
      } else {
        sorted.emplace_back(set.integers_ ? labels[i]->integer : 0, labels[i]->name);
      }
      if (sorted.size() > 2 * max_classes + labels.size()) unique(sorted);
    }
    unique(sorted);
    require(!sorted.empty(), Fault::data, "rows.label",
            "{}: no row has a label, from this one on; expected one at least", place(0));
    require(sorted.size() <= max_classes, Fault::data, "rows.label",
            "there are {} different labels; expected at most {}; is the field 'label' the right one?", sorted.size(),
            max_classes);
    for (auto& [number, name] : sorted) {
      set.names_.push_back(std::move(name));
      if (set.integers_) set.numbers_.push_back(number);
    }
    return set;
  }

  // The labels of further rows, which add none.
  template <class Place>
  void require_known(const std::vector<LabelValue*>& labels, const Place& place) const {
    read_cells(labels, problem_);
    for (std::size_t i = 0; i < labels.size(); ++i) {
      require_kind(*labels[i], place(i));
      if (problem_ == Problem::regression) continue;
      for (const std::string& name : names_of(*labels[i]))
        require(find(name) >= 0, Fault::data, "rows.label",
                "{}: label '{}' is in no training row; expected one of the {} labels that are trained", place(i),
                printable(name, 60), names_.size());
    }
  }

  // Class numbers, ascending, each once.
  std::vector<Index> classes(const LabelValue& label) const {
    std::vector<Index> classes;
    if (problem_ == Problem::regression) return classes;
    for (const std::string& name : names_of(label)) classes.push_back(find(name));
    std::sort(classes.begin(), classes.end());
    classes.erase(std::unique(classes.begin(), classes.end()), classes.end());
    return classes;
  }

  // What the file says for these classes, or for this value.
  Json shown(const std::vector<Index>& classes, double value) const {
    if (problem_ == Problem::regression) return value;
    const auto name = [&](Index index) { return names_.at(static_cast<std::size_t>(index)); };
    if (problem_ == Problem::single_label)
      return integers_ ? Json(numbers_.at(static_cast<std::size_t>(classes.at(0)))) : Json(name(classes.at(0)));
    Json names = Json::array();
    for (const Index index : classes) names.push_back(name(index));
    return names;
  }

 private:
  static constexpr std::size_t max_classes = 65536;

  static void unique(std::vector<std::pair<Index, std::string>>& names) {
    std::sort(names.begin(), names.end());
    names.erase(std::unique(names.begin(), names.end()), names.end());
  }

  static std::vector<std::string> names_of(const LabelValue& label) {
    return label.kind == LabelValue::Kind::names ? label.names : std::vector<std::string>{label.name};
  }

  // Cells of text are numbers when all of them are; where numbers are asked for, each that is one.
  static void read_cells(const std::vector<LabelValue*>& labels, Problem asked) {
    const auto read = [](const LabelValue& label, auto& number) {
      const char* const end = label.name.data() + label.name.size();
      const auto [stopped, error] = std::from_chars(label.name.data(), end, number);
      return error == std::errc() && stopped == end;
    };
    Index integer = 0;
    double number = 0;
    bool integers = true, numbers = true;
    for (const LabelValue* label : labels) {
      if (!label->from_text || label->kind != LabelValue::Kind::name) return;
      integers = integers && read(*label, integer) && std::to_string(integer) == label->name;
      numbers = numbers && read(*label, number) && std::isfinite(number);
    }
    if (asked == Problem::multi_label || !(integers || numbers || asked == Problem::regression)) return;
    for (LabelValue* label : labels) {
      if (!read(*label, label->number) || !std::isfinite(label->number)) continue;
      label->kind = integers ? LabelValue::Kind::integer : LabelValue::Kind::number;
      if (integers) read(*label, label->integer);
    }
  }

  static Problem decided(const std::vector<LabelValue*>& labels) {
    Problem problem = Problem::single_label;
    for (const LabelValue* label : labels) {
      if (label->kind == LabelValue::Kind::names) return Problem::multi_label;
      if (label->kind == LabelValue::Kind::number) problem = Problem::regression;
    }
    return problem;
  }

  void require_kind(const LabelValue& label, const std::string& place) const {
    using Kind = LabelValue::Kind;
    const Kind kind = label.kind;
    if (problem_ == Problem::single_label)
      require(kind == Kind::name || kind == Kind::integer, Fault::data, "rows.label",
              "{}: the label is {}; expected a string or an integer, for one class a row", place, said(label));
    if (problem_ == Problem::multi_label)
      require(kind == Kind::names, Fault::data, "rows.label", "{}: the label is {}; expected a list of names", place,
              said(label));
    if (problem_ == Problem::regression)
      require(kind == Kind::number || kind == Kind::integer, Fault::data, "rows.label",
              "{}: the label is {}; expected a number", place, said(label));
  }

  static std::string said(const LabelValue& label) {
    return label.kind == LabelValue::Kind::names ? std::string("a list") : "'" + printable(label.name, 60) + "'";
  }

  Index find(const std::string& name) const {
    if (integers_) {
      Index number = 0;
      const char* const end = name.data() + name.size();
      const auto [stopped, error] = std::from_chars(name.data(), end, number);
      const auto at = std::lower_bound(numbers_.begin(), numbers_.end(), number);
      return error != std::errc() || stopped != end || at == numbers_.end() || *at != number ? -1
                                                                                             : at - numbers_.begin();
    }
    const auto at = std::lower_bound(names_.begin(), names_.end(), name);
    return at == names_.end() || *at != name ? -1 : at - names_.begin();
  }

  Problem problem_ = Problem::automatic;
  bool integers_ = false;
  std::vector<std::string> names_;
  std::vector<Index> numbers_;  // of the names, where these are integers
};

}  // namespace temper
