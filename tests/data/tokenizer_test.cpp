// SPDX-License-Identifier: MIT
// The tokenizer against what Hugging Face tokenizers recorded (tests/golden/tokenizer/make.py), its spans, and the
// files it must refuse.
#include "temper/data/tokenizer.hpp"
#include <doctest/doctest.h>
#include <support/refusal.hpp>

#include <ctime>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace tokenizer_test {

using namespace temper;
using temper::test::refusal;

const std::filesystem::path golden = TEMPER_TESTS "/golden/tokenizer";

// Hugging Face gives a token that is part of a character the whole of it.
TextSpan whole_characters(std::string_view text, TextSpan span) {
  const auto inside = [&](Index at) {
    return at < static_cast<Index>(text.size()) &&
           (static_cast<unsigned char>(text[static_cast<std::size_t>(at)]) & 0xc0u) == 0x80u;
  };
  if (span.begin == span.end) return span;
  while (inside(span.begin)) --span.begin;
  while (inside(span.end)) ++span.end;
  return span;
}

void check_golden(const std::string& name) {
  const Tokenizer tokenizer = Tokenizer::open(golden / name);
  const Json expected = read_json(golden / name / "expected.json");
  CHECK(tokenizer.vocabulary() == expected["vocabulary"].get<Index>());
  REQUIRE(expected["cases"].size() > 150);
  WordCache cache;
  for (const Json& row : expected["cases"]) {
    const std::string text = row["text"].get<std::string>();
    CAPTURE(text);
    const Encoding encoding = tokenizer.encode(text, SpecialTokens::added);
    const auto ids = row["ids"].get<std::vector<TokenId>>();
    CHECK(encoding.ids == ids);
    CHECK(tokenizer.encode(text, SpecialTokens::added, cache).ids == ids);
    CHECK(tokenizer.encode(text, SpecialTokens::none).ids == row.value("plain", ids));
    REQUIRE(encoding.spans.size() == encoding.ids.size());
    if (!row["spans"].is_null()) {
      std::vector<std::vector<Index>> spans;
      for (const TextSpan span : encoding.spans) {
        const TextSpan whole = whole_characters(text, span);
        spans.push_back({whole.begin, whole.end});
      }
      CHECK(spans == row["spans"].get<std::vector<std::vector<Index>>>());
    }
    const std::string decoded = row.value("decoded", text);
    CHECK(tokenizer.decode(ids, SpecialTokens::added) == decoded);
    CHECK(tokenizer.decode(ids, SpecialTokens::none) == row.value("without_special", decoded));
  }
  for (const Json& row : expected["decodes"])
    CHECK(tokenizer.decode(row["ids"].get<std::vector<TokenId>>(), SpecialTokens::added) == row["decoded"]);
}

// Places of the file, as JSON pointers, and the text that stands there instead.
using Changes = std::vector<std::pair<const char*, const char*>>;

// A tokenizer of the letters a to d with a few merges.
Tokenizer small(const Changes& changes = {}) {
  Json json = parse_json(R"({"normalizer": null,
    "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
    "decoder": {"type": "ByteLevel"}, "post_processor": null, "added_tokens": [],
    "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "c": 2, "d": 3, "ab": 4, "abc": 5, "bc": 9},
              "merges": ["b c", "a b", ["ab", "c"], "a bc"]}})",
                         "base");
  for (const auto& [place, text] : changes) json[Json::json_pointer(place)] = parse_json(text, place);
  return Tokenizer::from_json(to_text(json), "tokenizer.json");
}

using Ids = std::vector<TokenId>;
Ids ids_of(const Tokenizer& tokenizer, std::string_view text) {
  return tokenizer.encode(text, SpecialTokens::none).ids;
}

struct Lie {
  const char *place, *text, *code, *part;
};

// Each change alone is refused, with the code and with the file and its part in the message.
template <std::size_t Count>
void check_refused(const Lie (&lies)[Count]) {
  for (const Lie& lie : lies) {
    const std::string said = refusal([&] { small({{lie.place, lie.text}}); });
    CAPTURE(said);
    CHECK(said.starts_with(std::string(lie.code) + " | temper: tokenizer.json: "));
    CHECK(said.find(lie.part) != std::string::npos);
  }
}

TEST_CASE("tokenizer: ids, spans and texts of every family equal the recorded ones") {
  for (const char* family : {"gpt2", "llama3", "qwen2", "prefix", "deepseek", "o200k", "tekken", "phi4"}) {
    CAPTURE(family);
    check_golden(family);
  }
}

