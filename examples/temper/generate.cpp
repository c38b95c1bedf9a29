// SPDX-License-Identifier: MIT
// 'temper generate' and 'temper chat'.
#include <unistd.h>

#include <cstdio>
#include <iostream>

#include "exit_code.hpp"
#include "metrics.hpp"
#include "speaker.hpp"
#include "terminal.hpp"

namespace temper_cli {
namespace {

using temper::Json;

void print_piece(const std::string& piece) {
  std::fputs(piece.c_str(), stdout);
  std::fflush(stdout);
}

Json answer_to_json(const Answer& answer) {
  return {{"text", answer.text},
          {"tokens", answer.tokens},
          {"prompt_tokens", answer.prompt_tokens},
          {"stopped", answer.stopped},
          {"seconds", answer.seconds}};
}

}  // namespace

int generate(const GenerateOptions& options) {
  const std::unique_ptr<Speaker> speaker = open_speaker(options);
  const std::function<void(const std::string&)> show = options.json ? nullptr : print_piece;
  // Through the template where the model has one: that is what it was taught to answer to.
  const bool chats = !options.raw && (options.chat || speaker->has_template());
  const Answer answer = chats
                            ? speaker->answer(Json::array({Json{{"role", "user"}, {"content", options.prompt}}}), show)
                            : speaker->continue_text(options.prompt, show);
  if (options.json)
    print_line(temper::to_text(answer_to_json(answer)));
  else
    print_line("");
  return done;
}

int chat(const GenerateOptions& options) {
  const std::unique_ptr<Speaker> speaker = open_speaker(options);
  const bool terminal = ::isatty(STDIN_FILENO) == 1 && Screen::of(STDERR_FILENO).terminal;
  const std::function<void(const std::string&)> show = options.json ? nullptr : print_piece;
  Json messages = Json::array();
  for (std::string line;;) {
    if (terminal) fmt::print(stderr, "> ");
    if (!std::getline(std::cin, line)) break;
    if (line.empty()) continue;
    messages.push_back(Json{{"role", "user"}, {"content", line}});
    const Answer answer = speaker->answer(messages, show);
    messages.push_back(Json{{"role", "assistant"}, {"content", answer.text}});
    print_line(options.json ? temper::to_text(answer_to_json(answer)) : std::string());
  }
  return done;
}

}  // namespace temper_cli
