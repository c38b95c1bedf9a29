// SPDX-License-Identifier: MIT
// A compiled regular expression over UTF-8 (PCRE2 with its just-in-time compiler where it has one), with the search
// order of Hugging Face: leftmost matches, and no empty match right after another. A pattern is immutable and shared
// by threads; what a search writes is in PatternScratch, one for each thread.
#pragma once
#include "temper/core/error.hpp"
#include "temper/data/regex_dialect.hpp"
#include "temper/data/text_span.hpp"
#include "temper/io/printable.hpp"

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#ifndef PCRE2_CODE_UNIT_WIDTH
#define PCRE2_CODE_UNIT_WIDTH 8
#endif
#include <pcre2.h>

namespace temper {

class PatternScratch {
  friend class TextPattern;
  template <auto free>
  struct Freed {
    template <class T>
    void operator()(T* object) const {
      free(object);
    }
  };
  std::unique_ptr<pcre2_match_data_8, Freed<pcre2_match_data_free_8>> match_;  // both: once they are needed
  std::unique_ptr<pcre2_match_context_8, Freed<pcre2_match_context_free_8>> context_;
  std::unique_ptr<pcre2_jit_stack_8, Freed<pcre2_jit_stack_free_8>> stack_;  // only once 32 KiB were not enough

  void make() {
    match_.reset(pcre2_match_data_create_8(1, nullptr));
    context_.reset(pcre2_match_context_create_8(nullptr));
    if (!match_ || !context_) throw std::bad_alloc();
    pcre2_set_match_limit_8(context_.get(), 20'000'000);
    pcre2_set_depth_limit_8(context_.get(), 1'000'000);
    pcre2_set_heap_limit_8(context_.get(), 256 << 10);  // KiB, for the interpreter
  }

  void grow_stack() {
    stack_.reset(pcre2_jit_stack_create_8(64 << 10, 64 << 20, nullptr));
    if (!stack_) throw std::bad_alloc();
    pcre2_jit_stack_assign_8(context_.get(), nullptr, stack_.get());
  }
};

class TextPattern {
  std::shared_ptr<const pcre2_code_8> code_;
  std::string shown_;    // for messages
  std::string literal_;  // not empty: what is searched for, without code_

  TextPattern() = default;
  TextPattern(std::string_view pattern, std::uint32_t options, std::string shown) : shown_(std::move(shown)) {
    const std::unique_ptr<pcre2_compile_context_8, decltype(&pcre2_compile_context_free_8)> context(
        pcre2_compile_context_create_8(nullptr), &pcre2_compile_context_free_8);
    if (!context) throw std::bad_alloc();
    pcre2_set_newline_8(context.get(), PCRE2_NEWLINE_LF);
    int error = 0;
    std::size_t offset = 0;
    pcre2_code_8* const code = pcre2_compile_8(reinterpret_cast<PCRE2_SPTR8>(pattern.data()), pattern.size(),
                                               options | PCRE2_UTF, &error, &offset, context.get());
    if (!code) {
      unsigned char reason[256] = {};
      pcre2_get_error_message_8(error, reason, sizeof reason);
      fail(Fault::data, "tokenizer.pattern", "pattern '{}' cannot be compiled: {}; expected a regular expression; {}",
           shown_, reinterpret_cast<const char*>(reason), "download the tokenizer again or mend it");
    }
    code_ = std::shared_ptr<const pcre2_code_8>(
        code, [](const pcre2_code_8* c) { pcre2_code_free_8(const_cast<pcre2_code_8*>(c)); });
    pcre2_jit_compile_8(code, PCRE2_JIT_COMPLETE);  // without it the interpreter is used
  }

 public:
  static constexpr std::size_t max_pattern_bytes = 64 << 10;

  // In Oniguruma's dialect.
  static TextPattern regex(std::string_view pattern) {
    require_size(pattern);
    const RegexDialect dialect(pattern);
    require(dialect.refused().empty(), Fault::data, "tokenizer.not_supported",
            "pattern '{}' has '{}', which is not supported yet; expected {}", printable(pattern, 400),
            printable(dialect.refused()), "groups, sets, look-around, categories and repetition");
    return TextPattern(dialect.pcre(), PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C, printable(pattern, 400));
  }

  // In PCRE2's own, for patterns of this library.
  static TextPattern pcre(std::string_view pattern) { return TextPattern(pattern, PCRE2_UCP, std::string(pattern)); }

  static TextPattern literal(std::string_view text) {
    require_size(text);
    if (text.empty()) return TextPattern(text, PCRE2_LITERAL, "");
    TextPattern made;
    made.literal_ = text;
    return made;
  }

  // Calls found(begin, end) for each match in 'subject', which must be valid UTF-8.
  template <class Found>
  void for_each(std::string_view subject, PatternScratch& scratch, const Found& found) const {
    std::size_t from = 0;
    if (!literal_.empty()) {
      for (; (from = subject.find(literal_, from)) != std::string_view::npos; from += literal_.size())
        found(static_cast<Index>(from), static_cast<Index>(from + literal_.size()));
      return;
    }
    if (!scratch.context_) scratch.make();
    std::size_t last_end = std::string_view::npos;
    while (from <= subject.size() && search(subject, from, scratch)) {
      const std::size_t* const range = pcre2_get_ovector_pointer_8(scratch.match_.get());
      const std::size_t begin = range[0], end = range[1];
      if (begin == end && end == last_end) {
        do ++from;
        while (from < subject.size() && (static_cast<unsigned char>(subject[from]) & 0xc0u) == 0x80u);
        continue;
      }
      from = last_end = end;
      found(static_cast<Index>(begin), static_cast<Index>(end));
    }
  }

 private:
  static void require_size(std::string_view pattern) {
    require(pattern.size() <= max_pattern_bytes, Fault::data, "tokenizer.too_large",
            "a pattern has {} bytes; expected at most {}", pattern.size(), max_pattern_bytes);
  }

  bool search(std::string_view subject, std::size_t from, PatternScratch& scratch) const {
    for (;;) {
      const int result = pcre2_match_8(code_.get(), reinterpret_cast<PCRE2_SPTR8>(subject.data()), subject.size(), from,
                                       PCRE2_NO_UTF_CHECK, scratch.match_.get(), scratch.context_.get());
      if (result >= 0) return true;
      if (result == PCRE2_ERROR_NOMATCH) return false;
      if (result == PCRE2_ERROR_JIT_STACKLIMIT && !scratch.stack_) {
        scratch.grow_stack();
        continue;
      }
      if (result == PCRE2_ERROR_NOMEMORY) throw std::bad_alloc();
      unsigned char reason[256] = {};
      pcre2_get_error_message_8(result, reason, sizeof reason);
      fail(Fault::data, "text.pattern_limit", "pattern '{}' gives up at byte {} of a text of {} bytes: {}; {}", shown_,
           from, subject.size(), reinterpret_cast<const char*>(reason), "expected a simpler text; split or remove it");
    }
  }
};

}  // namespace temper
