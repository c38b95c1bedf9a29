// SPDX-License-Identifier: MIT
// AdamW's arithmetic on moments that are held as one byte an element, in blocks of 256 with a scale each: bitsandbytes'
// block-wise 8-bit state. A block is decoded, moved, used and encoded again; in float its codes and scales are
// bitsandbytes' to the bit.
#pragma once
#include <cmath>
#include <cstdint>

#include "temper/backend/cpu/math.hpp"
#include "temper/backend/cpu/operands.hpp"
#include "temper/backend/dynamic_map.hpp"
#include "temper/backend/operations.hpp"

namespace temper {

// p *= 1 - lr wd;  m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g^2;
// p -= lr / correction1 * m / (sqrt(v) / sqrt(correction2) + eps)
template <class Real>
void adamw_8bit(Context<Cpu<Real>>& ctx, OutVector<Real> value, InVector<Real> gradient,
                std::type_identity_t<CodedVector<Cpu<Real>>> first, std::type_identity_t<CodedVector<Cpu<Real>>> second,
                AdamWStep step, double gradient_scale) {
  const Index size = value.size(), blocks = code_blocks(size);
  require(gradient.shape == value.shape && first.codes.size() == size && second.codes.size() == size &&
              first.scales.size() == blocks && second.scales.size() == blocks,
          Fault::usage, "adamw_8bit.shape",
          "adamw_8bit: value has {} elements, gradient {}, codes {} and {}, scales {} and {}; expected a code for each "
          "element and a scale for each {} of them",
          size, gradient.size(), first.codes.size(), second.codes.size(), first.scales.size(), second.scales.size(),
          code_block);
  ctx.run("adamw_8bit", {60 * static_cast<double>(size), 3 * bytes_of_all(gradient) + 4 * static_cast<double>(size)},
          [&] {
            const Real scale = static_cast<Real>(gradient_scale), epsilon = static_cast<Real>(step.epsilon);
            const Real kept = static_cast<Real>(1 - step.learning_rate * step.weight_decay);
            const Real old_first = static_cast<Real>(step.beta1), new_first = static_cast<Real>(1 - step.beta1);
            const Real old_second = static_cast<Real>(step.beta2), new_second = static_cast<Real>(1 - step.beta2);
            const Real root_correction = static_cast<Real>(std::sqrt(step.correction2));
            const Real rate = static_cast<Real>(-step.learning_rate / step.correction1);
            const Pieces pieces = Pieces::of(blocks, Pieces::grain / code_block);
            ctx.stream().parallel(pieces.count(), [&](Index piece, int) {
              Real m[code_block] = {}, v[code_block] = {}, root[code_block] = {};
              for (Index block = pieces.begin(piece); block < pieces.end(piece); ++block) {
                const Index begin = block * code_block, count = std::min(code_block, size - begin);
                decode_block<Signs::both>(first.codes.data + begin, count, first.scales(block), m);
                decode_block<Signs::positive>(second.codes.data + begin, count, second.scales(block), v);
                Real* p = value.data + begin;
                const Real* g = gradient.data + begin;
                for (Index i = 0; i < count; ++i) {
                  const Real scaled = g[i] * scale;
                  m[i] = multiply_add(new_first, scaled, m[i] * old_first);
                  root[i] = v[i] = multiply_add(new_second * scaled, scaled, v[i] * old_second);
                }
                square_roots(root);
                for (Index i = 0; i < count; ++i)
                  p[i] = multiply_add(p[i], kept, rate * m[i] / (root[i] / root_correction + epsilon));
                first.scales(block) = encode_block<Signs::both>(m, count, first.codes.data + begin);
                second.scales(block) = encode_block<Signs::positive>(v, count, second.codes.data + begin);
              }
            });
          });
}

}  // namespace temper