TEST_CASE("tokenizer: families of characters, with bytes or the unknown token for others, equal the recorded ones") {
  for (const char* family : {"llama2", "mistral", "gemma", "metaspace", "odd", "suffix"}) {
    CAPTURE(family);
    check_golden(family);
  }
}

TEST_CASE("tokenizer: the merge learned first wins, wherever it stands") {
  CHECK(ids_of(small(), "abc") == Ids{5});
  CHECK(ids_of(small(), "abcd") == Ids{5, 3});
  CHECK(ids_of(small(), "aab") == Ids{0, 4});
  const Tokenizer without = small({{"/model/merges", R"(["b c", "a b"])"}});
  CHECK(ids_of(without, "abc") == Ids{0, 9});
}

TEST_CASE("tokenizer: ignore_merges takes a word that is a token whole") {
  for (const bool ignore : {true, false}) {
    const Tokenizer tokenizer =
        small({{"/model/merges", R"(["b c"])"}, {"/model/ignore_merges", ignore ? "true" : "false"}});
    CHECK(ids_of(tokenizer, "abc") == (ignore ? Ids{5} : Ids{0, 9}));
  }
}

TEST_CASE("tokenizer: a byte without a token becomes the unknown token, or nothing") {
  CHECK(ids_of(small(), "axxb") == Ids{4});  // as if they were not there
  const Changes unknown{{"/model/unk_token", R"("d")"}}, fuse{unknown[0], {"/model/fuse_unk", "true"}};
  CHECK(ids_of(small(unknown), "axxb") == Ids{0, 3, 3, 1});
  const Encoding fused = small(fuse).encode("axxb", SpecialTokens::none);
  CHECK(fused.ids == Ids{0, 3, 1});
  CHECK(fused.spans == std::vector<TextSpan>{{0, 1}, {1, 3}, {3, 4}});
}

TEST_CASE("tokenizer: ids may have holes and vocabulary() is the highest plus one") {
  const Tokenizer tokenizer = small();
  CHECK(tokenizer.vocabulary() == 10);
  CHECK(tokenizer.id_of("bc") == TokenId{9});
  CHECK_FALSE(tokenizer.id_of("zz").has_value());
  CHECK(tokenizer.token(9) == "bc");
  CHECK(tokenizer.token(7).empty());
  CHECK(tokenizer.decode(Ids{0, 7, -3, 1000000, 9}, SpecialTokens::added) == "abc");
}

TEST_CASE("tokenizer: spans of a composed character are all its bytes") {
  const Tokenizer tokenizer = Tokenizer::open(golden / "qwen2");
  const std::string text = "cafe\xcc\x81 x";  // e and U+0301 become one character of two bytes
  const Encoding encoding = tokenizer.encode(text, SpecialTokens::none);
  CHECK(tokenizer.decode(encoding.ids, SpecialTokens::none) == "caf\xc3\xa9 x");
  REQUIRE(encoding.spans.size() >= 2);
  CHECK(encoding.spans.front().begin == 0);
  CHECK(encoding.spans.back() == TextSpan{6, 8});
  CHECK(encoding.spans[encoding.spans.size() - 2].end == 6);
}

TEST_CASE("tokenizer: text that is not UTF-8 is refused with its first wrong byte") {
  const std::string said = refusal([] { ids_of(small(), "ab\xffz"); });
  CHECK(said.starts_with("text.not_utf8 | temper: byte 2 (0xff) of a text of 4 bytes"));
}

