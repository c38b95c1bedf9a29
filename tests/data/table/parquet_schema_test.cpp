// SPDX-License-Identifier: MIT
// Schemas as trees: the ways in which writers spell lists, levels, and schemas that are none.
#include "temper/data/table/parquet_schema.hpp"
#include <doctest/doctest.h>

namespace temper::parquet::parquet_schema_test {

SchemaElement group(std::string name, Index children, Repetition repetition = Repetition::optional,
                    Logical logical = Logical::none) {
  return {std::move(name), Physical::none, repetition, children, logical, false};
}
SchemaElement text(std::string name, Repetition repetition = Repetition::optional) {
  return {std::move(name), Physical::byte_array, repetition, 0, Logical::string, false};
}
std::vector<Node> columns_of(const std::vector<SchemaElement>& elements) {
  const std::string name = "a.parquet";
  return SchemaReader(elements, name).columns();
}
std::string refused(const std::vector<SchemaElement>& elements) {
  try {
    columns_of(elements);
  } catch (const Error& error) { return error.what(); }
  return "";
}
const SchemaElement root = group("schema", 1, Repetition::required);
const SchemaElement list = group("words", 1, Repetition::optional, Logical::list);

TEST_CASE("parquet schema: a list of three levels, and the older ones of two, have the same items") {
  const auto item_of = [](const std::vector<SchemaElement>& elements) {
    const std::vector<Node> columns = columns_of(elements);
    REQUIRE(columns[0].kind == Node::Kind::list);
    CHECK(columns[0].repetition == 1);
    CHECK(columns[0].item_definition == 2);
    CHECK(columns[0].unsupported.empty());
    return columns[0].children.at(0);
  };
  const Node three = item_of({root, list, group("list", 1, Repetition::repeated), text("element")});
  CHECK(three.optional);
  CHECK(three.definition == 3);
  const Node two = item_of({root, list, text("element", Repetition::repeated)});
  CHECK(!two.optional);
  CHECK(two.definition == 2);
  // By its name the repeated group is the item, though it has one field.
  for (const char* name : {"array", "words_tuple"}) {
    const Node tuple = item_of({root, list, group(name, 1, Repetition::repeated), text("a")});
    CHECK(tuple.kind == Node::Kind::group);
    CHECK(tuple.children[0].name == "a");
  }
  CHECK(item_of({root, list, group("bag", 2, Repetition::repeated), text("a"), text("b")}).leaf_count == 2);
}

TEST_CASE("parquet schema: what cannot be read says why, up to its column") {
  const auto why = [](const std::vector<SchemaElement>& elements) { return columns_of(elements)[0].unsupported; };
  CHECK(why({root, text("a", Repetition::repeated)}) == "repeated outside of a LIST");
  SchemaElement bytes = text("a");
  bytes.logical = Logical::none;
  CHECK(why({root, bytes}).starts_with("binary"));
  CHECK(why({root, group("s", 1), bytes}) == "'a' in it is binary (BYTE_ARRAY that is not said to be UTF8)");
  CHECK(why({root, group("m", 1, Repetition::optional, Logical::map), text("a")}) == "a MAP");
}

TEST_CASE("parquet schema: trees that do not add up are damaged files") {
  CHECK(refused({}).find("a.parquet: the schema has no root") != std::string::npos);
  CHECK(refused({group("schema", 0)}).find("has no columns") != std::string::npos);
  CHECK(refused({root, group("s", 1)}).find("ends early") != std::string::npos);
  CHECK(refused({root, text("a"), text("b")}).find("belong to nothing") != std::string::npos);
  CHECK(refused({group("schema", 2), text("a"), text("a")}).find("two columns of one name") != std::string::npos);
  CHECK(refused({root, text("\xff")}).find("not UTF-8") != std::string::npos);
  CHECK(refused(
            {root, group("words", 2, Repetition::optional, Logical::list), text("a", Repetition::repeated), text("b")})
            .find("a LIST of more than one field") != std::string::npos);
  CHECK(refused({root, list, text("a")}).find("a LIST that does not repeat") != std::string::npos);
  std::vector<SchemaElement> deep = {root};
  for (int i = 0; i < 1000; ++i) deep.push_back(group("s", 1));
  deep.push_back(text("a"));
  CHECK(refused(deep).find("nested too deep") != std::string::npos);
}

}  // namespace temper::parquet::parquet_schema_test
