// SPDX-License-Identifier: MIT
#include "reward_source.hpp"

#include <charconv>
#include <cmath>

#include "reward_program.hpp"
#include "temper/data/text_pattern.hpp"
#include "temper/data/utf8.hpp"
#include "temper/io/json.hpp"

namespace temper_cli {
namespace {

using temper::Fault;

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view space = " \t\r\n";
  const std::size_t begin = text.find_first_not_of(space);
  return begin == std::string_view::npos ? std::string_view()
                                         : text.substr(begin, text.find_last_not_of(space) - begin + 1);
}

// A rule that looks at one answer at a time.
template <class Rule>
class ByAnswer final : public RewardSource {
 public:
  explicit ByAnswer(Rule rule) : rule_(std::move(rule)) {}
  std::vector<double> rewards(std::span<const ScoredAnswer> answers) override {
    std::vector<double> all;
    for (const ScoredAnswer& answer : answers) all.push_back(rule_(answer));
    return all;
  }

 private:
  Rule rule_;
};
template <class Rule>
std::unique_ptr<RewardSource> by_answer(Rule rule) {
  return std::make_unique<ByAnswer<Rule>>(std::move(rule));
}

std::unique_ptr<RewardSource> exact_match() {
  return by_answer([](const ScoredAnswer& answer) {
    temper::require(
        !trimmed(answer.expected).empty(), Fault::data, "reward.nothing_expected",
        "the row of prompt '{}' does not say which answer is right; expected a field 'completion' with rule "
        "exact_match",
        temper::printable(answer.prompt));
    return trimmed(answer.response) == trimmed(answer.expected) ? 1.0 : 0.0;
  });
}

temper::TextPattern pattern_of(std::string_view text) {
  try {
    temper::require(text.size() <= temper::TextPattern::max_pattern_bytes && temper::invalid_utf8(text) == text.size(),
                    Fault::usage, "reward.rule", "the pattern is too long or no text; expected a regular expression");
    return temper::TextPattern::pcre(text);
  } catch (const temper::Error&) {
    temper::fail(Fault::usage, "reward.rule",
                 "objective.reward_rule: '{}' cannot be read as a pattern; expected a regular expression of PCRE2",
                 temper::printable(text));
  }
}

std::unique_ptr<RewardSource> matches(std::string_view text) {
  return by_answer([pattern = pattern_of(text)](const ScoredAnswer& answer) {
    if (temper::invalid_utf8(answer.response) != answer.response.size()) return 0.0;
    temper::PatternScratch scratch;
    bool found = false;
    pattern.for_each(answer.response, scratch, [&](temper::Index, temper::Index) { found = true; });
    return found ? 1.0 : 0.0;
  });
}

std::unique_ptr<RewardSource> length(std::string_view text) {
  temper::Index wanted = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), wanted);
  temper::require(error == std::errc() && stop == text.data() + text.size() && wanted > 0, Fault::usage, "reward.rule",
                  "objective.reward_rule: length '{}' is no number of tokens; expected length:N with N above 0",
                  temper::printable(text));
  return by_answer([wanted = static_cast<double>(wanted)](const ScoredAnswer& answer) {
    return -std::abs(static_cast<double>(answer.tokens) - wanted) / wanted;
  });
}

class ByProgram final : public RewardSource {
 public:
  ByProgram(std::string command, std::chrono::milliseconds limit) : program_(std::move(command), limit) {}
  std::vector<double> rewards(std::span<const ScoredAnswer> answers) override {
    std::vector<std::string> lines;
    for (const ScoredAnswer& answer : answers) {
      temper::Json line{{"prompt", std::string(answer.prompt)}, {"response", std::string(answer.response)}};
      if (!answer.expected.empty()) line["expected"] = std::string(answer.expected);
      line["tokens"] = answer.tokens;
      line["stopped"] = answer.stopped;
      lines.push_back(line.dump(-1, ' ', false, temper::Json::error_handler_t::replace));
    }
    return program_.ask(lines);
  }

 private:
  RewardProgram program_;
};

}  // namespace

std::unique_ptr<RewardSource> open_reward_rule(std::string_view rule) {
  constexpr std::string_view regex = "regex:", tokens = "length:";
  if (rule == "exact_match") return exact_match();
  if (rule.starts_with(regex)) return matches(rule.substr(regex.size()));
  if (rule.starts_with(tokens)) return length(rule.substr(tokens.size()));
  temper::fail(Fault::usage, "reward.rule",
               "objective.reward_rule: '{}' is not known; expected exact_match, regex:PATTERN or length:N",
               temper::printable(rule));
}

std::unique_ptr<RewardSource> open_reward_command(std::string command, std::chrono::milliseconds limit) {
  return std::make_unique<ByProgram>(std::move(command), limit);
}

}  // namespace temper_cli
