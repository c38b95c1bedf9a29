// SPDX-License-Identifier: MIT
// What the config.json of a classifier or reward model says about its scores, as transformers'
// ForSequenceClassification reads it: architectures, num_labels, id2label, label2id, problem_type and pad_token_id. It
// has no key for scores of the mean over tokens: these folders say "temper_pooling": "mean", which only we honour.
#pragma once
#include <string>
#include <vector>

#include "temper/data/problem.hpp"
#include "temper/model/config.hpp"

namespace temper {

struct ScoreLabels {
  Problem problem = Problem::regression;
  std::vector<std::string> names = {"LABEL_0"};  // one for each output
  TokenId pad_token = 0;  // the last token that is not this one is classified: never null, and never the end of a text
  std::string pad_text = {};  // that token as the tokenizer writes it, for its own configuration; or nothing
  Pooling pooling = Pooling::last;

  Index outputs() const { return std::ssize(names); }
};

inline std::string_view problem_type(Problem problem) {
  return problem == Problem::regression    ? "regression"
         : problem == Problem::multi_label ? "multi_label_classification"
                                           : "single_label_classification";
}

inline std::string classifier_architecture(const std::string& model_type) {
  return (model_type == "llama"   ? "Llama"
          : model_type == "qwen2" ? "Qwen2"
          : model_type == "qwen3" ? "Qwen3"
                                  : "Mistral") +
         std::string("ForSequenceClassification");
}

// The base's configuration with these labels.
inline Json score_config(const Config& config, const ScoreLabels& labels) {
  Json json = config.json, names = Json::object(), numbers = Json::object();
  for (std::size_t i = 0; i < labels.names.size(); ++i) {
    names[std::to_string(i)] = labels.names[i];
    numbers[labels.names[i]] = i;
  }
  json["architectures"] = {classifier_architecture(config.model_type)};
  json["num_labels"] = labels.outputs();
  json["id2label"] = std::move(names);
  json["label2id"] = std::move(numbers);
  json["problem_type"] = problem_type(labels.problem);
  json["pad_token_id"] = labels.pad_token;
  json.erase("temper_pooling");
  if (labels.pooling != Pooling::last) json["temper_pooling"] = name_of(labels.pooling);
  return json;
}

// The labels that a classifier's config.json states; without any, transformers' own two.
inline std::vector<std::string> stated_labels(const Json& config, const std::string& path) {
  constexpr Index most = 65536;
  const ConfigReader reader(config, path);
  std::vector<std::string> names;
  if (const Json* stated = reader.find("id2label")) {
    require(stated->is_object() && std::ssize(*stated) <= most, Fault::data, "head.labels",
            "{}: id2label is {}; expected an object of up to {} labels by their numbers", path, shown_json(*stated),
            most);
    for (Index i = 0; i < std::ssize(*stated); ++i) {
      const auto at = stated->find(std::to_string(i));
      require(at != stated->end() && at->is_string(), Fault::data, "head.labels",
              "{}: id2label has {} labels but no name for {}; expected one for each number from 0 on", path,
              stated->size(), i);
      names.push_back(at->get<std::string>());
    }
    return names;
  }
  const Index count = reader.integer_or("num_labels", 2, 1, most);
  for (Index i = 0; i < count; ++i) names.push_back("LABEL_" + std::to_string(i));
  return names;
}

// Which state of a text a folder's scores are made of.
inline Pooling stated_pooling(const Json& config, const std::string& path) {
  const std::string pooling = ConfigReader(config, path).word_or("temper_pooling", "last");
  require(pooling == "last" || pooling == "mean", Fault::data, "head.pooling",
          "{}: temper_pooling is '{}'; expected last or mean; use the config.json that belongs to these weights", path,
          printable(pooling, 60));
  return pooling == "mean" ? Pooling::mean : Pooling::last;
}

// A head that was trained before has its labels already: the rows must have the same, in the same order. Labels that
// were never named, LABEL_0 and so on, are only counted.
inline void require_labels(const Json& config, const std::string& path, const ScoreLabels& labels) {
  const std::vector<std::string> stated = stated_labels(config, path);
  require(
      stated.size() == labels.names.size(), Fault::data, "head.labels",
      "{}: the score head has {} labels but the rows have {}; expected equally many; use rows with its labels, or a "
      "folder without a head",
      path, stated.size(), labels.names.size());
  bool named = false;
  for (std::size_t i = 0; i < stated.size(); ++i) named = named || stated[i] != "LABEL_" + std::to_string(i);
  for (std::size_t i = 0; named && i < stated.size(); ++i)
    require(
        stated[i] == labels.names[i], Fault::data, "head.labels",
        "{}: label {} of the score head is '{}' but '{}' in the rows; expected the same labels in the same order; use "
        "rows with its labels, or a folder without a head",
        path, i, printable(stated[i], 60), printable(labels.names[i], 60));
  const Pooling pooling = stated_pooling(config, path);
  require(pooling == labels.pooling, Fault::data, "head.pooling",
          "{}: the score head reads the {} of a text's states but is to be trained on the {}; expected them to agree; "
          "set objective.pooling",
          path, name_of(pooling), name_of(labels.pooling));
  const std::string problem = ConfigReader(config, path).word_or("problem_type", "");
  require(problem.empty() || problem == problem_type(labels.problem), Fault::data, "head.problem",
          "{}: problem_type is '{}' but the rows are trained as {}; expected them to agree; set objective.problem",
          path, printable(problem, 60), problem_type(labels.problem));
}

// Whether a folder's own weights are a classifier's, whatever their config.json leaves out.
inline bool is_classifier(const Json& config) {
  const auto architectures = config.find("architectures");
  if (architectures == config.end() || !architectures->is_array()) return false;
  for (const Json& name : *architectures)
    if (name.is_string() && name.get_ref<const std::string&>().ends_with("ForSequenceClassification")) return true;
  return false;
}

}  // namespace temper
