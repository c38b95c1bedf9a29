// SPDX-License-Identifier: MIT
// Memory that kernels work on, and copies from and to the host. On fibers it is an allocation of exactly that size,
// full of NaN until it is written, and without the address sanitizer a rim behind it tells of writes past the end.
#pragma once
#include <vector>

#include "temper/device/launch.cuh"

namespace temper::device {
inline namespace TEMPER_TARGET {

template <class T>
class Buffer {
 public:
#if TEMPER_ON_GPU
  explicit Buffer(std::size_t count) : count_(count) {
    if (count > 0) require_success(cudaMalloc(&memory_, bytes()), "allocating device memory");
  }
  ~Buffer() { cudaFree(memory_); }
  T* data() { return static_cast<T*>(memory_); }
#else
  explicit Buffer(std::size_t count) : count_(count), memory_(count * sizeof(T)) {}
  ~Buffer() = default;
  T* data() { return static_cast<T*>(memory_.data()); }
#endif
  explicit Buffer(const std::vector<T>& values) : Buffer(values.size()) { upload(values); }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  std::size_t size() const { return count_; }
  std::size_t bytes() const { return count_ * sizeof(T); }

  void upload(const std::vector<T>& values) {
    require(values.size() == count_, Fault::usage, "kernel.memory", "{} values for a buffer of {}", values.size(),
            count_);
    if (count_ == 0) return;
#if TEMPER_ON_GPU
    require_success(cudaMemcpy(memory_, values.data(), bytes(), cudaMemcpyHostToDevice), "a copy to the device");
    // A copy from pageable memory may return before its last part has arrived, and streams do not wait for it.
    require_success(cudaStreamSynchronize(cudaStreamLegacy), "a copy to the device");
#else
    std::memcpy(memory_.data(), values.data(), bytes());
#endif
  }
  // What the kernels on the stream have made of it.
  std::vector<T> download(Stream& stream) const {
    stream.wait();
    std::vector<T> values(count_);
    if (count_ == 0) return values;
#if TEMPER_ON_GPU
    require_success(cudaMemcpy(values.data(), memory_, bytes(), cudaMemcpyDeviceToHost), "a copy from the device");
#else
    require(memory_.rim_broken_at() < 0, Fault::usage, "kernel.overrun",
            "a kernel has written {} bytes past the end of a buffer of {} bytes", memory_.rim_broken_at(), bytes());
    std::memcpy(values.data(), memory_.data(), bytes());
#endif
    return values;
  }

 private:
  std::size_t count_;
#if TEMPER_ON_GPU
  void* memory_ = nullptr;
#else
  RimmedMemory memory_;
#endif
};

}  // namespace TEMPER_TARGET
}  // namespace temper::device
