// SPDX-License-Identifier: MIT
// Reading a recipe: text to located JSON, the table over it, the command line over that, then the checks that look at
// more than one key.
#include "recipe.hpp"

#include <algorithm>
#include <tuple>

#include "suggestion.hpp"

namespace temper_cli {
namespace {

namespace fs = std::filesystem;

bool is_section(std::string_view name) { return std::find(sections.begin(), sections.end(), name) != sections.end(); }

std::string_view section_of(std::string_view path) {
  const std::size_t dot = path.find('.');
  return dot == std::string_view::npos ? std::string_view{} : path.substr(0, dot);
}

std::string shown(const fs::path& file, const Mistake& mistake) {
  const std::string key =
      mistake.origin.stage == 0 ? mistake.key : fmt::format("stages.{}.{}", mistake.origin.stage, mistake.key);
  if (mistake.origin.source == Origin::Source::command_line) return fmt::format("--set: {}: {}", key, mistake.sentence);
  return fmt::format("{}:{}:{}: {}: {}", temper::printable(file.string(), 1000), mistake.origin.place.line,
                     mistake.origin.place.column, key, mistake.sentence);
}

bool is_among(const std::vector<std::string>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

}  // namespace

RecipeError::RecipeError(std::vector<std::string> lines)
    : std::runtime_error(fmt::format("{} mistakes in the recipe", lines.size())), lines_(std::move(lines)) {}

// A recipe that cannot be read is a mistake of whoever named it.
temper::LocatedJson read_recipe_text(const fs::path& file) try {
  const std::string text = temper::read_file(file, largest_recipe);
  return temper::parse_located_json(text, file.string(),
                                    {.comments = temper::Comments::allowed, .fault = temper::Fault::usage});
} catch (const temper::Error& error) {
  if (error.code() == "json.syntax") throw RecipeError({sentence_of(error) + "; a recipe is a JSON file"});
  if (error.fault() != temper::Fault::data) throw;
  throw RecipeError({sentence_of(error)});
}

bool has_stages(const Json& recipe) { return recipe.is_object() && recipe.contains("stages"); }

void refuse_recipe(const fs::path& file, std::vector<Mistake> mistakes) {
  std::stable_sort(mistakes.begin(), mistakes.end(), [](const Mistake& a, const Mistake& b) {
    const auto order = [](const Mistake& m) {
      return std::tuple(m.origin.source == Origin::Source::command_line, m.origin.place.line, m.origin.place.column);
    };
    return order(a) < order(b);
  });
  std::vector<std::string> lines;
  for (const Mistake& mistake : mistakes)
    if (std::string line = shown(file, mistake); !is_among(lines, line)) lines.push_back(std::move(line));
  throw RecipeError(std::move(lines));
}

class RecipeReader {
 public:
  RecipeReader(const RecipeText& text, const Recipe::Overrides& overrides, Words words, std::vector<Mistake>& mistakes)
      : text_(text),
        overrides_(overrides),
        words_(words),
        folder_(fs::absolute(text.file).parent_path()),
        located_(text.located),
        given_(text.settled),
        mistakes_(mistakes) {
    recipe_.file_ = text.file;
    recipe_.stage_ = text.stage;
  }

  Recipe read() {
    for (const std::string& object : text_.objects)
      if (!value_of(object).is_object()) {
        const bool list = value_of(object).is_array();
        mistakes_.push_back(
            {at(object), "recipe",
             list ? "is a list; stages stand in an object; expected { \"output\": ..., \"stages\": [...] }"
                  : "is not an object; expected { ... }"});
        return std::move(recipe_);
      }
    recipe_.origins_.insert_or_assign("", at(text_.objects.back()));
    const std::size_t before = mistakes_.size();
    find_task();
    for (const std::string& object : text_.objects) read_object(object);
    for (const std::string& text : overrides_) take_override(text);
    fill();
    check_recipe(recipe_, mistakes_);
    if (mistakes_.size() == before) settle_rates();
    return std::move(recipe_);
  }

