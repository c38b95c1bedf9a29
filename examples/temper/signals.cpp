// SPDX-License-Identifier: MIT
#include "signals.hpp"

#include <unistd.h>

#include <csignal>

namespace temper_cli {
namespace {

volatile std::sig_atomic_t first_signal = 0;
int watches = 0;

void note(int number) {
  if (first_signal != 0 && number == SIGINT) _exit(128 + SIGINT);
  if (first_signal == 0) first_signal = number;
}

void install(void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

}  // namespace

SignalWatch::SignalWatch() {
  if (watches++ > 0) return;
  first_signal = 0;
  install(note);
}
SignalWatch::~SignalWatch() {
  if (--watches == 0) install(SIG_DFL);
}

int SignalWatch::caught() { return first_signal; }
ExitCode SignalWatch::exit_code() { return first_signal == SIGINT ? interrupted : terminated; }

}  // namespace temper_cli
