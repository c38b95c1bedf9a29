// SPDX-License-Identifier: MIT
// After the first step, steps allocate nothing. Counted are operator new in all its forms and, where no sanitizer
// stands in the way, malloc, calloc and realloc of the GNU C library, which Eigen and others call directly.
//
// The bytes that operator new holds are counted too: what quantizing on load takes beyond the quantized model.
#include <malloc.h>

#include <atomic>
#include <cstdlib>
#include <new>

#include "support/coded_weights.hpp"
#include "support/golden_model.hpp"

namespace {

std::atomic<long> allocations{0};
std::atomic<long> held_bytes{0}, most_bytes{0};
std::atomic<bool> counting{false};

void note() {
  if (counting.load(std::memory_order_relaxed)) allocations.fetch_add(1, std::memory_order_relaxed);
}
void* held(void* memory) {
  if (counting.load(std::memory_order_relaxed)) {
    const auto bytes = static_cast<long>(::malloc_usable_size(memory));
    const long now = held_bytes.fetch_add(bytes) + bytes;
    for (long most = most_bytes; now > most && !most_bytes.compare_exchange_weak(most, now);) continue;
  }
  return memory;
}
void freed(void* memory) {
  if (memory && counting.load(std::memory_order_relaxed)) held_bytes -= static_cast<long>(::malloc_usable_size(memory));
  std::free(memory);
}
void* allocated(std::size_t bytes) {
  note();
  if (void* memory = std::malloc(bytes == 0 ? 1 : bytes)) return held(memory);
  throw std::bad_alloc();
}
void* allocated(std::size_t bytes, std::align_val_t alignment) {
  note();
  const auto unit = static_cast<std::size_t>(alignment);
  if (void* memory = std::aligned_alloc(unit, (bytes + unit) / unit * unit)) return held(memory);
  throw std::bad_alloc();
}

}  // namespace