 private:
  const Json& value_of(const std::string& pointer) const { return located_.value.at(Json::json_pointer(pointer)); }
  int stage_at(std::string_view pointer) const { return pointer.starts_with("/stages/") ? text_.stage : 0; }
  bool is_passed_over(std::string_view path) const { return is_among(text_.passed_over, path); }

  Origin at(const std::string& pointer) const {
    const auto place = located_.values.find(pointer);
    return {Origin::Source::file, place == located_.values.end() ? temper::Place{} : place->second, true,
            stage_at(pointer)};
  }
  Origin key_at(const std::string& pointer) const {
    const auto place = located_.keys.find(pointer);
    if (place == located_.keys.end()) return at("");
    return {Origin::Source::file, place->second, true, stage_at(pointer)};
  }

  void read_object(const std::string& object) {
    for (const temper::Duplicate& duplicate : located_.duplicates) {
      if (!duplicate.pointer.starts_with(object + "/")) continue;
      if (object.empty() && text_.stage > 0 && duplicate.pointer.starts_with("/stages/")) continue;
      std::string path = duplicate.pointer.substr(object.size() + 1);
      std::replace(path.begin(), path.end(), '/', '.');
      mistakes_.push_back({{Origin::Source::file, duplicate.place, true, stage_at(object + "/")},
                           path,
                           "stands twice; expected once; remove one"});
    }
    for (const auto& [name, value] : value_of(object).items()) {
      const std::string pointer = temper::json_pointer(object, name);
      if (is_passed_over(name)) continue;
      if (is_section(name)) {
        read_section(name, value, pointer);
      } else if (find_key(name) && name.find('.') != std::string::npos) {
        mistakes_.push_back({key_at(pointer), name,
                             fmt::format("unknown key; a key of a section stands inside it: \"{}\": {{ \"{}\": ... }}",
                                         section_of(name), name.substr(name.find('.') + 1))});
      } else {
        take(name, value, pointer);
      }
    }
  }

  // Which keys 'objective' has depends on the task; a --set of it comes before the file's.
  void find_task() {
    for (const std::string& object : text_.objects) {
      const Json& keys_there = value_of(object);
      const auto task = keys_there.find("task");
      if (task != keys_there.end() && task->is_string()) task_ = task->get<std::string>();
    }
    for (const std::string& text : overrides_)
      if (text.starts_with("task=")) task_ = text.substr(5);
    const Key* key = find_key("task");
    if (task_.empty() || !(has_word(key->words, task_) || has_word(key->later, task_))) task_.clear();
    for (const std::string& text : overrides_) overridden_.push_back(text.substr(0, text.find('=')));
  }

  void read_section(const std::string& name, const Json& value, const std::string& pointer) {
    if (!value.is_object()) {
      mistakes_.push_back({at(pointer), name, "is not an object; expected { ... }"});
      broken_.push_back(name);
      return;
    }
    for (const auto& [key, item] : value.items())
      if (const std::string path = fmt::format("{}.{}", name, key); !is_passed_over(path))
        take(path, item, temper::json_pointer(pointer, key));
  }

  void take(const std::string& path, const Json& value, const std::string& pointer) {
    const Key* key = find_key(path, task_);
    if (!key) return unknown(path, key_at(pointer));
    if (std::find(overridden_.begin(), overridden_.end(), path) != overridden_.end()) return;
    accept(*key, value, at(pointer), folder_);
  }

  void accept(const Key& key, const Json& value, Origin origin, const fs::path& base) {
    const std::string path(key.path);
    recipe_.origins_.insert_or_assign(path, origin);
    if (std::string wrong = complaint(key, value, words_); !wrong.empty()) {
      mistakes_.push_back({origin, path, std::move(wrong)});
      broken_.push_back(path);
      recipe_.origins_[path].sound = false;
      return;
    }
    given_.insert_or_assign(path, absolute(key, value, base));
  }

