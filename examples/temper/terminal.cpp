// SPDX-License-Identifier: MIT
#include "terminal.hpp"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include "format.hpp"

namespace temper_cli {
namespace {

using Clock = std::chrono::steady_clock;

void write_all(int descriptor, std::string_view text) {
  while (!text.empty()) {
    const ssize_t taken = temper::uninterrupted([&] { return ::write(descriptor, text.data(), text.size()); });
    if (taken <= 0) return;  // nobody listens any more; the work goes on
    text.remove_prefix(static_cast<std::size_t>(taken));
  }
}

bool is_set(const char* name) {
  const char* value = std::getenv(name);
  return value && *value;
}

std::string progress_text(const StepReport& p) {
  const std::string left = p.step < p.steps ? ", " + duration_text(p.seconds_left) + " left" : "";
  return fmt::format("step {}/{}  loss {:.4f}  {}{} tokens/s{}", p.step, p.steps, p.loss,
                     p.also.empty() ? "" : p.also + "  ", rate_text(p.tokens_per_second), left);
}

std::string bar(double share, int cells) {
  const int full = std::clamp(static_cast<int>(share * cells), 0, cells);
  std::string text(static_cast<std::size_t>(full), '=');
  if (full < cells) text += '>';
  text.resize(static_cast<std::size_t>(cells), ' ');
  return "[" + text + "]";
}

}  // namespace

Screen Screen::of(int descriptor) {
  Screen screen;
  const char* term = std::getenv("TERM");
  const bool dumb = term && std::string_view(term) == "dumb";
  screen.terminal = ::isatty(descriptor) == 1 && !dumb;
  screen.colour = screen.terminal && !is_set("NO_COLOR");
  winsize size{};
  if (screen.terminal && ::ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) screen.width = size.ws_col;
  return screen;
}

std::string coloured(const Screen& screen, std::string_view code, std::string_view text) {
  if (!screen.colour || code.empty()) return std::string(text);
  return fmt::format("\033[{}m{}\033[0m", code, text);
}

Reporter::Reporter(Speech speech) : speech_(speech), screen_(Screen::of(STDERR_FILENO)) {}
Reporter::~Reporter() { clear_bar(); }

void Reporter::log_to(const std::filesystem::path& file) {
  log_ = temper::Descriptor(::open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0666));
  if (log_.number() < 0) temper::fail_to_write(file, 0, errno);
  write_all(log_.number(), said_);
  said_.clear();
}

void Reporter::say(std::string_view line) { show(line, ""); }
void Reporter::warn(std::string_view line) { show("warning: " + std::string(line), "33"); }

void Reporter::log_only(std::string_view line) { log(line); }

void Reporter::show(std::string_view line, std::string_view colour) {
  if (speech_ == Speech::silent) return;
  clear_bar();
  write_all(STDERR_FILENO, coloured(screen_, colour, line) + "\n");
  log(line);
}

void Reporter::log(std::string_view line) {
  const std::string text = std::string(line) + "\n";
  if (log_.number() >= 0) {
    write_all(log_.number(), text);
  } else {
    said_ += text;
  }
}

void Reporter::clear_bar() {
  if (!bar_shown_) return;
  write_all(STDERR_FILENO, "\r\033[K");
  bar_shown_ = false;
}

void Reporter::progress(const StepReport& p) {
  const auto now = Clock::now();
  const bool last = p.step >= p.steps;
  // A line a second, and the last; they stand in the log also when a bar is shown.
  if (!last_line_ || last || now - *last_line_ >= std::chrono::seconds(1)) {
    last_line_ = now;
    if (!screen_.terminal) return show(progress_text(p), "");
    log(progress_text(p));
  }
  if (!screen_.terminal || (!last && last_bar_ && now - *last_bar_ < std::chrono::milliseconds(100))) return;
  last_bar_ = now;
  std::string text = progress_text(p);
  const int room = screen_.width - static_cast<int>(text.size()) - 4;
  if (room >= 10) {
    const double done = p.steps > 0 ? static_cast<double>(p.step) / static_cast<double>(p.steps) : 0;
    text = coloured(screen_, "32", bar(done, std::min(room, 30))) + " " + text;
  } else if (static_cast<int>(text.size()) >= screen_.width) {
    text.resize(static_cast<std::size_t>(std::max(screen_.width - 1, 0)));
  }
  write_all(STDERR_FILENO, "\r\033[K" + text + (last ? "\n" : ""));
  bar_shown_ = !last;
}

}  // namespace temper_cli
