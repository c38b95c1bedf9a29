// SPDX-License-Identifier: MIT
// Cuts text into the words that BPE works on: Split, Digits and ByteLevel of tokenizer.json, alone or in sequence, with
// the meaning they have in Hugging Face tokenizers. Each stage sees every piece of the stage before as a text of its
// own.
#pragma once
#include "temper/data/text_pattern.hpp"
#include "temper/data/tokenizer_part.hpp"
#include "temper/data/unicode.hpp"

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace temper {

struct Word {
  Index begin, end;   // bytes of the piece
  bool space_before;  // add_prefix_space put one here that the text does not have
};

// What becomes of a match between the pieces it separates.
enum class MatchBecomes { removed, isolated, merged_with_previous, merged_with_next, contiguous };

struct PreTokenizerScratch {
  struct Cut {
    Index begin, end;
    bool match;
  };
  PatternScratch pattern;
  std::vector<Cut> cuts;
  std::vector<Word> words;
  std::string spaced;
};

class PreTokenizer {
  struct Split {
    TextPattern pattern;
    MatchBecomes behavior;
    bool invert;
  };
  struct Digits {
    bool individual;
  };
  struct ByteLevel {
    bool add_prefix_space;
    std::optional<TextPattern> pattern;
  };
  std::vector<std::variant<Split, Digits, ByteLevel>> stages_;

 public:
  static constexpr std::string_view gpt2_pattern =
      R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

  // 'pre_tokenizer' of tokenizer.json. The last stage must be ByteLevel: earlier ones then see plain text.
  static PreTokenizer from_json(const Json& value, const std::string& name, std::string_view source) {
    PreTokenizer made;
    require(!value.is_null(), Fault::data, "tokenizer.not_supported", "{}: {} null is not supported yet; expected {}",
            printable(source), name, "ByteLevel or a Sequence that ends with it");
    made.add(TokenizerPart(value, name, source), 0);
    require(!made.stages_.empty() && std::holds_alternative<ByteLevel>(made.stages_.back()), Fault::data,
            "tokenizer.not_supported", "{}: {} without ByteLevel at its end is not supported yet; expected {}",
            printable(source), name, "ByteLevel or a Sequence that ends with it");
    return made;
  }

  // Replaces scratch.words by the words of 'text'.
  void split(std::string_view text, PreTokenizerScratch& scratch) const {
    std::vector<Word>& words = scratch.words;
    words.assign(1, Word{0, static_cast<Index>(text.size()), false});
    for (const auto& stage : stages_) {
      std::vector<Word> pieces;
      pieces.swap(words);
      words.reserve(pieces.size() + 16);
      for (const Word& piece : pieces) std::visit([&](const auto& s) { apply(s, text, piece, scratch); }, stage);
    }
  }

 private:
  static constexpr std::size_t max_stages = 64;

  void add(const TokenizerPart& part, int depth) {
    const std::string& type = part.text("type");
    require(stages_.size() < max_stages && depth < 8, Fault::data, "tokenizer.too_large",
            "{}: {} nests or repeats too much; expected at most {} stages", part.source(), part.name(), max_stages);
    if (type == "Sequence") {
      for (const TokenizerPart& step : part.parts("pretokenizers")) add(step, depth + 1);
      return;
    }
    if (!stages_.empty() && std::holds_alternative<ByteLevel>(stages_.back()))
      part.not_supported("type " + type + " after ByteLevel", "ByteLevel as the last");
    if (type == "Split") {
      stages_.emplace_back(Split{pattern_of(part), behavior_of(part), part.flag("invert", false)});
    } else if (type == "Digits") {
      stages_.emplace_back(Digits{part.flag("individual_digits", false)});
    } else if (type == "ByteLevel") {
      std::optional<TextPattern> pattern;
      if (part.flag("use_regex", true)) pattern = TextPattern::regex(gpt2_pattern);
      stages_.emplace_back(ByteLevel{part.flag("add_prefix_space", true), std::move(pattern)});
    } else {
      part.not_supported("type " + type, "Split, Digits, ByteLevel or a Sequence of these");
    }
  }

  static TextPattern pattern_of(const TokenizerPart& part) {
    const TokenizerPart pattern = part.part("pattern");
    try {
      if (pattern.find("Regex")) return TextPattern::regex(pattern.text("Regex"));
      if (pattern.find("String")) return TextPattern::literal(pattern.text("String"));
    } catch (const Error& error) {
      const std::string_view what = error.what();
      fail(error.fault(), error.code(), "{}: {}: {}", part.source(), pattern.name(),
           what.substr(std::min(what.size(), std::string_view("temper: ").size())));
    }
    part.not_supported("pattern", "'Regex' or 'String'");
  }

  static MatchBecomes behavior_of(const TokenizerPart& part) {
    const std::string& name = part.text("behavior");
    if (name == "Removed") return MatchBecomes::removed;
    if (name == "Isolated") return MatchBecomes::isolated;
    if (name == "MergedWithPrevious") return MatchBecomes::merged_with_previous;
    if (name == "MergedWithNext") return MatchBecomes::merged_with_next;
    if (name == "Contiguous") return MatchBecomes::contiguous;
    part.not_supported("behavior " + name, "Removed, Isolated, MergedWithPrevious, MergedWithNext or Contiguous");
  }

  static std::string_view view(std::string_view text, const Word& piece) {
    return text.substr(static_cast<std::size_t>(piece.begin), static_cast<std::size_t>(piece.end - piece.begin));
  }

  static void apply(const Split& split, std::string_view text, const Word& piece, PreTokenizerScratch& scratch) {
    const std::string_view subject = view(text, piece);
    const Index size = static_cast<Index>(subject.size());
    auto& cuts = scratch.cuts;
    cuts.clear();
    Index covered = 0;
    split.pattern.for_each(subject, scratch.pattern, [&](Index begin, Index end) {
      if (covered != begin) cuts.push_back({covered, begin, split.invert});
      cuts.push_back({begin, end, !split.invert});
      covered = end;
    });
    if (covered != size) cuts.push_back({covered, size, split.invert});
    emit(split.behavior, piece.begin, scratch);
  }

  static void apply(const Digits& digits, std::string_view text, const Word& piece, PreTokenizerScratch& scratch) {
    const std::string_view subject = view(text, piece);
    auto& cuts = scratch.cuts;
    cuts.clear();
    Index covered = 0;
    for (std::size_t at = 0; at < subject.size();) {
      const CodePoint c = code_point_at(subject, at);
      const Index begin = static_cast<Index>(at), end = static_cast<Index>(at += c.length);
      if (!is_numeric(c.value)) continue;
      if (covered != begin) cuts.push_back({covered, begin, false});
      cuts.push_back({begin, end, true});
      covered = end;
    }
    const Index size = static_cast<Index>(subject.size());
    if (covered != size) cuts.push_back({covered, size, false});
    emit(digits.individual ? MatchBecomes::isolated : MatchBecomes::contiguous, piece.begin, scratch);
  }

  static void apply(const ByteLevel& stage, std::string_view text, const Word& piece, PreTokenizerScratch& scratch) {
    std::string_view subject = view(text, piece);
    const bool add_space = stage.add_prefix_space && !subject.starts_with(' ');
    if (!stage.pattern) {
      scratch.words.push_back({piece.begin, piece.end, add_space});
      return;
    }
    if (add_space) {
      (scratch.spaced = " ") += subject;
      subject = scratch.spaced;
    }
    const Index shift = add_space ? 1 : 0, size = static_cast<Index>(subject.size());
    const auto emit_word = [&](Index begin, Index end) {  // in the spaced text
      if (begin == end) return;
      scratch.words.push_back(
          {piece.begin + std::max<Index>(begin - shift, 0), piece.begin + end - shift, add_space && begin == 0});
    };
    Index covered = 0;
    stage.pattern->for_each(subject, scratch.pattern, [&](Index begin, Index end) {
      emit_word(covered, begin);
      emit_word(begin, end);
      covered = end;
    });
    emit_word(covered, size);
  }

  // Joins the cuts as the behavior wants and appends what is not empty to the words. Whether a cut joins its
  // neighbour depends on the kinds of the two cuts only, not on what the neighbour has become part of.
  static void emit(MatchBecomes behavior, Index shift, PreTokenizerScratch& scratch) {
    auto& cuts = scratch.cuts;
    const auto push = [&](Index begin, Index end) {
      if (begin != end) scratch.words.push_back({shift + begin, shift + end, false});
    };
    if (behavior == MatchBecomes::isolated || behavior == MatchBecomes::removed) {
      for (const auto& cut : cuts)
        if (behavior == MatchBecomes::isolated || !cut.match) push(cut.begin, cut.end);
      return;
    }
    const auto joins = [&](std::size_t i) {  // cut i belongs with cut i + 1
      const bool left = cuts[i].match, right = cuts[i + 1].match;
      if (behavior == MatchBecomes::contiguous) return left == right;
      return behavior == MatchBecomes::merged_with_previous ? right && !left : left && !right;
    };
    for (std::size_t first = 0; first < cuts.size();) {
      std::size_t last = first;
      while (last + 1 < cuts.size() && joins(last)) ++last;
      push(cuts[first].begin, cuts[last].end);
      first = last + 1;
    }
  }
};

}  // namespace temper
