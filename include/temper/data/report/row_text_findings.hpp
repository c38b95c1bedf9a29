// SPDX-License-Identifier: MIT
// Findings about the texts of rows: unusual characters and what looks like personal data, each kind once, by row.
#pragma once
#include "temper/data/report/finding.hpp"
#include "temper/data/report/sample_texts.hpp"
#include "temper/data/report/text_scan.hpp"

#include <array>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace temper {

class RowTextFindings {
 public:
  void see(const Sample& sample, const std::string& place) {
    std::array<std::optional<char32_t>, unusual_kinds> characters;
    std::array<std::string, personal_kinds> masked;
    bool any = false;
    SampleTexts::each(sample, [&](const std::string& text) {
      TextScan::over(
          text,
          [&](Unusual kind, char32_t character) {
            any = true;
            auto& first = characters[static_cast<std::size_t>(kind)];
            if (!first) first = character;
          },
          [&](Personal kind, std::string shown) {
            any = true;
            std::string& first = masked[static_cast<std::size_t>(kind)];
            if (first.empty()) first = std::move(shown);
          });
    });
    if (!any) return;
    for (std::size_t kind = 0; kind < unusual_kinds; ++kind)
      if (characters[kind])
        unusual_[kind].add(fmt::format("{} (U+{:04X})", place, static_cast<std::uint32_t>(*characters[kind])));
    for (std::size_t kind = 0; kind < personal_kinds; ++kind)
      if (!masked[kind].empty()) personal_[kind].add(fmt::format("{} ({})", place, masked[kind]));
  }

  void add_findings(std::vector<Finding>& findings) const {
    for (const Personal kind : {Personal::email, Personal::phone, Personal::card, Personal::iban}) {
      const auto at = static_cast<std::size_t>(kind);
      add(findings, personal_names[at], Severity::warning, personal_[at], personal_sentence(kind));
    }
    for (const Unusual kind :
         {Unusual::control, Unusual::replacement, Unusual::private_use, Unusual::direction, Unusual::no_width}) {
      const auto at = static_cast<std::size_t>(kind);
      const bool is_note = kind == Unusual::private_use || kind == Unusual::no_width;
      add(findings, unusual_names[at], is_note ? Severity::note : Severity::warning, unusual_[at],
          unusual_sentence(kind));
    }
  }

 private:
  static void add(std::vector<Finding>& findings, std::string_view code, Severity severity, const FoundPlaces& places,
                  std::string_view sentence) {
    if (places.count() == 0) return;
    findings.push_back(
        {code, severity, places.count(), places.first(),
         fmt::format("{} {} {}", places.count(), places.count() == 1 ? "row has" : "rows have", sentence)});
  }
  static std::string_view personal_sentence(Personal kind) {
    switch (kind) {
      case Personal::email:
        return "what looks like an e-mail address, which the model may repeat; remove or replace it";
      case Personal::phone:
        return "what looks like a telephone number, which the model may repeat; remove or replace it";
      case Personal::card:
        return "what looks like a payment card's number (its checksum is right); remove it";
      case Personal::iban:
        return "what looks like a bank account's number (its checksum is right); remove it";
    }
    return "";
  }
  static std::string_view unusual_sentence(Unusual kind) {
    switch (kind) {
      case Unusual::control:
        return "control characters, left by a terminal or a binary file; remove them";
      case Unusual::replacement:
        return "U+FFFD, which a wrong decoding left in place of what was written; decode the source again";
      case Unusual::private_use:
        return "characters of private use, which mean something in one font alone; replace them";
      case Unusual::direction:
        return "marks that turn the direction of text and can hide what it says; remove them";
      case Unusual::no_width:
        return "characters that cannot be seen (zero width, tags), which split words into other tokens; remove them";
      case Unusual::none:
        break;
    }
    return "";
  }

  std::array<FoundPlaces, unusual_kinds> unusual_;
  std::array<FoundPlaces, personal_kinds> personal_;
};

}  // namespace temper
