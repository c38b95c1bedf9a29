// SPDX-License-Identifier: MIT
#include "temper/model/batch.hpp"

#include <doctest/doctest.h>

#include "support/small_config.hpp"
#include "support/workbench.hpp"

namespace batch_test {

using namespace temper;
using temper_test::small_config;

using B = Cpu<double>;

// Two documents, of three and of two tokens; the prediction made at the last token of each is not held against
// anything.
struct Rows {
  std::vector<TokenId> tokens = {1, 2, 3, 4, 5}, targets = {2, 3, 0, 5, 0};
  std::vector<std::uint8_t> supervised = {0, 1, 0, 1, 0};
  std::vector<Index> starts = {0, 3, 5};
  HostBatch host() const { return {tokens, targets, supervised, starts}; }
};

template <class V>
auto list(const V& view) {
  return std::vector<std::remove_const_t<std::remove_pointer_t<decltype(view.data)>>>(view.data,
                                                                                      view.data + view.size());
}

std::string code_of(auto&& call) {
  try {
    call();
  } catch (const Error& error) { return error.code(); }
  return "none";
}

TEST_CASE("batch: its shape is what memory depends on") {
  const Rows rows;
  CHECK(shape_of(rows.host()) == BatchShape{.tokens = 5, .documents = 2, .supervised = 2, .longest = 3});
}

TEST_CASE("batch: documents become spans, positions from 0, and rows of what is supervised") {
  Workbench<double> bench;
  BatchStaging<B> staging;
  const Rows rows;
  const auto batch = upload_batch(bench.ctx, staging, small_config(), rows.host());
  CHECK(list(batch.tokens) == rows.tokens);
  CHECK(list(batch.positions) == std::vector<std::int32_t>{0, 1, 2, 0, 1});
  CHECK(list(batch.rows) == std::vector<std::int32_t>{1, 3});
  CHECK(list(batch.targets) == std::vector<TokenId>{3, 5});
  CHECK(list(batch.sequence_of) == std::vector<std::int32_t>{0, 1});
  CHECK(batch.documents == 2);
  CHECK(batch.size() == 5);
  CHECK(batch.supervised() == 2);
  REQUIRE(batch.spans.size() == 2);
  CHECK(batch.spans(1).query_begin == 3);
  CHECK(batch.spans(1).query_end == 5);
  CHECK(batch.spans(1).key_begin == 3);
  CHECK(batch.spans(1).key_end == 5);
}

TEST_CASE("batch: with a prefix, so many places stand before each document, without token or target") {
  Workbench<double> bench;
  BatchStaging<B> staging;
  const Rows rows;
  const auto batch = upload_batch(bench.ctx, staging, small_config(), rows.host(), 0, 2);
  CHECK(batch.prefix == 2);
  CHECK(batch.size() == 9);
  CHECK(list(batch.positions) == std::vector<std::int32_t>{0, 1, 2, 3, 4, 0, 1, 2, 3});
  CHECK(list(batch.tokens.slice(2, 5)) == std::vector<TokenId>{1, 2, 3});
  CHECK(list(batch.tokens.slice(7, 9)) == std::vector<TokenId>{4, 5});
  CHECK(list(batch.rows) == std::vector<std::int32_t>{3, 7});
  CHECK(list(batch.targets) == std::vector<TokenId>{3, 5});
  CHECK(batch.cosines.size() == 5 * 2);
  REQUIRE(batch.spans.size() == 2);
  CHECK(batch.spans(0).query_begin == 0);
  CHECK(batch.spans(0).key_end == 5);
  CHECK(batch.spans(1).query_begin == 5);
  CHECK(batch.spans(1).query_end == 9);
  CHECK(batch.spans(1).key_begin == 5);
  // What continues a document has it behind already.
  const auto more = upload_batch(bench.ctx, staging, small_config(), rows.host(), 5, 2);
  CHECK(more.prefix == 0);
  CHECK(more.size() == 5);
}

TEST_CASE("batch: its rows are those that it has on the backend, whether or not its documents share a prompt") {
  const std::vector<TokenId> tokens = {1, 2, 3, 4, 1, 2, 3, 5, 6}, targets = {0, 0, 4, 0, 0, 0, 5, 6, 0};
  const std::vector<std::uint8_t> supervised = {0, 0, 1, 0, 0, 0, 1, 1, 0};
  const std::vector<Index> starts = {0, 4, 9};
  Config dynamic = small_config();
  dynamic.rope = {.kind = Rope::Kind::dynamic, .factor = 2, .original_positions = 2};
  const auto rows = [&](Prompts prompts, const Config& config, Index prefix) {
    HostBatch host{tokens, targets, supervised, starts};
    host.prompts = prompts;
    Workbench<double> bench;
    BatchStaging<B> staging;
    CHECK(rows_of(host, config, prefix) == upload_batch(bench.ctx, staging, config, host, 0, prefix).size());
    return rows_of(host, config, prefix);
  };
  CHECK(rows(Prompts::apart, small_config(), 0) == 9);
  CHECK(rows(Prompts::shared, small_config(), 0) == 7);
  CHECK(rows(Prompts::shared, small_config(), 2) == 13);
  CHECK(rows(Prompts::shared, dynamic, 0) == 9);
}

TEST_CASE("batch: the rotary table has a row for each position of the longest document") {
  Workbench<double> bench;
  BatchStaging<B> staging;
  const Config config = small_config();
  const auto batch = upload_batch(bench.ctx, staging, config, Rows().host());
  CHECK(batch.cosines.size() == 3 * 2);
  std::vector<double> frequencies, cosines(2), sines(2);
  rope_frequencies(config.rope, 4, 0, frequencies);
  for (Index p = 0; p < 3; ++p) {
    rope_row(frequencies, p, cosines.data(), sines.data());
    for (Index c = 0; c < 2; ++c) {
      CHECK(batch.cosines(p * 2 + c) == cosines[static_cast<std::size_t>(c)]);
      CHECK(batch.sines(p * 2 + c) == sines[static_cast<std::size_t>(c)]);
    }
  }
}

TEST_CASE("batch: with dynamic scaling each document turns by its own length") {
  Workbench<double> bench;
  BatchStaging<B> staging;
  Config config = small_config();
  config.rope = {.kind = Rope::Kind::dynamic, .factor = 2, .original_positions = 2};
  const auto batch = upload_batch(bench.ctx, staging, config, Rows().host());
  CHECK(list(batch.positions) == std::vector<std::int32_t>{0, 1, 2, 3, 4});
  std::vector<double> cosines(2), sines(2);
  for (const auto& [row, position, length] : {std::array<Index, 3>{2, 2, 3}, {4, 1, 2}}) {
    std::vector<double> frequencies;
    rope_frequencies(config.rope, 4, length, frequencies);
    rope_row(frequencies, position, cosines.data(), sines.data());
    CHECK(batch.sines(row * 2 + 1) == sines[1]);
  }
}

TEST_CASE("batch: one that continues a document stands at the positions after those that are cached") {
  Workbench<double> bench;
  BatchStaging<B> staging;
  const Config config = small_config();
  const std::vector<TokenId> tokens = {7, 8};
  const std::vector<Index> starts = {0, 2};
  const auto batch = upload_batch(bench.ctx, staging, config, HostBatch{tokens, {}, {}, starts}, 5);
  CHECK(batch.supervised() == 0);
  CHECK(batch.spans(0).query_end == 2);
  CHECK(batch.spans(0).key_begin == 0);
  CHECK(batch.spans(0).key_end == 7);
  std::vector<double> frequencies, cosines(2), sines(2);
  rope_frequencies(config.rope, 4, 0, frequencies);
  for (Index q = 0; q < 2; ++q) {
    rope_row(frequencies, 5 + q, cosines.data(), sines.data());
    CHECK(batch.cosines(batch.positions(q) * 2) == cosines[0]);
  }
}

TEST_CASE("batch: ids outside of the vocabulary are refused") {
  Workbench<double> bench;
  BatchStaging<B> staging;
  const auto upload = [&](const Rows& rows) {
    return code_of([&] { upload_batch(bench.ctx, staging, small_config(), rows.host()); });
  };
  for (const TokenId id : {-1, 11, 1 << 30, std::numeric_limits<TokenId>::min()}) {
    Rows token, target, ignored;
    token.tokens[4] = id;
    target.targets[1] = id;
    ignored.targets[0] = id;
    CHECK(upload(token) == "batch.token");
    CHECK(upload(target) == "batch.token");
    CHECK(upload(ignored) == "none");
  }
}

TEST_CASE("batch: a batch of no tokens is empty") {
  Workbench<double> bench;
  BatchStaging<B> staging;
  const std::vector<Index> starts = {0};
  const auto batch = upload_batch(bench.ctx, staging, small_config(), HostBatch{{}, {}, {}, starts});
  CHECK(batch.size() == 0);
  CHECK(batch.documents == 0);
}

}  // namespace batch_test
