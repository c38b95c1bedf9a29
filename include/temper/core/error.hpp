// SPDX-License-Identifier: MIT
// Every failure is a temper::Error: one sentence built from values, a stable code that docs/errors.md lists, and whose
// fault it is. The shape of the sentence is 'what is wrong, with the values: where; what was expected; what to do'.
#pragma once
#include <fmt/format.h>

#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace temper {

// Who can mend it. A program maps these to its exit codes; the library never exits or prints.
enum class Fault {
  usage,          // the caller asked for something that cannot be: options, recipe, policy values
  data,           // a file is cut, lies or does not fit: model, tokenizer, rows, checkpoint
  temporary,      // trying again may help: disk full, file locked
  out_of_memory,  // the plan or the machine says no
  numeric,        // a loss or gradient that is not finite
};

class Error : public std::runtime_error {
 public:
  Error(Fault fault, std::string_view code, const std::string& sentence)
      : std::runtime_error("temper: " + sentence), fault_(fault), code_(code) {}

  Fault fault() const { return fault_; }
  const std::string& code() const { return code_; }  // 'safetensors.header_too_long'

 private:
  Fault fault_;
  std::string code_;
};

template <class... Values>
[[noreturn]] void fail(Fault fault, std::string_view code, fmt::format_string<Values...> sentence, Values&&... values) {
  throw Error(fault, code, fmt::format(sentence, std::forward<Values>(values)...));
}

template <class... Values>
void require(bool condition, Fault fault, std::string_view code, fmt::format_string<Values...> sentence,
             Values&&... values) {
  if (!condition) [[unlikely]]
    fail(fault, code, sentence, std::forward<Values>(values)...);
}

}  // namespace temper
