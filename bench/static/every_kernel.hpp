// SPDX-License-Identifier: MIT
// Every kernel that ships, as bench/static.sh compiles and tables them: X(type in namespace temper::kernel).
#pragma once
#include "temper/kernel/activation.cuh"
#include "temper/kernel/adamw.cuh"
#include "temper/kernel/attention.cuh"
#include "temper/kernel/matmul.cuh"
#include "temper/kernel/nf4.cuh"
#include "temper/kernel/nf4_matmul.cuh"
#include "temper/kernel/rms_norm.cuh"

namespace temper::kernel {

using MatmulForward = Matmul<Forward, bf16, LargeTile>;
using MatmulInputGradient = Matmul<InputGradient, bf16, LargeTile>;
using MatmulWeightGradient = Matmul<WeightGradient, float, LargeTile>;
using MatmulForwardSmall = Matmul<Forward, bf16, SmallTile>;
using MatmulInputGradientSmall = Matmul<InputGradient, bf16, SmallTile>;
using MatmulWeightGradientSmall = Matmul<WeightGradient, float, SmallTile>;
using Nf4OneToken = Nf4FewTokens<bf16, 1>;
using Nf4FourTokens = Nf4FewTokens<bf16, 4>;
using Nf4SixteenTokens = Nf4FewTokens<bf16, 16>;

}  // namespace temper::kernel

#define TEMPER_EVERY_KERNEL(X)           \
  X(RmsNorm<temper::bf16>)               \
  X(RmsNormBackward<temper::bf16>)       \
  X(RmsNormWeightBackward<temper::bf16>) \
  X(MatmulForward)                       \
  X(MatmulInputGradient)                 \
  X(MatmulWeightGradient)                \
  X(MatmulForwardSmall)                  \
  X(MatmulInputGradientSmall)            \
  X(MatmulWeightGradientSmall)           \
  X(Nf4Quantize<temper::bf16>)           \
  X(Nf4Dequantize<temper::bf16>)         \
  X(Nf4OneToken)                         \
  X(Nf4FourTokens)                       \
  X(Nf4SixteenTokens)                    \
  X(Nf4Tiles<temper::bf16>)              \
  X(AttentionForward<64>)                \
  X(AttentionForward<128>)               \
  X(Swiglu<temper::bf16>)                \
  X(SwigluBackward<temper::bf16>)        \
  X(Rotary<temper::bf16>)                \
  X(AdamW)
