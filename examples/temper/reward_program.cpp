// SPDX-License-Identifier: MIT
#include "reward_program.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstring>
#include <thread>

#include "temper/core/error.hpp"
#include "temper/io/printable.hpp"

extern char** environ;

namespace temper_cli {
namespace {

using temper::Fault;

constexpr std::size_t longest_answer = 4096;

// A pipe that is closed at the other end is told by write, not by a signal that would end this program.
class WithoutPipeSignal {
 public:
  WithoutPipeSignal() {
    sigemptyset(&pipe_);
    sigaddset(&pipe_, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
  }
  ~WithoutPipeSignal() {
    const timespec now{};
    if (sigismember(&before_, SIGPIPE) == 0)
      while (sigtimedwait(&pipe_, nullptr, &now) == SIGPIPE) {}
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  WithoutPipeSignal(const WithoutPipeSignal&) = delete;
  WithoutPipeSignal& operator=(const WithoutPipeSignal&) = delete;

 private:
  sigset_t pipe_{}, before_{};
};

[[noreturn]] void fail_to_start(const std::string& command, int error) {
  temper::fail(Fault::temporary, "reward.start",
               "the reward program '{}' cannot be started: {}; expected it to run; {}", temper::printable(command),
               std::strerror(error), "try again when the machine has processes to spare");
}

// A number alone on its line.
double number_of(std::string_view line, const std::string& command, std::size_t place) {
  constexpr std::string_view space = " \t\r";
  const std::size_t begin = line.find_first_not_of(space), end = line.find_last_not_of(space);
  const std::string_view text =
      begin == std::string_view::npos ? std::string_view() : line.substr(begin, end - begin + 1);
  double value = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  temper::require(!text.empty() && error == std::errc() && stop == text.data() + text.size() && std::isfinite(value),
                  Fault::data, "reward.not_a_number",
                  "the reward program '{}' answered line {} with '{}'; expected a number alone on a line; let it write "
                  "everything else to stderr",
                  temper::printable(command), place + 1, temper::printable(line));
  return value;
}

std::string ending(int status) {
  if (status < 0) return "closed its output";
  return WIFSIGNALED(status) ? fmt::format("was ended by signal {}", WTERMSIG(status))
                             : fmt::format("ended with code {}", WEXITSTATUS(status));
}

}  // namespace

RewardProgram::RewardProgram(std::string command, std::chrono::milliseconds limit)
    : command_(std::move(command)), limit_(limit) {
  int in[2], out[2];
  if (::pipe2(in, O_CLOEXEC) != 0) fail_to_start(command_, errno);
  if (::pipe2(out, O_CLOEXEC) != 0) {
    const int error = errno;
    ::close(in[0]), ::close(in[1]);
    fail_to_start(command_, error);
  }
  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&files);
  posix_spawnattr_init(&attributes);
  posix_spawn_file_actions_adddup2(&files, in[0], STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&files, out[1], STDOUT_FILENO);
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  std::string shell = "/bin/sh", option = "-c", text = command_;
  char* const words[] = {shell.data(), option.data(), text.data(), nullptr};
  const int error = ::posix_spawn(&process_, "/bin/sh", &files, &attributes, words, environ);
  posix_spawn_file_actions_destroy(&files);
  posix_spawnattr_destroy(&attributes);
  ::close(in[0]), ::close(out[1]);
  to_ = in[1], from_ = out[0];
  if (error != 0) {
    process_ = -1;
    ::close(to_), ::close(from_);
    fail_to_start(command_, error);
  }
  ::fcntl(to_, F_SETFL, O_NONBLOCK);
  ::fcntl(from_, F_SETFL, O_NONBLOCK);
}

RewardProgram::~RewardProgram() {
  ::close(to_);
  ::close(from_);
  if (wait_for_end(std::chrono::seconds(2)) < 0) {
    kill_group();
    wait_for_end(std::chrono::seconds(2));
  }
}

std::vector<double> RewardProgram::ask(std::span<const std::string> lines) {
  const WithoutPipeSignal quiet;
  std::string all;
  for (const std::string& line : lines) all += line + '\n';
  std::string_view rest = all;
  std::vector<double> answers;
  const auto deadline = Clock::now() + limit_;
  while (answers.size() < lines.size()) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    if (left <= 0) {
      kill_group();
      temper::fail(
          Fault::temporary, "reward.late",
          "the reward program '{}' gave {} of {} numbers in {} s; expected all of them; make it faster, or let "
          "it answer each line when it comes (flush its output)",
          temper::printable(command_), answers.size(), lines.size(), std::chrono::duration<double>(limit_).count());
    }
    pollfd ends[2] = {{from_, POLLIN, 0}, {rest.empty() ? -1 : to_, POLLOUT, 0}};
    if (::poll(ends, 2, static_cast<int>(std::min<long long>(left, 60'000))) < 0) {
      if (errno == EINTR) continue;
      fail_ended(answers.size(), lines.size());
    }
    const bool more = ends[0].revents == 0 || receive();
    take_answers(answers, lines.size());
    if (answers.size() == lines.size()) break;
    if (!more) fail_ended(answers.size(), lines.size());
    if (ends[1].revents != 0) send(rest);
  }
  temper::require(received_.empty() && rest.empty(), Fault::data, "reward.too_many",
                  "the reward program '{}' wrote more than the {} numbers that it was asked for, then '{}'; expected "
                  "one for each line, after it has been read",
                  temper::printable(command_), lines.size(), temper::printable(received_));
  return answers;
}

void RewardProgram::send(std::string_view& rest) {
  const ssize_t written = ::write(to_, rest.data(), rest.size());
  if (written > 0) return rest.remove_prefix(static_cast<std::size_t>(written));
  if (written == 0 || errno == EAGAIN || errno == EINTR) return;
  rest = {};  // nobody reads any more: what was answered before may still come
}

bool RewardProgram::receive() {
  char buffer[65536];
  const ssize_t count = ::read(from_, buffer, sizeof buffer);
  if (count > 0) received_.append(buffer, static_cast<std::size_t>(count));
  return count > 0 || (count < 0 && (errno == EAGAIN || errno == EINTR));
}

void RewardProgram::take_answers(std::vector<double>& answers, std::size_t wanted) {
  std::size_t begin = 0;
  for (std::size_t end; answers.size() < wanted && (end = received_.find('\n', begin)) != std::string::npos;
       begin = end + 1)
    answers.push_back(number_of(std::string_view(received_).substr(begin, end - begin), command_, answers.size()));
  received_.erase(0, begin);
  temper::require(answers.size() == wanted || received_.size() <= longest_answer, Fault::data, "reward.not_a_number",
                  "the reward program '{}' answered line {} with more than {} bytes, beginning '{}'; expected a number "
                  "alone on a line",
                  temper::printable(command_), answers.size() + 1, longest_answer, temper::printable(received_));
}

void RewardProgram::fail_ended(std::size_t answers, std::size_t wanted) {
  const int status = wait_for_end(std::chrono::milliseconds(500));
  temper::fail(Fault::temporary, "reward.ended",
               "the reward program '{}' {} after {} of {} numbers; expected one for each line until its input ends; "
               "mend it and resume the run",
               temper::printable(command_), ending(status), answers, wanted);
}

int RewardProgram::wait_for_end(std::chrono::milliseconds patience) {
  if (process_ < 0) return 0;
  const auto deadline = Clock::now() + patience;
  while (true) {
    int status = 0;
    const pid_t ended = ::waitpid(process_, &status, WNOHANG);
    if (ended == process_ || (ended < 0 && errno == ECHILD)) {
      // What it started in turn goes with it.
      ::kill(-process_, SIGKILL);
      process_ = -1;
      return ended < 0 ? 0 : status;
    }
    if (Clock::now() >= deadline) return -1;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

void RewardProgram::kill_group() {
  if (process_ > 0) ::kill(-process_, SIGKILL);
}

}  // namespace temper_cli
