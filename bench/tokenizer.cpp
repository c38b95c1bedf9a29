// SPDX-License-Identifier: MIT
// How fast text becomes ids on one thread: the lines of FOLDER/text.txt by FOLDER/FAMILY/tokenizer.json. One JSON line
// a family, with the number of tokens and a checksum of the ids, which must be those of bench/reference/tokenizer.py.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "temper/data/tokenizer.hpp"

using namespace temper;

namespace {

double processor_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    lines.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return lines;
}

void measure(const std::filesystem::path& folder, const std::string& family, const std::vector<std::string_view>& lines,
             int rounds) {
  const double began_reading = processor_seconds();
  const Tokenizer tokenizer = Tokenizer::open(folder / family);
  const double open_seconds = processor_seconds() - began_reading;
  std::vector<double> seconds;
  std::size_t bytes = 0, tokens = 0;
  std::uint64_t checksum = 0;
  for (const std::string_view line : lines) bytes += line.size();
  for (int round = 0; round < rounds; ++round) {
    WordCache cache;
    tokens = 0;
    checksum = 0;
    const double began = processor_seconds();
    for (const std::string_view line : lines) {
      const Encoding encoding = tokenizer.encode(line, SpecialTokens::none, cache);
      tokens += encoding.ids.size();
      for (const TokenId id : encoding.ids) checksum = checksum * 31 + static_cast<std::uint64_t>(id);
    }
    seconds.push_back(processor_seconds() - began);
  }
  std::sort(seconds.begin(), seconds.end());
  const double median = seconds[seconds.size() / 2];
  std::printf(
      "{\"what\": \"temper\", \"family\": \"%s\", \"bytes\": %zu, \"spans\": true, \"open_seconds\": %.3f, "
      "\"processor_seconds\": %.3f, \"fastest\": %.3f, \"megabytes_per_second\": %.2f, \"tokens\": %zu, "
      "\"checksum\": \"%016llx\"}\n",
      family.c_str(), bytes, open_seconds, median, seconds.front(), static_cast<double>(bytes) / median / 1e6, tokens,
      static_cast<unsigned long long>(checksum));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::puts("usage: tokenizer FOLDER [FAMILY...]   (FOLDER is made by bench/reference/tokenizer.py prepare)");
    return 2;
  }
  const std::filesystem::path folder = argv[1];
  const std::string text = read_file(folder / "text.txt", std::size_t{1} << 32);
  std::vector<std::string> families(argv + 2, argv + argc);
  if (families.empty()) families = {"gpt2", "llama3", "qwen2", "o200k", "llama2"};
  for (const std::string& family : families) measure(folder, family, lines_of(text), 5);
}
