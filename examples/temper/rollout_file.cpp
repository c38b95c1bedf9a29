// SPDX-License-Identifier: MIT
#include "rollout_file.hpp"

#include "temper/data/row_file.hpp"
#include "temper/io/json_fields.hpp"

namespace temper_cli {
namespace {

using temper::Fault;
using temper::Json;

constexpr std::size_t most_tokens = std::size_t{1} << 20;

std::vector<temper::TokenId> ids_of(const Json& row, std::string_view key, const temper::JsonSource& source,
                                    temper::Index vocabulary) {
  const Json& list = temper::require_array(row, key, source);
  temper::require(!list.empty() && list.size() <= most_tokens, Fault::data, "rollouts.length",
                  "{}: '{}' has {} ids; expected 1 to {}", temper::printable(source.name, 400), key, list.size(),
                  most_tokens);
  std::vector<temper::TokenId> ids;
  ids.reserve(list.size());
  for (const Json& id : list)
    ids.push_back(static_cast<temper::TokenId>(temper::as_integer(id, key, source, 0, vocabulary - 1)));
  return ids;
}

}  // namespace

std::vector<RecordedRollout> read_rollouts(const std::filesystem::path& path, temper::Index vocabulary) {
  temper::JsonRows rows(std::make_unique<temper::FileBytes>(path), path);
  std::vector<RecordedRollout> all;
  for (temper::Record record; rows.next(record);) {
    const temper::JsonSource source{fmt::format("{}:{}", temper::shown_path(path), record.line)};
    for (const auto& [key, value] : record.fields.items())
      temper::require(key == "prompt" || key == "response" || key == "reward", Fault::data, "rollouts.field",
                      "{}: there is a field '{}'; expected prompt, response and reward", source.name,
                      temper::printable(key));
    all.push_back({ids_of(record.fields, "prompt", source, vocabulary),
                   ids_of(record.fields, "response", source, vocabulary),
                   temper::require_number(record.fields, "reward", source)});
  }
  temper::require(!all.empty(), Fault::data, "rollouts.empty", "{}: has no rows; expected recorded answers",
                  temper::shown_path(path));
  return all;
}

}  // namespace temper_cli
