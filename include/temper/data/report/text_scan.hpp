// SPDX-License-Identifier: MIT
// One pass over the bytes of a text: a table says which of them may begin something to report, and only there is
// anything looked at twice. Personal data is reported masked.
#pragma once
#include "temper/data/report/digit_groups.hpp"
#include "temper/data/report/email_address.hpp"
#include "temper/data/report/iban.hpp"
#include "temper/data/report/unusual_characters.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace temper {

enum class Personal : std::uint8_t { email, phone, card, iban };
inline constexpr std::size_t personal_kinds = 4;
inline constexpr std::array<std::string_view, personal_kinds> personal_names = {"email_addresses", "phone_numbers",
                                                                                "card_numbers", "bank_accounts"};

class TextScan {
 public:
  // Calls unusual(kind, character) and personal(kind, masked text) for each.
  template <class UseUnusual, class UsePersonal>
  static void over(std::string_view text, const UseUnusual& unusual, const UsePersonal& personal) {
    static const std::array<Trigger, 256> triggers = table();
    const auto trigger_at = [&](std::size_t i) { return triggers[static_cast<unsigned char>(text[i])]; };
    for (std::size_t i = 0; i < text.size();) {
      if (trigger_at(i) == Trigger::none) {
        ++i;
        continue;
      }
      switch (trigger_at(i)) {
        case Trigger::character: {
          const auto found = UnusualCharacters::at(text, i);
          if (found.kind != Unusual::none) unusual(found.kind, found.character);
          i += found.bytes;
          break;
        }
        case Trigger::at_sign: {
          const auto span = EmailAddress::around(text, i);
          if (span.begin < span.end)
            personal(Personal::email, masked_email(text.substr(span.begin, span.end - span.begin)));
          i = std::max(i + 1, span.end);
          break;
        }
        default:
          i = numbers(text, i, personal);
      }
    }
  }

 private:
  enum class Trigger : std::uint8_t { none, character, at_sign, digit };

  static constexpr std::array<Trigger, 256> table() {
    std::array<Trigger, 256> triggers{};
    for (std::size_t byte = 0; byte < 256; ++byte)
      triggers[byte] = byte == '@'                                                      ? Trigger::at_sign
                       : byte >= '0' && byte <= '9'                                     ? Trigger::digit
                       : UnusualCharacters::may_begin(static_cast<unsigned char>(byte)) ? Trigger::character
                                                                                        : Trigger::none;
    return triggers;
  }
  static constexpr bool is_capital(char c) { return c >= 'A' && c <= 'Z'; }
  static constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
  static constexpr bool is_word(char c) { return is_digit(c) || is_capital(c) || (c >= 'a' && c <= 'z'); }

  // From the first digit of a run; returns where the scan goes on.
  template <class UsePersonal>
  static std::size_t numbers(std::string_view text, std::size_t at, const UsePersonal& personal) {
    const bool after_country =
        at >= 2 && is_capital(text[at - 1]) && is_capital(text[at - 2]) && (at == 2 || !is_word(text[at - 3]));
    if (after_country) {
      if (const std::size_t size = Iban::length(text, at - 2); size > 0) {
        personal(Personal::iban, fmt::format("{}***{}", text.substr(at - 2, 2), text.substr(at + size - 4, 2)));
        return at + size - 2;
      }
    }
    const DigitGroups groups = DigitGroups::read(text, at);
    switch (groups.kind()) {
      case DigitGroups::Kind::card:
        personal(Personal::card, fmt::format("***{}", text.substr(groups.end() - 4, 4)));
        return groups.end();
      case DigitGroups::Kind::phone:
        personal(Personal::phone,
                 fmt::format("{}***{}", text.substr(groups.begin(), 2), text.substr(groups.end() - 2, 2)));
        return groups.end();
      case DigitGroups::Kind::none:
        break;
    }
    while (at < text.size() && is_digit(text[at])) ++at;  // what follows may begin with the next group
    return at;
  }

  // The first letter, and where the address is registered.
  static std::string masked_email(std::string_view address) {
    return fmt::format("{}***@***{}", address.substr(0, 1), address.substr(address.rfind('.')));
  }
};

}  // namespace temper