  // Paths of the recipe are relative to its folder, those of the command line to the working directory.
  static Json absolute(const Key& key, const Json& value, const fs::path& base) {
    const auto resolve = [&](const Json& item) {
      std::string path = (base / item.get<std::string>()).lexically_normal().string();
      while (path.size() > 1 && path.ends_with('/')) path.pop_back();
      return Json(std::move(path));
    };
    const bool single = key.kind == Kind::path || key.kind == Kind::paths || key.kind == Kind::validation;
    if (single && value.is_string()) return resolve(value);
    if (single && value.is_array()) {
      Json list = Json::array();
      for (const Json& item : value) list.push_back(resolve(item));
      return list;
    }
    if (key.kind == Kind::template_ && value.is_string() && value != "none" &&
        value.get_ref<const std::string&>().find_first_of("{\n") == std::string::npos)
      return resolve(value);
    return value;
  }

  void take_override(const std::string& text) {
    const Origin origin{Origin::Source::command_line, {}};
    const std::size_t equals = text.find('=');
    const std::string path = text.substr(0, equals);
    if (equals == std::string::npos) {
      mistakes_.push_back({origin, temper::printable(text, 80), "has no '='; expected --set key=value"});
      return;
    }
    const std::string_view value = std::string_view(text).substr(equals + 1);
    if (path.starts_with("data.columns.") || path.starts_with("data.template_arguments.")) {
      take_member(path, value, origin);
      return;
    }
    const Key* key = find_key(path, task_);
    if (!key) return unknown(path, origin);
    const std::optional<Json> parsed = parse_override(*key, value);
    if (!parsed) {
      mistakes_.push_back(
          {origin, path,
           fmt::format("'{}' is not valid JSON; expected {}", temper::printable(value, 60), expectation(*key))});
      broken_.push_back(path);
      return;
    }
    accept(*key, *parsed, origin, fs::current_path());
  }

  // --set data.columns.prompt=question
  void take_member(const std::string& path, std::string_view text, Origin origin) {
    const std::string parent = path.substr(0, path.find('.', path.find('.') + 1));
    Json object = given_.contains(parent) ? given_[parent] : Json::object();
    Json value = std::string(text);
    if (parent != "data.columns") {
      try {
        value = temper::parse_json(text, "--set");
      } catch (const temper::Error&) {
        // not JSON: the text itself
      }
    }
    object[path.substr(parent.size() + 1)] = std::move(value);
    accept(*find_key(parent), object, origin, fs::current_path());
  }

  void unknown(const std::string& path, Origin origin) {
    const std::string section(section_of(path));
    const std::string name = section.empty() ? path : path.substr(section.size() + 1);
    if (!task_.empty() && section == "objective" && find_key(path)) {
      mistakes_.push_back(
          {origin, path, fmt::format("task '{}' has no such key; expected one of {}", task_, objective_keys())});
      return;
    }
    const std::string near = nearest_key(section, name, task_);
    std::string sentence = "unknown key";
    if (is_section(path)) {
      sentence = fmt::format("is a section; expected one of its keys: {}", keys_of(path));
    } else if (!section.empty() && !is_section(section)) {
      const std::string meant = nearest_key("", section, task_);
      sentence = fmt::format("unknown section '{}'", temper::printable(section, 60));
      if (is_section(meant)) sentence += fmt::format("; did you mean '{}'?", meant);
    } else if (!near.empty()) {
      const bool here = section_of(near) == section;
      sentence +=
          fmt::format("; did you mean '{}'?", here ? near.substr(section.empty() ? 0 : section.size() + 1) : near);
    } else {
      sentence += "; expected one of " + keys_of(section);
    }
    mistakes_.push_back({origin, temper::printable(path, 120), std::move(sentence)});
  }

  std::string keys_of(std::string_view section) const {
    std::vector<std::string_view> names;
    for (const Key& key : keys)
      if (belongs_to(key, task_) && section_of(key.path) == section)
        names.push_back(key.path.substr(section.empty() ? 0 : section.size() + 1));
    if (section.empty()) names.insert(names.end(), sections.begin(), sections.end());
    return names.empty() ? "nothing" : fmt::format("{}", fmt::join(names, ", "));
  }
  std::string objective_keys() const { return keys_of("objective"); }

  bool is_broken(std::string_view path) const {
    for (const std::string& broken : broken_)
      if (path == broken || section_of(path) == broken) return true;
    return false;
  }

