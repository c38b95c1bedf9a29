// SPDX-License-Identifier: MIT
// One run in its folder: begun, or gone on with.
#pragma once
#include "training.hpp"

namespace temper_cli {

// Refuses (77) what does not fit into the memory that is free.
void require_memory(const temper::Plan& plan);

struct Ended {
  ExitCode code = done;
  std::string output{};  // what of the run's folder holds what was trained: 'adapter'
};

// Writes recipe and manifest into the new folder, and trains. 'resolved' is the recipe as it is written there.
Ended begin_run(Prepared& prepared, RunFolder& run, const Json& resolved, const Json& inputs, Reporter& reporter,
                Echo echo);

// Goes on where the newest checkpoint stands, or from the start; refuses (76) when what the run reads has changed.
Ended go_on(RunFolder& run, Reporter& reporter, Echo echo);

// SHA-256 of recipe.json, which must be the one that the run was started with.
std::string require_own_recipe(RunFolder& run);

}  // namespace temper_cli
