// SPDX-License-Identifier: MIT
// What the program says while it works, on stderr: a bar that is drawn over itself on a terminal (at most ten times a
// second), plain lines elsewhere. What was said also goes to the run's log.txt, without colour. Results go to stdout
// and do not pass here.
#pragma once
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "temper/io/file.hpp"

namespace temper_cli {

// How a stream may be written to. NO_COLOR and TERM=dumb turn colour off; without a terminal there are no control
// characters at all.
struct Screen {
  bool terminal = false;
  bool colour = false;
  int width = 80;

  static Screen of(int descriptor);
};

// Text in a colour where the screen has one: SGR code such as "1" (bold), "32" (green).
std::string coloured(const Screen& screen, std::string_view code, std::string_view text);

struct StepReport {
  std::int64_t step = 0, steps = 0;  // done, of
  double loss = 0;
  std::string also;  // what else the task is about: 'reward 0.5000'
  double tokens_per_second = 0;
  double seconds_left = 0;
};

enum class Speech { aloud, silent };

class Reporter {
 public:
  explicit Reporter(Speech speech = Speech::aloud);
  ~Reporter();
  Reporter(const Reporter&) = delete;
  Reporter& operator=(const Reporter&) = delete;

  // What was said and will be said is appended to this file too.
  void log_to(const std::filesystem::path& file);

  void say(std::string_view line);
  void warn(std::string_view line);
  void log_only(std::string_view line);
  void progress(const StepReport& report);

 private:
  void show(std::string_view line, std::string_view colour);
  void log(std::string_view line);
  void clear_bar();

  Speech speech_;
  Screen screen_;
  temper::Descriptor log_;
  std::string said_;  // before there was a log
  bool bar_shown_ = false;
  std::optional<std::chrono::steady_clock::time_point> last_bar_, last_line_;
};

}  // namespace temper_cli
