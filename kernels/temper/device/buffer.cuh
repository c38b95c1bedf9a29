// SPDX-License-Identifier: MIT
// Memory that kernels work on, and copies from and to the host. On fibers it is an allocation of exactly that size,
// full of NaN until it is written, and without the address sanitizer a rim behind it tells of writes past the end.
#pragma once
#include <span>
#include <vector>

#include "temper/device/launch.cuh"

namespace temper::device::inline TEMPER_TARGET {

template <class T>
class Buffer {
 public:
  explicit Buffer(std::size_t count) : count_(count) {
#if TEMPER_ON_GPU
    if (count > 0) require_success(cudaMalloc(&memory_, bytes()), "allocating device memory");
#else
    require(posix_memalign(&memory_, 256, bytes() + rim) == 0, Fault::out_of_memory, "kernel.memory",
            "no memory for {} bytes", bytes());
    if (bytes() > 0) std::memset(memory_, 0xff, bytes() + rim);
#endif
  }
  explicit Buffer(const std::vector<T>& values) : Buffer(values.size()) { upload(values); }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer() {
#if TEMPER_ON_GPU
    cudaFree(memory_);
#else
    std::free(memory_);
#endif
  }

  T* data() { return static_cast<T*>(memory_); }
  const T* data() const { return static_cast<const T*>(memory_); }
  std::size_t size() const { return count_; }
  std::size_t bytes() const { return count_ * sizeof(T); }

  void upload(const std::vector<T>& values) {
    require(values.size() == count_, Fault::usage, "kernel.memory", "{} values for a buffer of {}", values.size(),
            count_);
    if (count_ == 0) return;
#if TEMPER_ON_GPU
    require_success(cudaMemcpy(memory_, values.data(), bytes(), cudaMemcpyHostToDevice), "a copy to the device");
#else
    std::memcpy(memory_, values.data(), bytes());
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
    const auto* end = static_cast<const unsigned char*>(memory_) + bytes();
    for (std::size_t i = 0; i < rim; ++i)
      require(end[i] == 0xff, Fault::usage, "kernel.overrun",
              "a kernel has written {} bytes past the end of a buffer of {} bytes", i, bytes());
    std::memcpy(values.data(), memory_, bytes());
#endif
    return values;
  }

 private:
#if !TEMPER_ON_GPU
  static constexpr std::size_t rim = watch::addresses ? 0 : 256;
#endif
  std::size_t count_;
  void* memory_ = nullptr;
};

}  // namespace temper::device::inline TEMPER_TARGET
