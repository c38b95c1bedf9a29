// SPDX-License-Identifier: MIT
// Labels of all rows together: what they state, how they are sorted, what does not fit.
#include "temper/data/label_set.hpp"
#include <doctest/doctest.h>

namespace temper::label_set_test {

std::vector<LabelValue> labels_of(std::string_view list, bool from_text = false) {
  std::vector<LabelValue> labels;
  for (const Json& value : Json::parse(list)) {
    labels.push_back(*label_of(value));
    labels.back().from_text = from_text;
  }
  return labels;
}
std::vector<LabelValue*> pointers(std::vector<LabelValue>& labels) {
  std::vector<LabelValue*> all;
  for (LabelValue& label : labels) all.push_back(&label);
  return all;
}
std::string place(std::size_t i) { return "a.csv:" + std::to_string(i + 1); }

LabelSet set_of(std::vector<LabelValue>& labels, Problem problem = Problem::automatic) {
  return LabelSet::of(pointers(labels), problem, place);
}
std::string refused(std::string_view list, Problem problem = Problem::automatic) {
  std::vector<LabelValue> labels = labels_of(list);
  try {
    set_of(labels, problem);
  } catch (const Error& error) {
    CHECK(error.fault() == Fault::data);
    return error.what();
  }
  return "";
}
using Names = std::vector<std::string>;
using Classes = std::vector<Index>;

TEST_CASE("label set: names are sorted as text, integers as numbers") {
  auto names = labels_of(R"(["b", "a", "10", "9", "b"])");
  const LabelSet words = set_of(names);
  CHECK(words.problem() == Problem::single_label);
  CHECK(words.names() == Names{"10", "9", "a", "b"});
  CHECK(words.classes(names[0]) == Classes{3});
  CHECK(words.shown({3}, 0) == "b");
  auto numbers = labels_of("[10, 9, -1, 10]");
  const LabelSet integers = set_of(numbers);
  CHECK(integers.names() == Names{"-1", "9", "10"});
  CHECK(integers.classes(numbers[0]) == Classes{2});
  CHECK(integers.shown({0}, 0) == -1);
}

TEST_CASE("label set: rows that name no class at all are refused") {
  CHECK(refused("[[], []]").find("a.csv:1: no row has a label") != std::string::npos);
}

TEST_CASE("label set: of cells that should be numbers the one that is none is named") {
  for (const char* cells : {R"(["1.5", "nan", "2"])", R"(["1.5", "", "2"])"}) {
    std::vector<LabelValue> labels = labels_of(cells, true);
    CHECK_THROWS_WITH_AS(set_of(labels, Problem::regression), doctest::Contains("a.csv:2: the label is '"), Error);
  }
}

TEST_CASE("label set: lists are several labels, fractions are values") {
  auto lists = labels_of(R"([["b", "a"], [], ["a", "a", "c"]])");
  const LabelSet several = set_of(lists);
  CHECK(several.problem() == Problem::multi_label);
  CHECK(several.names() == Names{"a", "b", "c"});
  CHECK(several.classes(lists[0]) == Classes{0, 1});
  CHECK(several.classes(lists[1]).empty());
  CHECK(several.classes(lists[2]) == Classes{0, 2});
  CHECK(several.shown({0, 2}, 0) == Json::parse(R"(["a", "c"])"));
  auto values = labels_of("[0.5, 2, -1.25]");
  const LabelSet regression = set_of(values);
  CHECK(regression.problem() == Problem::regression);
  CHECK(regression.names().empty());
  CHECK(regression.classes(values[0]).empty());
  CHECK(regression.shown({}, 0.5) == 0.5);
  auto asked = labels_of("[1, 2]");
  CHECK(set_of(asked, Problem::regression).problem() == Problem::regression);
}

TEST_CASE("label set: cells of text are numbers when all of them are") {
  auto integers = labels_of(R"(["10", "9"])", true);
  CHECK(set_of(integers).names() == Names{"9", "10"});
  auto padded = labels_of(R"(["01", "9"])", true);
  CHECK(set_of(padded).problem() == Problem::regression);
  auto mixed = labels_of(R"(["10", "9", "none"])", true);
  CHECK(set_of(mixed).names() == Names{"10", "9", "none"});
  auto values = labels_of(R"(["0.5", "2"])", true);
  CHECK(set_of(values).problem() == Problem::regression);
  CHECK(values[1].number == 2);
}

TEST_CASE("label set: labels that do not fit are named with their place") {
  CHECK(refused(R"(["a", 1])").find("a.csv:2: label 1 is an integer, others are text") != std::string::npos);
  CHECK(refused(R"(["a", 0.5])").find("a.csv:1: the label is 'a'; expected a number") != std::string::npos);
  CHECK(refused(R"(["a", ["b"]])").find("a.csv:1: the label is 'a'; expected a list of names") != std::string::npos);
  CHECK(refused("[0.5]", Problem::single_label).find("the label is '0.5'; expected a string or an integer") !=
        std::string::npos);
  CHECK(refused(R"([["a"]])", Problem::regression).find("the label is a list; expected a number") != std::string::npos);
  CHECK(!label_of(Json(true)));
  CHECK(!label_of(Json(nullptr)));
  CHECK(!label_of(Json::parse("[0.5]")));
  CHECK(!label_of(Json::parse("18446744073709551615")));
}

TEST_CASE("label set: a label that no training row has is refused in others") {
  auto train = labels_of("[1, 2]"), known = labels_of("[2]"), fresh = labels_of("[2, 3]"), names = labels_of("[\"x\"]");
  const LabelSet set = set_of(train);
  set.require_known(pointers(known), place);
  CHECK_THROWS_WITH_AS(set.require_known(pointers(fresh), place),
                       doctest::Contains("a.csv:2: label '3' is in no training row"), Error);
  CHECK_THROWS_WITH_AS(set.require_known(pointers(names), place), doctest::Contains("label 'x' is in no"), Error);
}

}  // namespace temper::label_set_test
