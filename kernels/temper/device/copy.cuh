// SPDX-License-Identifier: MIT
// Asynchronous copies of 4 or 16 bytes from global to shared memory, in groups. Each thread waits for its own copies
// only: wait<n>() until at most n of its groups are under way; a block.sync() then lets the others read what has
// landed. On the host the target is poison from the call until the wait that lands it, so that no missing wait goes
// unseen.
#pragma once
#include "temper/device/block.cuh"
#include "temper/device/vector.cuh"

namespace temper::device {
inline namespace TEMPER_TARGET {

#if TEMPER_ON_GPU
struct AsyncCopies {
  template <class Kernel>
  TEMPER_DEVICE explicit AsyncCopies(const Block<Kernel>&) {}
  // The first 'valid' bytes are read, the rest become zero; with none, 'from' is not read at all.
  template <int Bytes = 16>
  TEMPER_DEVICE void copy(void* to, const void* from, int valid = Bytes) {
    const auto address = static_cast<unsigned>(__cvta_generic_to_shared(to));
    if constexpr (Bytes == 16) {
      asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(address), "l"(from), "r"(valid) : "memory");
    } else {
      static_assert(Bytes == 4);
      asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;" ::"r"(address), "l"(from), "r"(valid) : "memory");
    }
  }
  TEMPER_DEVICE void commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }
  template <int Groups>
  TEMPER_DEVICE void wait() {
    asm volatile("cp.async.wait_group %0;" ::"n"(Groups) : "memory");
  }
};
#else
class AsyncCopies {
 public:
  template <class Kernel>
  explicit AsyncCopies(const Block<Kernel>& block) : block_(block.state) {}
  AsyncCopies(const AsyncCopies&) = delete;
  AsyncCopies& operator=(const AsyncCopies&) = delete;
  ~AsyncCopies() {
    if (first_ != end_)
      block_->fibers->report("kernel.copies",
                             "thread {} ends while {} of its asynchronous copies were never waited for",
                             block_->fibers->current(), end_ - first_);
  }

  template <int Bytes = 16>
  void copy(void* to, const void* from, int valid = Bytes) {
    static_assert(Bytes == 4 || Bytes == 16);
    require_aligned(to, Bytes, "an asynchronous copy to shared memory");
    if (valid > 0) require_aligned(from, Bytes, "an asynchronous copy from global memory");
    const auto offset = reinterpret_cast<std::uintptr_t>(to) - reinterpret_cast<std::uintptr_t>(block_->shared);
    require(offset < block_->shared_bytes && block_->shared_bytes - offset >= std::size_t{Bytes}, Fault::usage,
            "kernel.copies", "an asynchronous copy goes to byte {} of the block's shared memory, which has {}",
            static_cast<std::ptrdiff_t>(offset), block_->shared_bytes);
    require(end_ - first_ < most, Fault::usage, "kernel.copies", "a thread has more than {} copies under way", most);
    std::memset(to, 0xff, std::size_t{Bytes});
    copy_[end_++ % most] = {to, from, Bytes, valid};
  }
  void commit() {
    require(groups_ - landed_ < most, Fault::usage, "kernel.copies", "a thread has more than {} groups under way",
            most);
    group_end_[groups_++ % most] = end_;
  }
  template <int Groups>
  void wait() {
    for (; groups_ - landed_ > unsigned{Groups}; ++landed_)
      for (; first_ != group_end_[landed_ % most]; ++first_) land(copy_[first_ % most]);
  }

 private:
  static constexpr unsigned most = 128;
  struct Copy {
    void* to;
    const void* from;
    int bytes, valid;
  };
  static void land(const Copy& c) {
    std::memset(c.to, 0, static_cast<std::size_t>(c.bytes));
    if (c.valid > 0) std::memcpy(c.to, c.from, static_cast<std::size_t>(c.valid));
  }
  BlockState* block_;
  Copy copy_[most];
  unsigned group_end_[most];
  unsigned first_ = 0, end_ = 0;      // copies under way
  unsigned landed_ = 0, groups_ = 0;  // groups under way
};
#endif

}  // namespace TEMPER_TARGET
}  // namespace temper::device
