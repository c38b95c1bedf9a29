// SPDX-License-Identifier: MIT
// The tokenizer against what Hugging Face tokenizers recorded (tests/golden/tokenizer/make.py), its spans, and the
// files it must refuse.
#include <doctest/doctest.h>
#include <temper/data/tokenizer.hpp>

#include <filesystem>
#include <fstream>
#include <string>

using namespace temper;

namespace {

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

// A tokenizer of the letters a to d with a few merges, changed by 'change'.
template <class Change>
Tokenizer small(const Change& change) {
  Json json = Json::parse(R"({"normalizer": null,
    "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
    "decoder": {"type": "ByteLevel"}, "post_processor": null, "added_tokens": [],
    "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "c": 2, "d": 3, "ab": 4, "abc": 5, "bc": 9},
              "merges": ["b c", "a b", ["ab", "c"], "a bc"]}})");
  change(json);
  return Tokenizer::from_json(json.dump(), "tokenizer.json");
}
Tokenizer small() {
  return small([](Json&) {});
}

using Ids = std::vector<TokenId>;
Ids ids_of(const Tokenizer& tokenizer, std::string_view text) {
  return tokenizer.encode(text, SpecialTokens::none).ids;
}

// The message and code of the error that 'work' throws.
template <class Work>
Error thrown_by(const Work& work) {
  try {
    work();
  } catch (const Error& error) { return error; }
  FAIL("nothing was thrown");
  return Error(Fault::usage, "", "");
}

template <class Change>
void check_refused(const char* code, const char* part, const Change& change) {
  const Error error = thrown_by([&] { small(change); });
  CHECK(error.code() == code);
  CHECK(error.fault() == Fault::data);
  const std::string message = error.what();
  CAPTURE(message);
  CHECK(message.find("tokenizer.json") != std::string::npos);
  CHECK(message.find(part) != std::string::npos);
}

}  // namespace

TEST_CASE("tokenizer: GPT-2 style ids, spans and texts equal the recorded ones") { check_golden("gpt2"); }
TEST_CASE("tokenizer: Llama 3 style ids, spans and texts equal the recorded ones") { check_golden("llama3"); }
TEST_CASE("tokenizer: Qwen2 style ids, spans and texts equal the recorded ones") { check_golden("qwen2"); }
TEST_CASE("tokenizer: single digits and a prefix space equal the recorded ones") { check_golden("prefix"); }

TEST_CASE("tokenizer: the merge learned first wins, wherever it stands") {
  CHECK(ids_of(small(), "abc") == Ids{5});
  CHECK(ids_of(small(), "abcd") == Ids{5, 3});
  CHECK(ids_of(small(), "aab") == Ids{0, 4});
  const Tokenizer without = small([](Json& json) { json["model"]["merges"] = {"b c", "a b"}; });
  CHECK(ids_of(without, "abc") == Ids{0, 9});
}

TEST_CASE("tokenizer: ignore_merges takes a word that is a token whole") {
  const auto change = [](bool ignore) {
    return [ignore](Json& json) {
      json["model"]["merges"] = Json::array({"b c"});
      json["model"]["ignore_merges"] = ignore;
    };
  };
  CHECK(ids_of(small(change(true)), "abc") == Ids{5});
  CHECK(ids_of(small(change(false)), "abc") == Ids{0, 9});
}

TEST_CASE("tokenizer: a byte without a token becomes the unknown token, or nothing") {
  CHECK(ids_of(small(), "axxb") == Ids{4});  // as if they were not there
  const auto unknown = [](bool fuse) {
    return [fuse](Json& json) {
      json["model"]["unk_token"] = "d";
      json["model"]["fuse_unk"] = fuse;
    };
  };
  CHECK(ids_of(small(unknown(false)), "axxb") == Ids{0, 3, 3, 1});
  const Encoding fused = small(unknown(true)).encode("axxb", SpecialTokens::none);
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
  const Error error = thrown_by([] { ids_of(small(), "ab\xffz"); });
  CHECK(error.code() == "text.not_utf8");
  CHECK(std::string(error.what()).find("byte 2 (0xff) of a text of 4 bytes") != std::string::npos);
}

