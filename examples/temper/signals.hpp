// SPDX-License-Identifier: MIT
// SIGINT and SIGTERM ask a run to finish its step, save and stop. The second Ctrl-C stops at once.
#pragma once
#include "exit_code.hpp"

namespace temper_cli {

// The process's own handlers come back when this goes. One within another knows what the outer one has caught.
class SignalWatch {
 public:
  SignalWatch();
  ~SignalWatch();
  SignalWatch(const SignalWatch&) = delete;
  SignalWatch& operator=(const SignalWatch&) = delete;

  // The first signal that came, or 0.
  static int caught();
  // Of what was stopped by it.
  static ExitCode exit_code();
};

}  // namespace temper_cli
