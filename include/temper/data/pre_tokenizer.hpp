// SPDX-License-Identifier: MIT
// Cuts text into the words that BPE works on: the pre-tokenizer of tokenizer.json with the meaning it has in Hugging
// Face tokenizers. Each stage sees every piece of the stage before as a text of its own; words come one by one, in
// order, and nothing is kept of them.
#pragma once
#include "temper/data/byte_level.hpp"
#include "temper/data/metaspace.hpp"
#include "temper/data/normalized_text.hpp"
#include "temper/data/part_pattern.hpp"
#include "temper/data/tokenizer_part.hpp"
#include "temper/data/unicode.hpp"
#include "temper/data/word_scanner.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace temper {

// A word, or what a stage made of a part of the text. Its bytes are those of the text unless a stage rewrote them.
struct Word {
  std::string_view bytes;
  Index begin;                      // in the text, or in rewritten->text()
  const NormalizedText* rewritten;  // from the text; null: not rewritten

  // The bytes of the text that a range of the word stands for.
  TextSpan in_text(Index from, Index to, std::size_t& hint) const {
    const TextSpan range{begin + from, begin + to};
    return rewritten ? rewritten->original(range, hint) : range;
  }
};

// What becomes of a match between the pieces it separates.
enum class MatchBecomes { removed, isolated, merged_with_previous, merged_with_next, contiguous };

struct PreTokenizerScratch {
  PatternScratch pattern;
  NormalizedText rewritten;
};

class PreTokenizer {
  struct Split {
    TextPattern pattern;
    MatchBecomes behavior;
    bool invert;
  };
  struct SplitWords {  // a Split whose matches are its words and cover the text
    WordScanner scanner;
  };
  struct SplitCharacters {  // every character that 'splits' takes is a match
    bool (*splits)(char32_t);
    MatchBecomes behavior;
  };
  struct SplitMetaspace {
    Metaspace metaspace;
  };
  struct PrefixSpace {};
  std::vector<std::variant<Split, SplitWords, SplitCharacters, SplitMetaspace, PrefixSpace>> stages_;
  WordAlphabet alphabet_ = WordAlphabet::characters;

 public:
  static constexpr std::string_view gpt2_pattern =
      R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

  // 'pre_tokenizer' of tokenizer.json. ByteLevel must be the last stage: earlier ones then see plain text.
  static PreTokenizer from_json(const Json& value, const std::string& name, std::string_view source) {
    PreTokenizer made;
    if (!value.is_null()) made.add(TokenizerPart(value, name, source), 0);
    return made;
  }

  WordAlphabet alphabet() const { return alphabet_; }

  // Calls found(const Word&) for every word of 'text'. 'begins' tells of a place in the text whether it is the very
  // beginning of what the caller encodes.
  template <class Begins, class Found>
  void split(std::string_view text, PreTokenizerScratch& scratch, const Begins& begins, const Found& found) const {
    if (text.empty()) return;
    walk(0, Word{text, 0, nullptr}, scratch, begins, found);
  }

 private:
  static constexpr std::size_t max_stages = 64;

  static bool rewrites(const TokenizerPart& part) {
    return part.text("type") == "Metaspace" ||
           (part.text("type") == "ByteLevel" && part.flag("add_prefix_space", true));
  }