TEST_CASE("tokenizer: parts that are not supported are named") {
  const char* const code = "tokenizer.not_supported";
  const Lie lies[] = {
      {"/normalizer", R"({"type": "BertNormalizer"})", code, "normalizer type BertNormalizer"},
      {"/normalizer", R"({"type": "Sequence", "normalizers": [{"type": "Nmt"}]})", code,
       "normalizer.normalizers[0] type Nmt"},
      {"/normalizer", R"({"type": "Precompiled", "precompiled_charsmap": "AA=="})", code, "type Precompiled"},
      {"/pre_tokenizer", R"({"type": "FixedLength", "length": 0})", code, "pre_tokenizer type FixedLength"},
      {"/pre_tokenizer", R"({"type": "UnicodeScripts"})", code, "pre_tokenizer type UnicodeScripts"},
      {"/model/type", R"("Unigram")", code, "model type Unigram"},
      {"/model/byte_fallback", "true", code, "byte_fallback"},
      {"/model/end_of_word_suffix", R"("</w>")", code, "end_of_word_suffix"},
      {"/model/continuing_subword_prefix", R"("##")", code, "continuing_subword_prefix"},
      {"/model/dropout", "0.1", code, "dropout"},
      {"/post_processor", R"({"type": "BertProcessing"})", code, "post_processor type BertProcessing"},
      {"/decoder", R"({"type": "WordPiece"})", code, "decoder type WordPiece"},
      {"/decoder", R"({"type": "CTC"})", code, "decoder type CTC"},
      {"/decoder", R"({"type": "Sequence", "decoders": [{"type": "BPEDecoder"}]})", code, "decoder.decoders[0]"},
  };
  check_refused(lies);
}

TEST_CASE("tokenizer: merges of tokens that do not exist are named") {
  const Lie lies[] = {
      {"/model/merges", R"(["a b", "a zz"])", "tokenizer.merge",
       "merge 1 joins 'a' and 'zz', but 'zz' is not in the vocabulary"},
      {"/model/merges", R"(["a b", "d a"])", "tokenizer.merge", "'da' is not in the vocabulary"},
      {"/model/merges", R"(["abc abc"])", "tokenizer.merge", "'abcabc'"},  // longer than every token
      {"/model/merges", R"(["a b", "abc"])", "tokenizer.field", "model.merges: entry 1"},
      {"/model/merges", R"([["a", "b", "c"]])", "tokenizer.field", "model.merges: entry 0"},
      {"/model/unk_token", R"("zz")", "tokenizer.vocabulary", "model.unk_token 'zz' is not in the vocabulary"},
  };
  check_refused(lies);
}

TEST_CASE("tokenizer: ids that are not ids are refused") {
  const char* const added = "tokenizer.added_token";
  const Lie lies[] = {
      {"/model/vocab/e", "0", "tokenizer.vocabulary", "'a' and 'e' both have id 0"},
      {"/model/vocab/e", "-1", "tokenizer.vocabulary", "'e' has id -1"},
      {"/model/vocab/e", "4000000000", "tokenizer.vocabulary", "'e' has id 4000000000"},
      {"/model/vocab/e", R"("x")", "tokenizer.field", "'e' has an id that is not a number"},
      {"/model/vocab", "{}", "tokenizer.vocabulary", "is empty"},
      {"/added_tokens", R"([{"id": 0, "content": "zz"}])", added, "added_tokens[0] 'zz' has id 0"},
      {"/added_tokens", R"([{"id": 8, "content": "ab"}])", added, "'ab' has id 8, but in model.vocab it has 4"},
      {"/added_tokens", R"([{"id": 20, "content": ""}])", added, "has 0 bytes"},
      {"/added_tokens", R"([{"id": -1, "content": "zz"}])", "tokenizer.field", "added_tokens[0].id is -1"},
      {"/added_tokens", R"([{"id": 4194304, "content": "zz"}])", "tokenizer.field", "added_tokens[0].id is 4194304"},
      {"/added_tokens", R"([{"content": "zz"}])", "tokenizer.field", "added_tokens[0].id is missing"},
      {"/added_tokens", R"([{"id": 20, "content": "x"}, {"id": 20, "content": "y"}])", "tokenizer.vocabulary",
       "'x' and 'y' both have id 20"},
      {"/added_tokens", R"({"x": 1})", "tokenizer.field", "added_tokens is {\"x\":1}; expected a list"},
      {"/post_processor", R"({"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "x"}},
        {"Sequence": {"id": "A"}}], "special_tokens": {"x": {"id": "x", "ids": [7]}}})",
       "tokenizer.field", "special_tokens.x.ids is [7]; expected ids of tokens that exist"},
  };
  check_refused(lies);
}

TEST_CASE("tokenizer: more added tokens than any model has are refused") {
  std::string list = "[";
  for (int i = 0; i < 200'000; ++i) list += i == 0 ? "0" : ",0";
  const std::string said = refusal([&] { small({{"/added_tokens", (list + "]").c_str()}}); });
  CHECK(said.starts_with("tokenizer.too_large | temper: tokenizer.json: added_tokens has 200000 entries"));
}

TEST_CASE("tokenizer: an expression that takes for ever ends with an error, not the test") {
  const Tokenizer tokenizer = small({{"/pre_tokenizer", R"({"type": "Sequence", "pretokenizers": [{"type": "Split",
    "pattern": {"Regex": "(a|aa|aaa)+[bc]"}, "behavior": "Isolated"}, {"type": "ByteLevel", "use_regex": false}]})"}});
  const std::string said = refusal([&] { ids_of(tokenizer, std::string(300, 'a')); });
  CHECK(said.starts_with("text.pattern_limit | "));
}

