// SPDX-License-Identifier: MIT
// What a scan finds in a text, and, as important, what it leaves alone.
#include "temper/data/report/text_scan.hpp"
#include <doctest/doctest.h>

#include <ctime>
#include <string>
#include <vector>

namespace temper::text_scan_test {

std::vector<std::string> personal_in(std::string_view text) {
  std::vector<std::string> found;
  TextScan::over(
      text, [](Unusual, char32_t) {},
      [&](Personal kind, const std::string& masked) {
        found.push_back(std::string(personal_names[static_cast<std::size_t>(kind)]) + " " + masked);
      });
  return found;
}
std::vector<std::string> unusual_in(std::string_view text) {
  std::vector<std::string> found;
  TextScan::over(
      text,
      [&](Unusual kind, char32_t character) {
        found.push_back(fmt::format("{} {:X}", unusual_names[static_cast<std::size_t>(kind)],
                                    static_cast<std::uint32_t>(character)));
      },
      [](Personal, const std::string&) {});
  return found;
}
using Found = std::vector<std::string>;

TEST_CASE("text scan: e-mail addresses are found and masked") {
  CHECK(personal_in("write to jane.doe+x@mail.example.org, please") == Found{"email_addresses j***@***.org"});
  CHECK(personal_in("<a@b.co>") == Found{"email_addresses a***@***.co"});
  for (const char* text :
       {"@", "a@", "@b.com", "a@b", "a@b.c", "a@.com", "@user said", "f(x) @ g", "a@b.1x", "a.@b.org"})
    CHECK_MESSAGE(personal_in(text).empty(), text);
}

TEST_CASE("text scan: telephone numbers need a sign, a trunk prefix or a known grouping") {
  CHECK(personal_in("call +49 30 1234567 now") == Found{"phone_numbers +4***67"});
  for (const char* text : {"(212) 555-0187", "212-555-0187", "1-212-555-0187", "0171/2345678", "+1 (212) 555 0187",
                           "030 1234 5678", "0044 20 7946 0958", "tel:+442079460958."})
    CHECK_MESSAGE(personal_in(text).size() == 1, text);
  for (const char* text :
       {"2024-01-15 10", "01.02.2024 12:30", "01/02/2024 11 22", "3.14159265358979", "1234567890", "192.168.100.200",
        "1,000,000,000", "0.123456789", "id_0171-2345678", "+12", "0171 2345678x"})
    CHECK_MESSAGE(personal_in(text).empty(), text);
}

TEST_CASE("text scan: card numbers have the prefix, the length and the checksum of one") {
  CHECK(personal_in("4111 1111 1111 1111") == Found{"card_numbers ***1111"});
  for (const char* text : {"4111111111111111", "5500-0000-0000-0004", "378282246310005", "6011111111111117"})
    CHECK_MESSAGE(personal_in(text).size() == 1, text);
  for (const char* text : {"4111111111111112", "1111111111111117", "41111111111111111", "4111 1111-1111 1111",
                           "4111111111111111000000000000000000000000", "x4111111111111111"})
    CHECK_MESSAGE(personal_in(text).empty(), text);
}

TEST_CASE("text scan: bank accounts have their country's length and the checksum") {
  CHECK(personal_in("to DE89 3704 0044 0532 0130 00, soon") == Found{"bank_accounts DE***00"});
  for (const char* text : {"GB82WEST12345698765432", "FR14 2004 1010 0505 0001 3M02 606", "NO93 8601 1117 947"})
    CHECK_MESSAGE(personal_in(text).size() == 1, text);
  for (const char* text : {"DE88370400440532013000", "XX89370400440532013000", "ADE89370400440532013000", "DE89",
                           "DE893704004405320130001"})
    CHECK_MESSAGE(personal_in(text).empty(), text);
}

TEST_CASE("text scan: unusual characters are told apart") {
  CHECK(unusual_in(std::string_view("a\x1b[1m\0b", 7)) == Found{"control_characters 1B", "control_characters 0"});
  CHECK(unusual_in("a\xc2\x85") == Found{"control_characters 85"});
  CHECK(unusual_in("a\xef\xbf\xbd") == Found{"replacement_characters FFFD"});
  CHECK(unusual_in("\xee\x80\x80\xf4\x80\x80\x80") ==
        Found{"private_use_characters E000", "private_use_characters 100000"});
  CHECK(unusual_in("a\xe2\x80\xae") == Found{"direction_overrides 202E"});
  CHECK(unusual_in("a\xe2\x80\x8b\xef\xbb\xbf") == Found{"invisible_characters 200B", "invisible_characters FEFF"});
  CHECK(unusual_in("a\xe2\x80\x8d") == Found{"invisible_characters 200D"});
}

TEST_CASE("text scan: what people write in any script is left alone") {
  // Tab and line ends; accents, quotes, CJK, full width; an emoji family with joiners; Persian with a non-joiner.
  CHECK(unusual_in("a\tb\r\n\xc3\xa9 \xe2\x80\x99 \xe4\xb8\xad \xef\xbc\x81").empty());
  CHECK(unusual_in("\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x91\xa7").empty());
  CHECK(unusual_in("\xd9\x85\xdb\x8c\xe2\x80\x8c\xd8\xae").empty());
}

TEST_CASE("text scan: hostile text takes linear time") {
  const std::clock_t began = std::clock();  // processor time: other programs may be busy, too
  for (const char* part : {"@", "a@", "1", "1-", "+1 ", "DE11", ".", "a.@a."}) {
    std::string text;
    while (text.size() < 1000000) text += part;
    personal_in(text);
  }
  CHECK((std::clock() - began) / CLOCKS_PER_SEC < 5);
}

}  // namespace temper::text_scan_test