  void add(const TokenizerPart& part, int depth) {
    const std::string& type = part.text("type");
    require(stages_.size() < max_stages && depth < 8, Fault::data, "tokenizer.too_large",
            "{}: {} nests or repeats too much; expected at most {} stages", part.source(), part.name(), max_stages);
    if (type == "Sequence") {
      for (const TokenizerPart& step : part.parts("pretokenizers")) add(step, depth + 1);
      return;
    }
    if (alphabet_ == WordAlphabet::bytes)
      part.not_supported("type " + type + " after ByteLevel", "ByteLevel as the last");
    if (rewrites(part)) {
      for (const auto& stage : stages_)
        if (std::holds_alternative<SplitMetaspace>(stage))
          part.not_supported("type " + type + " after Metaspace", "one of the two");
    }
    const auto contiguous = [&](const char* one) {
      return part.flag(one, false) ? MatchBecomes::isolated : MatchBecomes::contiguous;
    };
    if (type == "Split") {
      add_split(part);
    } else if (type == "Digits") {
      stages_.emplace_back(SplitCharacters{&is_numeric, contiguous("individual_digits")});
    } else if (type == "ByteLevel") {
      if (part.flag("add_prefix_space", true)) stages_.emplace_back(PrefixSpace{});
      if (part.flag("use_regex", true)) stages_.emplace_back(SplitWords{WordScanner::of(gpt2_pattern).value()});
      alphabet_ = WordAlphabet::bytes;
    } else if (type == "Metaspace") {
      stages_.emplace_back(SplitMetaspace{Metaspace::from_part(part)});
    } else if (type == "Whitespace") {  // words, and what is neither word nor white space
      stages_.emplace_back(
          Split{TextPattern::pcre(R"([\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]+|)"
                                  R"([^\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}\p{White_Space}]+)"),
                MatchBecomes::removed, true});
    } else if (type == "WhitespaceSplit") {
      stages_.emplace_back(SplitCharacters{&is_white_space, MatchBecomes::removed});
    } else if (type == "Punctuation") {
      stages_.emplace_back(
          SplitCharacters{&is_punctuation, part.find("behavior") ? behavior_of(part) : MatchBecomes::isolated});
    } else {
      part.not_supported("type " + type,
                         "null, Split, Digits, ByteLevel, Metaspace, Whitespace, WhitespaceSplit, Punctuation or a "
                         "Sequence of these");
    }
  }

  void add_split(const TokenizerPart& part) {
    const Split split{pattern_of(part), behavior_of(part), part.flag("invert", false)};
    const bool words =
        split.behavior == MatchBecomes::isolated || (split.behavior == MatchBecomes::removed && split.invert);
    if (words && part.part("pattern").find("Regex")) {
      if (const auto scanner = WordScanner::of(part.part("pattern").text("Regex")))
        return void(stages_.emplace_back(SplitWords{*scanner}));
    }
    stages_.emplace_back(split);
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

  static std::string_view view(std::string_view text, Index begin, Index end) {
    return text.substr(static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin));
  }

  // Joins the cuts of a word as the behavior wants, and passes on what is not empty. Whether a cut joins its neighbour
  // depends on the kinds of the two cuts only, not on what the neighbour has become part of.
  template <class Emit>
  class Joiner {
    const MatchBecomes behavior_;
    const Word& word_;
    const Emit& emit_;
    Index begin_ = 0, end_ = 0;
    bool match_ = false;

   public:
    Joiner(MatchBecomes behavior, const Word& word, const Emit& emit) : behavior_(behavior), word_(word), emit_(emit) {}

    void cut(Index end, bool match) {  // from the end of the last one
      if (begin_ != end_ && !joins(match)) flush();
      end_ = end;
      match_ = match;
    }
    void flush() {
      if (begin_ != end_ && !(behavior_ == MatchBecomes::removed && match_))
        emit_(Word{view(word_.bytes, begin_, end_), word_.begin + begin_, word_.rewritten});
      begin_ = end_;
    }

   private:
    bool joins(bool match) const {
      switch (behavior_) {
        case MatchBecomes::contiguous:
          return match_ == match;
        case MatchBecomes::merged_with_previous:
          return match && !match_;
        case MatchBecomes::merged_with_next:
          return match_ && !match;
        default:
          return false;
      }
    }
  };

  template <class Begins, class Found>
  void walk(std::size_t stage, const Word& word, PreTokenizerScratch& scratch, const Begins& begins,
            const Found& found) const {
    if (stage == stages_.size()) return found(word);
    const auto emit = [&, stage](const Word& piece) { walk(stage + 1, piece, scratch, begins, found); };
    std::visit([&](const auto& s) { apply(s, word, scratch, begins, emit); }, stages_[stage]);
  }

