// SPDX-License-Identifier: MIT
// A block's threads as fibers of one host thread, run in an order that a test may choose. They meet at barriers, which
// count who has arrived; when none can go on, the error says who waits where. Results must not depend on the order.
// Nothing here allocates while a fiber runs, so that the fibers of a block that is stuck can be dropped as they are.
#pragma once
#include <sys/mman.h>

#include <cstring>
#include <exception>
#include <memory>
#include <utility>
#include <vector>

#include "temper/core/error.hpp"
#include "temper/device/sanitizers.hpp"
#include "temper/device/stack_switch.hpp"

namespace temper::device {

enum class Order { forward, reverse, shuffled };

class Fibers {
 public:
  static constexpr int most_threads = 1024;
  static constexpr std::size_t stack_bytes = std::size_t{256} * 1024, guard_bytes = 4096;

  // Where the threads of a block, or the lanes of a warp, wait for each other. 'phase' counts how often they have met.
  struct Meeting {
    int expected = 0, arrived = 0, first_waiting = -1, opened_by = -1, line = 0;
    const char* what = "";
    const char* members = "threads";
    unsigned phase = 0;
    char tag[2] = {};  // one a phase: who is early at the next meeting must not be ordered before who is late at this
  };

  explicit Fibers(Order order = Order::forward, std::uint64_t seed = 1) : order_(order), random_(seed * 2 + 1) {}
  Fibers(const Fibers&) = delete;
  Fibers& operator=(const Fibers&) = delete;
  ~Fibers() {
    for (Fiber& f : fiber_) {
      watch::end_fiber(f.watched);
      if (f.mapping != nullptr) munmap(f.mapping, stack_bytes + guard_bytes);
    }
  }

  // body(context, t) for each thread t < threads. Throws what a fiber threw, or that the block is stuck.
  TEMPER_UNWATCHED void run(int threads, void (*body)(void*, int), void* context) {
    body_ = body;
    context_ = context;
    threads_ = live_ = threads;
    head_ = tail_ = 0;
    for (int t = 0; t < threads; ++t) make_ready(t);
    for (int t = 0; t < threads; ++t) push(order_ == Order::reverse ? threads - 1 - t : t);
    if (order_ == Order::shuffled) shuffle(ready_, head_, tail_);
    main_watched_ = watch::this_fiber();
    watch::released(&begin_tag_);
    while (live_ > 0 && !failed_) {
      if (head_ == tail_) {
        stuck();
        break;
      }
      to_fiber(ready_[head_++ % ring]);
    }
    watch::acquired(&end_tag_);
    if (failed_) {
      failed_ = false;
      drop_unfinished();
      std::rethrow_exception(std::exchange(error_, nullptr));
    }
  }

  // The calling fiber waits until all have arrived; the last to come does 'last' for all of them first.
  TEMPER_UNWATCHED void meet(Meeting& m, const char* what, int line, void (*last)(void*) = nullptr,
                             void* context = nullptr) {
    char* tag = &m.tag[m.phase & 1u];
    watch::released(tag);
    if (m.arrived == 0) {
      m.what = what;
      m.line = line;
      m.opened_by = current_;
    } else if (m.line != line || (m.what != what && std::strcmp(m.what, what) != 0)) {
      fail(Fault::usage, "kernel.divergent",
           "thread {} is at {} of line {} while thread {} waits at {} of line {}; all {} {} must come to the same one",
           current_, what, line, m.opened_by, m.what, m.line, m.expected, m.members);
    }
    if (++m.arrived == m.expected) {
      watch::acquired(tag);
      if (last != nullptr) last(context);
      watch::released(tag);
      m.arrived = 0;
      ++m.phase;
      wake(m);
    } else {
      fiber_[index(current_)].waits_on = &m;
      fiber_[index(current_)].next_waiting = m.first_waiting;
      m.first_waiting = current_;
      to_main();
    }
    watch::acquired(tag);
  }

  // For what is noticed where nothing may be thrown.
  template <class... Values>
  void report(std::string_view code, fmt::format_string<Values...> sentence, Values&&... values) noexcept {
    try {
      fail(Fault::usage, code, sentence, std::forward<Values>(values)...);
    } catch (...) { keep_error(); }
  }

  int current() const { return current_; }

  // The order in which n things that do not depend on each other, such as the blocks of a grid, are to be run.
  std::vector<int> order_of(int n) {
    std::vector<int> order(index(n));
    for (int i = 0; i < n; ++i) order[index(i)] = order_ == Order::reverse ? n - 1 - i : i;
    for (int i = n; order_ == Order::shuffled && i > 1; --i) std::swap(order[index(i - 1)], order[draw(unsigned(i))]);
    return order;
  }

 private:
  static constexpr unsigned ring = 2 * most_threads;
  struct Fiber {
    SuspendedStack stack;
    char* mapping = nullptr;
    void* watched = nullptr;
    Meeting* waits_on = nullptr;
    int next_waiting = -1;
    bool parked = false;  // between two blocks: its loop waits for the next
  };

