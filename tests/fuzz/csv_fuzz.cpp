// SPDX-License-Identifier: MIT
// Any bytes as CSV: an Error that names the file, or rows that are the same through windows of every size, and the same
// again when they are written and read back.
#include "temper/data/table/csv.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "support/byte_steps.hpp"

namespace {

using namespace temper;

std::string written(const std::vector<Record>& records) {
  std::string text;
  for (const Record& record : records) text += std::to_string(record.line) + to_text(record.fields) + "\n";
  return text;
}

std::string in_quotes(std::string_view cell) {
  std::string text = "\"";
  for (const char c : cell) text += c == '"' ? "\"\"" : std::string(1, c);
  return text + "\"";
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    CsvRows whole(std::make_unique<TextBytes>(text), "fuzz.csv", ',');
    const std::vector<Record> records = all_rows(whole);
    CsvRows parts(std::make_unique<testing::ByteSteps>(text, 1 + size % 5), "fuzz.csv", ',');
    if (written(all_rows(parts)) != written(records)) std::abort();
    if (records.empty()) return 0;
    std::string again, header;
    for (const auto& [name, value] : records[0].fields.items()) header += (header.empty() ? "" : ",") + in_quotes(name);
    for (const Record& record : records) {
      std::string line;
      for (const auto& [name, value] : record.fields.items())
        line += (line.empty() ? "" : ",") + in_quotes(value.get_ref<const std::string&>());
      again += line + "\r\n";
    }
    again = header + "\r\n" + again;
    CsvRows second(std::make_unique<TextBytes>(again), "fuzz.csv", ',');
    const std::vector<Record> same = all_rows(second);
    if (same.size() != records.size()) std::abort();
    for (std::size_t i = 0; i < same.size(); ++i)
      if (same[i].fields != records[i].fields) std::abort();
  } catch (const Error& error) {
    const std::string_view sentence = error.what();
    if (sentence.find("fuzz.csv") == std::string_view::npos || sentence.size() > 2000) std::abort();
    if (error.fault() != Fault::data) std::abort();
  }
  return 0;
}
