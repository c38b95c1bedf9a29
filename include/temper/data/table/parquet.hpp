// SPDX-License-Identifier: MIT
// Rows of a Parquet file, as pyarrow and pandas write them: strings, numbers, booleans, structs and lists of these,
// null or not, in plain or dictionary pages, plain or compressed with snappy, gzip or zstd. Rows are put together from
// their columns by the levels (Dremel). Everything else is refused by name, unless nobody asks for the column.
#pragma once
#include "temper/data/row_source.hpp"
#include "temper/data/table/column_reader.hpp"

#include <algorithm>
#include <bit>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace temper {

class ParquetRows final : public RowSource {
 public:
  // Columns that are not 'wanted' are there as null; none: all are wanted.
  ParquetRows(std::unique_ptr<RandomAccess> file, const std::filesystem::path& path,
              std::span<const std::string> wanted = {})
      : file_(std::move(file)), name_(shown_path(path)), footer_(parquet::read_footer(*file_, name_)) {
    parquet::SchemaReader schema(footer_.schema, name_);
    columns_ = schema.columns();
    for (const parquet::Node& column : columns_) {
      const bool is_wanted = wanted.empty() || std::find(wanted.begin(), wanted.end(), column.name) != wanted.end();
      require(!is_wanted || column.unsupported.empty(), Fault::data, "parquet.type",
              "{}: column '{}' is {}, which is not read; expected strings, numbers, booleans, and structs and lists of "
              "these; convert the column",
              name_, printable(column.name, 60), column.unsupported);
      wanted_.push_back(is_wanted ? 1 : 0);
    }
    check_groups(schema.leaves());
  }

  bool next(Record& record) override {
    while (row_ == rows_of_group_) {
      if (!readers_.empty()) finish_group();
      if (group_ == footer_.groups.size()) return false;
      begin_group(footer_.groups[group_++]);
    }
    ++row_;
    record.line = ++number_;
    record.cells = Cells::typed;
    record.fields = Json::object();
    row_bytes_ = 0;
    auto& members = static_cast<Json::object_t::Container&>(record.fields.get_ref<Json::object_t&>());
    members.reserve(columns_.size());
    for (std::size_t i = 0; i < columns_.size(); ++i)
      members.emplace_back(columns_[i].name, wanted_[i] ? column_value(columns_[i]) : Json(nullptr));
    return true;
  }

  Index rows() const { return footer_.rows; }

 private:
  // A file of few bytes may claim any number of rows; what no writer makes is not believed.
  std::int64_t most_values() const { return 1'000'000 + 64 * static_cast<std::int64_t>(file_->size()); }

  void check_groups(std::size_t leaves) const {
    std::int64_t rows = 0;
    for (const parquet::RowGroup& group : footer_.groups) {
      require(group.columns.size() == leaves, Fault::data, "parquet.schema",
              "{}: a row group has {} columns but the schema {}; the file is damaged", name_, group.columns.size(),
              leaves);
      require(group.rows >= 0 && group.rows <= most_values() - rows, Fault::data, "parquet.rows",
              "{}: claims more than {} rows in {} bytes; the file is damaged", name_, most_values(), file_->size());
      rows += group.rows;
      for (const parquet::ColumnChunk& chunk : group.columns)
        require(chunk.values >= 0 && chunk.values <= most_values(), Fault::data, "parquet.rows",
                "{}: claims {} values of one column in {} bytes; the file is damaged", name_, chunk.values,
                file_->size());
    }
    require(rows == footer_.rows, Fault::data, "parquet.rows",
            "{}: its row groups have {} rows but the footer says {}; the file is damaged", name_, rows, footer_.rows);
  }

  void begin_group(const parquet::RowGroup& group) {
    readers_.clear();
    readers_.resize(group.columns.size());
    row_ = 0;
    rows_of_group_ = group.rows;
    for (std::size_t i = 0; i < columns_.size(); ++i)
      if (wanted_[i]) open_leaves(columns_[i], group, columns_[i].name);
  }

  void open_leaves(const parquet::Node& node, const parquet::RowGroup& group, const std::string& path) {
    if (node.kind == parquet::Node::Kind::value) {
      readers_[node.first_leaf] =
          std::make_unique<parquet::ColumnReader>(*file_, footer_, group.columns[node.first_leaf], node,
                                                  name_ + ": column '" + printable(path, 100) + "'", budget_);
      return;
    }
    for (const parquet::Node& child : node.children) open_leaves(child, group, path + "." + child.name);
  }

  void finish_group() const {
    for (const auto& reader : readers_)
      require(!reader || reader->done(), Fault::data, "parquet.rows",
              "{}: a column has more values than its row group has rows; the file is damaged", name_);
  }

  parquet::ColumnReader& first_leaf(const parquet::Node& node) const { return *readers_[node.first_leaf]; }

