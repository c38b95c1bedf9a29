// SPDX-License-Identifier: MIT
// Runs the program as a script would: arguments in, exit code and both streams out. One that is started can be watched
// line by line, and is held back by a small pipe: what nobody reads, it waits with.
#pragma once
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

#include "temper/io/json.hpp"

namespace temper_test {

struct Finished {
  int code = -1;  // 128 + signal where a signal ended it
  std::string out, err;

  std::vector<std::string> lines() const {
    std::vector<std::string> all;
    for (std::size_t begin = 0; begin < out.size();) {
      const std::size_t end = std::min(out.find('\n', begin), out.size());
      all.push_back(out.substr(begin, end - begin));
      begin = end + 1;
    }
    return all;
  }
  temper::Json json() const { return temper::parse_json(out, "stdout"); }
};

class Program {
 public:
  using Arguments = std::vector<std::string>;

  explicit Program(const Arguments& arguments, const Arguments& environment = {}) {
    int out[2];
    char error_file[] = "/tmp/temper-stderr-XXXXXX";
    error_ = ::mkstemp(error_file);
    ::unlink(error_file);
    if (error_ < 0 || ::pipe2(out, O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
    ::fcntl(out[1], F_SETPIPE_SZ, 4096);
    child_ = ::fork();
    if (child_ == 0) {
      ::dup2(out[1], STDOUT_FILENO);
      ::dup2(error_, STDERR_FILENO);
      ::dup2(::open("/dev/null", O_RDONLY), STDIN_FILENO);
      for (const std::string& setting : environment) ::putenv(const_cast<char*>(setting.c_str()));
      std::vector<char*> words = {const_cast<char*>(TEMPER_PROGRAM)};
      for (const std::string& argument : arguments) words.push_back(const_cast<char*>(argument.c_str()));
      words.push_back(nullptr);
      ::execv(TEMPER_PROGRAM, words.data());
      ::_exit(127);
    }
    ::close(out[1]);
    out_ = out[0];
  }
  ~Program() {
    if (child_ > 0) ::kill(child_, SIGKILL), finish();
  }
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  // Waits until this many lines have come.
  void read_lines(int count) {
    while (count > 0) {
      char byte = 0;
      if (::read(out_, &byte, 1) <= 0) return;
      finished_.out += byte;
      if (byte == '\n') --count;
    }
  }
  void signal(int number) const { ::kill(child_, number); }

  Finished finish() {
    char block[4096];
    for (ssize_t got = 0; (got = ::read(out_, block, sizeof(block))) > 0;)
      finished_.out.append(block, static_cast<std::size_t>(got));
    ::close(out_);
    int status = 0;
    ::waitpid(child_, &status, 0);
    child_ = 0;
    finished_.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    ::lseek(error_, 0, SEEK_SET);
    for (ssize_t got = 0; (got = ::read(error_, block, sizeof(block))) > 0;)
      finished_.err.append(block, static_cast<std::size_t>(got));
    ::close(error_);
    return finished_;
  }

 private:
  pid_t child_ = 0;
  int out_ = -1, error_ = -1;
  Finished finished_;
};

inline Finished run_program(const Program::Arguments& arguments, const Program::Arguments& environment = {}) {
  return Program(arguments, environment).finish();
}

// metrics.jsonl without what a clock wrote.
inline std::string without_time(const std::string& metrics) {
  std::string result;
  for (std::size_t begin = 0; begin < metrics.size();) {
    const std::size_t end = std::min(metrics.find('\n', begin), metrics.size());
    temper::Json line = temper::parse_json(std::string_view(metrics).substr(begin, end - begin), "metrics.jsonl");
    line.erase("time");
    result += line.dump() + "\n";
    begin = end + 1;
  }
  return result;
}

}  // namespace temper_test
