// SPDX-License-Identifier: MIT
// expects: temper: full fine-tuning trains every weight, and what is trained is not quantized; use
// Full fine-tuning leaves nothing that could be quantized.
#include "temper/adapter/full.hpp"
#include "temper/backend/cpu/memory.hpp"
#include "temper/storage/nf4.hpp"

using namespace temper;

#ifdef TEMPER_WRONG
inline const auto adapter = on(Nf4{}, Full{});
#else
inline const auto adapter = on(Dense{}, Full{});
#endif