  // All leaves of a node must be at the start of an item of this level.
  void require_level(const parquet::Node& node, int level) const {
    for (std::size_t i = 0; i < node.leaf_count; ++i) {
      const parquet::ColumnReader& reader = *readers_[node.first_leaf + i];
      if (reader.done() || reader.repetition() != level) fail_levels(node);
    }
  }
  [[noreturn]] void fail_levels(const parquet::Node& node) const {
    fail(Fault::data, "parquet.rows", "{}:{}: the parts of column '{}' do not agree on where rows and lists end; {}",
         name_, number_, printable(node.name, 60), "the file is damaged");
  }

  Json column_value(const parquet::Node& column) {
    require_level(column, 0);
    return read(column);
  }

  // Passes over all leaves of what is null or empty; they must agree that it is.
  void pass(const parquet::Node& node, int definition) {
    for (std::size_t i = 0; i < node.leaf_count; ++i) {
      parquet::ColumnReader& reader = *readers_[node.first_leaf + i];
      if (reader.definition() != definition) fail_levels(node);
      reader.advance();
    }
  }

  Json read(const parquet::Node& node) {
    parquet::ColumnReader& first = first_leaf(node);
    if (first.definition() < node.definition) {
      pass(node, first.definition());
      return nullptr;
    }
    if (node.kind == parquet::Node::Kind::value) return leaf_value(node, first);
    count(sizeof(Json) * 4);
    if (node.kind == parquet::Node::Kind::list) return list_value(node, first);
    Json value = Json::object();
    auto& members = static_cast<Json::object_t::Container&>(value.get_ref<Json::object_t&>());
    members.reserve(node.children.size());
    for (const parquet::Node& child : node.children) {
      // The first leaf stands for all; the others must say the same.
      if (first_leaf(child).done() && node.leaf_count > 0) fail_levels(node);
      count(child.name.size() + sizeof(Json) * 3);
      members.emplace_back(child.name, read(child));
    }
    return value;
  }

  Json list_value(const parquet::Node& node, parquet::ColumnReader& first) {
    Json value = Json::array();
    if (first.definition() < node.item_definition) {
      pass(node, first.definition());
      return value;
    }
    const parquet::Node& item = node.children[0];
    while (true) {
      value.get_ref<Json::array_t&>().push_back(read(item));
      if (first.repetition() != node.repetition || first.done()) break;
      require_level(item, node.repetition);
    }
    for (std::size_t i = 0; i < node.leaf_count; ++i)
      if (readers_[node.first_leaf + i]->repetition() >= node.repetition) fail_levels(node);
    return value;
  }

  Json leaf_value(const parquet::Node& node, parquet::ColumnReader& reader) {
    const parquet::Value value = reader.value();
    Json json;
    switch (node.value) {
      case parquet::ValueKind::boolean:
        json = value.bits != 0;
        break;
      case parquet::ValueKind::int32:
        json = static_cast<std::int32_t>(static_cast<std::uint32_t>(value.bits));
        break;
      case parquet::ValueKind::int64:
        json = static_cast<std::int64_t>(value.bits);
        break;
      case parquet::ValueKind::uint32:
        json = static_cast<std::uint32_t>(value.bits);
        break;
      case parquet::ValueKind::uint64:
        json = value.bits;
        break;
      case parquet::ValueKind::real32:
        json = static_cast<double>(std::bit_cast<float>(static_cast<std::uint32_t>(value.bits)));
        break;
      case parquet::ValueKind::real64:
        json = std::bit_cast<double>(value.bits);
        break;
      case parquet::ValueKind::text:
        json = std::string(value.text);
        break;
      case parquet::ValueKind::nothing:
        break;
    }
    count(sizeof(Json) + value.text.size());
    reader.advance();
    return json;
  }

  // A dictionary lets few bytes stand for many.
  void count(std::size_t bytes) {
    row_bytes_ += bytes;
    all_bytes_ += bytes;
    require(row_bytes_ <= max_row_bytes, Fault::data, "rows.row_too_long",
            "{}:{}: the row has more than {} bytes; expected shorter rows", name_, number_, max_row_bytes);
    require(all_bytes_ <= (std::size_t{1} << 28) + 256 * file_->size(), Fault::data, "parquet.rows",
            "{}:{}: the rows so far take {} bytes, more than 256 times those of the file; the file is damaged", name_,
            number_, all_bytes_);
  }

  static constexpr std::size_t max_row_bytes = std::size_t{256} << 20;

  std::unique_ptr<RandomAccess> file_;
  std::string name_;
  parquet::Footer footer_;
  std::vector<parquet::Node> columns_;
  std::vector<std::uint8_t> wanted_;  // one a column
  parquet::PageBudget budget_;
  std::vector<std::unique_ptr<parquet::ColumnReader>> readers_;  // one a leaf; null where nobody asks
  std::size_t group_ = 0, row_bytes_ = 0, all_bytes_ = 0;
  std::int64_t row_ = 0, rows_of_group_ = 0;
  Index number_ = 0;
};

}  // namespace temper
