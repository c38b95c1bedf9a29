// SPDX-License-Identifier: MIT
// AdamW with moments of one byte an element in blocks of 256 (backend/dynamic_map.hpp), for all tensors in one launch:
// m = beta1 m + (1 - beta1) g, else as update_rules.cuh has it. A warp takes a block: it decodes the moments, moves
// them, finds the largest magnitude of each and encodes them again. Codes and scales have the bits of the CPU backend
// where its processor can fuse, hence those of bitsandbytes' CPU kernels.
#pragma once
#include "temper/backend/dynamic_map.hpp"
#include "temper/kernel/update.cuh"

namespace temper::kernel {
inline namespace TEMPER_TARGET {

struct CodedState {
  unsigned char* first_codes = nullptr;
  unsigned char* second_codes = nullptr;
  float* first_scales = nullptr;
  float* second_scales = nullptr;
};

// The two maps in shared memory, a copy for each bank, so that no look-up waits for another. The signed one is its
// upper half: magnitude k is the value of code 127 + k, and the negative of code 127 - k.
struct MomentMaps {
  static constexpr int middle = 127, magnitudes = 129, codes = 256;
  float magnitude[magnitudes][device::warp_size], positive[codes][device::warp_size];

  template <class Kernel>
  TEMPER_DEVICE void fill(const device::Block<Kernel>& block, const float* both_map, const float* positive_map) {
    for (int i = block.warp_index(); i < magnitudes; i += device::Block<Kernel>::warps)
      magnitude[i][block.lane()] = both_map[middle + i];
    for (int i = block.warp_index(); i < codes; i += device::Block<Kernel>::warps)
      positive[i][block.lane()] = positive_map[i];
  }
  template <Signs S>
  TEMPER_DEVICE float value(int code, int lane) const {
    if constexpr (S == Signs::positive) {
      return positive[code][lane];
    } else {
      const float size = magnitude[code < middle ? middle - code : code - middle][lane];
      return code < middle ? -size : size;
    }
  }

  // How many midpoints lie below x, of magnitude 1 at most; NaN lies above none. Within a decade values are evenly
  // spaced, so arithmetic gives the code or a neighbour of it, and two midpoints decide.
  template <Signs S>
  TEMPER_DEVICE int code(float x, int lane) const {
    const float size = S == Signs::positive ? x : device::magnitude(x);
    float within = size > 1e-7f ? size : 1e-7f, steps = S == Signs::both ? 64.0f : 128.0f;  // of the highest decade
    if (within < 1e-4f) within *= 1e4f, steps *= 0x1p-4f;
    if (within < 1e-2f) within *= 1e2f, steps *= 0x1p-2f;
    if (within < 1e-1f) within *= 1e1f, steps *= 0x1p-1f;
    const int k = static_cast<int>(steps) + static_cast<int>((within - 0.1f) * (steps / 0.9f));
    int near = S == Signs::positive ? k - 1 : x < 0 ? middle - k : x >= 0 ? middle + k : 1;
    near = near < 1 ? 1 : near > codes - 2 ? codes - 2 : near;
    const float below = value<S>(near - 1, lane), at = value<S>(near, lane), above = value<S>(near + 1, lane);
    return near - 1 + ((below + at) * 0.5f < x ? 1 : 0) + ((at + above) * 0.5f < x ? 1 : 0);
  }
};

// Grid x over the pieces. A lane has eight elements of a block of 256: neighbours in bf16, twice four in float.
template <class T, class G = float>
struct Update8bit {
  static constexpr int threads = 320, blocks = 2, each = 8, run = sizeof(T) == 2 ? 8 : 4, runs = each / run;
  static_assert(Index{each} * device::warp_size == code_block && piece_elements % code_block == 0);
  struct Shared {
    MomentMaps maps;
  };
  using Tensor = Trained<T, G, CodedState>;
  using Factors = AdamW::Factors;
  UpdateTable<Tensor, Factors> table;
  const float* both_map;      // dynamic_map<Signs::both>.value
  const float* positive_map;  // dynamic_map<Signs::positive>.value

  TEMPER_DEVICE void operator()(device::Block<Update8bit>& block) const {
    block.shared.maps.fill(block, both_map, positive_map);
    block.sync();
    const TablePiece piece = table.pieces[block.index().x];
    const Tensor tensor = table.tensors[piece.tensor];
    const Factors factors = table.factors_of(tensor);
    const Index begin = Index{piece.number} * piece_elements;
    const Index end = device::smaller_of(tensor.count, begin + piece_elements);
    const bool aligned = device::aligned(tensor.value, 16) && device::aligned(tensor.gradient, 16) &&
                         device::aligned(tensor.state.first_codes, 8) && device::aligned(tensor.state.second_codes, 8);
    for (Index first = begin + block.warp_index() * code_block; first < end;
         first += device::Block<Update8bit>::warps * code_block) {
      if (aligned && first + code_block <= end) {
        one_block<run>(block, tensor, factors, first, end);
      } else {
        one_block<1>(block, tensor, factors, first, end);
      }
    }
  }

  // Where element i of this lane lies, and the lane's runs, 'Width' elements an access. With a width of 1 they may end
  // anywhere.
  TEMPER_DEVICE static Index place(Index first, int lane, int i) {
    return first + static_cast<Index>(i / run * (run * device::warp_size)) + static_cast<Index>(lane * run) + i % run;
  }
  template <int Width, class U>
  TEMPER_DEVICE static void read(U (&to)[each], const U* from, Index first, Index end, int lane) {
    TEMPER_UNROLL
    for (int i = 0; i < each; i += Width) {
      const Index at = place(first, lane, i);
      if constexpr (Width > 1) {
        constexpr int most = 16 / int{sizeof(U)}, width = Width < most ? Width : most;
        TEMPER_UNROLL
        for (int j = 0; j < Width; j += width) {
          const auto some = device::load<width>(from + at + j);
          TEMPER_UNROLL
          for (int e = 0; e < width; ++e) to[i + j + e] = some[e];
        }
      } else {
        to[i] = at < end ? from[at] : U{};
      }
    }
  }
  template <int Width, class U>
  TEMPER_DEVICE static void write(U* to, const U (&from)[each], Index first, Index end, int lane) {
    TEMPER_UNROLL
    for (int i = 0; i < each; i += Width) {
      const Index at = place(first, lane, i);
      if constexpr (Width > 1) {
        static_assert(Width * int{sizeof(U)} <= 16);
        device::Vector<U, Width> some;
        TEMPER_UNROLL
        for (int e = 0; e < Width; ++e) some[e] = from[i + e];
        device::store(to + at, some);
      } else if (at < end) {
        to[at] = from[i];
      }
    }
  }

  template <int Width>
  TEMPER_DEVICE void one_block(device::Block<Update8bit>& block, const Tensor& tensor, const Factors& factors,
                               Index first, Index end) const {
    const int lane = block.lane();
    const MomentMaps& maps = block.shared.maps;
    const Index number = first / code_block;
    T value[each];
    G gradient[each];
    unsigned char first_codes[each], second_codes[each];
    read<Width>(value, tensor.value, first, end, lane);
    read<Width>(gradient, tensor.gradient, first, end, lane);
    read<Width>(first_codes, tensor.state.first_codes, first, end, lane);
    read<Width>(second_codes, tensor.state.second_codes, first, end, lane);
    const float first_scale = tensor.state.first_scales[number], second_scale = tensor.state.second_scales[number];
    TrainedElement element[each];
    float first_largest = 0, second_largest = 0;
    TEMPER_UNROLL
    for (int i = 0; i < each; ++i) {
      const float g = device::product(device::widen(gradient[i]), factors.gradient_scale);
      const float old_first = device::product(maps.value<Signs::both>(first_codes[i], lane), first_scale);
      const float old_second = device::product(maps.value<Signs::positive>(second_codes[i], lane), second_scale);
      element[i] = {device::widen(value[i]),
                    device::fused_multiply_add(factors.new_first, g, device::product(old_first, factors.old_first)),
                    AdamW::new_second(old_second, g, factors)};
      if (Width == 1 && place(first, lane, i) >= end) element[i] = {};
      first_largest = device::larger(first_largest, device::magnitude(element[i].first));
      second_largest = device::larger(second_largest, device::magnitude(element[i].second));
      element[i].value = AdamW::new_value(element[i], factors);
    }
    first_largest = warp_max(block.warp(), first_largest);
    second_largest = warp_max(block.warp(), second_largest);
    const bool cut = end - first < code_block;
    const Share of_first(first_largest, cut), of_second(second_largest, cut);
    TEMPER_UNROLL
    for (int i = 0; i < each; ++i) {
      first_codes[i] = static_cast<unsigned char>(maps.code<Signs::both>(of_first(element[i].first), lane));
      second_codes[i] = static_cast<unsigned char>(maps.code<Signs::positive>(of_second(element[i].second), lane));
    }
    write<Width>(tensor.state.first_codes, first_codes, first, end, lane);
    write<Width>(tensor.state.second_codes, second_codes, first, end, lane);
    // Last, when nothing else is left in registers: random numbers take many.
    round(value, element, tensor, first, lane);
    write<Width>(tensor.value, value, first, end, lane);
    if (lane != 0) return;
    tensor.state.first_scales[number] = of_first.largest;
    tensor.state.second_scales[number] = of_second.largest;
  }

  // x over the largest magnitude of its block, rounded as encode_block does it: a block that is cut short is divided.
  struct Share {
    float largest, reciprocal;
    bool cut;
    TEMPER_DEVICE Share(float most, bool is_cut) : largest(most), reciprocal(0), cut(is_cut) {
      const float divisor = most < 1e-38f ? 1e-38f : most;
      if (cut) largest = divisor;
      reciprocal = device::divide(1.0f, divisor);
    }
    TEMPER_DEVICE float operator()(float x) const {
      const float share = cut ? device::divide(x, largest) : device::product(x, reciprocal);
      return share < -1 ? -1.0f : share > 1 ? 1.0f : share;
    }
  };

  TEMPER_DEVICE void round(T (&value)[each], const TrainedElement (&element)[each], const Tensor& tensor, Index first,
                           int lane) const {
    if constexpr (sizeof(T) == 2) {
      const auto word = random_block(table.random_of(tensor), static_cast<std::uint64_t>(place(first, lane, 0)) / 8);
      TEMPER_UNROLL
      for (int i = 0; i < each; ++i) value[i] = rounded_at_random(element[i].value, sixteen_of(word[i / 2], i));
    } else {
      TEMPER_UNROLL
      for (int i = 0; i < each; ++i) value[i] = element[i].value;
    }
  }
};

}  // namespace TEMPER_TARGET
}  // namespace temper::kernel
