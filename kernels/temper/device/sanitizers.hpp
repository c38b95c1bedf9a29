// SPDX-License-Identifier: MIT
// What the sanitizers must be told about fibers: to the address sanitizer, which stack is in use; to the thread
// sanitizer, that each fiber is a thread, that a switch orders nothing, and that a barrier does. Nothing without them.
#pragma once
#include <cstddef>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define TEMPER_ADDRESS_SANITIZER 1
#endif
#if __has_feature(thread_sanitizer)
#define TEMPER_THREAD_SANITIZER 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define TEMPER_ADDRESS_SANITIZER 1
#endif
#if defined(__SANITIZE_THREAD__)
#define TEMPER_THREAD_SANITIZER 1
#endif
#if !defined(TEMPER_ADDRESS_SANITIZER)
#define TEMPER_ADDRESS_SANITIZER 0
#endif
#if !defined(TEMPER_THREAD_SANITIZER)
#define TEMPER_THREAD_SANITIZER 0
#endif

// The scheduler's own data are touched by all fibers without an order that the thread sanitizer could see.
#if TEMPER_THREAD_SANITIZER
#define TEMPER_UNWATCHED __attribute__((no_sanitize("thread"), noinline))
#else
#define TEMPER_UNWATCHED
#endif

#if TEMPER_ADDRESS_SANITIZER
extern "C" void __sanitizer_start_switch_fiber(void** fake_stack, const void* bottom, std::size_t bytes);
extern "C" void __sanitizer_finish_switch_fiber(void* fake_stack, const void** old_bottom, std::size_t* old_bytes);
#endif
#if TEMPER_THREAD_SANITIZER
extern "C" void* __tsan_get_current_fiber();
extern "C" void* __tsan_create_fiber(unsigned flags);
extern "C" void __tsan_destroy_fiber(void* fiber);
extern "C" void __tsan_switch_to_fiber(void* fiber, unsigned flags);
extern "C" void __tsan_acquire(void* address);
extern "C" void __tsan_release(void* address);
#endif

namespace temper::device::watch {

inline constexpr bool addresses = TEMPER_ADDRESS_SANITIZER != 0;
inline constexpr bool races = TEMPER_THREAD_SANITIZER != 0;

// Everything before released() on a tag comes before everything after acquired() on it.
TEMPER_UNWATCHED inline void released([[maybe_unused]] void* tag) {
#if TEMPER_THREAD_SANITIZER
  __tsan_release(tag);
#endif
}
TEMPER_UNWATCHED inline void acquired([[maybe_unused]] void* tag) {
#if TEMPER_THREAD_SANITIZER
  __tsan_acquire(tag);
#endif
}

// A fiber as the thread sanitizer knows it; null without that.
TEMPER_UNWATCHED inline void* this_fiber() {
#if TEMPER_THREAD_SANITIZER
  return __tsan_get_current_fiber();
#else
  return nullptr;
#endif
}
TEMPER_UNWATCHED inline void* new_fiber() {
#if TEMPER_THREAD_SANITIZER
  return __tsan_create_fiber(0);
#else
  return nullptr;
#endif
}
TEMPER_UNWATCHED inline void end_fiber([[maybe_unused]] void* fiber) {
#if TEMPER_THREAD_SANITIZER
  if (fiber != nullptr) __tsan_destroy_fiber(fiber);
#endif
}

// To be called right before and right after a switch of stacks. 'leaving' must be a part of its caller: the thread
// sanitizer keeps a stack of calls for each fiber, on which every entry needs its exit.
[[gnu::always_inline]] inline void leaving([[maybe_unused]] void** fake_stack, [[maybe_unused]] const void* bottom,
                                           [[maybe_unused]] std::size_t bytes, [[maybe_unused]] void* fiber) {
#if TEMPER_ADDRESS_SANITIZER
  __sanitizer_start_switch_fiber(fake_stack, bottom, bytes);
#endif
#if TEMPER_THREAD_SANITIZER
  __tsan_switch_to_fiber(fiber, 1);  // 1: the switch itself orders nothing
#endif
}
TEMPER_UNWATCHED inline void arrived([[maybe_unused]] void* fake_stack, [[maybe_unused]] const void** old_bottom,
                                     [[maybe_unused]] std::size_t* old_bytes) {
#if TEMPER_ADDRESS_SANITIZER
  __sanitizer_finish_switch_fiber(fake_stack, old_bottom, old_bytes);
#endif
}

}  // namespace temper::device::watch
