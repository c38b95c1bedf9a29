// SPDX-License-Identifier: MIT
#include "temper/data/pad_token.hpp"

#include <doctest/doctest.h>

#include "program/tiny_model.hpp"

namespace pad_token_test {

using namespace temper;
using temper_test::TestFolder;

TEST_CASE("pad token: the configuration's own, if it does not end texts, else one that no text holds") {
  const TestFolder folder;
  temper_test::write_tokenizer(folder.path());  // 256 <|end|>, 257 <|im_start|>, 258 <|im_end|>
  const Tokenizer tokenizer = Tokenizer::open(folder.path());
  const Index vocabulary = 262;
  CHECK(padding_token({{"pad_token_id", 9}}, tokenizer, vocabulary) == 9);
  CHECK(padding_token({{"pad_token_id", nullptr}}, tokenizer, vocabulary) == 257);
  CHECK(padding_token({{"pad_token_id", 256}}, tokenizer, vocabulary) == 257);  // the tokenizer's end
  CHECK(padding_token({{"pad_token_id", 9}, {"eos_token_id", 9}}, tokenizer, vocabulary) == 257);
  CHECK(padding_token({{"eos_token_id", {257, 258}}}, tokenizer, vocabulary) == 261);  // no token of the tokenizer's
  CHECK(padding_token({{"eos_token_id", {257, 258}}}, tokenizer, 259) == 0);
  for (const Json& odd : {Json(-1), Json(1e30), Json(18446744073709551615ull), Json("9"), Json(262)})
    CHECK(padding_token({{"pad_token_id", odd}, {"eos_token_id", odd}}, tokenizer, vocabulary) == 257);
}

TEST_CASE("pad token: the tokenizer's own, one made for it, the unknown one, in this order") {
  const TestFolder folder;
  temper_test::write_tokenizer(folder.path());
  const auto with = [&](const char* config) {
    temper_test::write_text(folder / "tokenizer_config.json", config);
    return padding_token(Json::object(), Tokenizer::open(folder.path()), 262);
  };
  CHECK(with(R"({"eos_token": "<|end|>", "pad_token": "<|im_end|>"})") == 258);
  CHECK(with(R"({"eos_token": "<|end|>", "pad_token": "<|end|>"})") == 257);
  CHECK(with(R"({"eos_token": "<|end|>", "unk_token": "<|im_end|>"})") == 258);
  CHECK(with(R"({"eos_token": "<|end|>", "bos_token": "<|im_start|>"})") == 258);
}

}  // namespace pad_token_test
