// SPDX-License-Identifier: MIT
// The one header of a training loop: models, adapters, objectives, optimizers, the step, and the CPU backend. Text
// (temper/data/tokenizer.hpp, rows.hpp) needs PCRE2 and utf8proc and is included by itself; so is what needs a second
// model or rollouts (temper/objective/distillation.hpp with model/teacher.hpp, temper/objective/ppo.hpp with
// model/rollout.hpp).
#pragma once
#include "temper/adapter/dora.hpp"
#include "temper/adapter/frozen.hpp"
#include "temper/adapter/full.hpp"
#include "temper/adapter/lora.hpp"
#include "temper/adapter/merge.hpp"
#include "temper/adapter/peft.hpp"
#include "temper/adapter/prompt.hpp"
#include "temper/backend/cpu.hpp"
#include "temper/core/version.hpp"
#include "temper/data/micro_batch.hpp"
#include "temper/model/decoder.hpp"
#include "temper/model/folder.hpp"
#include "temper/model/generate.hpp"
#include "temper/objective/any_objective.hpp"
#include "temper/objective/causal_lm.hpp"
#include "temper/objective/classification.hpp"
#include "temper/objective/dpo.hpp"
#include "temper/objective/reward.hpp"
#include "temper/optimizer/adafactor.hpp"
#include "temper/optimizer/adamw.hpp"
#include "temper/optimizer/adamw_8bit.hpp"
#include "temper/optimizer/any_optimizer.hpp"
#include "temper/optimizer/lion.hpp"
#include "temper/optimizer/muon.hpp"
#include "temper/optimizer/schedule.hpp"
#include "temper/optimizer/sgd.hpp"
#include "temper/train/checkpoint.hpp"
#include "temper/train/step.hpp"
