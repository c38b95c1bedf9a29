// SPDX-License-Identifier: MIT
// International bank account numbers (ISO 13616): a country, two check digits, and as many letters and digits as that
// country has; the whole, with its first four behind the rest and letters as 10 to 35, is 1 modulo 97.
#pragma once
#include <cstddef>
#include <string_view>

namespace temper {

class Iban {
 public:
  // How many bytes the number takes that begins at 'at', with single spaces between its parts; 0 if there is none.
  static std::size_t length(std::string_view text, std::size_t at) {
    const std::size_t wanted = size_of(text.substr(at, 2));
    if (wanted == 0) return 0;
    char compact[largest];
    std::size_t count = 0, i = at;
    while (i < text.size() && count < wanted) {
      const char c = text[i];
      const bool is_gap = c == ' ' && count > 0 && text[i - 1] != ' ';
      if (!is_gap && !is_digit(c) && !is_capital(c)) return 0;
      if (!is_gap) compact[count++] = c;
      ++i;
    }
    if (count < wanted || !is_digit(compact[2]) || !is_digit(compact[3])) return 0;
    if (i < text.size() && (is_digit(text[i]) || is_capital(text[i]))) return 0;
    return remainder({compact, count}) == 1 ? i - at : 0;
  }

 private:
  static constexpr std::size_t largest = 34;
  static constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
  static constexpr bool is_capital(char c) { return c >= 'A' && c <= 'Z'; }

  static unsigned remainder(std::string_view compact) {
    unsigned rest = 0;
    for (std::size_t i = 0; i < compact.size(); ++i) {
      const char c = compact[(i + 4) % compact.size()];
      rest = is_digit(c) ? (rest * 10 + static_cast<unsigned>(c - '0')) % 97
                         : (rest * 100 + static_cast<unsigned>(c - 'A') + 10) % 97;
    }
    return rest;
  }

  // Country and length, one behind the other.
  static std::size_t size_of(std::string_view country) {
    static constexpr std::string_view sizes =
        "AD24AE23AL28AT20AZ28BA20BE16BG22BH22BR29BY28CH21CR22CY28CZ24DE22DK18DO28EE20EG29ES24FI18FO18FR27GB22GE22GI23"
        "GL18GR27GT28HR21HU28IE22IL23IQ23IS26IT27JO30KW30KZ20LB28LC32LI21LT20LU20LV21LY25MC27MD24ME22MK19MR27MT31MU30"
        "NL18NO15PK24PL28PS29PT25QA29RO24RS22SA24SC31SE24SI19SK24SM27ST25SV28TL23TN24TR26UA29VA22VG24XK20";
    if (country.size() != 2) return 0;
    for (std::size_t i = 0; i < sizes.size(); i += 4)
      if (sizes.substr(i, 2) == country)
        return static_cast<std::size_t>(sizes[i + 2] - '0') * 10 + static_cast<std::size_t>(sizes[i + 3] - '0');
    return 0;
  }
};

}  // namespace temper
