// SPDX-License-Identifier: MIT
// The decoder of tokenizer.json: from the texts of tokens to text, token by token. What a stage cannot be sure of yet
// it holds back, so that the pieces together are what Hugging Face makes of all tokens at once.
#pragma once
#include "temper/data/byte_level.hpp"
#include "temper/data/metaspace.hpp"
#include "temper/data/part_pattern.hpp"
#include "temper/data/tokenizer_part.hpp"
#include "temper/data/unicode.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace temper {

class TokenDecoder {
  struct Join {};  // no decoder: a space between tokens
  struct ByteLevel {};
  struct Fuse {};
  struct ByteFallback {};
  struct Replace {
    TextPattern pattern;
    std::string content;
  };
  struct Strip {
    char32_t content;
    std::size_t start, stop;
  };
  struct SplitMetaspace {
    char32_t replacement;
    bool drops_first;
  };
  struct Stage {
    std::variant<Join, ByteLevel, Fuse, ByteFallback, Replace, Strip, SplitMetaspace> what;
    bool fused;  // a stage before has made one token of all, which comes in pieces
  };
  std::vector<Stage> stages_;

 public:
  static constexpr std::size_t max_stages = 64;

  static TokenDecoder from_json(const Json& value, const std::string& name, std::string_view source) {
    TokenDecoder made;
    if (value.is_null())
      made.stages_.push_back({Join{}, false});
    else
      made.add(TokenizerPart(value, name, source), 0);
    return made;
  }

  // One text that is being decoded. The decoder must outlive it.
  class Stream {
    struct State {
      std::string held;
      std::size_t count = 0;
      bool passed = false;
    };
    const TokenDecoder* decoder_;
    std::vector<State> states_;
    std::optional<PatternScratch> pattern_;

   public:
    explicit Stream(const TokenDecoder& decoder) : decoder_(&decoder), states_(decoder.stages_.size()) {}

    // Appends the text that this token makes certain.
    void push(std::string_view token, std::string& out) { pass(0, token, out); }

    // Appends what was held back; afterwards the stream is as new.
    void finish(std::string& out) {
      for (std::size_t i = 0; i < states_.size(); ++i) {
        const Stage& stage = decoder_->stages_[i];
        if (stage.fused && waits(stage)) {
          const std::string whole = std::exchange(states_[i].held, {});
          if (!whole.empty()) std::visit([&](const auto& s) { token(s, i, whole, out); }, stage.what);
        }
        std::visit([&](const auto& s) { end(s, i, out); }, stage.what);
        states_[i] = {};
      }
    }

   private:
    static bool waits(const Stage& stage) {
      return !std::holds_alternative<Strip>(stage.what) && !std::holds_alternative<Fuse>(stage.what);
    }

    void pass(std::size_t at, std::string_view text, std::string& out) {
      if (at == states_.size()) {
        out += text;
        return;
      }
      const Stage& stage = decoder_->stages_[at];
      if (stage.fused && waits(stage))
        states_[at].held += text;
      else
        std::visit([&](const auto& s) { token(s, at, text, out); }, stage.what);
    }

    template <class Any>
    void end(const Any&, std::size_t, std::string&) {}

    void token(const Join&, std::size_t at, std::string_view text, std::string& out) {
      if (states_[at].count++ > 0) pass(at + 1, " ", out);
      pass(at + 1, text, out);
    }

    void token(const Fuse&, std::size_t at, std::string_view text, std::string& out) { pass(at + 1, text, out); }

    // A character may be cut between two tokens.
    void token(const ByteLevel&, std::size_t at, std::string_view text, std::string& out) {
      std::string& held = states_[at].held;
      append_token_bytes(held, text);
      std::size_t keep = 0;  // bytes at the end that a later token may complete
      for (std::size_t back = 1; back <= 3 && back <= held.size(); ++back) {
        const auto byte = static_cast<unsigned char>(held[held.size() - back]);
        if ((byte & 0xc0u) == 0x80u) continue;
        if (utf8_step(std::string_view(held).substr(held.size() - back)).kind == Utf8::cut) keep = back;
        break;
      }
      const std::string_view ready = std::string_view(held).substr(0, held.size() - keep);
      pass(at + 1, valid_utf8_prefix(ready) == ready.size() ? ready : replace_invalid_utf8(ready), out);
      held.erase(0, held.size() - keep);
    }
    void end(const ByteLevel&, std::size_t at, std::string& out) {
      if (!states_[at].held.empty()) pass(at + 1, replace_invalid_utf8(states_[at].held), out);
    }

    // Whether a run of byte tokens is text is known at its end: all of it is, or each byte becomes U+FFFD.
    void token(const ByteFallback& stage, std::size_t at, std::string_view text, std::string& out) {
      if (const std::optional<char> byte = byte_of(text)) {
        states_[at].held += *byte;
        return;
      }
      end(stage, at, out);
      pass(at + 1, text, out);
    }
    void end(const ByteFallback&, std::size_t at, std::string& out) {
      const std::string bytes = std::exchange(states_[at].held, {});
      if (bytes.empty()) return;
      if (valid_utf8_prefix(bytes) == bytes.size()) return pass(at + 1, bytes, out);
      for (std::size_t i = 0; i < bytes.size(); ++i) pass(at + 1, "\xef\xbf\xbd", out);
    }