void* operator new(std::size_t bytes) { return allocated(bytes); }
void* operator new[](std::size_t bytes) { return allocated(bytes); }
void* operator new(std::size_t bytes, std::align_val_t alignment) { return allocated(bytes, alignment); }
void* operator new[](std::size_t bytes, std::align_val_t alignment) { return allocated(bytes, alignment); }
void operator delete(void* memory) noexcept { freed(memory); }
void operator delete[](void* memory) noexcept { freed(memory); }
void operator delete(void* memory, std::size_t) noexcept { freed(memory); }
void operator delete[](void* memory, std::size_t) noexcept { freed(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { freed(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { freed(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { freed(memory); }
void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept { freed(memory); }

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define TEMPER_TEST_SANITIZED
#endif
#endif
#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && \
    !defined(TEMPER_TEST_SANITIZED)
extern "C" {
void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* malloc(std::size_t bytes) {
  note();
  return __libc_malloc(bytes);
}
void* calloc(std::size_t count, std::size_t bytes) {
  note();
  return __libc_calloc(count, bytes);
}
void* realloc(void* memory, std::size_t bytes) {
  note();
  return __libc_realloc(memory, bytes);
}
}
#endif

using namespace temper_test;

namespace {

template <class Call>
long allocations_of(Call&& call) {
  allocations = 0;
  counting = true;
  call();
  counting = false;
  return allocations;
}

// Three steps and an evaluation. The first step has the smallest micro-batches: what it did not see was still planned.
template <class A, class R = AdamW>
void check_steps(const A& adapter, int threads, const R& rule = {}, Precision precision = Precision::full) {
  CAPTURE(threads);
  const GoldenBatch golden("llama3");
  std::vector<PackedRows> batches;
  for (const auto& [begin, end] : {std::pair<std::size_t, std::size_t>{1, 2}, {4, 5}, {0, 4}, {4, 8}, {2, 4}})
    batches.push_back(golden.packed(begin, end));
  auto model =
      open_decoder<Cpu<float>>(golden_models / "llama3", adapter, {.precision = precision, .gradients = precision});
  const CausalLm objective{.label_smoothing = 0.1};
  const PlannedShapes shapes{.training = {shape_of(golden.packed(0, 4).host()), shape_of(golden.packed(4, 8).host())},
                             .evaluating = {shape_of(golden.packed(0, 4).host())}};
  const SessionOptions options{.threads = threads};
  Session session(model, rule, plan_step(model, objective, rule, shapes, options), options);
  for (Step k = 0; k < 3; ++k) {
    CAPTURE(k);
    const std::size_t first = k == 0 ? 0 : static_cast<std::size_t>(k) + 1, last = k == 0 ? 2 : first + 2;
    long begun = 0, computed = 0, clipped = 0, updated = 0;
    double denominator = 0;
    for (std::size_t b = first; b < last; ++b) denominator += static_cast<double>(batches[b].count());
    begun = allocations_of([&] { begin_step(session, model, k, denominator); });
    for (std::size_t b = first; b < last; ++b)
      computed += allocations_of([&] { forward_backward(session, model, objective, batches[b].host()); });
    clipped = allocations_of([&] { clip_gradients(session, model, 1.0); });
    updated = allocations_of([&] { update(session, model, rule, 1e-3); });
    if (k == 0) continue;
    CHECK(begun == 0);
    CHECK(computed == 0);
    CHECK(clipped == 0);
    CHECK(updated == 0);
    CHECK(allocations_of([&] { evaluate(session, model, objective, batches[2].host()); }) == 0);
  }
}

}  // namespace

TEST_CASE("no allocation: the count sees vectors, strings and aligned memory") {
  CHECK(allocations_of([] { std::vector<int> v(100); }) > 0);
  CHECK(allocations_of([] { std::string s(100, 'x'); }) > 0);
  struct alignas(64) Wide {
    char bytes[64];
  };
  CHECK(allocations_of([] {
          Wide* volatile wide = new Wide();  // volatile: a compiler may leave out what nobody looks at
          delete wide;
        }) > 0);
}

TEST_CASE("no allocation: quantizing on load takes the quantized model and a piece for each thread, no matrix") {
  constexpr Index rows = 384, cols = 1024;
  const OneWeight source(rows, cols);
  for (const AnyStorage& storage : {AnyStorage{Nf4{}}, AnyStorage{Int8{}}})
    for (const int threads : {1, 3}) {
      Memory<Cpu<float>> memory(Execution::running);
      Threads stream(threads);
      Builder<Cpu<float>> build(memory, stream, &source, 1);
      held_bytes = 0, most_bytes = 0;
      WeightMatrix<Cpu<float>> made;
      allocations_of([&] { made = storage.matrix(build, "p", rows, cols); });
      const long matrix = rows * cols * 4, scales = 4 * scales_of(made.codes.coding, rows, cols);
      const long piece =
          quantized_at_once(made.codes.coding, cols) * 5;  // floats, and at most a byte of codes for each
      CAPTURE(most_bytes.load());
      CHECK(most_bytes <= threads * piece + 2 * scales + 4096);
      CHECK(2 * most_bytes < (threads == 1 ? matrix : 2 * matrix));
      CHECK(memory.bytes()[static_cast<std::size_t>(Holder::frozen_weights)] <= made.bytes() + 3 * 64);
    }
}

TEST_CASE("no allocation: with LoRA, steps allocate nothing after the first") {
  for (const int threads : {1, 2}) {
    check_steps(Lora<>{.rank = 3}, threads);
    check_steps(Lora<>{.rank = 3, .dropout = 0.1, .modules_to_save = {"lm_head"}}, threads);
  }
}

TEST_CASE("no allocation: with DoRA, steps allocate nothing after the first") {
  for (const int threads : {1, 2}) check_steps(Dora<>{{.rank = 3, .dropout = 0.1}}, threads);
}

TEST_CASE("no allocation: with prompt tuning, steps allocate nothing after the first") {
  for (const int threads : {1, 2}) check_steps(PromptTuning{.virtual_tokens = 5}, threads);
}

TEST_CASE("no allocation: with full fine-tuning, in floats and in bf16, steps allocate nothing after the first") {
  for (const int threads : {1, 2}) {
    check_steps(Full{}, threads);
    check_steps(Full{}, threads, AdamW{}, Precision::bf16);
  }
}

TEST_CASE("no allocation: whatever the optimizer and the precision, updates allocate nothing after the first") {
  using Any = AnyOptimizer<Adafactor, AdamW8bit, Lion, Muon, Sgd>;
  for (const Any& rule : {Any{Adafactor{}}, Any{AdamW8bit{.smallest = 64}}, Any{Lion{}}, Any{Muon{}}, Any{Sgd{}}})
    for (const Precision held : {Precision::full, Precision::bf16}) check_steps(Full{}, 2, rule, held);
}
