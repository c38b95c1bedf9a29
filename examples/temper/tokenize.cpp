// SPDX-License-Identifier: MIT
#include "tokenize.hpp"

#include <atomic>
#include <chrono>
#include <exception>
#include <thread>
#include <vector>

#include "temper/data/tokenizer.hpp"
#include "temper/data/utf8.hpp"

namespace temper_cli {
namespace {

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const std::size_t newline = text.find('\n');
    lines.push_back(text.substr(0, newline));
    if (newline == std::string_view::npos) break;
    text.remove_prefix(newline + 1);
  }
  return lines;
}

}  // namespace

TokenizeResult tokenize_lines(const std::filesystem::path& tokenizer_folder, const std::filesystem::path& file,
                              int threads) {
  const temper::Tokenizer tokenizer = temper::Tokenizer::open(tokenizer_folder);
  const std::string text = temper::read_file(file, std::size_t{1} << 40);
  const std::vector<std::string_view> lines = lines_of(text);
  TokenizeResult result;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const std::size_t bad = temper::invalid_utf8(lines[i]);
    temper::require(bad == lines[i].size(), temper::Fault::data, "rows.utf8",
                    "{}:{}: byte {} of the line is not valid UTF-8; expected UTF-8; convert the file",
                    temper::shown_path(file), i + 1, bad + 1);
    result.bytes += lines[i].size();
  }
  if (threads == 0) threads = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));

  // Runs of lines are taken from a counter; the sums do not depend on who takes them.
  constexpr std::size_t run = 256;
  std::atomic<std::size_t> next{0}, tokens{0};
  std::vector<std::exception_ptr> thrown(static_cast<std::size_t>(threads));
  const auto work = [&](std::size_t worker) {
    try {
      temper::WordCache cache;
      for (std::size_t begin = next.fetch_add(run); begin < lines.size(); begin = next.fetch_add(run)) {
        std::size_t count = 0;
        for (std::size_t i = begin; i < std::min(lines.size(), begin + run); ++i)
          count += tokenizer.encode(lines[i], temper::SpecialTokens::none, cache).ids.size();
        tokens += count;
      }
    } catch (...) { thrown[worker] = std::current_exception(); }
  };
  const auto start = std::chrono::steady_clock::now();
  std::vector<std::thread> workers;
  for (std::size_t worker = 1; worker < thrown.size(); ++worker) workers.emplace_back(work, worker);
  work(0);
  for (std::thread& worker : workers) worker.join();
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  for (const std::exception_ptr& error : thrown)
    if (error) std::rethrow_exception(error);
  result.tokens = tokens;
  return result;
}

}  // namespace temper_cli
