// SPDX-License-Identifier: MIT
// A program that scores: started once, sent a JSON object a line, and expected to answer each with a number on a line.
// It gets a process group of its own, so that an interrupt from the terminal ends the run in its own time.
#pragma once
#include <sys/types.h>

#include <chrono>
#include <span>
#include <string>
#include <vector>

namespace temper_cli {

class RewardProgram {
 public:
  // 'command' is the shell's. 'limit' is the time for all answers to one call of ask.
  RewardProgram(std::string command, std::chrono::milliseconds limit);
  ~RewardProgram();  // its input ends, and with it the program, or it is ended
  RewardProgram(const RewardProgram&) = delete;
  RewardProgram& operator=(const RewardProgram&) = delete;

  // One number for each line, in order. A program that died or is late is temporary (75), one that says anything but
  // numbers is bad data (76).
  std::vector<double> ask(std::span<const std::string> lines);

 private:
  using Clock = std::chrono::steady_clock;

  void send(std::string_view& rest);  // what the pipe takes now
  bool receive();                     // false: nothing more will come
  void take_answers(std::vector<double>& answers, std::size_t wanted);
  [[noreturn]] void fail_ended(std::size_t answers, std::size_t wanted);
  int wait_for_end(std::chrono::milliseconds patience);  // its status, or -1
  void kill_group();

  std::string command_;
  std::chrono::milliseconds limit_;
  pid_t process_ = -1;
  int to_ = -1, from_ = -1;
  std::string received_;
};

}  // namespace temper_cli
