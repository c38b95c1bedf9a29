// SPDX-License-Identifier: MIT
// Findings about conversations, by row: roles that templates do not know, such as 'human' in 'messages', and answers in
// which nothing is said. A role that the template itself names is none of these.
#pragma once
#include "temper/data/report/finding.hpp"
#include "temper/data/sample.hpp"
#include "temper/io/printable.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace temper {

class MessageFindings {
 public:
  void see(const Sample& sample, const std::string& place) {
    std::vector<std::string> roles;
    bool is_empty = false;
    const auto look = [&](const Json& messages, std::size_t first) {
      for (std::size_t i = first; i < messages.size(); ++i) {
        const std::string role = role_of(messages[i]);
        if (!is_usual(role) && roles.size() < most_roles && std::find(roles.begin(), roles.end(), role) == roles.end())
          roles.push_back(role);
        is_empty = is_empty || (role == "assistant" && says_nothing(messages[i]));
      }
    };
    look(sample.messages, 0);
    look(sample.rejected, sample.first_answer);
    if (is_empty) empty_.add(place);
    if (roles.empty()) return;
    // So that rows of ever new names take bounded memory, those beyond some are counted with the last ones.
    auto found = unusual_.find(roles);
    if (found == unusual_.end() && unusual_.size() >= most_kinds) found = std::prev(unusual_.end());
    FoundPlaces& places = found == unusual_.end() ? unusual_[roles] : found->second;
    places.add(fmt::format("{} ('{}')", place, printable(roles[0], 40)));
  }

  void add_findings(std::vector<Finding>& findings, std::string_view chat_template) const {
    Finding finding{"roles_unusual", Severity::warning, 0, {}, ""};
    std::set<std::string> names;
    for (const auto& [roles, places] : unusual_) {
      std::vector<std::string> unknown;
      for (const std::string& role : roles)
        if (!is_named(chat_template, role)) unknown.push_back(role);
      if (unknown.empty()) continue;
      names.insert(unknown.begin(), unknown.end());
      finding.count += places.count();
      for (const std::string& place : places.first())
        if (finding.places.size() < max_finding_places) finding.places.push_back(place);
    }
    if (finding.count > 0) {
      finding.sentence = sentence_of(finding.count, names);
      findings.push_back(std::move(finding));
    }
    if (empty_.count() > 0)
      findings.push_back({"answers_empty", Severity::warning, empty_.count(), empty_.first(),
                          fmt::format("{} {} an answer that is empty or white space, of which a model learns to say "
                                      "nothing; complete or remove {}",
                                      empty_.count(), empty_.count() == 1 ? "row has" : "rows have",
                                      empty_.count() == 1 ? "it" : "them")});
  }

 private:
  static constexpr std::size_t most_roles = 4, most_kinds = 64, most_named = 4;

  static std::string role_of(const Json& message) {
    const auto role = message.is_object() ? message.find("role") : message.end();
    return message.is_object() && role != message.end() && role->is_string() ? role->get<std::string>() : std::string();
  }

  static bool is_usual(std::string_view role) {
    static constexpr std::string_view usual[] = {"system",  "user",     "assistant",   "tool",     "developer",
                                                 "ipython", "function", "environment", "document", "control"};
    return std::find(std::begin(usual), std::end(usual), role) != std::end(usual);
  }
  // Does the template speak of this role, as a string of its own?
  static bool is_named(std::string_view chat_template, const std::string& role) {
    return chat_template.find("'" + role + "'") != std::string_view::npos ||
           chat_template.find("\"" + role + "\"") != std::string_view::npos;
  }

  static bool is_blank(std::string_view text) {
    return text.find_first_not_of(" \t\n\r\f\v") == std::string_view::npos;
  }
  static bool is_blank(const Json& content) {
    if (content.is_null()) return true;
    if (const auto* text = content.get_ptr<const Json::string_t*>()) return is_blank(std::string_view(*text));
    return content.is_array() && std::all_of(content.begin(), content.end(), [](const Json& part) {
             const auto text = part.is_object() ? part.find("text") : part.end();
             const Json* const said = part.is_object() ? (text == part.end() ? nullptr : &*text) : &part;
             const auto* const words = said ? said->get_ptr<const Json::string_t*>() : nullptr;
             return words != nullptr && is_blank(std::string_view(*words));  // what is no text is something
           });
  }
  // A call of a tool, or thoughts, are an answer too.
  static bool says_nothing(const Json& message) {
    for (const auto& [key, value] : message.items()) {
      if (key == "content" || key == "reasoning_content" || key == "thinking") {
        if (!is_blank(value)) return false;
      } else if ((key == "tool_calls" || key == "function_call") && !value.empty()) {
        return false;
      }
    }
    return true;
  }

  static std::string sentence_of(Index count, const std::set<std::string>& names) {
    static constexpr std::string_view sharegpt[] = {"human", "gpt", "observation"};
    std::string shown;
    std::size_t said = 0;
    bool is_sharegpt = false;
    for (const std::string& name : names) {
      is_sharegpt = is_sharegpt || std::find(std::begin(sharegpt), std::end(sharegpt), name) != std::end(sharegpt);
      if (said++ < most_named) shown += fmt::format("{}'{}'", shown.empty() ? "" : ", ", printable(name, 40));
    }
    if (said > most_named) shown += fmt::format(" and {} more", said - most_named);
    return fmt::format(
        "{} messages of unusual roles ({}): a template may write them anyhow, and only what 'assistant' says is an "
        "answer; name them system, user, assistant or tool{}",
        count == 1 ? "1 row has" : fmt::format("{} rows have", count), shown,
        is_sharegpt ? ", or write ShareGPT's own fields, 'conversations' with 'from' and 'value', in which human is "
                      "read as user, gpt as assistant and observation as tool"
                    : "");
  }

  std::map<std::vector<std::string>, FoundPlaces> unusual_;  // by the first unusual roles of a row
  FoundPlaces empty_;
};

}  // namespace temper
