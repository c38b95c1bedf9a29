// SPDX-License-Identifier: MIT
// A pool of threads for one caller at a time. A job is cut into pieces that workers take from a counter, so that no
// result may depend on who computes which piece. The caller is worker 0; a job never waits for a worker that sleeps, it
// is finished without it. Every worker has a fixed workspace for packed operands. Calls do not allocate.
#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <memory>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#if defined(__linux__)
#include <sched.h>
#include <sys/mman.h>
#endif

#include "temper/core/error.hpp"
#include "temper/core/types.hpp"

namespace temper {

class Threads {
 public:
  static constexpr std::size_t workspace_bytes = std::size_t{4} << 20;

  // 0: as many as the cores that this process may run on.
  explicit Threads(int count = 0) : count_(count == 0 ? available() : count) {
    require(count_ >= 1 && count_ <= max_count, Fault::usage, "threads.count",
            "{} threads were asked for; expected 1 to {}, or 0 for all cores", count, max_count);
    memory_.reset(static_cast<std::byte*>(std::aligned_alloc(huge_page, bytes())));
    require(memory_ != nullptr, Fault::out_of_memory, "threads.workspace",
            "the host refused {} bytes for the workspaces of {} threads; use fewer threads", bytes(), count_);
#if defined(__linux__)
    madvise(memory_.get(), bytes(), MADV_HUGEPAGE);  // a wish: packed operands are read through few page entries
#endif
    workers_.reserve(static_cast<std::size_t>(count_ - 1));
    try {
      for (int worker = 1; worker < count_; ++worker) workers_.emplace_back([this, worker] { serve(worker); });
    } catch (...) {
      stop();
      throw;
    }
  }
  ~Threads() { stop(); }
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;

  int count() const { return count_; }
  std::byte* workspace(int worker) { return memory_.get() + static_cast<std::size_t>(worker) * workspace_bytes; }
  std::size_t bytes() const { return static_cast<std::size_t>(count_) * workspace_bytes; }

  // Calls f(piece) or f(piece, worker) for every piece in [0, pieces) and returns when all are done. The first
  // exception is thrown again here; pieces not begun by then are dropped. Not to be called from inside f.
  template <class F>
  void parallel(Index pieces, F&& f) {
    const Busy busy(busy_);
    if (count_ == 1 || pieces <= 1) {
      for (Index piece = 0; piece < pieces; ++piece) call(f, piece, 0);
      return;
    }
    using Function = std::remove_reference_t<F>;
    call_ = [](const void* function, Index piece, int worker) {
      call(*const_cast<Function*>(static_cast<const Function*>(function)), piece, worker);
    };
    function_ = std::addressof(f);
    pieces_ = pieces;
    next_.store(0, std::memory_order_relaxed);
    // Nobody is inside and the job is closed: opening it is also the start of a new generation.
    state_.store((state_.load(std::memory_order_relaxed) & ~inside) + generation + open, std::memory_order_release);
    state_.notify_all();
    take_pieces(0);
    std::uint32_t state = state_.fetch_and(~open, std::memory_order_acq_rel) & ~open;
    for (int turn = 0; (state & inside) != 0; ++turn) {
      rest(turn, state);
      state = state_.load(std::memory_order_acquire);
    }
    if (failure_ != nullptr) {
      failed_.clear(std::memory_order_relaxed);
      std::rethrow_exception(std::exchange(failure_, nullptr));
    }
  }

 private:
  // The word that all agree on: a job is open to workers; how many are inside it (times two); which job it is.
  static constexpr std::uint32_t open = 1, one_inside = 2, inside = 0xfffe, generation = 0x10000;
  static constexpr int max_count = 4096, spins = 4000;
  static constexpr std::size_t huge_page = std::size_t{2} << 20;
  static_assert(workspace_bytes % huge_page == 0);

  struct Free {
    void operator()(std::byte* memory) const { std::free(memory); }
  };
  struct Busy {
    explicit Busy(std::atomic<bool>& flag) : flag_(flag) {
      require(!flag_.exchange(true, std::memory_order_acquire), Fault::usage, "threads.nested",
              "parallel() was called while another parallel() of the same pool runs; expected one caller at a time");
    }
    ~Busy() { flag_.store(false, std::memory_order_release); }
    Busy(const Busy&) = delete;
    Busy& operator=(const Busy&) = delete;
    std::atomic<bool>& flag_;
  };

  static int available() {
#if defined(__linux__)
    cpu_set_t allowed;
    CPU_ZERO(&allowed);
    if (sched_getaffinity(0, sizeof(allowed), &allowed) == 0 && CPU_COUNT(&allowed) > 0) return CPU_COUNT(&allowed);
#endif
    const unsigned cores = std::thread::hardware_concurrency();
    return cores == 0 ? 1 : static_cast<int>(cores);
  }

  template <class F>
  static void call(F& f, Index piece, int worker) {
    if constexpr (std::is_invocable_v<F&, Index, int>)
      f(piece, worker);
    else
      f(piece);
  }

  void take_pieces(int worker) {
    try {
      for (Index piece; (piece = next_.fetch_add(1, std::memory_order_relaxed)) < pieces_;)
        call_(function_, piece, worker);
    } catch (...) {
      next_.store(pieces_, std::memory_order_relaxed);
      if (!failed_.test_and_set(std::memory_order_relaxed)) failure_ = std::current_exception();
    }
  }

  // Spin for some tens of microseconds, the time between two operations of a step; then sleep until the word changes.
  void rest(int turn, std::uint32_t seen) {
    if (turn >= spins) return state_.wait(seen, std::memory_order_acquire);
#if defined(__x86_64__)
    __builtin_ia32_pause();
#else
    std::this_thread::yield();
#endif
  }

  void serve(int worker) {
    std::uint32_t served = 0;  // no job is of generation 0 before 2^16 jobs have passed; then one is missed, not lost
    for (int turn = 0;;) {
      std::uint32_t state =
          state_.load(std::memory_order_acquire);  // before the flag, or its change could be slept through
      if (stopping_.load(std::memory_order_acquire)) return;
      if ((state & open) == 0 || state / generation == served) {
        rest(turn++, state);
      } else if (state_.compare_exchange_weak(state, state + one_inside, std::memory_order_acq_rel)) {
        turn = 0;
        served = state / generation;
        take_pieces(worker);
        state_.fetch_sub(one_inside, std::memory_order_acq_rel);
        state_.notify_all();
      }
    }
  }

  void stop() {
    stopping_.store(true, std::memory_order_release);
    state_.fetch_add(generation, std::memory_order_acq_rel);
    state_.notify_all();
    for (std::thread& worker : workers_) worker.join();
    workers_.clear();
  }

  int count_;
  std::unique_ptr<std::byte, Free> memory_;
  std::vector<std::thread> workers_;

  void (*call_)(const void*, Index, int) = nullptr;
  const void* function_ = nullptr;
  Index pieces_ = 0;
  std::exception_ptr failure_;
  std::atomic_flag failed_;
  std::atomic<bool> busy_ = false, stopping_ = false;
  alignas(64) std::atomic<Index> next_ = 0;
  alignas(64) std::atomic<std::uint32_t> state_ = 0;
};

}  // namespace temper