  template <class Begins, class Emit>
  static void apply(const Split& split, const Word& word, PreTokenizerScratch& scratch, const Begins&,
                    const Emit& emit) {
    Joiner<Emit> joiner(split.behavior, word, emit);
    Index covered = 0;
    split.pattern.for_each(word.bytes, scratch.pattern, [&](Index begin, Index end) {
      if (covered != begin) joiner.cut(begin, split.invert);
      joiner.cut(end, !split.invert);
      covered = end;
    });
    const Index size = static_cast<Index>(word.bytes.size());
    if (covered != size) joiner.cut(size, split.invert);
    joiner.flush();
  }

  template <class Begins, class Emit>
  static void apply(const SplitWords& split, const Word& word, PreTokenizerScratch&, const Begins&, const Emit& emit) {
    split.scanner.for_each(word.bytes, [&](Index begin, Index end) {
      emit(Word{view(word.bytes, begin, end), word.begin + begin, word.rewritten});
    });
  }

  template <class Begins, class Emit>
  static void apply(const SplitCharacters& split, const Word& word, PreTokenizerScratch&, const Begins&,
                    const Emit& emit) {
    Joiner<Emit> joiner(split.behavior, word, emit);
    Index covered = 0;
    for (std::size_t at = 0; at < word.bytes.size();) {
      const CodePoint c = code_point_at(word.bytes, at);
      const Index begin = static_cast<Index>(at), end = static_cast<Index>(at += c.length);
      if (!split.splits(c.value)) continue;
      if (covered != begin) joiner.cut(begin, false);
      joiner.cut(end, true);
      covered = end;
    }
    const Index size = static_cast<Index>(word.bytes.size());
    if (covered != size) joiner.cut(size, false);
    joiner.flush();
  }

  // No earlier stage has rewritten the word: 'add' sees to that. So its place is one in the text.
  template <class Begins, class Emit>
  static void apply(const SplitMetaspace& stage, const Word& word, PreTokenizerScratch& scratch, const Begins& begins,
                    const Emit& emit) {
    const Metaspace& meta = stage.metaspace;
    NormalizedText& out = scratch.rewritten;
    out.clear();
    const bool starts = word.bytes.starts_with(' ') || word.bytes.starts_with(meta.replacement);
    const bool wanted =
        meta.prepend == PrependScheme::always || (meta.prepend == PrependScheme::first && begins(word.begin));
    if (wanted && !starts) out.append_changed(meta.replacement, {word.begin, word.begin});
    for (std::size_t at = 0; at < word.bytes.size();) {
      const std::size_t space = std::min(word.bytes.find(' ', at), word.bytes.size());
      const Index place = word.begin + static_cast<Index>(space);
      out.append_same(word.bytes.substr(at, space - at), word.begin + static_cast<Index>(at));
      if (space < word.bytes.size()) out.append_changed(meta.replacement, {place, place + 1});
      at = space + 1;
    }
    const std::string_view text = out.text();
    if (!meta.split) return emit(Word{text, 0, &out});
    for (std::size_t begin = 0; begin < text.size();) {  // each replacement with what follows it
      const std::size_t end =
          std::min(text.find(meta.replacement,
                             begin == 0 && !text.starts_with(meta.replacement) ? 0 : begin + meta.replacement.size()),
                   text.size());
      emit(Word{text.substr(begin, end - begin), static_cast<Index>(begin), &out});
      begin = end;
    }
  }

  template <class Begins, class Emit>
  static void apply(const PrefixSpace&, const Word& word, PreTokenizerScratch& scratch, const Begins&,
                    const Emit& emit) {
    if (word.bytes.starts_with(' ')) return emit(word);
    NormalizedText& out = scratch.rewritten;
    out.clear();
    out.append_changed(" ", {word.begin, word.begin});
    out.append_same(word.bytes, word.begin);
    emit(Word{out.text(), 0, &out});
  }
};

}  // namespace temper
