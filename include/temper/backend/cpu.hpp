// SPDX-License-Identifier: MIT
// The CPU backend, whole: memory and every operation.
#pragma once
#include "temper/backend/cpu/activation.hpp"
#include "temper/backend/cpu/adafactor.hpp"
#include "temper/backend/cpu/adamw_8bit.hpp"
#include "temper/backend/cpu/attention.hpp"
#include "temper/backend/cpu/divergence.hpp"
#include "temper/backend/cpu/dora.hpp"
#include "temper/backend/cpu/embedding.hpp"
#include "temper/backend/cpu/head.hpp"
#include "temper/backend/cpu/linear.hpp"
#include "temper/backend/cpu/memory.hpp"
#include "temper/backend/cpu/norm.hpp"
#include "temper/backend/cpu/pool.hpp"
#include "temper/backend/cpu/round.hpp"
#include "temper/backend/cpu/sample.hpp"
#include "temper/backend/cpu/top_divergence.hpp"
#include "temper/backend/cpu/update.hpp"
