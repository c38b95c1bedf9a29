// SPDX-License-Identifier: MIT
// Going from one stack to another. On x86-64 it is the six registers that a callee has to keep and the stack pointer;
// elsewhere, or with TEMPER_USE_UCONTEXT, it is swapcontext. Boost.Context is not used: as Debian builds it, its fibers
// do not tell the sanitizers about switches.
#pragma once
#include <cstddef>
#include <cstdint>

#include "temper/device/sanitizers.hpp"

#if defined(__x86_64__) && !defined(TEMPER_USE_UCONTEXT)
extern "C" void temper_switch_stack(void** from, void* to);
extern "C" void temper_start_stack();
asm(R"(
.pushsection .text
.weak temper_switch_stack
.type temper_switch_stack,@function
temper_switch_stack:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size temper_switch_stack,.-temper_switch_stack
.weak temper_start_stack
.type temper_start_stack,@function
temper_start_stack:
  movq %r12, %rdi
  callq *%r13
  ud2
.size temper_start_stack,.-temper_start_stack
.popsection
)");
#else
#include <ucontext.h>
#endif

namespace temper::device {

// A stack that is not running, and where on it to go on.
class SuspendedStack {
 public:
  using Entry = void (*)(void*);

#if defined(__x86_64__) && !defined(TEMPER_USE_UCONTEXT)
  // The first switch to it calls entry(argument), which must not return.
  TEMPER_UNWATCHED void prepare(char* bottom, std::size_t bytes, Entry entry, void* argument) {
    void** top = reinterpret_cast<void**>(bottom + bytes / 16 * 16);
    *--top = reinterpret_cast<void*>(&temper_start_stack);
    *--top = nullptr;                         // rbp: the end of every walk along frames
    *--top = nullptr;                         // rbx
    *--top = argument;                        // r12
    *--top = reinterpret_cast<void*>(entry);  // r13
    *--top = nullptr;                         // r14
    *--top = nullptr;                         // r15
    pointer_ = top;
  }
  // Suspends the caller as *this and goes on with the other.
  TEMPER_UNWATCHED void switch_to(SuspendedStack& other) { temper_switch_stack(&pointer_, other.pointer_); }

 private:
  void* pointer_ = nullptr;
#else
  TEMPER_UNWATCHED void prepare(char* bottom, std::size_t bytes, Entry entry, void* argument) {
    getcontext(&context_);
    context_.uc_stack.ss_sp = bottom;
    context_.uc_stack.ss_size = bytes;
    context_.uc_link = nullptr;
    entry_ = entry;
    argument_ = argument;
    const auto self = reinterpret_cast<std::uintptr_t>(this);  // makecontext hands on integers only
    makecontext(&context_, reinterpret_cast<void (*)()>(&start), 2, static_cast<unsigned>(self >> 32),
                static_cast<unsigned>(self & 0xffffffffu));
  }
  TEMPER_UNWATCHED void switch_to(SuspendedStack& other) { swapcontext(&context_, &other.context_); }

 private:
  TEMPER_UNWATCHED static void start(unsigned high, unsigned low) {
    auto* self = reinterpret_cast<SuspendedStack*>((static_cast<std::uintptr_t>(high) << 32) | low);
    self->entry_(self->argument_);
  }
  ucontext_t context_{};
  Entry entry_ = nullptr;
  void* argument_ = nullptr;
#endif
};

}  // namespace temper::device
