// SPDX-License-Identifier: MIT
// Times of launches on a GPU by events, in a table and as JSON. A launch is given a number, and takes the operands of
// that number, so that what it reads has left the cache since; some launches make a batch, and the median of batches
// counts. What another library takes for the same is measured beside it, or read from a file of lines
// 'name <tab> shape <tab> library <tab> microseconds'.
#pragma once
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <functional>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "temper/device/buffer.cuh"

namespace temper::bench {

// Tiny shapes, each launched once: for an emulator, or to see that all of it runs.
enum class Size { tiny, full };

// What a call moves and computes at least.
struct Floor {
  double bytes, operations;
};

struct Call {
  std::string library;
  std::function<void(int)> launch;
};

struct Line {
  std::string name, shape, library;
  double microseconds;
};

class Measurements {
 public:
  Measurements(Size size, std::string filter, const std::string& others_path)
      : size_(size), filter_(std::move(filter)) {
    device::require_success(cudaEventCreate(&begin_), "making an event");
    device::require_success(cudaEventCreate(&end_), "making an event");
    std::ifstream others(others_path);
    for (std::string line; std::getline(others, line);) {
      std::istringstream words(line);
      Line one;
      std::string number;
      if (std::getline(words, one.name, '\t') && std::getline(words, one.shape, '\t') &&
          std::getline(words, one.library, '\t') && std::getline(words, number)) {
        one.microseconds = std::atof(number.c_str());
        others_.push_back(one);
      }
    }
  }
  ~Measurements() {
    cudaEventDestroy(begin_);
    cudaEventDestroy(end_);
  }
  Measurements(const Measurements&) = delete;
  Measurements& operator=(const Measurements&) = delete;

  Size size() const { return size_; }
  device::Stream& stream() { return stream_; }
  bool wanted(const std::string& name) const { return name.find(filter_) != std::string::npos; }
  int count() const { return static_cast<int>(ours_.size()); }

  // How many operands of so many bytes are more than any cache holds.
  int sets_of(double bytes) const {
    return size_ == Size::tiny ? 1 : std::clamp(static_cast<int>(256e6 / bytes), 2, 32);
  }

  void add(const std::string& name, const std::string& shape, const Floor& floor, const std::function<void(int)>& ours,
           const std::vector<Call>& others = {}) {
    if (!wanted(name)) return;
    const double mine = microseconds(ours);
    ours_.push_back({name, shape, "temper", mine});
    std::printf("| %s | %s | %.1f | %.0f | %.1f |", name.c_str(), shape.c_str(), mine, floor.bytes / mine / 1e3,
                floor.operations / mine / 1e6);
    std::string separator = " ";
    const auto beside = [&](const std::string& library, double time) {
      std::printf("%s%s %.1f (%.2f)", separator.c_str(), library.c_str(), time, time / mine);
      separator = ", ";
    };
    for (const Call& other : others) {
      const double time = microseconds(other.launch);
      ours_.push_back({name, shape, other.library, time});
      beside(other.library, time);
    }
    for (const Line& other : others_)
      if (other.name == name && other.shape == shape) beside(other.library, other.microseconds);
    std::printf(" |\n");
    std::fflush(stdout);
  }

  static void print_head() {
    std::printf("| kernel | shape | us | GB/s | TFLOP/s | others, us (of them to ours) |\n|---|---|---|---|---|---|\n");
  }

  void write_json(const std::string& path) const {
    std::ofstream out(path);
    out << "[";
    const char* separator = "\n";
    const auto put = [&](const Line& line) {
      out << separator << "  {\"name\": \"" << line.name << "\", \"shape\": \"" << line.shape << "\", \"library\": \""
          << line.library << "\", \"microseconds\": " << line.microseconds << "}";
      separator = ",\n";
    };
    for (const Line& line : ours_) put(line);
    for (const Line& line : others_) put(line);
    out << "\n]\n";
    require(out.good(), Fault::usage, "kernel.bench", "the file {} cannot be written", path);
  }

 private:
  double batch(const std::function<void(int)>& launch, int first, int launches) {
    device::require_success(cudaEventRecord(begin_, stream_.handle()), "an event");
    for (int i = 0; i < launches; ++i) launch(first + i);
    device::require_success(cudaEventRecord(end_, stream_.handle()), "an event");
    stream_.wait();
    float milliseconds = 0;
    device::require_success(cudaEventElapsedTime(&milliseconds, begin_, end_), "an event's time");
    return 1e3 * static_cast<double>(milliseconds) / launches;
  }
  // Batches of about 5 ms, eleven of them.
  double microseconds(const std::function<void(int)>& launch) {
    const double once = batch(launch, 0, 1);
    if (size_ == Size::tiny) return once;
    const int launches = std::clamp(static_cast<int>(5e3 / batch(launch, 1, 3)), 3, 300);
    std::vector<double> times(11);
    for (std::size_t i = 0; i < times.size(); ++i) times[i] = batch(launch, static_cast<int>(i) * launches, launches);
    std::sort(times.begin(), times.end());
    return times[times.size() / 2];
  }

  Size size_;
  std::string filter_;
  device::Stream stream_;
  cudaEvent_t begin_{}, end_{};
  std::vector<Line> ours_, others_;
};

// Numbers of a bell's width without its shape: what they are does not matter to the time, that they are no zeros does.
template <class T>
std::vector<T> some_numbers(std::size_t count, float size = 1) {
  std::vector<T> values(count);
  std::uint32_t state = 1;
  for (std::size_t i = 0; i < count; ++i) {
    state = state * 1664525u + 1013904223u;
    const float x = (static_cast<float>(state >> 9) * 0x1p-22f - 1) * size;
    if constexpr (sizeof(T) == 4) {
      values[i] = x;
    } else {
      values[i] = to_bf16(x);
    }
  }
  return values;
}

// Several copies of one operand, of which call number i takes the i-th, round and round.
template <class T>
class Copies {
 public:
  Copies(int count, const std::vector<T>& values) {
    for (int i = 0; i < count; ++i) buffers_.push_back(std::make_unique<device::Buffer<T>>(values));
  }
  T* operator[](int i) { return buffers_[static_cast<std::size_t>(i) % buffers_.size()]->data(); }

 private:
  std::vector<std::unique_ptr<device::Buffer<T>>> buffers_;
};

}  // namespace temper::bench
