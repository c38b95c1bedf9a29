// SPDX-License-Identifier: MIT
// Tokenizer files write regular expressions for Oniguruma; this rewrites them for PCRE2 with the same meaning. What
// the two read alike is copied, \s \d \w \v get Oniguruma's sets, and what they read differently is refused by name.
#pragma once
#include <algorithm>
#include <optional>
#include <string>
#include <string_view>

namespace temper {

class RegexDialect {
  std::string_view in_;
  std::size_t at_ = 0;
  std::string out_;
  std::string refused_;

 public:
  explicit RegexDialect(std::string_view pattern) : in_(pattern) { rewrite(); }

  const std::string& pcre() const { return out_; }
  const std::string& refused() const { return refused_; }  // the construct that has no translation; empty: none

 private:
  static bool digit(char c) { return c >= '0' && c <= '9'; }
  static bool hex(char c) { return digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }
  static bool letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

  bool starts(std::string_view with) const { return in_.substr(at_).starts_with(with); }
  void copy(std::size_t count) {
    out_ += in_.substr(at_, count);
    at_ += count;
  }
  void refuse(std::size_t count) { refused_ = in_.substr(at_, count); }

  void rewrite() {
    while (at_ < in_.size() && refused_.empty()) {
      switch (in_[at_]) {
        case '\\':
          escape(false);
          break;
        case '[':
          set();
          break;
        case '(':
          group();
          break;
        case '{':
          interval();
          break;
        case '^':
        case '$':
          refuse(1);
          break;  // line or text: they differ
        default:
          copy(1);
      }
    }
  }

  void group() {
    static constexpr std::string_view known[] = {"(?:", "(?i:", "(?=", "(?!", "(?<=", "(?<!", "(?>"};
    for (const std::string_view start : known)
      if (starts(start)) return copy(start.size());
    if (starts("(?") || starts("(*")) return refuse(std::min<std::size_t>(4, in_.size() - at_));
    copy(1);
  }

  void interval() {
    const std::size_t close = in_.find('}', at_);
    const std::string_view inside = close == std::string_view::npos ? "" : in_.substr(at_ + 1, close - at_ - 1);
    const std::size_t comma = inside.find(',');
    const std::string_view low = inside.substr(0, comma);
    const std::string_view high = comma == std::string_view::npos ? "" : inside.substr(comma + 1);
    const bool counts = std::all_of(low.begin(), low.end(), digit) && std::all_of(high.begin(), high.end(), digit) &&
                        !(low.empty() && high.empty());
    if (!counts) {  // both take it for a literal brace
      out_ += "\\{";
      ++at_;
      return;
    }
    if (close + 1 < in_.size() && in_[close + 1] == '+') return refuse(close + 2 - at_);  // possessive or repeated
    out_ += '{';
    out_ += low.empty() ? "0" : low;
    if (comma != std::string_view::npos) (out_ += ',') += high;
    out_ += '}';
    at_ = close + 1;
  }

  void set() {
    copy(starts("[^") ? 2 : 1);
    if (starts("]")) return refuse(1);
    while (at_ < in_.size() && in_[at_] != ']' && refused_.empty()) {
      if (starts("[") || starts("&&"))
        refuse(2);  // nested sets and intersections
      else if (starts("\\"))
        escape(true);
      else
        copy(1);
    }
    if (at_ < in_.size() && refused_.empty()) copy(1);
  }

  void replace(std::size_t count, std::string_view with) {
    out_ += with;
    at_ += count;
  }

  void escape(bool in_set) {
    if (at_ + 1 == in_.size()) return refuse(1);
    const char c = in_[at_ + 1];
    switch (c) {
      case 's':
        return replace(2, "\\p{White_Space}");
      case 'S':
        return replace(2, "\\P{White_Space}");
      case 'd':
        return replace(2, "\\p{Nd}");
      case 'D':
        return replace(2, "\\P{Nd}");
      case 'w':
        return replace(2, in_set ? "\\p{Alphabetic}\\p{M}\\p{N}\\p{Pc}" : "[\\p{Alphabetic}\\p{M}\\p{N}\\p{Pc}]");
      case 'W':
        return in_set ? refuse(2) : replace(2, "[^\\p{Alphabetic}\\p{M}\\p{N}\\p{Pc}]");
      case 'v':
        return replace(2, "\\x0b");
      case 'r':
      case 'n':
      case 't':
      case 'f':
      case 'a':
      case 'e':
        return copy(2);
      case 'A':
      case 'z':
        return in_set ? refuse(2) : copy(2);
      case 'p':
      case 'P':
        return property();
      case 'x':
        return hexadecimal();
      case 'u':
        return unicode();
      default:
        if (letter(c) || digit(c)) return refuse(2);
        copy(2);
    }
  }

  // General categories have one or two letters in both; longer names are taken for scripts, which PCRE2 would
  // otherwise widen to their extensions.
  void property() {
    const std::size_t close = in_.find('}', at_);
    if (!starts("\\p{") && !starts("\\P{")) return refuse(2);
    if (close == std::string_view::npos) return refuse(3);
    std::string_view name = in_.substr(at_ + 3, close - at_ - 3);
    const bool negated = name.starts_with('^');
    if (negated) name.remove_prefix(1);
    const bool plain =
        !name.empty() && std::all_of(name.begin(), name.end(), [](char c) { return letter(c) || c == '_'; });
    if (!plain) return refuse(close + 1 - at_);
    out_ += in_.substr(at_, 3);
    if (negated) out_ += '^';
    if (name.size() > 2) out_ += "sc:";
    (out_ += name) += '}';
    at_ = close + 1;
  }

  void hexadecimal() {
    if (starts("\\x{")) {
      const std::size_t close = in_.find('}', at_);
      return close == std::string_view::npos ? refuse(3) : copy(close + 1 - at_);
    }
    // Two digits above 7f are a byte there and a code point here.
    const bool ascii = at_ + 3 < in_.size() && in_[at_ + 2] >= '0' && in_[at_ + 2] <= '7' && hex(in_[at_ + 3]);
    if (!ascii) return refuse(2);
    copy(4);
  }

  void unicode() {
    const std::string_view digits = in_.substr(at_ + 2, 4);
    if (digits.size() != 4 || !std::all_of(digits.begin(), digits.end(), hex)) return refuse(2);
    ((out_ += "\\x{") += digits) += '}';
    at_ += 6;
  }
};

}  // namespace temper
