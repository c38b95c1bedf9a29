// SPDX-License-Identifier: MIT
// How a model's modules are named by settings, and which of them was meant by a name that none has.
#pragma once
#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "temper/core/error.hpp"

namespace temper {

// Every module of a model that has a weight, and those that are projections, by their paths.
struct ModuleNames {
  std::vector<std::string> all, projections;
};

// 'self_attn.q_proj' and 'q_proj' both name model.layers.3.self_attn.q_proj.
inline bool names_module(std::string_view path, std::string_view target) {
  return path == target ||
         (path.size() > target.size() && path.ends_with(target) && path[path.size() - target.size() - 1] == '.');
}
inline bool names_module(std::string_view path, const std::vector<std::string>& targets) {
  return std::any_of(targets.begin(), targets.end(), [&](const std::string& t) { return names_module(path, t); });
}

// Letters that count as one in a name: of either case, and '-' or ' ' as '_'.
constexpr char folded(char c) {
  if (c >= 'A' && c <= 'Z') return static_cast<char>(c - 'A' + 'a');
  return c == '-' || c == ' ' ? '_' : c;
}

// How many edits (insert, delete, replace, swap of neighbours) turn 'a' into 'b', folded.
inline std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const bool same = folded(a[i - 1]) == folded(b[j - 1]);
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (same ? 0u : 1u)});
      if (i > 1 && j > 1 && folded(a[i - 1]) == folded(b[j - 2]) && folded(a[i - 2]) == folded(b[j - 1]))
        row[j] = std::min(row[j], before[j - 2] + 1);
    }
    before.swap(last);
    last.swap(row);
  }
  return last[b.size()];
}

// The three names nearest to one that no module has, nearest first: of as many words as it has, the last of each path.
inline std::string nearest_modules(std::string_view name, const std::vector<std::string>& known) {
  name = name.substr(0, 100);  // longer ones are near nothing
  const auto words = std::count(name.begin(), name.end(), '.');
  std::vector<std::pair<std::size_t, std::string_view>> near;
  for (const std::string_view path : known) {
    std::size_t begin = path.size();
    for (auto w = words; begin > 0 && (path[begin - 1] != '.' || w-- > 0);) --begin;
    const std::string_view candidate = path.substr(begin);
    if (std::any_of(near.begin(), near.end(), [&](const auto& n) { return n.second == candidate; })) continue;
    near.emplace_back(edit_distance(name, candidate), candidate);
  }
  std::string text;
  for (int i = 0; i < 3 && !near.empty(); ++i) {
    const auto best =
        std::min_element(near.begin(), near.end(), [](const auto& x, const auto& y) { return x.first < y.first; });
    text += (i > 0 ? ", " : "") + std::string(best->second);
    near.erase(best);
  }
  return text;
}

// What a setting may name.
enum class ModuleKind { any, projection };

// A name that no module has would do nothing and say nothing.
inline void require_modules(const std::vector<std::string>& names, const ModuleNames& modules, ModuleKind kind,
                            std::string_view setting, std::string_view code) {
  const std::vector<std::string>& known = kind == ModuleKind::any ? modules.all : modules.projections;
  const auto are_there = [](const std::vector<std::string>& paths, std::string_view name) {
    return std::any_of(paths.begin(), paths.end(), [&](const auto& path) { return names_module(path, name); });
  };
  for (const std::string& name : names) {
    if (are_there(known, name)) continue;
    require(
        !are_there(modules.all, name), Fault::usage, code,
        "{} names '{}', a module of this model but no projection; expected projections alone; leave it out, or train "
        "it whole by modules_to_save",
        setting, name);
    fail(Fault::usage, code,
         "{} names '{}', which no module of this model is called; the nearest are {}; expected the last words of a "
         "module's path, or all of it",
         setting, name, nearest_modules(name, known));
  }
}

}  // namespace temper
