// SPDX-License-Identifier: MIT
// What a tokenizer does to a text before it is cut: the normalizer of tokenizer.json, step by step, with the place each
// character came from. Every step takes time that grows with the text only.
#pragma once
#include "temper/data/normalized_text.hpp"
#include "temper/data/part_pattern.hpp"
#include "temper/data/tokenizer_part.hpp"
#include "temper/data/unicode_form.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace temper {

class Normalizer {
  struct Form {
    UnicodeForm form;
  };
  struct Lowercase {};
  struct StripAccents {};
  struct Strip {
    bool left, right;
  };
  struct Prepend {
    std::string text;
  };
  struct Replace {
    TextPattern pattern;
    std::string content;
  };
  struct ReplaceByte {  // Prepend, then Replace of one byte: what most tokenizers of characters do to a text
    std::string before;
    char byte;
    std::string content;
  };
  std::vector<std::variant<Form, Lowercase, StripAccents, Strip, Prepend, Replace, ReplaceByte>> steps_;

 public:
  static constexpr std::size_t max_steps = 64;
  static constexpr std::size_t max_content_bytes = 4096;
  static constexpr std::size_t max_text_bytes = std::size_t{1} << 31;  // of what a step writes

  Normalizer() = default;
  explicit Normalizer(UnicodeForm form) { steps_.emplace_back(Form{form}); }

  // 'normalizer' of tokenizer.json, which may be null.
  static Normalizer from_json(const Json& value, const std::string& name, std::string_view source) {
    Normalizer made;
    if (!value.is_null()) made.add(TokenizerPart(value, name, source), 0);
    return made;
  }

  // Nothing if the text stays as it is. 'text' must be valid UTF-8.
  std::optional<NormalizedText> operator()(std::string_view text, PatternScratch& scratch) const {
    std::optional<NormalizedText> all;
    for (const auto& step : steps_) {
      const std::string_view now = all ? std::string_view(all->text()) : text;
      if (now.empty()) break;
      std::optional<NormalizedText> made = std::visit([&](const auto& s) { return apply(s, now, scratch); }, step);
      if (!made) continue;
      if (all) made->look_through(*all);
      all = std::move(made);
    }
    return all;
  }

 private:
  void add(const TokenizerPart& part, int depth) {
    const std::string& type = part.text("type");
    require(steps_.size() < max_steps && depth < 8, Fault::data, "tokenizer.too_large",
            "{}: {} nests or repeats too much; expected at most {} steps", part.source(), part.name(), max_steps);
    const auto content = [&](const char* field) {
      const std::string& text = part.text(field);
      require(text.size() <= max_content_bytes, Fault::data, "tokenizer.too_large",
              "{}: {}.{} has {} bytes; expected at most {}", part.source(), part.name(), field, text.size(),
              max_content_bytes);
      return text;
    };
    static constexpr std::pair<std::string_view, UnicodeForm> forms[] = {
        {"NFC", UnicodeForm::nfc}, {"NFD", UnicodeForm::nfd}, {"NFKC", UnicodeForm::nfkc}, {"NFKD", UnicodeForm::nfkd}};
    for (const auto& [name, form] : forms)
      if (type == name) return void(steps_.emplace_back(Form{form}));
    if (type == "Sequence") {
      for (const TokenizerPart& step : part.parts("normalizers")) add(step, depth + 1);
    } else if (type == "Lowercase") {
      steps_.emplace_back(Lowercase{});
    } else if (type == "StripAccents") {
      steps_.emplace_back(StripAccents{});
    } else if (type == "Strip") {
      steps_.emplace_back(Strip{part.flag("strip_left", true), part.flag("strip_right", true)});
    } else if (type == "Prepend") {
      steps_.emplace_back(Prepend{content("prepend")});
    } else if (type == "Replace") {
      add_replace(part, content("content"));
    } else {
      part.not_supported("type " + type,
                         "null, NFC, NFD, NFKC, NFKD, Lowercase, StripAccents, Strip, Prepend, Replace or a Sequence");
    }
  }

  void add_replace(const TokenizerPart& part, const std::string& content) {
    Replace replace{pattern_of(part), content};
    const Json* const text = part.part("pattern").find("String");
    const bool byte = text && text->get_ref<const std::string&>().size() == 1;
    const Prepend* const before = byte && !steps_.empty() ? std::get_if<Prepend>(&steps_.back()) : nullptr;
    if (!byte) return void(steps_.emplace_back(std::move(replace)));
    ReplaceByte both{"", text->get_ref<const std::string&>()[0], content};
    if (before) {
      for (const char c : before->text) c == both.byte ? both.before += content : both.before += c;
      steps_.pop_back();
    }
    steps_.emplace_back(std::move(both));
  }

