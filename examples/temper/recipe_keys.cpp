// SPDX-License-Identifier: MIT
// 'temper recipe': the table of keys as a page; docs/recipe.md holds what this prints.
#include "commands.hpp"
#include "exit_code.hpp"
#include "metrics.hpp"
#include "recipe.hpp"

namespace temper_cli {
namespace {

bool is_built(const Key& key) {
  const Key* task = find_key("task");
  if (key.tasks.empty()) return true;
  for (std::string_view tasks = key.tasks; !tasks.empty();) {
    const std::size_t space = tasks.find(' ');
    if (has_word(task->words, tasks.substr(0, space))) return true;
    tasks = space == std::string_view::npos ? std::string_view{} : tasks.substr(space + 1);
  }
  return false;
}

}  // namespace

int recipe_keys(const PlainOptions& options) {
  if (options.json) {
    Json list = Json::array();
    for (const Key& key : keys)
      if (is_built(key))
        list.push_back({{"key", key.path},
                        {"expected", expectation(key)},
                        {"default", key.fallback.empty() ? Json("required") : Json::parse(key.fallback)},
                        {"meaning", key.meaning}});
    print_line(temper::to_text(list));
    return done;
  }
  print_line("| key | default | expected | meaning |\n|---|---|---|---|");
  for (const Key& key : keys)
    if (is_built(key))
      print_line(fmt::format("| `{}` | {} | {} | {} |", key.path,
                             key.fallback.empty() ? "required" : fmt::format("`{}`", key.fallback), expectation(key),
                             key.meaning));
  return done;
}

}  // namespace temper_cli
