// SPDX-License-Identifier: MIT
// The schema of a Parquet file as a tree of what rows are made of: values, groups (structs) and lists. Each node knows
// its levels: a value is there when its definition level is reached, and a list goes on where the repetition level is
// its own. What cannot be read is marked with its reason, so that a file with such a column beside those that are
// wanted can still be used.
#pragma once
#include "temper/data/table/parquet_metadata.hpp"
#include "temper/data/utf8.hpp"

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace temper::parquet {

enum class ValueKind { boolean, int32, int64, uint32, uint64, real32, real64, text, nothing };

struct Node {
  enum class Kind { value, group, list };
  std::string name;
  Kind kind = Kind::value;
  bool optional = false;
  int definition = 0;            // reached when this is not null
  int item_definition = 0;       // a list: reached when it has an item
  int repetition = 0;            // a list: of its second and later items; a value: the deepest of its lists
  std::vector<Node> children{};  // a list has one: its item
  ValueKind value = ValueKind::nothing;
  std::size_t first_leaf = 0, leaf_count = 0;  // among the columns of a row group
  std::string unsupported{};                   // why this cannot be read; of a child too
};

class SchemaReader {
 public:
  SchemaReader(const std::vector<SchemaElement>& elements, const std::string& name)
      : elements_(elements), name_(name) {}

  // One node a column of a row.
  std::vector<Node> columns() {
    require_good(!elements_.empty(), "has no root");
    const Index count = elements_[0].children;
    require_good(count > 0 && count < std::ssize(elements_), "has no columns, or more than it lists");
    at_ = 1;
    std::vector<Node> columns;
    for (Index i = 0; i < count; ++i) columns.push_back(node(0, 0, 1));
    require_good(at_ == elements_.size(), "lists elements that belong to nothing");
    require_names(columns);
    return columns;
  }

  std::size_t leaves() const { return leaves_; }

 private:
  static constexpr int max_depth = 16;

  void require_good(bool condition, std::string_view what) const {
    require(condition, Fault::data, "parquet.schema", "{}: the schema {}; the file is damaged", name_, what);
  }

  // Rows become objects, whose keys are UTF-8 and different.
  void require_names(const std::vector<Node>& nodes) const {
    std::vector<std::string_view> names;
    for (const Node& node : nodes) {
      require_good(invalid_utf8(node.name) == node.name.size(), "has a name that is not UTF-8");
      names.push_back(node.name);
    }
    std::sort(names.begin(), names.end());
    require_good(std::adjacent_find(names.begin(), names.end()) == names.end(), "has two columns of one name");
  }

  const SchemaElement& next() {
    require_good(at_ < elements_.size(), "ends early");
    return elements_[at_++];
  }

  Node node(int definition, int repetition, int depth) {
    require_good(depth <= max_depth, "is nested too deep");
    const SchemaElement& element = next();
    Node node;
    node.name = element.name;
    node.optional = element.repetition == Repetition::optional;
    node.definition = definition + (node.optional ? 1 : 0);
    node.repetition = repetition;
    node.first_leaf = leaves_;
    require_good(element.children >= 0 && element.children <= std::ssize(elements_), "has an element with no count");
    if (element.repetition == Repetition::repeated) {
      node.definition = definition + 1;
      node.repetition = repetition + 1;
      read_content(node, element, depth);
      node.unsupported = "repeated outside of a LIST";
    } else if (element.children > 0 && element.logical == Logical::list) {
      read_list(node, element, depth);
    } else {
      read_content(node, element, depth);
    }
    node.leaf_count = leaves_ - node.first_leaf;
    return node;
  }

  void read_content(Node& node, const SchemaElement& element, int depth) {
    if (element.children == 0) {
      read_value(node, element);
      return;
    }
    node.kind = Node::Kind::group;
    for (Index i = 0; i < element.children; ++i) add(node, this->node(node.definition, node.repetition, depth + 1));
    require_names(node.children);
    if (element.logical == Logical::map) node.unsupported = "a MAP";
  }

  static void add(Node& node, Node child) {
    if (node.unsupported.empty() && !child.unsupported.empty())
      node.unsupported = "'" + printable(child.name, 40) + "' in it is " + child.unsupported;
    node.children.push_back(std::move(child));
  }

  // LIST: a group of one repeated field, whose only field is the item; in old files the repeated field is the item.
  void read_list(Node& node, const SchemaElement& list, int depth) {
    require_good(list.children == 1, "has a LIST of more than one field");
    require_good(at_ < elements_.size() && elements_[at_].repetition == Repetition::repeated,
                 "has a LIST that does not repeat");
    const SchemaElement& repeated = elements_[at_];
    node.kind = Node::Kind::list;
    node.item_definition = node.definition + 1;
    node.repetition += 1;
    const bool is_item = repeated.children != 1 || repeated.name == "array" || repeated.name == list.name + "_tuple";
    ++at_;
    if (!is_item) {
      add(node, this->node(node.item_definition, node.repetition, depth + 1));
      return;
    }
    Node item;
    item.name = repeated.name;
    item.definition = node.item_definition;
    item.repetition = node.repetition;
    item.first_leaf = leaves_;
    require_good(repeated.children >= 0 && depth < max_depth, "has an element with no count");
    read_content(item, repeated, depth + 1);
    item.leaf_count = leaves_ - item.first_leaf;
    add(node, std::move(item));
  }

  void read_value(Node& node, const SchemaElement& element) {
    ++leaves_;
    node.kind = Node::Kind::value;
    const Logical logical = element.logical;
    const bool plain = logical == Logical::none || logical == Logical::integer;
    switch (element.physical) {
      case Physical::boolean:
        node.value = ValueKind::boolean;
        if (logical != Logical::none) node.unsupported = name_of(logical);
        break;
      case Physical::int32:
      case Physical::int64:
        node.value = element.physical == Physical::int32 ? (element.is_unsigned ? ValueKind::uint32 : ValueKind::int32)
                                                         : (element.is_unsigned ? ValueKind::uint64 : ValueKind::int64);
        if (!plain && logical != Logical::unknown) node.unsupported = name_of(logical);
        break;
      case Physical::real32:
      case Physical::real64:
        node.value = element.physical == Physical::real32 ? ValueKind::real32 : ValueKind::real64;
        if (logical != Logical::none) node.unsupported = name_of(logical);
        break;
      case Physical::byte_array:
        node.value = ValueKind::text;
        if (logical == Logical::none) {
          node.unsupported = "binary (BYTE_ARRAY that is not said to be UTF8)";
        } else if (logical != Logical::string && logical != Logical::enumeration && logical != Logical::json &&
                   logical != Logical::unknown) {
          node.unsupported = name_of(logical);
        }
        break;
      case Physical::int96:
        node.unsupported = "INT96";
        break;
      case Physical::fixed_bytes:
        node.unsupported = logical == Logical::none ? "FIXED_LEN_BYTE_ARRAY" : name_of(logical);
        break;
      case Physical::none:
        fail(Fault::data, "parquet.schema", "{}: column '{}' has no known type; the file is damaged", name_,
             printable(element.name, 60));
    }
  }

  static std::string name_of(Logical logical) {
    switch (logical) {
      case Logical::decimal:
        return "DECIMAL";
      case Logical::date:
        return "DATE";
      case Logical::time:
        return "TIME";
      case Logical::timestamp:
        return "TIMESTAMP";
      case Logical::bson:
        return "BSON";
      case Logical::uuid:
        return "UUID";
      case Logical::real16:
        return "FLOAT16";
      default:
        return "of a type that is not known";
    }
  }

  const std::vector<SchemaElement>& elements_;
  const std::string& name_;
  std::size_t at_ = 0, leaves_ = 0;
};

}  // namespace temper::parquet
