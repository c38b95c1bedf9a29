// SPDX-License-Identifier: MIT
// Attention and its gradients, and the kernels that memory bounds, beside a copy on the device as the runtime makes it.
#pragma once
#include <cmath>

#include "gpu/measure.hpp"
#include "temper/kernel/activation.cuh"
#include "temper/kernel/attention_gradient.cuh"
#include "temper/kernel/cross_entropy.cuh"
#include "temper/kernel/rms_norm.cuh"
#include "temper/kernel/update.cuh"

namespace temper::bench {

template <int Width>
void measure_attention(Measurements& all, int tokens, int heads, int key_heads) {
  const std::string forward = "attention forward " + std::to_string(Width),
                    backward = "attention backward " + std::to_string(Width);
  if (!all.wanted(forward) && !all.wanted(backward)) return;
  const auto count = static_cast<std::size_t>(tokens) * static_cast<std::size_t>(heads * Width),
             key_count = static_cast<std::size_t>(tokens) * static_cast<std::size_t>(key_heads * Width),
             rows = static_cast<std::size_t>(tokens) * static_cast<std::size_t>(heads);
  const int sets = all.sets_of(4.0 * static_cast<double>(count + key_count));
  Copies<bf16> q(sets, some_numbers<bf16>(count)), k(sets, some_numbers<bf16>(key_count)),
      v(sets, some_numbers<bf16>(key_count)), dy(1, some_numbers<bf16>(count));
  device::Buffer<bf16> y(count), dq(count), dk(key_count), dv(key_count);
  device::Buffer<float> lse(rows), d(rows);
  const auto of_pack = kernel::attention_tiles({0, tokens});
  device::Buffer<kernel::AttentionTile> tiles(of_pack);
  const float scale = 1 / std::sqrt(static_cast<float>(Width));
  const std::string shape =
      std::to_string(tokens) + " tokens, " + std::to_string(heads) + "/" + std::to_string(key_heads) + " heads";
  const double pairs = 0.5 * tokens * (tokens + 1) * heads, operand = 2.0 * static_cast<double>(count + key_count);
  using Forward = kernel::AttentionForward<Width>;
  const auto run_forward = [&](int i) {
    device::launch(all.stream(), Forward::grid(of_pack.size(), heads),
                   Forward{q[i], k[i], v[i], y.data(), lse.data(), tiles.data(), heads, key_heads, scale});
  };
  run_forward(0);
  all.add(forward, shape, {2 * operand, 4 * pairs * Width}, run_forward);
  using Sums = kernel::AttentionRowSums<Width>;
  using Query = kernel::AttentionQueryGradient<Width>;
  using Key = kernel::AttentionKeyGradient<Width>;
  all.add(backward, shape, {4 * operand, 10 * pairs * Width}, [&](int i) {
    const kernel::AttentionInputs inputs{q[i], k[i], v[i], dy[0], lse.data(), d.data(), heads, key_heads, scale};
    device::launch(all.stream(), Sums::grid(static_cast<Index>(rows)),
                   Sums{y.data(), dy[0], d.data(), static_cast<Index>(rows)});
    device::launch(all.stream(), Query::grid(of_pack.size(), heads), Query{inputs, dq.data(), tiles.data()});
    device::launch(all.stream(), Key::grid(of_pack.size(), key_heads), Key{inputs, dk.data(), dv.data(), tiles.data()});
  });
}

// A copy of as many bytes as the kernel moves: half of them read, half written.
inline Call copy_of(Measurements& all, double bytes) {
  const auto half = static_cast<std::size_t>(bytes / 2);
  const auto buffer = std::make_shared<device::Buffer<unsigned char>>(2 * half);
  const auto stream = all.stream().handle();
  device::require_success(cudaMemsetAsync(buffer->data(), 0, 2 * half, stream), "filling memory");
  return {"a copy", [buffer, half, stream](int) {
            device::require_success(
                cudaMemcpyAsync(buffer->data(), buffer->data() + half, half, cudaMemcpyDeviceToDevice, stream),
                "a copy");
          }};
}

inline void measure_rows(Measurements& all) {
  const bool tiny = all.size() == Size::tiny;
  const int rows = tiny ? 16 : 8192, columns = tiny ? 256 : 4096, wide = tiny ? 512 : 14336;
  const int chunk = tiny ? 512 : 16384, chunk_rows = tiny ? 16 : 4096;
  device::Stream& stream = all.stream();
  const auto shape = [](int r, int c) { return std::to_string(r) + " x " + std::to_string(c); };
  if (all.wanted("rms_norm")) {
    const double bytes = 2.0 * rows * columns;
    const auto count = static_cast<std::size_t>(rows) * static_cast<std::size_t>(columns);
    const auto n = static_cast<std::size_t>(columns);
    Copies<bf16> x(all.sets_of(bytes), some_numbers<bf16>(count)), dy(all.sets_of(bytes), some_numbers<bf16>(count));
    device::Buffer<bf16> weight(some_numbers<bf16>(n)), y(count);
    device::Buffer<float> inverse(static_cast<std::size_t>(rows)), dweight(n);
    const auto forward = [&](int i) {
      device::launch(stream, {rows, 1, 1},
                     kernel::RmsNorm<bf16>{x[i], weight.data(), y.data(), inverse.data(), columns, 1e-5f});
    };
    forward(0);
    all.add("rms_norm forward", shape(rows, columns), {2 * bytes, 0}, forward, {copy_of(all, 2 * bytes)});
    all.add("rms_norm backward", shape(rows, columns), {3 * bytes, 0},
            [&](int i) {
              device::launch(
                  stream, {rows, 1, 1},
                  kernel::RmsNormBackward<bf16>{x[i], weight.data(), inverse.data(), dy[i], y.data(), columns});
            },
            {copy_of(all, 3 * bytes)});
    all.add("rms_norm weight gradient", shape(rows, columns), {2 * bytes, 0},
            [&](int i) {
              device::launch(
                  stream, {device::divide_up(columns, 32), 1, 1},
                  kernel::RmsNormWeightBackward<bf16>{x[i], inverse.data(), dy[i], dweight.data(), rows, columns});
            },
            {copy_of(all, 2 * bytes)});
  }
  if (all.wanted("swiglu")) {
    const auto count = static_cast<std::size_t>(rows) * static_cast<std::size_t>(wide);
    const double bytes = 2.0 * static_cast<double>(count);
    device::Buffer<bf16> gate(some_numbers<bf16>(count)), up(some_numbers<bf16>(count)), y(some_numbers<bf16>(count)),
        dgate(count), dup(count);
    const device::Grid grid{kernel::elementwise_grid<bf16>(static_cast<Index>(count)), 1, 1};
    all.add("swiglu forward", shape(rows, wide), {3 * bytes, 0},
            [&](int) {
              device::launch(stream, grid,
                             kernel::Swiglu<bf16>{gate.data(), up.data(), y.data(), static_cast<Index>(count)});
            },
            {copy_of(all, 3 * bytes)});
    all.add("swiglu backward", shape(rows, wide), {5 * bytes, 0},
            [&](int) {
              device::launch(stream, grid,
                             kernel::SwigluBackward<bf16>{gate.data(), up.data(), y.data(), dgate.data(), dup.data(),
                                                          static_cast<Index>(count)});
            },
            {copy_of(all, 5 * bytes)});
  }
  if (all.wanted("logits")) {
    const auto count = static_cast<std::size_t>(chunk_rows) * static_cast<std::size_t>(chunk);
    const auto n = static_cast<std::size_t>(chunk_rows);
    const double bytes = 2.0 * static_cast<double>(count);
    Copies<bf16> logits(all.sets_of(bytes), some_numbers<bf16>(count));
    device::Buffer<std::int32_t> labels(std::vector<std::int32_t>(n, 3));
    device::Buffer<float> lse(std::vector<float>(n, 10.0f)), weight(std::vector<float>(n, 1.0f));
    device::Buffer<kernel::LogitSum> sums(n);
    all.add("logits, sums", shape(chunk_rows, chunk), {bytes, 0},
            [&](int i) {
              device::launch(
                  stream, {chunk_rows, 1, 1},
                  kernel::LogitSums<bf16>{logits[i], labels.data(), sums.data(), chunk, 0, kernel::LogitChunk::first});
            },
            {copy_of(all, bytes)});
    all.add("logits, gradient", shape(chunk_rows, chunk), {2 * bytes, 0},
            [&](int i) {
              device::launch(
                  stream, {chunk_rows, 1, 1},
                  kernel::LogitGradient<bf16>{logits[i], labels.data(), lse.data(), weight.data(), chunk, 0});
            },
            {copy_of(all, 2 * bytes)});
  }
  if (all.wanted("adamw")) {
    const auto count = static_cast<std::size_t>(tiny ? 4096 : 64 << 20);
    device::Buffer<float> value(some_numbers<float>(count)), gradient(some_numbers<float>(count)),
        first(some_numbers<float>(count)), second(std::vector<float>(count, 0.5f));
    using Kernel = kernel::Update<kernel::AdamW, float>;
    std::vector<kernel::TablePiece> of_tensor;
    kernel::add_table_pieces(of_tensor, 0, static_cast<Index>(count));
    const std::vector<Kernel::Tensor> table{
        {value.data(), gradient.data(), {first.data(), second.data()}, static_cast<Index>(count), 0, 0}};
    device::Buffer<Kernel::Tensor> tensors(table);
    device::Buffer<kernel::TablePiece> pieces(of_tensor);
    device::Buffer<kernel::AdamW::Factors> factors(
        std::vector<kernel::AdamW::Factors>{{1, 1, 0.9f, 0.1f, 0.99f, 0.01f, 1, -1e-3f, 1e-8f}});
    all.add("adamw, float", std::to_string(count), {28.0 * static_cast<double>(count), 0},
            [&](int) {
              device::launch(stream, {static_cast<int>(of_tensor.size()), 1, 1},
                             Kernel{{tensors.data(), pieces.data(), factors.data(), nullptr}});
            },
            {copy_of(all, 28.0 * static_cast<double>(count))});
  }
}

inline void measure_attentions(Measurements& all) {
  for (const int tokens : all.size() == Size::tiny ? std::vector<int>{128} : std::vector<int>{2048, 8192}) {
    const int heads = all.size() == Size::tiny ? 2 : 32, key_heads = all.size() == Size::tiny ? 1 : 8;
    measure_attention<64>(all, tokens, heads, key_heads);
    measure_attention<128>(all, tokens, heads, key_heads);
  }
}

}  // namespace temper::bench
