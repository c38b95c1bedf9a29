// SPDX-License-Identifier: MIT
#include "temper/core/builder.hpp"

#include <doctest/doctest.h>

#include <map>

#include "temper/backend/cpu/linear.hpp"

namespace builder_test {

using namespace temper;

// Tensors in memory, in any element.
class Tensors : public WeightSource {
 public:
  std::string description() const override { return "source.safetensors"; }
  std::optional<StoredTensor> find(std::string_view name) const override {
    const auto at = tensors_.find(std::string(name));
    if (at == tensors_.end()) return std::nullopt;
    return at->second;
  }
  std::vector<std::string> names() const override {
    std::vector<std::string> all;
    for (const auto& [name, tensor] : tensors_) all.push_back(name);
    return all;
  }
  // The values begin 'offset' bytes after an aligned address.
  template <class T>
  const void* add(const std::string& name, std::vector<Index> shape, const std::vector<T>& values,
                  std::size_t offset = 0) {
    auto& store = stores_[name];
    store.resize(values.size() * sizeof(T) + offset + 16);
    auto* at = store.data() + (16 - reinterpret_cast<std::uintptr_t>(store.data()) % 16) % 16 + offset;
    std::memcpy(at, values.data(), values.size() * sizeof(T));
    tensors_[name] = {element_of<T>, std::move(shape), at};
    return at;
  }

