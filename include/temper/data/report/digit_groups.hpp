// SPDX-License-Identifier: MIT
// Digits in groups, and whether they look like a payment card (a known prefix and length, and Luhn's checksum) or a
// telephone number (+ or 00 and 8 to 15 digits; a leading 0 or the American grouping, with separators).
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace temper {

class DigitGroups {
 public:
  enum class Kind { none, card, phone };

  // The groups that begin with the digit at 'at'; a sign or parenthesis before it belongs to them.
  static DigitGroups read(std::string_view text, std::size_t at) {
    DigitGroups found;
    found.begin_ = at;
    const bool opened = at > 0 && text[at - 1] == '(';
    if (opened) --found.begin_;
    found.plus_ = found.begin_ > 0 && text[found.begin_ - 1] == '+';
    if (found.plus_) --found.begin_;
    found.beside_word_ = found.begin_ > 0 && (is_word(text[found.begin_ - 1]) || text[found.begin_ - 1] == '.');
    std::size_t i = at;
    while (true) {
      const std::size_t group = i;
      for (; i < text.size() && is_digit(text[i]); ++i)
        if (found.count_ < most)
          found.digits_[found.count_++] = static_cast<std::uint8_t>(text[i] - '0');
        else
          found.too_long_ = true;
      if (found.groups_ < most_groups) found.sizes_[found.groups_++] = i - group;
      found.end_ = i;
      const std::size_t gap = separator(text, i, found);
      if (gap == 0 || found.too_long_) break;
      i += gap;
    }
    found.beside_word_ = found.beside_word_ || (found.end_ < text.size() && is_word(text[found.end_]));
    return found;
  }

  std::size_t begin() const { return begin_; }
  std::size_t end() const { return end_; }

  Kind kind() const {
    if (too_long_ || beside_word_) return Kind::none;
    if (is_card()) return Kind::card;
    return is_phone() ? Kind::phone : Kind::none;
  }

 private:
  static constexpr std::size_t most = 24, most_groups = 12;

  static constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
  static constexpr bool is_word(char c) {
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
  }

  // One of ' ', '-', '.', '/', or a parenthesis with a space beside it, if a digit follows; its bytes.
  static std::size_t separator(std::string_view text, std::size_t at, DigitGroups& found) {
    std::size_t size = 0;
    const auto take = [&](char c) {
      if (at + size >= text.size() || text[at + size] != c) return false;
      ++size;
      return true;
    };
    bool any = false;
    if (take(')')) found.parenthesis_ = any = true;
    if (take(' '))
      found.spaces_ = any = true;
    else if (take('-'))
      found.hyphens_ = any = true;
    else if (take('.'))
      found.dots_ = any = true;
    else if (take('/'))
      found.slashes_ = any = true;
    if (take('(')) found.parenthesis_ = any = true;
    return any && at + size < text.size() && is_digit(text[at + size]) ? size : 0;
  }

  std::uint64_t prefix(std::size_t digits) const {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < digits; ++i) value = value * 10 + digits_[i];
    return value;
  }

  bool is_card() const {
    if (count_ < 13 || count_ > 19 || plus_ || dots_ || slashes_ || parenthesis_ || (spaces_ && hyphens_)) return false;
    for (std::size_t group = 0; groups_ > 1 && group < groups_; ++group)
      if (sizes_[group] < 2 || sizes_[group] > 7) return false;
    const std::uint64_t two = prefix(2), four = prefix(4);
    const auto within = [](std::uint64_t value, std::uint64_t low, std::uint64_t high) {
      return value >= low && value <= high;
    };
    const bool known = (digits_[0] == 4 && (count_ == 13 || count_ == 16 || count_ == 19)) ||
                       ((within(two, 51, 55) || within(four, 2221, 2720)) && count_ == 16) ||
                       ((two == 34 || two == 37) && count_ == 15) ||
                       ((four == 6011 || two == 62 || two == 64 || two == 65 || two == 35) && count_ >= 16) ||
                       ((two == 36 || two == 38 || two == 30) && count_ >= 14);
    if (!known) return false;
    unsigned sum = 0;
    for (std::size_t i = 0; i < count_; ++i) {
      const unsigned digit = digits_[count_ - 1 - i];
      sum += i % 2 == 0 ? digit : digit * 2 > 9 ? digit * 2 - 9 : digit * 2;
    }
    return sum % 10 == 0;
  }

  bool is_phone() const {
    if (plus_) return count_ >= 8 && count_ <= 15 && digits_[0] != 0;
    if (groups_ < 2) return false;
    if (count_ >= 11 && count_ <= 17 && digits_[0] == 0 && digits_[1] == 0 && digits_[2] != 0 && sizes_[0] >= 2)
      return true;
    if (count_ == 10 && groups_ == 3 && sizes_[0] == 3 && sizes_[1] == 3 && !slashes_) return digits_[0] >= 2;
    if (count_ == 11 && groups_ == 4 && sizes_[0] == 1 && sizes_[1] == 3 && sizes_[2] == 3 && !slashes_)
      return digits_[0] == 1 && digits_[1] >= 2;
    // A number with its trunk prefix. With two kinds of separators a short first group is rather a date.
    const int kinds = (spaces_ ? 1 : 0) + (hyphens_ ? 1 : 0) + (dots_ ? 1 : 0) + (slashes_ ? 1 : 0);
    const bool is_date = kinds > 1 && sizes_[0] < 3;
    return count_ >= 9 && count_ <= 12 && digits_[0] == 0 && digits_[1] != 0 && sizes_[0] >= 2 && !is_date;
  }

  std::size_t begin_ = 0, end_ = 0, count_ = 0, groups_ = 0;
  std::array<std::uint8_t, most> digits_{};
  std::array<std::size_t, most_groups> sizes_{};
  bool plus_ = false, spaces_ = false, hyphens_ = false, dots_ = false, slashes_ = false, parenthesis_ = false;
  bool too_long_ = false, beside_word_ = false;
};

}  // namespace temper
