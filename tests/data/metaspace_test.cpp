// SPDX-License-Identifier: MIT
#include "temper/data/metaspace.hpp"
#include <doctest/doctest.h>
#include <support/refusal.hpp>
#include "temper/io/json.hpp"

#include <string>

namespace metaspace_test {

using namespace temper;

Metaspace made(const std::string& fields) {
  const Json json = parse_json(R"({"type": "Metaspace", "replacement": "\u2581")" + fields + "}", "test");
  return Metaspace::from_part(TokenizerPart(json, "pre_tokenizer", "tokenizer.json"));
}

TEST_CASE("metaspace: what older files write is read as what it became") {
  CHECK(made("").replacement == "\xe2\x96\x81");
  CHECK(made("").prepend == PrependScheme::always);
  CHECK(made("").split);
  CHECK(made(R"(, "add_prefix_space": true, "str_rep": "x")").prepend == PrependScheme::always);
  CHECK(made(R"(, "add_prefix_space": false, "prepend_scheme": "never")").prepend == PrependScheme::never);
  CHECK(made(R"(, "prepend_scheme": "first", "split": false)").prepend == PrependScheme::first);
  CHECK_FALSE(made(R"(, "split": false)").split);
}

TEST_CASE("metaspace: fields that contradict each other or are none are refused as the reference refuses them") {
  for (const char* fields :
       {R"(, "add_prefix_space": false)", R"(, "add_prefix_space": false, "prepend_scheme": "first")",
        R"(, "prepend_scheme": "last")", R"(, "split": 1)"}) {
    CAPTURE(fields);
    CHECK(test::refusal([&] { made(fields); }).starts_with("tokenizer.field | temper: tokenizer.json: pre_tokenizer."));
  }
}

}  // namespace metaspace_test