 private:
  std::map<std::string, std::vector<std::byte>> stores_;
  std::map<std::string, StoredTensor> tensors_;
};

template <class Real>
struct Bench {
  using B = Cpu<Real>;
  Memory<B> memory;
  Threads stream{1};
  Builder<B> build;
  explicit Bench(const WeightSource* source = nullptr, std::uint64_t seed = 1, Execution execution = Execution::running)
      : memory(execution), build(memory, stream, source, seed) {}
};

template <class P>
auto values_of(const P& p) {
  return std::vector(p.value.data, p.value.data + p.size());
}

struct Thrown {
  std::string code = "none", message;
};
template <class Call>
Thrown thrown_by(Call&& call) {
  try {
    call();
  } catch (const Error& error) { return {error.code(), error.what()}; }
  return {};
}

bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

TEST_CASE_TEMPLATE("builder: weights of every element are widened to the same values", Real, float, double) {
  const std::vector<float> values = {1, -0.5f, 3, 0.25f, 8, -2};
  std::vector<bf16> as_bf16;
  std::vector<f16> as_f16;
  for (const float v : values) as_bf16.push_back(to_bf16(v)), as_f16.push_back(to_f16(v));
  Tensors source;
  source.add("f32", {2, 3}, values);
  source.add("f64", {2, 3}, std::vector<double>(values.begin(), values.end()), 4);
  source.add("bf16", {2, 3}, as_bf16, 1);
  source.add("f16", {2, 3}, as_f16, 3);
  Bench<Real> bench(&source);
  const std::vector<Real> expected(values.begin(), values.end());
  for (const std::string name : {"f32", "f64", "bf16", "f16"}) {
    CAPTURE(name);
    CHECK(values_of(bench.build.trained_matrix(name, 2, 3)) == expected);
  }
  CHECK_NOTHROW(bench.build.finish());
}

TEST_CASE("builder: a frozen matrix is read where it lies, and copied where it lies at an odd address") {
  Tensors source;
  const void* even = source.add("even", {2, 2}, std::vector<bf16>{to_bf16(1), to_bf16(2), to_bf16(3), to_bf16(4)});
  const void* odd = source.add("odd", {2, 2}, std::vector<bf16>{to_bf16(5), to_bf16(6), to_bf16(7), to_bf16(8)}, 1);
  Bench<float> bench(&source);
  const auto a = bench.build.frozen_matrix("even", 2, 2), b = bench.build.frozen_matrix("odd", 2, 2);
  CHECK(a.data == even);
  CHECK(a.element == Element::bf16);
  CHECK(b.data != odd);
  CHECK(reinterpret_cast<std::uintptr_t>(b.data) % 2 == 0);
  CHECK(std::memcmp(b.data, odd, 8) == 0);
  CHECK(b.element == Element::bf16);
  CHECK(bench.memory.bytes()[static_cast<std::size_t>(Holder::frozen_weights)] == 512);
}

TEST_CASE("builder: what is missing and what is left over are named in one error") {
  Tensors source;
  source.add("there", {1, 1}, std::vector<float>{1});
  source.add("unknown.weight", {1, 1}, std::vector<float>{1});
  source.add("other.weight", {1, 1}, std::vector<float>{1});
  Bench<float> bench(&source);
  bench.build.frozen_matrix("there", 1, 1);
  bench.build.frozen_matrix("absent.weight", 1, 1);
  bench.build.trained("absent.bias", {3}, zeros);
  const Thrown thrown = thrown_by([&] { bench.build.finish(); });
  CHECK(thrown.code == "weights.not_a_bijection");
  CHECK(contains(thrown.message, "source.safetensors"));
  CHECK(contains(thrown.message, "missing: absent.weight, absent.bias;"));
  CHECK(contains(thrown.message, "not used: other.weight, unknown.weight;"));
}

TEST_CASE("builder: what is only missing, or only left over, is an error too") {
  Tensors source;
  source.add("there", {1, 1}, std::vector<float>{1});
  Bench<float> unused(&source);
  CHECK(contains(thrown_by([&] { unused.build.finish(); }).message, "missing: none; not used: there"));
  Bench<float> missing(&source);
  missing.build.frozen_matrix("there", 1, 1);
  missing.build.frozen_vector("absent", 1, ones);
  CHECK(contains(thrown_by([&] { missing.build.finish(); }).message, "missing: absent; not used: none"));
}

TEST_CASE("builder: a long list of names is cut") {
  Tensors source;
  for (int i = 0; i < 500; ++i) source.add("tensor." + std::to_string(i), {1}, std::vector<float>{1});
  Bench<float> bench(&source);
  const Thrown thrown = thrown_by([&] { bench.build.finish(); });
  CHECK(thrown.message.size() < 1200);
  CHECK(contains(thrown.message, "..."));
}

TEST_CASE("builder: names that may be left over are no error") {
  Tensors source;
  source.add("model.layers.0.rotary_emb.inv_freq", {1}, std::vector<float>{1});
  Bench<float> bench(&source);
  CHECK_THROWS_AS(bench.build.finish(), Error);
  bench.build.allow_left_over("rotary_emb.inv_freq");
  CHECK_NOTHROW(bench.build.finish());
}

TEST_CASE("builder: a tensor of another shape is refused with both shapes") {
  Tensors source;
  source.add("matrix", {2, 3}, std::vector<float>(6));
  source.add("vector", {6}, std::vector<float>(6));
  Bench<float> bench(&source);
  const auto check = [&](auto&& call, std::string_view stored, std::string_view wanted) {
    const Thrown thrown = thrown_by(call);
    CHECK(thrown.code == "weights.shape");
    CHECK(contains(thrown.message, std::string("has shape ") + std::string(stored)));
    CHECK(contains(thrown.message, std::string("wants ") + std::string(wanted)));
  };
  check([&] { bench.build.frozen_matrix("matrix", 3, 2); }, "[2, 3]", "[3, 2]");
  check([&] { bench.build.trained_matrix("matrix", 2, 2); }, "[2, 3]", "[2, 2]");
  check([&] { bench.build.frozen_vector("matrix", 6, ones); }, "[2, 3]", "[6]");
  check([&] { bench.build.trained("vector", {2, 3}, zeros); }, "[6]", "[2, 3]");
}

TEST_CASE("builder: initial values depend on the seed and the name, not on the order of building") {
  Bench<float> first(nullptr, 7), second(nullptr, 7), third(nullptr, 8);
  const auto a = first.build.trained_matrix("a", 3, 5), b = first.build.trained_matrix("b", 3, 5);
  const auto b2 = second.build.trained_matrix("b", 3, 5), a2 = second.build.trained_matrix("a", 3, 5);
  CHECK(values_of(a) == values_of(a2));
  CHECK(values_of(b) == values_of(b2));
  CHECK(values_of(a) != values_of(b));
  CHECK(values_of(a) != values_of(third.build.trained_matrix("a", 3, 5)));
}

TEST_CASE("builder: float and double start at the same values") {
  Bench<float> narrow;
  Bench<double> wide;
  for (const Initial initial : {normal(0.02), kaiming_uniform, ones, zeros}) {
    const auto a = values_of(narrow.build.trained("w", {40, 9}, initial));
    CHECK(std::vector<double>(a.begin(), a.end()) == values_of(wide.build.trained("w", {40, 9}, initial)));
  }
}

TEST_CASE(
    "builder: kaiming values fill the interval of one over the root of the columns; normal ones have their deviation") {
  Bench<double> bench;
  const auto uniform = values_of(bench.build.parameter("p", "lora_A.weight", {50, 100}, kaiming_uniform));
  const auto [low, high] = std::minmax_element(uniform.begin(), uniform.end());
  CHECK(*low >= -0.1);
  CHECK(*low < -0.0999);
  CHECK(*high < 0.1);
  CHECK(*high > 0.0999);
  double squares = 0;
  for (const double v : values_of(bench.build.trained("n", {100, 100}, normal(0.5)))) squares += v * v / 10000;
  CHECK(std::sqrt(squares) == doctest::Approx(0.5).epsilon(0.03));
}

TEST_CASE("builder: large tensors are filled as small ones are, piece after piece") {
  Tensors source;
  std::vector<float> values(100000);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
  source.add("large", {1000, 100}, values);
  Bench<float> bench(&source);
  CHECK(values_of(bench.build.trained_matrix("large", 1000, 100)) == values);
}

TEST_CASE("builder: an adapter's parameter has the path in its name, and is not looked for in the source") {
  Tensors source;
  Bench<float> bench(&source);
  const auto p = bench.build.parameter("model.q_proj", "lora_B.weight", {2, 3}, zeros);
  CHECK(p.name == "model.q_proj.lora_B.weight");
  CHECK(p.shape == std::vector<Index>{2, 3});
  CHECK(values_of(p) == std::vector<float>(6, 0));
  CHECK(p.gradient.size() == 6);
  CHECK(p.rate_scale == 1);
  CHECK_NOTHROW(bench.build.finish());
}

TEST_CASE("builder: a trained copy has the values of the other tensor and leaves it to others") {
  Tensors source;
  source.add("table", {2, 2}, std::vector<float>{1, 2, 3, 4});
  Bench<float> bench(&source);
  const auto table = bench.build.frozen_matrix("table", 2, 2);
  const auto copy = bench.build.trained_copy("head", "table", 2, 2);
  CHECK(copy.name == "head");
  CHECK(values_of(copy) == std::vector<float>{1, 2, 3, 4});
  CHECK(static_cast<const void*>(copy.value.data) != table.data);
  CHECK_NOTHROW(bench.build.finish());

  Bench<float> scratch;
  CHECK(values_of(scratch.build.trained_copy("head", "table", 2, 2)) ==
        values_of(scratch.build.trained_matrix("table", 2, 2)));
}

TEST_CASE("builder: a frozen linear layer has a bias where its shape says so") {
  Tensors source;
  source.add("p.weight", {2, 3}, std::vector<float>{1, 2, 3, 4, 5, 6});
  source.add("p.bias", {2}, std::vector<float>{7, 8});
  Bench<float> bench(&source);
  const auto layer = bench.build.frozen("p", {.in = 3, .out = 2, .bias = true});
  CHECK(layer.weight.rows == 2);
  REQUIRE(layer.bias.size() == 2);
  CHECK(layer.bias(1) == 8);
  CHECK_NOTHROW(bench.build.finish());
}

TEST_CASE("builder: planning counts the bytes that building takes, and touches none") {
  Tensors source;
  source.add("frozen", {10, 30}, std::vector<bf16>(300));
  source.add("odd", {10, 30}, std::vector<bf16>(300), 1);
  source.add("vector", {30}, std::vector<float>(30));
  source.add("trained", {7, 11}, std::vector<float>(77));
  BytesByHolder bytes[2];
  for (const Execution execution : {Execution::running, Execution::planning}) {
    Bench<float> bench(&source, 1, execution);
    bench.build.frozen_matrix("frozen", 10, 30);
    bench.build.frozen_matrix("odd", 10, 30);
    bench.build.frozen_vector("vector", 30, ones);
    const auto p = bench.build.trained_matrix("trained", 7, 11);
    CHECK((p.value.data == nullptr) == (execution == Execution::planning));
    bytes[execution == Execution::planning] = bench.memory.bytes();
  }
  CHECK(bytes[0] == bytes[1]);
}

}  // namespace builder_test
