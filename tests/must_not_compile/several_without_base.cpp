// SPDX-License-Identifier: MIT
// expects: temper: several adapters share one base, and this one does not say what it stands on
// Tuned prompts stand before the documents, not over a projection.
#include "temper/adapter/lora.hpp"
#include "temper/adapter/prompt.hpp"
#include "temper/adapter/several.hpp"
#include "temper/backend/cpu.hpp"

using namespace temper;

#ifdef TEMPER_WRONG
using One = PromptTuning;
#else
using One = Lora<>;
#endif

auto layer(const Several<One>& several, Builder<Cpu<float>>& build) { return several.linear(build, "q_proj", {8, 8}); }
