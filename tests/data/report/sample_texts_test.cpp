// SPDX-License-Identifier: MIT
// Which texts of a row are looked at: all that anybody wrote, each once.
#include "temper/data/report/sample_texts.hpp"
#include <doctest/doctest.h>

namespace temper::sample_texts_test {

std::string texts_of(const Sample& sample) {
  std::string all;
  SampleTexts::each(sample, [&](const std::string& text) { all += text + " "; });
  return all;
}

TEST_CASE("sample texts: a text; all strings of messages and documents, parts and calls too") {
  Sample text;
  text.text = "t";
  CHECK(texts_of(text) == "t ");
  Sample chat;
  chat.messages = Json::parse(R"([{"role": "user", "content": [{"type": "text", "text": "a"}]},
    {"role": "assistant", "content": null, "tool_calls": [{"arguments": {"to": "b"}, "n": 3}]}])");
  chat.documents = Json::parse(R"([{"text": "c"}])");
  CHECK(texts_of(chat) == "user text a assistant b c ");
}

TEST_CASE("sample texts: the prompt of a preference is given once") {
  Sample pair;
  pair.messages = Json::parse(R"([{"content": "p"}, {"content": "c"}])");
  pair.rejected = Json::parse(R"([{"content": "p"}, {"content": "r"}])");
  pair.first_answer = 1;
  CHECK(texts_of(pair) == "p c r ");
}

TEST_CASE("sample texts: what is nested beyond reason is not followed") {
  Sample sample;
  Json deep = "x";
  for (int i = 0; i < 5000; ++i) deep = Json::array({std::move(deep)});
  sample.messages = std::move(deep);
  CHECK(texts_of(sample).empty());
}

}  // namespace temper::sample_texts_test