  TEMPER_UNWATCHED static std::size_t index(int i) { return static_cast<std::size_t>(i); }
  TEMPER_UNWATCHED void push(int t) { ready_[tail_++ % ring] = t; }
  TEMPER_UNWATCHED unsigned draw(unsigned below) {
    random_ = random_ * 6364136223846793005u + 1442695040888963407u;
    return static_cast<unsigned>(random_ >> 33) % below;
  }
  TEMPER_UNWATCHED void shuffle(int* queue, unsigned head, unsigned tail) {
    for (unsigned n = tail - head; n > 1; --n) {
      int& one = queue[(head + n - 1) % ring];
      int& other = queue[(head + draw(n)) % ring];
      const int keep = one;
      one = other;
      other = keep;
    }
  }

  // Who waited is ready again, in the order of the schedule; in the reverse and shuffled ones the caller waits its
  // turn.
  TEMPER_UNWATCHED void wake(Meeting& m) {
    int count = 0;
    for (int t = m.first_waiting; t >= 0; t = fiber_[index(t)].next_waiting) {
      fiber_[index(t)].waits_on = nullptr;
      woken_[count++] = t;  // the latest first
    }
    m.first_waiting = -1;
    if (order_ == Order::forward) {
      while (count > 0) push(woken_[--count]);
      return;
    }
    push(current_);
    for (int i = 0; i < count; ++i) push(woken_[i]);
    if (order_ == Order::shuffled) shuffle(ready_, head_, tail_);
    to_main();
  }

  TEMPER_UNWATCHED void make_ready(int t) {
    Fiber& f = fiber_[index(t)];
    if (f.parked) return;
    if (f.mapping == nullptr) {
      void* mapping =
          mmap(nullptr, stack_bytes + guard_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      require(mapping != MAP_FAILED, Fault::out_of_memory, "kernel.stacks",
              "no memory for the stack of thread {} of {}", t, threads_);
      f.mapping = static_cast<char*>(mapping);
      mprotect(f.mapping, guard_bytes, PROT_NONE);
    }
    if (f.watched == nullptr) f.watched = watch::new_fiber();
    f.stack.prepare(f.mapping + guard_bytes, stack_bytes, &enter, this);
  }

  // A fiber lives from block to block, so that its stack of calls is balanced whenever it is parked.
  TEMPER_UNWATCHED static void enter(void* self) {
    auto& fibers = *static_cast<Fibers*>(self);
    watch::arrived(nullptr, &fibers.main_bottom_, &fibers.main_bytes_);
    for (;;) {
      fibers.run_body();
      fibers.fiber_[index(fibers.current_)].parked = true;
      --fibers.live_;
      fibers.to_main();
    }
  }
  TEMPER_UNWATCHED void run_body() {
    fiber_[index(current_)].parked = false;
    watch::acquired(&begin_tag_);
    try {
      body_(context_, current_);
    } catch (...) { keep_error(); }
    watch::released(&end_tag_);
  }

  TEMPER_UNWATCHED void to_fiber(int t) {
    current_ = t;
    Fiber& f = fiber_[index(t)];
    void* fake_stack = nullptr;
    watch::leaving(&fake_stack, f.mapping + guard_bytes, stack_bytes, f.watched);
    main_.switch_to(f.stack);
    watch::arrived(fake_stack, nullptr, nullptr);
  }
  TEMPER_UNWATCHED void to_main() {
    const int me = current_;
    watch::released(&end_tag_);  // it may never come back
    void* fake_stack = nullptr;
    watch::leaving(&fake_stack, main_bottom_, main_bytes_, main_watched_);
    fiber_[index(me)].stack.switch_to(main_);
    watch::arrived(fake_stack, &main_bottom_, &main_bytes_);
  }

  TEMPER_UNWATCHED void stuck() {
    for (int t = 0; t < threads_; ++t) {
      const Meeting* m = fiber_[index(t)].waits_on;
      if (m == nullptr) continue;
      report("kernel.stuck",
             "thread {} waits at {} of line {}, which {} of {} {} have reached; {} of {} threads have returned", t,
             m->what, m->line, m->arrived, m->expected, m->members, threads_ - live_, threads_);
      return;
    }
  }
  TEMPER_UNWATCHED void keep_error() {
    if (failed_) return;
    failed_ = true;
    error_ = std::current_exception();
  }
  void drop_unfinished() {
    for (Fiber& f : fiber_) {
      f.waits_on = nullptr;
      if (f.parked || f.mapping == nullptr) continue;
      watch::end_fiber(f.watched);
      f.watched = nullptr;
    }
  }

  Order order_;
  std::uint64_t random_;
  Fiber fiber_[most_threads];  // arrays, not vectors: their access is not a call, which would be watched
  int ready_[ring] = {}, woken_[most_threads] = {};
  unsigned head_ = 0, tail_ = 0;
  int threads_ = 0, live_ = 0, current_ = 0;
  void (*body_)(void*, int) = nullptr;
  void* context_ = nullptr;
  bool failed_ = false;
  std::exception_ptr error_;
  SuspendedStack main_;
  const void* main_bottom_ = nullptr;
  std::size_t main_bytes_ = 0;
  void* main_watched_ = nullptr;
  char begin_tag_ = 0, end_tag_ = 0;  // two: who ends early is not ordered before who begins late
};

}  // namespace temper::device
