// SPDX-License-Identifier: MIT
// expects: temper: a policy learns from texts that it draws, by steps of its own
// PPO is no objective of plan_step and forward_backward.
#include "temper/backend/cpu/memory.hpp"
#include "temper/objective/causal_lm.hpp"
#include "temper/objective/ppo.hpp"

using namespace temper;

#ifdef TEMPER_WRONG
using Chosen = Ppo;
#else
using Chosen = CausalLm;
#endif
static_assert(check_objective<Chosen, Cpu<float>>());