    void token(const Replace& stage, std::size_t at, std::string_view text, std::string& out) {
      if (!pattern_) pattern_.emplace();
      std::string made;
      std::size_t covered = 0;
      stage.pattern.for_each(text, *pattern_, [&](Index begin, Index end) {
        made += text.substr(covered, static_cast<std::size_t>(begin) - covered);
        made += stage.content;
        covered = static_cast<std::size_t>(end);
      });
      if (covered == 0 && made.empty()) return pass(at + 1, text, out);
      made += text.substr(covered);
      pass(at + 1, made, out);
    }

    void token(const SplitMetaspace& stage, std::size_t at, std::string_view text, std::string& out) {
      const bool drops = states_[at].count++ == 0 && stage.drops_first;
      std::string made;
      for (std::size_t i = 0; i < text.size();) {
        const CodePoint c = code_point_at(text, i);
        if (c.value != stage.replacement)
          made += text.substr(i, c.length);
        else if (!drops)
          made += ' ';
        i += c.length;
      }
      pass(at + 1, made, out);
    }

    // Of a token that comes in pieces, the characters that may be its last ones are held back.
    void token(const Strip& stage, std::size_t at, std::string_view text, std::string& out) {
      State& state = states_[at];
      if (!decoder_->stages_[at].fused) state = {};
      while (!state.passed && !text.empty()) {
        const CodePoint c = code_point_at(text, 0);
        if (c.value != stage.content || state.count == stage.start) {
          state.passed = true;
        } else {
          ++state.count;
          text.remove_prefix(c.length);
        }
      }
      if (text.empty()) return;
      std::string ready = std::exchange(state.held, {});
      ready += text;
      std::size_t end = ready.size();
      for (std::size_t i = 0; i < stage.stop && end > 0; ++i) {
        const std::size_t last = previous_character(ready, end);
        if (code_point_at(ready, last).value != stage.content) break;
        end = last;
      }
      if (decoder_->stages_[at].fused) state.held = ready.substr(end);
      pass(at + 1, std::string_view(ready).substr(0, end), out);
    }
  };

 private:
  // "<0x41>"; Hugging Face reads a sign in it, too.
  static std::optional<char> byte_of(std::string_view token) {
    if (token.size() != 6 || !token.starts_with("<0x") || token.back() != '>') return std::nullopt;
    const auto digit = [](char c) {
      return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
    };
    const int high = token[3] == '+' ? 0 : digit(token[3]), low = digit(token[4]);
    if (high < 0 || low < 0) return std::nullopt;
    return static_cast<char>(static_cast<unsigned char>(high * 16 + low));
  }

  void push(decltype(Stage::what)&& what) {
    const bool fused =
        !stages_.empty() && (stages_.back().fused || std::holds_alternative<ByteLevel>(stages_.back().what) ||
                             std::holds_alternative<Fuse>(stages_.back().what));
    stages_.push_back({std::move(what), fused});
  }

  void add(const TokenizerPart& part, int depth) {
    const std::string& type = part.text("type");
    require(stages_.size() < max_stages && depth < 8, Fault::data, "tokenizer.too_large",
            "{}: {} nests or repeats too much; expected at most {} stages", part.source(), part.name(), max_stages);
    if (type == "Sequence") {
      for (const TokenizerPart& step : part.parts("decoders")) add(step, depth + 1);
    } else if (type == "ByteLevel") {
      push(ByteLevel{});
    } else if (type == "Fuse") {
      push(Fuse{});
    } else if (type == "ByteFallback") {
      push(ByteFallback{});
    } else if (type == "Replace") {
      const std::string& content = part.text("content");
      require(content.size() <= 4096, Fault::data, "tokenizer.too_large",
              "{}: {}.content has {} bytes; expected at most 4096", part.source(), part.name(), content.size());
      push(Replace{pattern_of(part), content});
    } else if (type == "Strip") {
      push(Strip{one_character(part, "content"), count(part, "start"), count(part, "stop")});
    } else if (type == "Metaspace") {
      const Metaspace metaspace = Metaspace::from_part(part);
      push(SplitMetaspace{code_point_at(metaspace.replacement, 0).value, metaspace.prepend != PrependScheme::never});
    } else {
      part.not_supported("type " + type,
                         "null, ByteLevel, Replace, ByteFallback, Fuse, Strip, Metaspace or a Sequence of these");
    }
  }

  static char32_t one_character(const TokenizerPart& part, const char* field) {
    const std::string& text = part.text(field);
    if (text.empty() || code_point_at(text, 0).length != text.size()) part.wrong(field, Json(text), "one character");
    return code_point_at(text, 0).value;
  }

  static std::size_t count(const TokenizerPart& part, const char* field) {
    const Json* const value = part.find(field);
    if (!value || !value->is_number_unsigned() || value->get<std::uint64_t>() > 4096)
      part.wrong(field, value ? *value : Json(), "a number up to 4096");
    return static_cast<std::size_t>(value->get<std::uint64_t>());
  }
};

}  // namespace temper
