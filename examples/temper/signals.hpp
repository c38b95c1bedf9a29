// SPDX-License-Identifier: MIT
// SIGINT and SIGTERM ask a run to finish its step, save and stop. The second Ctrl-C stops at once.
#pragma once

namespace temper_cli {

// The process's own handlers come back when this goes.
class SignalWatch {
 public:
  SignalWatch();
  ~SignalWatch();
  SignalWatch(const SignalWatch&) = delete;
  SignalWatch& operator=(const SignalWatch&) = delete;

  // The first signal that came, or 0.
  static int caught();
};

}  // namespace temper_cli
