// SPDX-License-Identifier: MIT
// What else a step of training or decoding launches: attention over a cache, distillation, DoRA, products in parts,
// updates with moments of one byte, the norm of all gradients, embeddings, rotations and dropout, beside a copy or
// cuBLAS.
#pragma once
#include "gpu/products.hpp"
#include "gpu/rows.hpp"
#include "temper/kernel/attention_decode.cuh"
#include "temper/kernel/divergence.cuh"
#include "temper/kernel/dora.cuh"
#include "temper/kernel/dropout.cuh"
#include "temper/kernel/embedding.cuh"
#include "temper/kernel/matmul_parts.cuh"
#include "temper/kernel/update_8bit.cuh"

namespace temper::bench {

inline std::string by(int rows, int columns) { return std::to_string(rows) + " x " + std::to_string(columns); }

template <int Width>
void measure_decode(Measurements& all, int sequences, int length, int heads, int key_heads) {
  const std::string name = "attention decode " + std::to_string(Width);
  if (!all.wanted(name)) return;
  const auto count = elements(sequences * length, key_heads * Width);
  const double bytes = 4.0 * static_cast<double>(count);
  const int sets = all.sets_of(bytes);
  Copies<bf16> k(sets, some_numbers<bf16>(count)), v(sets, some_numbers<bf16>(count));
  device::Buffer<bf16> q(some_numbers<bf16>(elements(sequences, heads * Width))), y(q.size());
  std::vector<std::int32_t> first;
  for (int s = 0; s < sequences; ++s) first.push_back(s * length);
  device::Buffer<std::int32_t> pages(first), lengths(std::vector<std::int32_t>(first.size(), length));
  const kernel::DecodeShape shape{sequences, 1, heads, key_heads, 1 / std::sqrt(static_cast<float>(Width))};
  using Decode = kernel::AttentionDecode<Width>;
  using Join = kernel::AttentionDecodeJoin<Width>;
  const int tiles = shape.tiles(length, Decode::keys);
  device::Buffer<float> parts(kernel::DecodePart<Width>::count(shape, tiles)), lse(elements(sequences, heads));
  all.add(
      name,
      std::to_string(sequences) + " sequences of " + std::to_string(length) + ", " + std::to_string(heads) + "/" +
          std::to_string(key_heads) + " heads",
      {bytes, 4.0 * sequences * length * heads * Width},
      [&](int i) {
        const kernel::KeyCache cache{k[i], v[i], pages.data(), lengths.data()};
        device::launch(all.stream(), Decode::grid(shape, tiles), Decode{q.data(), cache, parts.data(), shape});
        device::launch(all.stream(), Join::grid(shape), Join{cache, parts.data(), y.data(), lse.data(), shape, tiles});
      },
      {copy_of(all, bytes)});
}

inline void measure_divergence(Measurements& all, int rows, int columns) {
  if (!all.wanted("divergence")) return;
  const auto n = static_cast<std::size_t>(rows), count = elements(rows, columns);
  const double bytes = 2.0 * static_cast<double>(count);
  Copies<bf16> student(all.sets_of(bytes), some_numbers<bf16>(count)),
      teacher(all.sets_of(bytes), some_numbers<bf16>(count, 2));
  device::Buffer<float> lse(std::vector<float>(n, 10.0f)), soft(std::vector<float>(n, 1.0f));
  device::Buffer<std::int32_t> labels(std::vector<std::int32_t>(n, 3));
  device::Buffer<kernel::DivergenceSum> sums(n);
  const auto kind = kernel::LogitDivergence::jsd;
  all.add("divergence, sums", by(rows, columns), {2 * bytes, 0},
          [&](int i) {
            device::launch(all.stream(), {rows, 1, 1},
                           kernel::DivergenceSums<bf16>{student[i], teacher[i], lse.data(), lse.data(), sums.data(),
                                                        columns, kind, kernel::LogitChunk::first});
          },
          {copy_of(all, 2 * bytes)});
  all.add("divergence, gradient", by(rows, columns), {3 * bytes, 0},
          [&](int i) {
            device::launch(all.stream(), {rows, 1, 1},
                           kernel::DivergenceGradient<bf16>{student[i], teacher[i], lse.data(), lse.data(), sums.data(),
                                                            soft.data(), soft.data(), lse.data(), labels.data(),
                                                            columns, 0, kind});
          },
          {copy_of(all, 3 * bytes)});
}

template <class Rows>
void measure_dora_norms(Measurements& all, const std::string& name, Rows weight, double weight_bytes, int features,
                        int width) {
  constexpr int rank = 16;
  using Squares = kernel::DoraSquares<Rows>;
  device::Buffer<bf16> a(some_numbers<bf16>(elements(rank, width))), b(some_numbers<bf16>(elements(features, rank)));
  const int parts = Squares::parts(width);
  const auto n = static_cast<std::size_t>(features);
  device::Buffer<float> partial(elements(parts, features)), magnitude(some_numbers<float>(n)), norms(n), factor(n);
  const double weights = static_cast<double>(features) * width, bytes = weight_bytes * weights;
  all.add(
      name, by(features, width), {bytes, 2 * weights * rank},
      [&](int) {
        device::launch(all.stream(), Squares::grid(features, width),
                       Squares{weight, {a.data(), width}, {b.data(), rank}, 1, partial.data(), features, width, rank});
        device::launch(
            all.stream(), {kernel::DoraNorms::grid(features), 1, 1},
            kernel::DoraNorms{partial.data(), parts, features, magnitude.data(), norms.data(), factor.data(), nullptr});
      },
      {copy_of(all, bytes)});
}

inline void measure_dora(Measurements& all, int tokens, int features, int width) {
  if (all.wanted("DoRA norms, bf16")) {
    device::Buffer<bf16> weight(some_numbers<bf16>(elements(features, width)));
    measure_dora_norms(all, "DoRA norms, bf16", kernel::DenseRows{weight.data()}, 2, features, width);
  }
  if (all.wanted("DoRA norms, NF4")) {
    const std::size_t count = elements(features, width);
    std::vector<unsigned char> some(count / 2);
    for (std::size_t i = 0; i < some.size(); ++i) some[i] = static_cast<unsigned char>(i * 2654435761u >> 7);
    device::Buffer<unsigned char> codes(some);
    device::Buffer<float> scales(std::vector<float>(count / kernel::nf4_block, 0.05f));
    measure_dora_norms(all, "DoRA norms, NF4", kernel::Nf4CodeRows{{codes.data(), {scales.data()}}}, 0.5625, features,
                       width);
  }
  if (all.wanted("DoRA backward")) {
    const auto count = elements(tokens, features), n = static_cast<std::size_t>(features);
    const int parts = kernel::DoraColumns::parts(tokens);
    const double bytes = 6.0 * static_cast<double>(count);
    Copies<bf16> dy(all.sets_of(bytes), some_numbers<bf16>(count)), u(all.sets_of(bytes), some_numbers<bf16>(count));
    device::Buffer<bf16> scaled(count);
    device::Buffer<float> factor(some_numbers<float>(n)), partial(elements(parts, features)), gradient(n);
    all.add("DoRA backward", by(tokens, features), {bytes, 0},
            [&](int i) {
              device::launch(all.stream(), kernel::DoraColumns::grid(tokens, features),
                             kernel::DoraColumns{dy[i], u[i], nullptr, factor.data(), scaled.data(), partial.data(),
                                                 tokens, features});
              device::launch(all.stream(), {kernel::MagnitudeGradient::grid(features), 1, 1},
                             kernel::MagnitudeGradient{partial.data(), parts, features, factor.data(), gradient.data(),
                                                       kernel::Into::overwrite});
            },
            {copy_of(all, bytes)});
  }
}

// dA [rank, n] or dB [m, rank]: few tiles and a long sum.
template <class Tile>
void measure_in_parts(Measurements& all, Cublas& cublas, const std::string& name, int m, int n, int tokens) {
  if (!all.wanted(name)) return;
  const double bytes = 2.0 * tokens * (m + n);
  const int sets = all.sets_of(bytes), parts = kernel::parts_of<Tile>(m, n, tokens);
  Copies<bf16> a(sets, some_numbers<bf16>(elements(tokens, m))), b(sets, some_numbers<bf16>(elements(tokens, n)));
  device::Buffer<float> c(elements(m, n)), of_cublas(c.size()),
      partial(elements(parts, m) * static_cast<std::size_t>(n));
  using Product = kernel::Matmul<kernel::WeightGradient, float, Tile>;
  all.add(
      name, shape_of(tokens, m, n), {bytes, 2.0 * tokens * m * n},
      [&](int i) {
        matmul_in_parts(all.stream(), Product{{a[i], m}, {b[i], n}, c.data(), m, n, tokens}, parts, partial.data());
      },
      {{"cuBLAS", [&](int i) { cublas.product<kernel::WeightGradient>(a[i], b[i], of_cublas.data(), m, n, tokens); }}});
  require_near(all.stream(), c, of_cublas, name);
}

template <class T, class G>
void measure_update_8bit(Measurements& all, const std::string& name, int count) {
  if (!all.wanted(name)) return;
  using Kernel = kernel::Update8bit<T, G>;
  const auto n = static_cast<std::size_t>(count), scale_count = static_cast<std::size_t>(code_blocks(count));
  const auto map = [](const auto& of) { return std::vector<float>{of.value.begin(), of.value.end()}; };
  device::Buffer<float> both(map(dynamic_map<Signs::both>)), positive(map(dynamic_map<Signs::positive>));
  device::Buffer<T> value(some_numbers<T>(n));
  device::Buffer<G> gradient(some_numbers<G>(n));
  device::Buffer<unsigned char> first(std::vector<unsigned char>(n, 130)), second(std::vector<unsigned char>(n, 130));
  device::Buffer<float> first_scales(std::vector<float>(scale_count, 1.0f)),
      second_scales(std::vector<float>(scale_count, 1.0f));
  std::vector<kernel::TablePiece> of_tensor;
  kernel::add_table_pieces(of_tensor, 0, count);
  device::Buffer<typename Kernel::Tensor> tensors(
      std::vector<typename Kernel::Tensor>{{value.data(),
                                            gradient.data(),
                                            {first.data(), second.data(), first_scales.data(), second_scales.data()},
                                            count,
                                            0,
                                            0}});
  device::Buffer<kernel::TablePiece> pieces(of_tensor);
  device::Buffer<kernel::AdamW::Factors> factors(
      std::vector<kernel::AdamW::Factors>{{1, 1, 0.9f, 0.1f, 0.99f, 0.01f, 1, -1e-3f, 1e-8f}});
  device::Buffer<std::uint32_t> step(std::vector<std::uint32_t>{1});
  const double bytes = (2.0 * sizeof(T) + sizeof(G) + 4) * count;
  all.add(name, std::to_string(count), {bytes, 0},
          [&](int) {
            device::launch(all.stream(), {static_cast<int>(of_tensor.size()), 1, 1},
                           Kernel{{tensors.data(), pieces.data(), factors.data(), nullptr, 1, step.data()},
                                  both.data(),
                                  positive.data()});
          },
          {copy_of(all, bytes)});
}

inline void measure_global_norm(Measurements& all, int count) {
  if (!all.wanted("global norm")) return;
  device::Buffer<bf16> gradient(some_numbers<bf16>(static_cast<std::size_t>(count)));
  std::vector<kernel::TensorPiece<bf16>> of_tensor;
  kernel::add_pieces<bf16>(of_tensor, gradient.data(), count);
  device::Buffer<kernel::TensorPiece<bf16>> pieces(of_tensor);
  device::Buffer<float> sums(of_tensor.size());
  device::Buffer<kernel::GlobalNorm> norm(1);
  const int number = static_cast<int>(of_tensor.size());
  all.add("global norm", std::to_string(count), {2.0 * count, 0},
          [&](int) {
            device::launch(all.stream(), {number, 1, 1}, kernel::SquaresOfPieces<bf16>{pieces.data(), sums.data()});
            device::launch(all.stream(), {}, kernel::NormOfPieces{sums.data(), number, 1, norm.data()});
          },
          {copy_of(all, 2.0 * count)});
}

inline void measure_tokens(Measurements& all, int tokens, int columns, int vocabulary) {
  const auto count = elements(tokens, columns), n = static_cast<std::size_t>(tokens);
  const double bytes = 2.0 * static_cast<double>(count);
  if (all.wanted("embedding")) {
    std::vector<std::int32_t> ids;
    for (int t = 0; t < tokens; ++t) ids.push_back(t * 37 % vocabulary);
    const kernel::TokensOfIds of_ids(ids);
    device::Buffer<bf16> table(some_numbers<bf16>(elements(vocabulary, columns))), y(some_numbers<bf16>(count));
    device::Buffer<float> dtable(some_numbers<float>(elements(vocabulary, columns)));
    device::Buffer<std::int32_t> on_ids(ids), sorted(of_ids.ids), first(of_ids.first), order(of_ids.order);
    all.add("embedding scatter", by(tokens, columns),
            {bytes + 8.0 * columns * static_cast<double>(of_ids.ids.size()), 0}, [&](int) {
              device::launch(all.stream(), {static_cast<int>(of_ids.ids.size()), 1, 1},
                             kernel::EmbeddingScatter<bf16>{y.data(), sorted.data(), first.data(), order.data(),
                                                            dtable.data(), columns});
            });
    all.add("embedding gather", by(tokens, columns), {2 * bytes, 0},
            [&](int) {
              device::launch(all.stream(), {tokens, 1, 1},
                             kernel::EmbeddingGather<bf16>{table.data(), on_ids.data(), y.data(), columns});
            },
            {copy_of(all, 2 * bytes)});
  }
  if (all.wanted("rotary")) {
    constexpr int width = 128;
    std::vector<std::int32_t> of_tokens(n);
    for (std::size_t t = 0; t < n; ++t) of_tokens[t] = static_cast<std::int32_t>(t);
    device::Buffer<std::int32_t> positions(of_tokens);
    device::Buffer<float> cosines(some_numbers<float>(n * (width / 2))), sines(some_numbers<float>(n * (width / 2)));
    Copies<bf16> x(all.sets_of(bytes), some_numbers<bf16>(count));
    all.add("rotary", by(tokens, columns), {2 * bytes + 4.0 * tokens * width, 0},
            [&](int i) {
              device::launch(all.stream(), {tokens, 1, 1},
                             kernel::Rotary<bf16>{x[i], positions.data(), cosines.data(), sines.data(), columns / width,
                                                  width, kernel::Turn::forward});
            },
            {copy_of(all, 2 * bytes)});
  }
  if (all.wanted("dropout")) {
    Copies<bf16> x(all.sets_of(bytes), some_numbers<bf16>(count));
    device::Buffer<bf16> y(count);
    const auto size = static_cast<Index>(count);
    all.add("dropout", by(tokens, columns), {2 * bytes, 0},
            [&](int i) {
              device::launch(all.stream(), {kernel::Dropout<bf16>::grid(size), 1, 1},
                             kernel::dropout<bf16>(x[i], y.data(), size, 0.1, Random{1, 2, 3}, 0));
            },
            {copy_of(all, 2 * bytes)});
  }
}

inline void measure_training(Measurements& all) {
  const bool tiny = all.size() == Size::tiny;
  const int tokens = tiny ? 2048 : 16384, rows = tiny ? 16 : 8192, columns = tiny ? 256 : 4096;
  measure_decode<64>(all, tiny ? 2 : 32, tiny ? 192 : 4096, tiny ? 8 : 32, tiny ? 2 : 8);
  measure_decode<128>(all, tiny ? 2 : 32, tiny ? 192 : 4096, tiny ? 8 : 32, tiny ? 2 : 8);
  measure_divergence(all, tiny ? 16 : 4096, tiny ? 512 : 16384);
  measure_dora(all, tiny ? 256 : 8192, columns, columns);
  Cublas cublas(all.stream());
  measure_in_parts<kernel::FlatTile>(all, cublas, "gradient of A, rank 16", 16, tiny ? 64 : columns, tokens);
  measure_in_parts<kernel::SkinnyTile>(all, cublas, "gradient of B, rank 16", tiny ? 64 : columns, 16, tokens);
  measure_update_8bit<float, float>(all, "adamw, 8 bits, float", tiny ? 4096 : 64 << 20);
  measure_update_8bit<bf16, bf16>(all, "adamw, 8 bits, bf16", tiny ? 4096 : 64 << 20);
  measure_global_norm(all, tiny ? 40000 : 64 << 20);
  measure_tokens(all, rows, columns, tiny ? 64 : 32768);
}

}  // namespace temper::bench
