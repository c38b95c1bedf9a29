// SPDX-License-Identifier: MIT
// JSON behind one door. Parsing is strict (json_events.hpp) and refuses a key that stands twice; objects keep the order
// of their file, and one with 150,000 keys is built in linear time. A recipe is parsed with the places of its keys and
// values, so that every mistake can be shown where it stands.
#pragma once
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "temper/io/file.hpp"
#include "temper/io/json_events.hpp"

namespace temper {

struct Duplicate {
  std::string pointer;  // of the key, as '/adapter/rank'
  Place place;          // of its second appearance
};

// Keys of both maps are JSON pointers: "" is the root, '/data/train/0' an element.
struct LocatedJson {
  Json value;  // where a key stands twice, the first one counts
  std::map<std::string, Place> keys, values;
  std::vector<Duplicate> duplicates;
};

inline std::string json_pointer(std::string_view parent, std::string_view key) {
  std::string pointer(parent);
  pointer += '/';
  for (const char c : key) {
    if (c == '~') {
      pointer += "~0";
    } else if (c == '/') {
      pointer += "~1";
    } else {
      pointer += c;
    }
  }
  return pointer;
}

// Builds the value. An object's keys are compared when it closes: sorted by hash, then by name, so that no choice of
// keys makes it slow.
class JsonBuilder final : public JsonEvents {
  struct Open {
    Json value;
    std::string key{};                  // of the value being read
    std::vector<std::size_t> places{};  // where each key begins
    std::string pointer{};              // kept when places are recorded
  };

  std::string_view text_, source_;
  const JsonOptions& options_;
  LocatedJson* located_;  // null: duplicates throw and no place is kept
  std::vector<Open> open_;
  Json root_;
  std::size_t counted_ = 0;  // place_ is where this byte stands
  Place place_;

 public:
  JsonBuilder(std::string_view text, std::string_view source, const JsonOptions& options, LocatedJson* located)
      : text_(text),
        source_(source),
        options_(options),
        located_(located),
        place_{options.first_line, options.first_column} {}

  Json take() { return std::move(root_); }

  void begin_object(std::size_t offset) override { begin(Json::object(), offset); }
  void begin_array(std::size_t offset) override { begin(Json::array(), offset); }

  void key(std::string& name, std::size_t offset) override {
    Open& object = open_.back();
    object.key = std::move(name);
    object.places.push_back(offset);
    if (located_) located_->keys.emplace(json_pointer(object.pointer, object.key), next_place(offset));
  }

  void scalar(Json&& value, std::size_t offset) override {
    if (located_) located_->values.emplace(next_pointer(), next_place(offset));
    add(std::move(value));
  }

  void end_object() override {
    refuse_duplicates(open_.back());
    end_array();
  }
  void end_array() override {
    Json value = std::move(open_.back().value);
    open_.pop_back();
    add(std::move(value));
  }

 private:
  // Tokens come in order, so each byte is counted once.
  Place next_place(std::size_t offset) {
    for (; counted_ < offset; ++counted_) {
      if (text_[counted_] == '\n') {
        ++place_.line;
        place_.column = 1;
      } else if ((static_cast<unsigned char>(text_[counted_]) & 0xc0u) != 0x80u) {
        ++place_.column;
      }
    }
    return place_;
  }

  std::string next_pointer() const {
    if (open_.empty()) return "";
    const Open& parent = open_.back();
    return json_pointer(parent.pointer, parent.value.is_object() ? parent.key : std::to_string(parent.value.size()));
  }

  void begin(Json&& empty, std::size_t offset) {
    Open next{std::move(empty)};
    if (located_) {
      next.pointer = next_pointer();
      located_->values.emplace(next.pointer, next_place(offset));
    }
    open_.push_back(std::move(next));
  }

  void add(Json&& value) {
    if (open_.empty()) {
      root_ = std::move(value);
      return;
    }
    Open& parent = open_.back();
    if (parent.value.is_array()) {
      parent.value.get_ref<Json::array_t&>().push_back(std::move(value));
    } else {
      // Not through the map's own emplace, which looks at every key for each new one.
      Json::object_t::Container& members = parent.value.get_ref<Json::object_t&>();
      members.emplace_back(std::move(parent.key), std::move(value));
    }
  }

  void refuse_duplicates(Open& object) {
    Json::object_t::Container& members = object.value.get_ref<Json::object_t&>();
    if (members.size() < 2) return;
    std::vector<std::pair<std::size_t, std::size_t>> order(members.size());  // hash and position
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = {std::hash<std::string>{}(members[i].first), i};
    std::sort(order.begin(), order.end(), [&](const auto& a, const auto& b) {
      if (a.first != b.first) return a.first < b.first;
      const int names = members[a.second].first.compare(members[b.second].first);
      return names != 0 ? names < 0 : a.second < b.second;
    });
    std::vector<std::size_t> repeated;
    for (std::size_t i = 1; i < order.size(); ++i)
      if (order[i].first == order[i - 1].first && members[order[i].second].first == members[order[i - 1].second].first)
        repeated.push_back(order[i].second);
    if (repeated.empty()) return;
    std::sort(repeated.begin(), repeated.end());
    if (!located_) {
      const Place second = place_of(text_, object.places[repeated[0]], options_.first_line, options_.first_column);
      fail(options_.fault, "json.duplicate_key", "{}:{}:{}: key '{}' stands twice in one object; expected it once",
           printable(source_, 400), second.line, second.column, printable(members[repeated[0]].first));
    }
    Json::object_t kept;
    for (std::size_t i = 0, next = 0; i < members.size(); ++i) {
      if (next < repeated.size() && repeated[next] == i) {
        located_->duplicates.push_back({json_pointer(object.pointer, members[i].first),
                                        place_of(text_, object.places[i], options_.first_line, options_.first_column)});
        ++next;
      } else {
        static_cast<Json::object_t::Container&>(kept).emplace_back(members[i].first, std::move(members[i].second));
      }
    }
    object.value = std::move(kept);
  }
};

// 'source' is what messages call the text: 'train.jsonl'.
inline Json parse_json(std::string_view text, std::string_view source, const JsonOptions& options = {}) {
  JsonBuilder builder(text, source, options, nullptr);
  read_json_events(text, source, options, builder);
  return builder.take();
}

// Keys that stand twice are listed, not thrown; everything else throws.
inline LocatedJson parse_located_json(std::string_view text, std::string_view source, const JsonOptions& options = {}) {
  LocatedJson located;
  JsonBuilder builder(text, source, options, &located);
  read_json_events(text, source, options, builder);
  located.value = builder.take();
  return located;
}

constexpr std::size_t max_json_file_bytes = std::size_t{64} << 20;

inline Json read_json(const std::filesystem::path& path, const JsonOptions& options = {},
                      std::size_t max_bytes = max_json_file_bytes) {
  return parse_json(read_file(path, max_bytes), path.string(), options);
}

// JSON has no word for these three; they are written as strings.
inline Json number_to_json(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
  return value;
}

// One line. Numbers have as many digits as their bits need; text that is not UTF-8 is refused.
inline std::string to_text(const Json& value) {
  try {
    return value.dump(-1, ' ', false, Json::error_handler_t::strict);
  } catch (const Json::type_error&) {
    fail(Fault::data, "json.utf8", "a string that is not valid UTF-8 cannot be written as JSON; expected UTF-8");
  }
}

}  // namespace temper
