// SPDX-License-Identifier: MIT
// The one header of a training loop: models, adapters, objectives, optimizers, the step, and the CPU backend. Text
// (temper/data/tokenizer.hpp, rows.hpp) needs PCRE2 and utf8proc and is included by itself.
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
#include "temper/objective/causal_lm.hpp"
#include "temper/objective/pairs.hpp"
#include "temper/optimizer/adamw.hpp"
#include "temper/optimizer/schedule.hpp"
#include "temper/optimizer/sgd.hpp"
#include "temper/train/checkpoint.hpp"
#include "temper/train/step.hpp"
