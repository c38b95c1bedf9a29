// SPDX-License-Identifier: MIT
#include "temper/data/tokenizer_json.hpp"
#include <doctest/doctest.h>
#include <support/refusal.hpp>

#include <string>
#include <utility>

namespace tokenizer_json_test {

using namespace temper;

std::string refused(std::string_view text) {
  return test::refusal([&] { read_tokenizer_json(text, "folder/tokenizer.json"); });
}

TEST_CASE("tokenizer_json: vocabulary and merges go their own way, the rest is a small value") {
  const TokenizerFile file = read_tokenizer_json(R"({"version": "1.0", "model": {"type": "BPE",
    "vocab": {"a": 0, "b": 1, "ab": 5}, "merges": ["#version: 0.2", "a b", ["ab", "a"]], "dropout": null},
    "vocab": {"a": 9}, "other": {"vocab": {"c": 1}, "merges": ["x"], "model": {"vocab": 3}}, "added_tokens": [{}]})",
                                                 "t");
  CHECK(file.vocabulary.size() == 3);
  CHECK(file.vocabulary.id_of("ab") == TokenId{5});
  const BytePairModel::MergeTexts merges{{"a", "b"}, {"ab", "a"}};
  CHECK(file.merges == merges);
  CHECK(to_text(file.rest) ==
        R"({"version":"1.0","model":{"type":"BPE","vocab":null,"merges":null,"dropout":null},"vocab":{"a":9},)"
        R"("other":{"vocab":{"c":1},"merges":["x"],"model":{"vocab":3}},"added_tokens":[{}]})");
}

TEST_CASE("tokenizer_json: a model in a list, or below another, has no vocabulary") {
  for (const char* text : {R"({"model": [{"vocab": {"a": 0}, "merges": ["a b"]}]})",
                           R"({"model": {"model": {"vocab": {"a": 0}, "merges": ["a b"]}}})",
                           R"({"model": 1, "x": {"vocab": {"a": 0}, "merges": ["a b"]}})",
                           R"({"model": {"vocab": null, "merges": "a b"}})"}) {
    CAPTURE(text);
    const TokenizerFile file = read_tokenizer_json(text, "t");
    CHECK(file.vocabulary.size() == 0);
    CHECK(file.merges.empty());
  }
}

TEST_CASE("tokenizer_json: texts that JSON escapes are one text with those written out") {
  const TokenizerFile file =
      read_tokenizer_json("{\"model\": {\"vocab\": {\"\\u0120a\": 1, \"\\ud83d\\ude00\": 2}}}", "t");
  CHECK(file.vocabulary.id_of("\xc4\xa0"
                              "a") == TokenId{1});
  CHECK(file.vocabulary.id_of("\xf0\x9f\x98\x80") == TokenId{2});
  CHECK(refused(R"({"model": {"vocab": {"a": 1, "\u0061": 2}}})").find("'a' stands twice") != std::string::npos);
}

TEST_CASE("tokenizer_json: files that lie are refused with the token or merge that is wrong") {
  const std::pair<std::string, const char*> rows[] = {
      {R"({"a": 0, "b": 0})", "tokens 'a' and 'b' both have id 0"},
      {R"({"a": 0, "a": 1})", "token 'a' stands twice"},
      {R"({"a": -1})", "token 'a' has id -1;"},
      {R"({"a": 2147483648})", "token 'a' has id 2147483648;"},
      {R"({"a": 18446744073709551615})", "token 'a' has id 9223372036854775807;"},
      {R"({"a": 4194304})", "token 'a' has id 4194304; expected 0 to 4194303"},
      {R"({"a": 1e3})", "model.vocab: token 'a' has an id that is not a number"},
      {R"({"a": "0"})", "model.vocab: token 'a' has an id that is not a number"},
      {R"({"a": null})", "model.vocab: token 'a' has an id that is not a number"},
      {R"({"a": {"b": 1}})", "model.vocab: token 'a' has an id that is not a number"},
      {R"({"a": [1]})", "model.vocab: token 'a' has an id that is not a number"},
      {R"({"a": 99999999999999999999})", "integer 99999999999999999999 has more than 64 bits"},
      {"{\"a\xff\": 0}", "not valid UTF-8"},
      {R"({"\ud800": 0})", "half of a surrogate pair"},
      {R"({"a": 0}, "vocab": {"b": 1})", "vocab"},
      {R"({"a": 0}, "merges": [1])", "model.merges: entry 0 is neither 'a b' nor a pair"},
      {R"({"a": 0}, "merges": ["a b", "ab"])", "model.merges: entry 1 is neither"},
      {R"({"a": 0}, "merges": ["a b c"])", "model.merges: entry 0 is neither"},
      {R"({"a": 0}, "merges": [[]])", "model.merges: entry 0 is neither"},
      {R"({"a": 0}, "merges": [["a"]])", "model.merges: entry 0 is neither"},
      {R"({"a": 0}, "merges": [["a", 1]])", "model.merges: entry 0 is neither"},
      {R"({"a": 0}, "merges": [["a", ["b"]]])", "model.merges: entry 0 is neither"},
      {R"({"a": 0}, "merges": [["a", {"b": 1}]])", "model.merges: entry 0 is neither"},
      {R"({"a": 0}, "merges": [{"a": "b"}])", "model.merges: entry 0 is neither"},
  };
  for (const auto& row : rows) {
    const std::string said = refused(R"({"model": {"vocab": )" + row.first + "}}");
    CAPTURE(said);
    CHECK(said.find("folder/tokenizer.json") != std::string::npos);
    CHECK(said.find(row.second) != std::string::npos);
  }
}

TEST_CASE("tokenizer_json: a file that is cut anywhere, or nested without end, is refused") {
  const std::string whole = R"({"model": {"vocab": {"a": 0, "b": 1}, "merges": ["a b", ["b", "a"]]}, "x": [1, {}]})";
  CHECK(refused(whole) == "nothing");
  for (std::size_t size = 0; size < whole.size(); ++size) {
    CAPTURE(size);
    CHECK(refused(std::string_view(whole).substr(0, size)).starts_with("json."));
  }
  for (const char* text : {"[]", "null", "1", "\"x\""})
    CHECK(refused(text).find("expected an object") != std::string::npos);
  for (const char* start : {"[", "{\"a\":", "{\"model\": {\"merges\": [", "{\"model\":{\"vocab\":{\"a\":"}) {
    std::string nested;
    for (int i = 0; i < 100'000; ++i) nested += start;
    CHECK(refused(nested) != "nothing");
  }
}

TEST_CASE("tokenizer_json: a vocabulary of a hundred thousand tokens is read in linear time") {
  std::string text = R"({"model": {"vocab": {)";
  for (int i = 0; i < 100'000; ++i) text += fmt::format("{}\"token {}\": {}", i == 0 ? "" : ", ", i, i);
  const TokenizerFile file = read_tokenizer_json(text + "}}}", "t");
  CHECK(file.vocabulary.size() == 100'000);
  CHECK(file.vocabulary.id_of("token 77777") == TokenId{77777});
}

}  // namespace tokenizer_json_test
