// SPDX-License-Identifier: MIT
// Work on many rows by several threads. Each row is worked on by itself, so results depend on neither the number of
// threads nor their speed; of several failures the one of the first row is thrown.
#pragma once
#include "temper/core/types.hpp"

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace temper {

// Calls work(worker, index) for each index below 'count', workers counting from 0.
template <class Work>
void for_each_row(std::size_t count, std::size_t workers, const Work& work) {
  workers = std::clamp<std::size_t>(workers, 1, std::max<std::size_t>(1, count));
  if (workers == 1) {
    for (std::size_t i = 0; i < count; ++i) work(std::size_t{0}, i);
    return;
  }
  constexpr std::size_t stride = 8;
  std::atomic<std::size_t> next{0};
  std::mutex guard;
  std::size_t failed = count;
  std::exception_ptr failure;
  const auto run = [&](std::size_t worker) {
    while (true) {
      const std::size_t begin = next.fetch_add(stride);
      for (std::size_t i = begin; i < std::min(count, begin + stride); ++i) {
        try {
          work(worker, i);
        } catch (...) {
          const std::lock_guard lock(guard);
          if (i < failed) {
            failed = i;
            failure = std::current_exception();
          }
          next = count;  // rows that are begun are before this one or make no difference
        }
      }
      if (begin >= count) return;
    }
  };
  {
    std::vector<std::jthread> threads;
    for (std::size_t worker = 1; worker < workers; ++worker) threads.emplace_back(run, worker);
    run(0);
  }
  if (failure) std::rethrow_exception(failure);
}

}  // namespace temper