TEST_CASE("tokenizer: files that are cut or of another shape are refused") {
  for (const char* text : {"", "[]", "null", "{", "{}", R"({"model": 1})", R"({"model": {"vocab": []}})",
                           R"({"model": {"merges": {}}})", R"({"model": {"vocab": {"a": 0}, "merges": [[["a"]]]}})"}) {
    CAPTURE(text);
    CHECK_THROWS_AS(Tokenizer::from_json(text, "tokenizer.json"), Error);
  }
  CHECK_THROWS_AS(Tokenizer::open(golden / "nowhere"), Error);
}

TEST_CASE("tokenizer: long words take time that grows with their length") {
  const auto seconds = [](const Tokenizer& tokenizer, const std::string& text) {
    const std::clock_t began = std::clock();
    const Encoding encoding = tokenizer.encode(text, SpecialTokens::none);
    CHECK(encoding.ids.size() == encoding.spans.size());
    return static_cast<double>(std::clock() - began) / CLOCKS_PER_SEC;
  };
  for (const char* family : {"llama3", "qwen2", "deepseek", "llama2", "metaspace", "odd"}) {
    const Tokenizer tokenizer = Tokenizer::open(golden / family);
    for (const char* unit : {"a", " ", "\n", "\xf0\x9f\x98\x80", "the ", "e\xcc\x81", "'"}) {
      CAPTURE(family);
      CAPTURE(unit);
      std::string few, many;
      while (few.size() < 8'000) few += unit;
      while (many.size() < 128'000) many += unit;
      CHECK(seconds(tokenizer, many) < 16 * 8 * (seconds(tokenizer, few) + 0.002));  // quadratic: 256 times
    }
  }
}

TEST_CASE("tokenizer: long words of every kind are decoded to what they were") {
  for (const char* family : {"gpt2", "llama3", "o200k", "llama2", "gemma"}) {
    const Tokenizer tokenizer = Tokenizer::open(golden / family);
    for (const char* unit : {"a", " ", "\n", "\xf0\x9f\x98\x80", "the ", "1", "'"}) {
      std::string text;
      while (text.size() < 50'000) text += unit;
      const Encoding encoding = tokenizer.encode(text, SpecialTokens::none);
      CHECK(tokenizer.decode(encoding.ids, SpecialTokens::none) == text);
    }
  }
}

TEST_CASE("tokenizer: a text in characters without a token has the bytes' spans one by one") {
  const Tokenizer tokenizer = Tokenizer::open(golden / "llama2");
  const Encoding encoding = tokenizer.encode("a \xf0\x9f\x98\x80", SpecialTokens::none);
  REQUIRE(encoding.spans.size() >= 5);
  for (std::size_t i = 0; i < 4; ++i) {
    const auto place = static_cast<Index>(2 + i);
    CHECK(encoding.spans[encoding.spans.size() - 4 + i] == TextSpan{place, place + 1});
  }
  CHECK(encoding.spans[0].begin == 0);
  CHECK(tokenizer.decode(encoding.ids, SpecialTokens::none) == "a \xf0\x9f\x98\x80");
}

TEST_CASE("tokenizer: the special tokens by role") {
  const Tokenizer tokenizer = Tokenizer::open(golden / "llama3");
  CHECK(tokenizer.bos_token() == "<s>");
  CHECK(tokenizer.bos() == tokenizer.id_of("<s>"));
  CHECK(tokenizer.eos() == tokenizer.id_of("</s>"));
  CHECK_FALSE(tokenizer.pad().has_value());
  CHECK(tokenizer.end_ids() == Ids{*tokenizer.eos()});
  CHECK(tokenizer.is_special(*tokenizer.eos()));
  CHECK_FALSE(tokenizer.is_special(*tokenizer.id_of("<|x|>")));
  CHECK(tokenizer.identity() != Tokenizer::open(golden / "gpt2").identity());
  CHECK(tokenizer.identity() == Tokenizer::open(golden / "llama3").identity());
}

}  // namespace tokenizer_test
