// SPDX-License-Identifier: MIT
// Predictions, none of them measured: what a kernel moves and computes by its construction beside what its operands and
// result ask for at least, and the time of both on one device of each architecture.
//   floor = max(bytes / bandwidth, operations / peak), each byte of operands and result moved once
//   built = max(bytes / bandwidth / reach, padded operations / (peak share fullness), fetched / rate)
// 'fetched' is what all blocks read, tiles of the same rows again and again, at 64 bytes a cycle and multiprocessor;
// parts of sums are written and read, too. 'share' is of the tensor cores (tables.cpp); 'fullness' of the last wave of
// blocks; 'reach' the part of the multiprocessors that have a block at all. Latencies and launches are not in it.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <string>

#include "every_kernel.hpp"
#include "machine_code.hpp"

namespace temper::bench {

// Limits of a multiprocessor, from the CUDA programming guide; a tensor core's cycles for one m16n8k16 in bf16 with
// sums in float, from peak rates in data sheets; a device with that code, its memory in bytes a second and its peak.
struct Architecture {
  int number, shared_kib, threads, blocks;
  double tensor_cycles;
  const char* device;
  int multiprocessors;
  double bandwidth, peak;

  double clock() const { return peak / (multiprocessors * 4 * 4096 / tensor_cycles); }
};

inline const Architecture* architecture(int number) {
  static constexpr Architecture known[] = {
      {80, 164, 2048, 32, 8, "A100, 80 GB", 108, 2.0e12, 312e12},
      {86, 100, 1536, 16, 32, "GeForce RTX 3090", 82, 0.936e12, 71e12},
      {90, 228, 2048, 32, 4, "H200, at rates that programs reach", 132, 4.3e12, 790e12},
      {120, 100, 1536, 24, 32, "GeForce RTX 5090", 170, 1.79e12, 209e12},
  };
  for (const Architecture& one : known)
    if (one.number == number) return &one;
  return nullptr;
}

struct OfKernel {
  int resident;
  double tensor_share;
};
using Known = std::map<std::string, OfKernel>;

struct Work {
  double bytes, operations;  // at least
  double padded, fetched;    // as built
  double blocks;
};

inline void print_row(const Architecture& on, const Known& known, const std::string& what, const std::string& kernel,
                      const Work& work) {
  const auto found = known.find(kernel);
  if (found == known.end()) return;
  const OfKernel& of = found->second;
  const double at_once = static_cast<double>(on.multiprocessors) * of.resident;
  // Blocks spread over multiprocessors before they share one.
  const double waves = work.blocks / at_once,
               fullness = waves > 1 ? waves / std::ceil(waves) : std::min(1.0, work.blocks / on.multiprocessors),
               reach = std::min(1.0, work.blocks / on.multiprocessors);
  const double rate = 64 * on.clock() * on.multiprocessors * reach;
  const double floor = std::max(work.bytes / on.bandwidth, work.operations / on.peak);
  const double times[] = {work.bytes / on.bandwidth / reach, work.padded / (on.peak * of.tensor_share * fullness),
                          work.fetched / rate};
  const char* const bounds[] = {"memory", "tensor cores", "fetching"};
  const auto bound = std::max_element(times, times + 3) - times;
  std::printf("| %s | `%s` | %.1f | %.2f | %.1f | %.2f | %.1f | %.0f | %.1f | %.1f | %s | %.2f |\n", what.c_str(),
              kernel.c_str(), work.bytes / 1e6, work.operations / 1e9, work.fetched / 1e6,
              work.padded / work.operations, waves, 100 * fullness, floor * 1e6, times[bound] * 1e6, bounds[bound],
              times[bound] / floor);
}

inline double tiles(int n, int tile) { return (n + tile - 1) / tile; }

// Of y [tokens, out] = x [tokens, in] weight. 'weight_bytes' are those of an element.
template <class Kernel>
void print_tiles(const Architecture& on, const Known& known, const std::string& what, int tokens, int out, int in,
                 int tile_m, int tile_n, int tile_k, double weight_bytes, int parts = 1) {
  const double m = tokens, n = out, k = in, blocks = tiles(tokens, tile_m) * tiles(out, tile_n);
  const double of_parts = parts > 1 ? 8.0 * parts * m * n : 0;  // written and read, in float
  print_row(on, known, what, kernel_name(typeid(Kernel).name()),
            {weight_bytes * n * k + 2 * m * k + 2 * m * n, 2 * m * n * k,
             2 * blocks * tile_m * tile_n * tiles(in, tile_k) * tile_k,
             blocks * k * (2 * std::min(m, double{1} * tile_m) + weight_bytes * tile_n) + of_parts, blocks * parts});
}

template <class Tile>
void print_nf4(const Architecture& on, const Known& known, const std::string& what, int tokens, int out, int in,
               double weight_bytes) {
  const int part = kernel::nf4_part(out, in), parts = (in / kernel::nf4_block + part - 1) / part;
  const bool alone = kernel::nf4_partial(tokens, out, in) == 0;
  const auto print = [&]<class Out>() {
    print_tiles<kernel::Nf4Tiles<Out, Tile>>(on, known, what, tokens, out, in, Tile::m, Tile::n, kernel::nf4_block,
                                             weight_bytes, alone ? 1 : parts);
  };
  alone ? print.template operator()<bf16>() : print.template operator()<float>();
}

template <int Width>
void print_attention(const Architecture& on, const Known& known, int tokens) {
  using Kernel = kernel::AttentionForward<Width>;
  const int heads = 32, key_heads = 8;
  const double t = tokens, h = heads, query_tiles = tiles(tokens, kernel::attention_rows);
  // Tile number i of queries reads the tiles of keys up to its own.
  const double pairs = query_tiles * (query_tiles + 1) / 2 * kernel::attention_rows / Kernel::keys;
  print_row(on, known, std::to_string(tokens) + " tokens, 32 / 8 heads of " + std::to_string(Width),
            kernel_name(typeid(Kernel).name()),
            {2 * t * Width * (2 * h + 2 * key_heads) + 4 * t * h, 2 * t * (t + 1) * Width * h,
             4 * pairs * kernel::attention_rows * Kernel::keys * Width * h,
             h * 2 * Width * (query_tiles * kernel::attention_rows + 2 * pairs * Kernel::keys), query_tiles * h});
}

inline void print_roofline(const Architecture& on, const Known& known) {
  using namespace kernel;
  std::printf("\nsm_%d as %s: %d multiprocessors, %.2f TB/s, %.0f TFLOP/s. Predictions, not measurements.\n\n",
              on.number, on.device, on.multiprocessors, on.bandwidth / 1e12, on.peak / 1e12);
  std::printf(
      "| what | kernel | MB at least | GFLOP | MB fetched | FLOP, padded | waves | full, %% | floor, us | built, us | "
      "bound by | ratio |\n|---|---|---|---|---|---|---|---|---|---|---|---|\n");
  const double nf4 = 0.5 + 4.0 / nf4_block;
  for (const int out : {1024, 4096, 14336}) {
    const int in = 4096;
    for (const int tokens : {1, 4, 16, 32, 64, 128, 512, 2048, 8192}) {
      const std::string what = std::to_string(tokens) + " tokens, 4096 to " + std::to_string(out);
      if (tokens <= 64) {
        print_tiles<MatmulForwardSmall>(on, known, what, tokens, out, in, SmallTile::m, SmallTile::n, SmallTile::k, 2);
      } else {
        print_tiles<MatmulForward>(on, known, what, tokens, out, in, LargeTile::m, LargeTile::n, LargeTile::k, 2);
      }
      if (tokens <= Nf4Tile16::m) {
        print_nf4<Nf4Tile16>(on, known, what, tokens, out, in, nf4);
      } else if (tokens <= Nf4Tile32::m) {
        print_nf4<Nf4Tile32>(on, known, what, tokens, out, in, nf4);
      } else {
        print_nf4<Nf4Tile64>(on, known, what, tokens, out, in, nf4);
      }
      if (tokens > 64)  // its gradient is a product over features
        print_tiles<Nf4Gradient>(on, known, what + ", backward", tokens, in, out, LargeTile::m, LargeTile::n,
                                 LargeTile::k, nf4);
    }
  }
  for (const int tokens : {2048, 8192}) {
    print_attention<64>(on, known, tokens);
    print_attention<128>(on, known, tokens);
  }
}

}  // namespace temper::bench