  static std::optional<NormalizedText> apply(const Form& step, std::string_view text, PatternScratch&) {
    return to_form(step.form, text);
  }

  // Writes each character that 'change' does not take as it is. Nothing if it takes none.
  template <class Change>
  static std::optional<NormalizedText> by_character(std::string_view text, const Change& change) {
    std::optional<NormalizedText> out;
    std::size_t covered = 0;
    NormalizedText made;
    for (std::size_t at = 0; at < text.size();) {
      const CodePoint c = code_point_at(text, at);
      const std::size_t end = at + c.length;
      const auto before = [&] { made.append_same(text.substr(covered, at - covered), static_cast<Index>(covered)); };
      if (change(c.value, TextSpan{static_cast<Index>(at), static_cast<Index>(end)}, before, made)) covered = end;
      at = end;
    }
    if (covered == 0) return std::nullopt;
    made.append_same(text.substr(covered), static_cast<Index>(covered));
    return made;
  }

  static std::optional<NormalizedText> apply(const Lowercase&, std::string_view text, PatternScratch&) {
    return by_character(text, [](char32_t c, TextSpan place, const auto& before, NormalizedText& out) {
      const char32_t lower = c < 0x80 ? (c >= U'A' && c <= U'Z' ? c + 32 : c)
                                      : static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c)));
      if (lower == c && c != 0x130) return false;
      before();
      out.append_changed(c == 0x130 ? U'i' : lower, place);
      if (c == 0x130) out.append_changed(char32_t{0x307}, place);  // the one letter whose small form is two characters
      return true;
    });
  }

  static std::optional<NormalizedText> apply(const StripAccents&, std::string_view text, PatternScratch&) {
    return by_character(text, [](char32_t c, TextSpan, const auto& before, NormalizedText&) {
      if (!is_mark(c)) return false;
      before();
      return true;
    });
  }

  static std::optional<NormalizedText> apply(const Strip& step, std::string_view text, PatternScratch&) {
    std::size_t begin = 0, end = text.size();
    while (step.left && begin < end && is_white_space(code_point_at(text, begin).value))
      begin += code_point_at(text, begin).length;
    while (step.right && begin < end) {
      const std::size_t last = previous_character(text, end);
      if (!is_white_space(code_point_at(text, last).value)) break;
      end = last;
    }
    if (begin == 0 && end == text.size()) return std::nullopt;
    NormalizedText out;
    out.append_same(text.substr(begin, end - begin), static_cast<Index>(begin));
    return out;
  }

  static std::optional<NormalizedText> apply(const Prepend& step, std::string_view text, PatternScratch&) {
    if (text.empty() || step.text.empty()) return std::nullopt;
    NormalizedText out;
    out.append_changed(step.text, {0, 0});
    out.append_same(text, 0);
    return out;
  }

  static std::optional<NormalizedText> apply(const ReplaceByte& step, std::string_view text, PatternScratch&) {
    std::size_t at = text.find(step.byte);
    if (at == std::string_view::npos && step.before.empty()) return std::nullopt;
    NormalizedText out;
    out.reserve(text.size() + text.size() / 2 + step.before.size());
    out.append_changed(step.before, {0, 0});
    std::size_t covered = 0;
    for (; at != std::string_view::npos; at = text.find(step.byte, covered)) {
      const auto place = static_cast<Index>(at);
      out.append_same(text.substr(covered, at - covered), static_cast<Index>(covered));
      out.append_changed(step.content, {place, place + 1});
      covered = at + 1;
      require_size(out, text);
    }
    out.append_same(text.substr(covered), static_cast<Index>(covered));
    return out;
  }

  static void require_size(const NormalizedText& made, std::string_view text) {
    require(made.text().size() <= max_text_bytes, Fault::data, "text.too_long",
            "a text of {} bytes has more than {} after 'Replace'; expected fewer; split it", text.size(),
            max_text_bytes);
  }

  static std::optional<NormalizedText> apply(const Replace& step, std::string_view text, PatternScratch& scratch) {
    std::optional<NormalizedText> out;
    Index covered = 0;
    const auto same = [&](Index end) {
      out->append_same(text.substr(static_cast<std::size_t>(covered), static_cast<std::size_t>(end - covered)),
                       covered);
      require_size(*out, text);
    };
    step.pattern.for_each(text, scratch, [&](Index begin, Index end) {
      if (!out) out.emplace();
      same(begin);
      out->append_changed(step.content, {begin, end});
      covered = end;
    });
    if (out) same(static_cast<Index>(text.size()));
    return out;
  }
};

}  // namespace temper