  // Every key in the table's order, given or default.
  void fill() {
    Json& resolved = recipe_.resolved_ = Json::object();
    for (const Key& key : keys) {
      if (!key.tasks.empty() && !has_word(key.tasks, task_)) {
        resolved["objective"];  // the section stands even when the task has no keys
        if (resolved["objective"].is_null()) resolved["objective"] = Json::object();
        continue;
      }
      const std::string path(key.path);
      const std::string section(section_of(path));
      Json& slot = section.empty() ? resolved[path] : resolved[section][path.substr(section.size() + 1)];
      if (const auto given = given_.find(path); given != given_.end()) {
        slot = given->second;
      } else if (key.fallback != required) {
        slot = Json::parse(key.fallback);
      } else {
        slot = nullptr;
        if (!is_broken(path))
          mistakes_.push_back({missing_at(section), path, "is missing; expected " + expectation(key)});
      }
    }
  }
  Origin missing_at(const std::string& section) const {
    const std::string& own = text_.objects.back();
    return section.empty() || !value_of(own).contains(section) ? at(own) : at(own + "/" + section);
  }

  void settle_rates() {
    if (!recipe_.has("training.learning_rate"))
      recipe_.settle("training.learning_rate", recipe_.is("adapter.method", "full") ? 5e-6 : 1e-4);
    if (recipe_.is("adapter.method", "qlora")) recipe_.settle("quantization.type", "nf4");
    if (recipe_.is("device", "auto")) recipe_.settle("device", "cpu");
  }

  const RecipeText& text_;
  const Recipe::Overrides& overrides_;
  Words words_;
  Recipe recipe_;
  fs::path folder_;
  const temper::LocatedJson& located_;
  std::string task_;
  std::vector<std::string> overridden_, broken_;
  std::map<std::string, Json> given_;
  std::vector<Mistake>& mistakes_;
};

Recipe Recipe::read(const RecipeText& text, const Overrides& overrides, Words words, std::vector<Mistake>& mistakes) {
  return RecipeReader(text, overrides, words, mistakes).read();
}

Recipe Recipe::read(const fs::path& file, const Overrides& overrides, Words words) {
  const temper::LocatedJson located = read_recipe_text(file);
  if (has_stages(located.value))
    throw RecipeError({fmt::format("{}: is a recipe of stages; expected a recipe alone, or the folder of a stage",
                                   temper::printable(file.string(), 1000))});
  std::vector<Mistake> mistakes;
  Recipe recipe = read({.file = file, .located = located}, overrides, words, mistakes);
  if (!mistakes.empty()) refuse_recipe(file, std::move(mistakes));
  return recipe;
}

const Json& Recipe::at(std::string_view path) const {
  static const Json nothing;
  const std::string section(section_of(path));
  const Json& place = section.empty() ? resolved_ : resolved_.at(section);
  const auto found = place.find(std::string(section.empty() ? path : path.substr(section.size() + 1)));
  return found == place.end() ? nothing : *found;
}

void Recipe::settle(KeyPath key, Json value) {
  const std::string section(section_of(key.path));
  if (section.empty()) {
    resolved_[std::string(key.path)] = std::move(value);
  } else {
    resolved_[section][std::string(key.path.substr(section.size() + 1))] = std::move(value);
  }
}

Origin Recipe::origin(std::string_view path) const {
  if (const auto found = origins_.find(path); found != origins_.end()) return found->second;
  // A key that is left out is missed in the recipe's own object.
  const auto object = origins_.find("");
  return {Origin::Source::fallback, object == origins_.end() ? temper::Place{} : object->second.place, true, stage_};
}

std::vector<std::string> Recipe::texts(KeyPath key) const {
  const Json& value = at(key.path);
  if (value.is_null()) return {};
  if (value.is_string()) return {value.get<std::string>()};
  return value.get<std::vector<std::string>>();
}

void Recipe::refuse(KeyPath key, const std::string& sentence) const {
  throw RecipeError({shown(file_, {origin(key.path), std::string(key.path), sentence})});
}

}  // namespace temper_cli