TEST_CASE("tokenizer: parts that are not supported are named") {
  check_refused("tokenizer.not_supported", "normalizer type Lowercase", [](Json& json) {
    json["normalizer"] = {{"type", "Lowercase"}};
  });
  check_refused("tokenizer.not_supported", "normalizer.normalizers[0] type NFKC", [](Json& json) {
    json["normalizer"] = {{"type", "Sequence"}, {"normalizers", Json::array({{{"type", "NFKC"}}})}};
  });
  check_refused("tokenizer.not_supported", "pre_tokenizer type Metaspace", [](Json& json) {
    json["pre_tokenizer"] = {{"type", "Metaspace"}};
  });
  check_refused("tokenizer.not_supported", "pre_tokenizer", [](Json& json) { json["pre_tokenizer"] = nullptr; });
  check_refused("tokenizer.not_supported", "model type Unigram", [](Json& json) { json["model"]["type"] = "Unigram"; });
  check_refused("tokenizer.not_supported", "byte_fallback", [](Json& json) { json["model"]["byte_fallback"] = true; });
  check_refused("tokenizer.not_supported", "end_of_word_suffix",
                [](Json& json) { json["model"]["end_of_word_suffix"] = "</w>"; });
  check_refused("tokenizer.not_supported", "dropout", [](Json& json) { json["model"]["dropout"] = 0.1; });
  check_refused("tokenizer.not_supported", "post_processor type BertProcessing", [](Json& json) {
    json["post_processor"] = {{"type", "BertProcessing"}};
  });
  check_refused("tokenizer.not_supported", "decoder type WordPiece", [](Json& json) {
    json["decoder"] = {{"type", "WordPiece"}};
  });
}

TEST_CASE("tokenizer: a merge of tokens that do not exist is named") {
  const auto merges = [](const char* merge) {
    return [merge](Json& json) { json["model"]["merges"] = {"a b", merge}; };
  };
  check_refused("tokenizer.merge", "merge 1 joins 'a' and 'zz', but 'zz' is not in the vocabulary", merges("a zz"));
  check_refused("tokenizer.merge", "'da' is not in the vocabulary", merges("d a"));
  check_refused("tokenizer.field", "model.merges: entry 1", merges("abc"));
  check_refused("tokenizer.field", "model.merges: entry 0", [](Json& json) {
    json["model"]["merges"] = Json::array({Json::array({"a", "b", "c"})});
  });
}

TEST_CASE("tokenizer: ids that are not ids are refused") {
  check_refused("tokenizer.vocabulary", "'a' and 'e' both have id 0",
                [](Json& json) { json["model"]["vocab"]["e"] = 0; });
  check_refused("tokenizer.vocabulary", "id -1", [](Json& json) { json["model"]["vocab"]["e"] = -1; });
  check_refused("tokenizer.vocabulary", "'e'", [](Json& json) { json["model"]["vocab"]["e"] = 4'000'000'000u; });
  check_refused("tokenizer.vocabulary", "'e'", [](Json& json) { json["model"]["vocab"]["e"] = "x"; });
  check_refused("tokenizer.field", "model.vocab", [](Json& json) { json["model"]["vocab"]["e"] = {{"x", 1}}; });
  check_refused("tokenizer.vocabulary", "is empty", [](Json& json) { json["model"]["vocab"] = Json::object(); });
  check_refused("tokenizer.added_token", "added_tokens[0] 'zz' has id 0", [](Json& json) {
    json["added_tokens"] = Json::array({{{"id", 0}, {"content", "zz"}}});
  });
  check_refused("tokenizer.added_token", "has 0 bytes", [](Json& json) {
    json["added_tokens"] = Json::array({{{"id", 20}, {"content", ""}}});
  });
  const std::string twice = R"({"model": {"vocab": {"a": 0, "a": 1}}})";
  CHECK(thrown_by([&] { Tokenizer::from_json(twice, "t"); }).code() == "tokenizer.vocabulary");
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
  const Tokenizer tokenizer = Tokenizer::open(golden / "llama3");
  for (const char* unit : {"a", " ", "\n", "\xf0\x9f\x98\x80", "the ", "1", "'"}) {
    std::string text;
    while (text.size() < 200'000) text += unit;
    const Encoding encoding = tokenizer.encode(text, SpecialTokens::none);
    CHECK(tokenizer.decode(encoding.ids, SpecialTokens::none) == text);
  }
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
