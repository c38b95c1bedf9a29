// SPDX-License-Identifier: MIT
// One row of JSON, fast: a pass that builds the value of well-formed text and gives up on everything else (a mistake, a
// number beyond 18 digits, an object of very many keys, deep nesting). Who gives up asks parse_json, which knows every
// case and every message; so both accept the same texts with the same values, and tests hold them to it.
#pragma once
#include "temper/io/json.hpp"

#include <bit>
#include <charconv>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace temper {

class JsonRowParser {
 public:
  // Whether 'text' is one value, then in 'into'; else nothing is said about it.
  bool parse(std::string_view text, Json& into) {
    at_ = text.data();
    end_ = at_ + text.size();
    members_.clear();
    skip_space();
    if (!value(into, 0)) return false;
    skip_space();
    return at_ == end_;
  }

 private:
  static constexpr int max_depth = 60;              // below that of JsonOptions
  static constexpr std::size_t max_members = 64;    // compared with each other
  static constexpr std::ptrdiff_t max_digits = 18;  // always within 64 bits

  void skip_space() {
    while (at_ != end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\r' || *at_ == '\t')) ++at_;
  }

  bool word(std::string_view name) {
    if (static_cast<std::size_t>(end_ - at_) < name.size() || std::memcmp(at_, name.data(), name.size()) != 0)
      return false;
    at_ += name.size();
    return true;
  }

  bool value(Json& into, int depth) {
    if (at_ == end_ || depth > max_depth) return false;
    switch (*at_) {
      case '"': {
        std::string text;
        if (!string(text)) return false;
        into = std::move(text);
        return true;
      }
      case '{':
        return object(into, depth);
      case '[':
        return array(into, depth);
      case 't':
        into = true;
        return word("true");
      case 'f':
        into = false;
        return word("false");
      case 'n':
        into = nullptr;
        return word("null");
      default:
        return number(into);
    }
  }

  bool array(Json& into, int depth) {
    into = Json::array();
    Json::array_t& items = into.get_ref<Json::array_t&>();
    ++at_;
    skip_space();
    if (at_ != end_ && *at_ == ']') {
      ++at_;
      return true;
    }
    while (true) {
      items.emplace_back();
      if (!value(items.back(), depth + 1)) return false;
      skip_space();
      if (at_ == end_) return false;
      const char mark = *at_++;
      if (mark == ']') return true;
      if (mark != ',') return false;
      skip_space();
    }
  }

  // Members are collected aside: the object's own container copies all that it holds whenever it grows.
  bool object(Json& into, int depth) {
    into = Json::object();
    const std::size_t base = members_.size();
    ++at_;
    skip_space();
    if (at_ != end_ && *at_ == '}') {
      ++at_;
      return true;
    }
    while (true) {
      std::string key;
      if (at_ == end_ || *at_ != '"' || !string(key)) return false;
      for (std::size_t i = base; i < members_.size(); ++i)
        if (members_[i].first == key) return false;
      skip_space();
      if (at_ == end_ || *at_++ != ':') return false;
      skip_space();
      Json member;
      if (members_.size() - base >= max_members || !value(member, depth + 1)) return false;
      members_.emplace_back(std::move(key), std::move(member));
      skip_space();
      if (at_ == end_) return false;
      const char mark = *at_++;
      if (mark == '}') break;
      if (mark != ',') return false;
      skip_space();
    }
    Json::object_t::Container& members = into.get_ref<Json::object_t&>();
    members.reserve(members_.size() - base);
    for (std::size_t i = base; i < members_.size(); ++i)
      members.emplace_back(std::move(members_[i].first), std::move(members_[i].second));
    members_.resize(base);
    return true;
  }

  bool number(Json& into) {
    const char* const begin = at_;
    const bool negative = *at_ == '-';
    if (negative) ++at_;
    const char* const digits = at_;
    while (at_ != end_ && *at_ >= '0' && *at_ <= '9') ++at_;
    const std::ptrdiff_t count = at_ - digits;
    if (count == 0 || count > max_digits || (count > 1 && *digits == '0')) return false;
    if (at_ == end_ || (*at_ != '.' && *at_ != 'e' && *at_ != 'E')) {
      std::int64_t whole = 0;
      std::from_chars(begin, at_, whole);
      if (negative) {
        into = whole;
      } else {
        into = static_cast<std::uint64_t>(whole);
      }
      return true;
    }
    if (*at_ == '.') {
      const char* const fraction = ++at_;
      while (at_ != end_ && *at_ >= '0' && *at_ <= '9') ++at_;
      if (at_ == fraction) return false;
    }
    if (at_ != end_ && (*at_ == 'e' || *at_ == 'E')) {
      ++at_;
      if (at_ != end_ && (*at_ == '+' || *at_ == '-')) ++at_;
      const char* const exponent = at_;
      while (at_ != end_ && *at_ >= '0' && *at_ <= '9') ++at_;
      if (at_ == exponent) return false;
    }
    double real = 0;
    const auto [stopped, error] = std::from_chars(begin, at_, real);
    if (error != std::errc() || stopped != at_) return false;
    into = real;
    return true;
  }

  // How many of the next bytes are plain: no quote, backslash or control character, and ASCII.
  std::size_t plain_bytes() const {
    constexpr std::uint64_t lows = 0x0101010101010101u, highs = 0x8080808080808080u;
    const char* at = at_;
    for (; end_ - at >= 8; at += 8) {
      std::uint64_t bytes = 0;
      std::memcpy(&bytes, at, 8);
      const std::uint64_t quote = bytes ^ (lows * '"'), slash = bytes ^ (lows * '\\');
      const std::uint64_t special = ((bytes - lows * 0x20) | (quote - lows) | (slash - lows) | bytes) & highs;
      if (special == 0) continue;
      // The lowest mark is right: a borrow can only make marks above a true one. Bytes from 0x80 mark themselves.
      if constexpr (std::endian::native == std::endian::little)
        return static_cast<std::size_t>(at - at_) + static_cast<std::size_t>(std::countr_zero(special)) / 8;
      break;
    }
    while (at != end_ && static_cast<unsigned char>(*at) >= 0x20 && static_cast<unsigned char>(*at) < 0x80 &&
           *at != '"' && *at != '\\')
      ++at;
    return static_cast<std::size_t>(at - at_);
  }

  bool string(std::string& into) {
    ++at_;
    while (true) {
      const std::size_t plain = plain_bytes();
      into.append(at_, plain);
      at_ += plain;
      if (at_ == end_) return false;
      if (*at_ == '"') {
        ++at_;
        return true;
      }
      if (*at_ == '\\') {
        if (!escape(into)) return false;
      } else {
        const char* const begin = at_;
        while (at_ != end_ && static_cast<unsigned char>(*at_) >= 0x80) {
          const std::size_t length = utf8_length({at_, static_cast<std::size_t>(end_ - at_)});
          if (length == 0) return false;
          at_ += length;
        }
        if (at_ == begin) return false;  // a control character
        into.append(begin, at_);
      }
    }
  }

  bool escape(std::string& into) {
    if (end_ - at_ < 2) return false;
    const char mark = at_[1];
    at_ += 2;
    switch (mark) {
      case '"':
        into += '"';
        return true;
      case '\\':
        into += '\\';
        return true;
      case '/':
        into += '/';
        return true;
      case 'b':
        into += '\b';
        return true;
      case 'f':
        into += '\f';
        return true;
      case 'n':
        into += '\n';
        return true;
      case 'r':
        into += '\r';
        return true;
      case 't':
        into += '\t';
        return true;
      case 'u':
        break;
      default:
        return false;
    }
    std::uint32_t point = 0;
    if (!hexadecimal(point)) return false;
    if (point >= 0xd800 && point < 0xe000) {
      std::uint32_t low = 0;
      if (point >= 0xdc00 || end_ - at_ < 2 || at_[0] != '\\' || at_[1] != 'u') return false;
      at_ += 2;
      if (!hexadecimal(low) || low < 0xdc00 || low >= 0xe000) return false;
      point = 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00);
    }
    append(into, point);
    return true;
  }

  bool hexadecimal(std::uint32_t& into) {
    if (end_ - at_ < 4) return false;
    const auto [stopped, error] = std::from_chars(at_, at_ + 4, into, 16);
    const bool whole = error == std::errc() && stopped == at_ + 4;
    at_ += 4;
    return whole;
  }

  static void append(std::string& into, std::uint32_t point) {
    const auto byte = [&](std::uint32_t bits) { into += static_cast<char>(static_cast<unsigned char>(bits)); };
    if (point < 0x80) return byte(point);
    if (point < 0x800) {
      byte(0xc0 | point >> 6);
    } else {
      if (point < 0x10000) {
        byte(0xe0 | point >> 12);
      } else {
        byte(0xf0 | point >> 18);
        byte(0x80 | (point >> 12 & 0x3f));
      }
      byte(0x80 | (point >> 6 & 0x3f));
    }
    byte(0x80 | (point & 0x3f));
  }

  const char* at_ = nullptr;
  const char* end_ = nullptr;
  std::vector<std::pair<std::string, Json>> members_;  // of the objects that are open
};

}  // namespace temper
