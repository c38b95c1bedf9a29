// SPDX-License-Identifier: MIT
// Every kernel that ships, as bench/static.sh compiles and tables them: X(type in namespace temper::kernel).
#pragma once
#include "temper/kernel/activation.cuh"
#include "temper/kernel/attention.cuh"
#include "temper/kernel/attention_decode.cuh"
#include "temper/kernel/attention_gradient.cuh"
#include "temper/kernel/cross_entropy.cuh"
#include "temper/kernel/divergence.cuh"
#include "temper/kernel/dora.cuh"
#include "temper/kernel/dropout.cuh"
#include "temper/kernel/embedding.cuh"
#include "temper/kernel/global_norm.cuh"
#include "temper/kernel/matmul_parts.cuh"
#include "temper/kernel/nf4.cuh"
#include "temper/kernel/nf4_gradient.cuh"
#include "temper/kernel/nf4_matmul.cuh"
#include "temper/kernel/rms_norm.cuh"
#include "temper/kernel/update_8bit.cuh"

namespace temper::kernel {

using MatmulForward = Matmul<Forward, bf16, LargeTile>;
using MatmulInputGradient = Matmul<InputGradient, bf16, LargeTile>;
using MatmulWeightGradient = Matmul<WeightGradient, float, LargeTile>;
using MatmulForwardSilu = Matmul<Forward, bf16, LargeTile, Activation::silu>;
using MatmulForwardGelu = Matmul<Forward, bf16, LargeTile, Activation::gelu>;
using MatmulForwardSmall = Matmul<Forward, bf16, SmallTile>;
using MatmulInputGradientSmall = Matmul<InputGradient, bf16, SmallTile>;
using MatmulWeightGradientSmall = Matmul<WeightGradient, float, SmallTile>;
using MatmulForwardSkinny = Matmul<Forward, bf16, SkinnyTile>;
using MatmulInputGradientSkinny = Matmul<InputGradient, bf16, SkinnyTile>;
using MatmulWeightGradientSkinny = Matmul<WeightGradient, float, SkinnyTile>;
using MatmulWeightGradientFlat = Matmul<WeightGradient, float, FlatTile>;
using Nf4Gradient = Nf4InputGradient<bf16, LargeTile, Nf4Rows::whole_blocks>;
using Nf4GradientSmall = Nf4InputGradient<bf16, SmallTile, Nf4Rows::whole_blocks>;
using Nf4GradientAnyRows = Nf4InputGradient<bf16, SmallTile, Nf4Rows::any>;
using DoraSquaresDense = DoraSquares<DenseRows>;
using DoraSquaresNf4 = DoraSquares<Nf4CodeRows>;
using UpdateAdamW = Update<AdamW, float>;
using UpdateAdamWNarrow = Update<AdamW, bf16>;
using UpdateLion = Update<Lion, float>;
using UpdatePlainSgd = Update<Sgd, float>;
using UpdateSgd = Update<MomentumSgd, float>;
using Update8bitNarrow = Update8bit<bf16, bf16>;
using Nf4Tiles16 = Nf4Tiles<bf16, Nf4Tile16>;
using Nf4Tiles32 = Nf4Tiles<bf16, Nf4Tile32>;
using Nf4Tiles64 = Nf4Tiles<bf16, Nf4Tile64>;
using Nf4Parts16 = Nf4Tiles<float, Nf4Tile16>;
using Nf4Parts32 = Nf4Tiles<float, Nf4Tile32>;
using Nf4Parts64 = Nf4Tiles<float, Nf4Tile64>;

}  // namespace temper::kernel

#define TEMPER_EVERY_KERNEL(X)           \
  X(RmsNorm<temper::bf16>)               \
  X(RmsNormBackward<temper::bf16>)       \
  X(RmsNormWeightBackward<temper::bf16>) \
  X(MatmulForward)                       \
  X(MatmulInputGradient)                 \
  X(MatmulWeightGradient)                \
  X(MatmulForwardSilu)                   \
  X(MatmulForwardGelu)                   \
  X(MatmulForwardSmall)                  \
  X(MatmulInputGradientSmall)            \
  X(MatmulWeightGradientSmall)           \
  X(MatmulForwardSkinny)                 \
  X(MatmulInputGradientSkinny)           \
  X(MatmulWeightGradientSkinny)          \
  X(MatmulWeightGradientFlat)            \
  X(AddParts<float>)                     \
  X(AddParts<temper::bf16>)              \
  X(DoraSquaresDense)                    \
  X(DoraSquaresNf4)                      \
  X(DoraNorms)                           \
  X(DoraColumns)                         \
  X(MagnitudeGradient)                   \
  X(Nf4Quantize<temper::bf16>)           \
  X(Nf4Dequantize<temper::bf16>)         \
  X(Nf4AnyWidth<temper::bf16>)           \
  X(Nf4Tiles16)                          \
  X(Nf4Tiles32)                          \
  X(Nf4Tiles64)                          \
  X(Nf4Parts16)                          \
  X(Nf4Parts32)                          \
  X(Nf4Parts64)                          \
  X(Nf4Gradient)                         \
  X(Nf4GradientSmall)                    \
  X(Nf4GradientAnyRows)                  \
  X(AttentionForward<64>)                \
  X(AttentionForward<80>)                \
  X(AttentionForward<96>)                \
  X(AttentionForward<128>)               \
  X(AttentionForward<256>)               \
  X(AttentionRowSums<64>)                \
  X(AttentionRowSums<80>)                \
  X(AttentionRowSums<96>)                \
  X(AttentionRowSums<128>)               \
  X(AttentionRowSums<256>)               \
  X(AttentionQueryGradient<64>)          \
  X(AttentionQueryGradient<80>)          \
  X(AttentionQueryGradient<96>)          \
  X(AttentionQueryGradient<128>)         \
  X(AttentionQueryGradient<256>)         \
  X(AttentionKeyGradient<64>)            \
  X(AttentionKeyGradient<80>)            \
  X(AttentionKeyGradient<96>)            \
  X(AttentionKeyGradient<128>)           \
  X(AttentionKeyGradient<256>)           \
  X(AttentionDecode<64>)                 \
  X(AttentionDecode<80>)                 \
  X(AttentionDecode<96>)                 \
  X(AttentionDecode<128>)                \
  X(AttentionDecode<256>)                \
  X(AttentionDecodeJoin<64>)             \
  X(AttentionDecodeJoin<80>)             \
  X(AttentionDecodeJoin<96>)             \
  X(AttentionDecodeJoin<128>)            \
  X(AttentionDecodeJoin<256>)            \
  X(Swiglu<temper::bf16>)                \
  X(SwigluBackward<temper::bf16>)        \
  X(Rotary<temper::bf16>)                \
  X(LogitSums<temper::bf16>)             \
  X(LogProbabilities)                    \
  X(LogitGradient<temper::bf16>)         \
  X(DivergenceSums<temper::bf16>)        \
  X(DivergenceGradient<temper::bf16>)    \
  X(EmbeddingGather<temper::bf16>)       \
  X(EmbeddingScatter<temper::bf16>)      \
  X(Dropout<temper::bf16>)               \
  X(SquaresOfPieces<temper::bf16>)       \
  X(NormOfPieces)                        \
  X(UpdateAdamW)                         \
  X(UpdateAdamWNarrow)                   \
  X(UpdateLion)                          \
  X(UpdatePlainSgd)                      \
  X(UpdateSgd)                           \
  X(Update8bit<float>)                   \
  X(Update8bit<temper::bf16>)            \
  X(Update8bitNarrow)
