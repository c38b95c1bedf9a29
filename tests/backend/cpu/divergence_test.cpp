// SPDX-License-Identifier: MIT
#include "temper/backend/cpu/divergence.hpp"

#include <doctest/doctest.h>

#include "support/workbench.hpp"
#include "temper/io/json.hpp"

namespace divergence_test {

using namespace temper;

// A width that differs from the teacher's, a vocabulary longer than a stretch, and more rows than a block of logits.
struct Sizes {
  Index rows, width, teacher_width, vocabulary;
};
constexpr Sizes sizes[] = {{1, 3, 2, 2}, {7, 5, 6, 33}, {3, 4, 4, 2500}, {1030, 6, 3, 19}};
constexpr Divergence kinds[] = {Divergence::forward, Divergence::reverse, Divergence::jsd};

template <class Real>
struct Head {
  Workbench<Real> bench;
  View<Cpu<Real>, Real, 2> hidden, weight, teacher, teacher_weight, dhidden, dweight;
  View<Cpu<Real>, Real, 1> loss, divergence, nll;
  std::vector<std::int32_t> hits;
  std::vector<TokenId> ids;
  View<Cpu<Real>, std::int32_t, 1> correct;

  explicit Head(const Sizes& s, int threads = 1)
      : bench(threads),
        hidden(bench.matrix(s.rows, s.width, 1)),
        weight(bench.matrix(s.vocabulary, s.width, 2)),
        teacher(bench.matrix(s.rows, s.teacher_width, 3)),
        teacher_weight(bench.matrix(s.vocabulary, s.teacher_width, 4)),
        dhidden(bench.unset(s.rows, s.width)),
        dweight(bench.matrix(s.vocabulary, s.width, 5)),
        loss(bench.unset(s.rows)),
        divergence(bench.unset(s.rows)),
        nll(bench.unset(s.rows)),
        hits(static_cast<std::size_t>(s.rows), -1),
        correct(hits.data(), {s.rows}) {
    std::fill_n(dweight.data, dweight.size(), Real(0));
    for (Index i = 0; i < s.rows; ++i) ids.push_back(static_cast<TokenId>(i * 7 % s.vocabulary));
  }
  View<Cpu<Real>, const TokenId, 1> targets() const { return list_of(ids, Real{}); }
  void be_own_teacher() { teacher = hidden, teacher_weight = weight; }
  void train(const Distill& settings, Real scale = 1) {
    distillation(bench.ctx, loss, divergence, nll, correct, into(dhidden), dweight, hidden, weight, teacher,
                 teacher_weight, targets(), settings, scale);
  }
  void evaluate(const Distill& settings) {
    distillation(bench.ctx, loss, divergence, nll, correct, {}, {}, hidden, weight, teacher, teacher_weight, targets(),
                 settings, 1);
  }
  double sum_of_losses() const {
    double sum = 0;
    for (Index i = 0; i < loss.size(); ++i) sum += static_cast<double>(loss(i));
    return sum;
  }
};

// Element i of numbers(seed, ..) in tests/golden/distillation/make.py.
double recorded(std::uint64_t seed, std::uint64_t i) {
  constexpr std::uint64_t word = 0xffffffff;
  std::uint64_t h = (i * 2654435761u + seed * 7919 + 12345) & word;
  h = ((h ^ (h >> 15)) * 2246822519u) & word;
  h = ((h ^ (h >> 13)) * 3266489917u) & word;
  h ^= h >> 16;
  return 4 * (static_cast<double>(h >> 8) * 0x1p-24) - 2;
}

template <class Real>
void matches_torch(double tolerance) {
  const Json json = read_json(std::filesystem::path(TEMPER_TESTS) / "golden/distillation/expected.json");
  const auto number = [&](const char* key) { return json[key].get<Index>(); };
  for (const Json& expected : json["cases"]) {
    Head<Real> head({number("rows"), number("width"), number("teacher_width"), number("vocabulary")});
    std::uint64_t seed = 0;
    for (const auto* matrix : {&head.hidden, &head.weight, &head.teacher, &head.teacher_weight}) {
      ++seed;
      for (Index i = 0; i < matrix->size(); ++i)
        matrix->data[i] = static_cast<Real>(recorded(seed, static_cast<std::uint64_t>(i)));
    }
    head.ids = json["targets"].get<std::vector<TokenId>>();
    const auto kind = expected["divergence"].get<std::string>();
    CAPTURE(kind);
    head.train({.divergence = kind == "forward"   ? Divergence::forward
                              : kind == "reverse" ? Divergence::reverse
                                                  : Divergence::jsd,
                .temperature = expected["temperature"].get<double>(),
                .alpha = expected["alpha"].get<double>()});
    const auto close = [&](const char* key, auto view) {
      const auto values = expected[key].get<std::vector<double>>();
      CAPTURE(key);
      CHECK(largest_difference(view, View<Cpu<double>, const double, 1>(values.data(), {std::ssize(values)})) <
            tolerance);
    };
    close("loss", head.loss), close("apart", head.divergence), close("cross_entropy", head.nll);
    close("dhidden", head.dhidden), close("dweight", head.dweight);
    CHECK(head.hits == expected["correct"].get<std::vector<std::int32_t>>());
  }
}

TEST_CASE("divergence: losses and gradients are those of torch's kl_div and cross_entropy, in every form") {
  matches_torch<double>(1e-13);
  matches_torch<float>(1e-5);
}

TEST_CASE("divergence: gradients match central differences") {
  for (const Divergence kind : kinds)
    for (const Distill& settings : {Distill{kind, 1, 1}, Distill{kind, 2.5, 0.3}, Distill{kind, 0.5, 0}}) {
      Head<double> head({5, 4, 3, 23});
      head.train(settings);
      const auto loss = [&] {
        head.evaluate(settings);
        return head.sum_of_losses();
      };
      CHECK(gradient_error(head.hidden, head.dhidden, loss) < 1e-8);
      CHECK(gradient_error(head.weight, head.dweight, loss) < 1e-8);
    }
}

TEST_CASE_TEMPLATE("divergence: a student that is its own teacher has none, and no gradient, exactly", Real, float,
                   double) {
  for (const Sizes& s : sizes)
    for (const Divergence kind : kinds)
      for (const double temperature : {1.0, 0.7, 3.0}) {
        Head<Real> head(s);
        for (Index i = 0; i < head.hidden.size(); ++i) head.hidden.data[i] *= 20;  // some probabilities vanish
        head.be_own_teacher();
        head.train({kind, temperature, 1});
        for (Index i = 0; i < s.rows; ++i) REQUIRE(head.divergence(i) == 0);
        for (Index i = 0; i < s.rows; ++i) REQUIRE(head.loss(i) == 0);
        for (Index i = 0; i < head.dhidden.size(); ++i) REQUIRE(head.dhidden.data[i] == 0);
        for (Index i = 0; i < head.dweight.size(); ++i) REQUIRE(head.dweight.data[i] == 0);
      }
}

TEST_CASE("divergence: with alpha 0 the loss and its gradient are the cross entropy's") {
  for (const Sizes& s : sizes) {
    Head<double> head(s), plain(s);
    head.train({Divergence::jsd, 2, 0}, 0.25);
    cross_entropy(plain.bench.ctx, plain.loss, plain.nll, plain.correct, into(plain.dhidden), plain.dweight,
                  plain.hidden, plain.weight, plain.targets(), {}, 0.25);
    CHECK(largest_difference(head.loss, plain.loss) < 1e-14);
    CHECK(same_bits(head.nll, plain.nll));
    CHECK(head.hits == plain.hits);
    CHECK(largest_difference(head.dhidden, plain.dhidden) < 1e-14);
    CHECK(largest_difference(head.dweight, plain.dweight) < 1e-13);
  }
}

TEST_CASE("divergence: in float it is what it is in double, rounded, also where the two are far apart") {
  for (const Divergence kind : kinds)
    for (const Sizes& s : sizes)
      for (const double size : {1.0, 30.0}) {
        Head<double> exact(s);
        Head<float> rounded(s);
        for (Index i = 0; i < exact.hidden.size(); ++i) exact.hidden.data[i] *= size;
        for (Index i = 0; i < exact.hidden.size(); ++i) rounded.hidden.data[i] *= static_cast<float>(size);
        exact.train({kind, 1.5, 0.6}, 0.1);
        rounded.train({kind, 1.5, 0.6}, 0.1f);
        CHECK(largest_difference(exact.loss, rounded.loss) < 2e-5 * size);
        CHECK(largest_difference(exact.dhidden, rounded.dhidden) < 1e-5 * size);
        CHECK(largest_difference(exact.dweight, rounded.dweight) < 1e-4 * size);
      }
}

TEST_CASE("divergence: evaluation has the losses of training, and bits do not depend on threads") {
  for (const Divergence kind : kinds)
    for (const Sizes& s : sizes) {
      const Distill settings{kind, 2, 0.5};
      Head<float> one(s), evaluated(s);
      one.train(settings);
      evaluated.evaluate(settings);
      CHECK(same_bits(one.loss, evaluated.loss));
      CHECK(same_bits(one.divergence, evaluated.divergence));
      for (const int threads : {2, 3}) {
        Head<float> more(s, threads);
        more.train(settings);
        CHECK(same_bits(one.loss, more.loss));
        CHECK(same_bits(one.dhidden, more.dhidden));
        CHECK(same_bits(one.dweight, more.dweight));
      }
    }
}

TEST_CASE("divergence: the gradient onto the weight continues where the last micro-batch stopped, bit for bit") {
  const Sizes whole{1030, 6, 3, 19};
  const Distill settings{Divergence::reverse, 2, 0.5};
  Head<float> once(whole), twice(whole);
  once.train(settings);
  const Index cuts[] = {0, 500, 1030};
  for (int part = 0; part < 2; ++part) {
    const Index begin = cuts[part], end = cuts[part + 1];
    distillation(twice.bench.ctx, twice.loss.slice(begin, end), twice.divergence.slice(begin, end),
                 twice.nll.slice(begin, end), twice.correct.slice(begin, end), into(twice.dhidden.slice(begin, end)),
                 twice.dweight, twice.hidden.slice(begin, end), twice.weight, twice.teacher.slice(begin, end),
                 twice.teacher_weight, twice.targets().slice(begin, end), settings, 1);
  }
  CHECK(same_bits(once.dweight, twice.dweight));
  CHECK(same_bits(once.dhidden, twice.dhidden));
  CHECK(same_bits(once.loss, twice.loss));
}

TEST_CASE("divergence: both blocks of logits together are no more than a head of its own holds") {
  CHECK(distilled_rows(151936) == 128);
  for (const Index rows : {Index{3000}, Index{300}}) {
    Workbench<float> plan(1, Execution::planning);
    const auto hidden = keep<float>(plan.ctx, rows, 64), weight = keep<float>(plan.ctx, 151936, 64);
    const auto loss = keep<float>(plan.ctx, rows);
    const auto correct = keep<std::int32_t>(plan.ctx, rows);
    const auto targets = keep<TokenId>(plan.ctx, rows);
    distillation(plan.ctx, loss, loss, loss, correct, into(hidden), weight, hidden, weight, hidden, weight, targets, {},
                 1);
    CHECK(plan.ctx.arena().peak() - plan.ctx.arena().kept() == std::size_t{2} * 128 * 151936 * sizeof(float));
  }
}

TEST_CASE("divergence: log(1 + w) in float is the library's, rounded") {
  for (int i = 0; i <= 10000; ++i) {
    const float w = static_cast<float>(i) * 1e-4f;
    const double exact = std::log1p(static_cast<double>(w));
    CHECK(std::abs(static_cast<double>(log_one_plus(w)) - exact) <= 2e-7 * exact);
  }
}

TEST_CASE("divergence: settings, shapes and targets that do not fit are refused") {
  Head<float> head({3, 2, 2, 4});
  CHECK_THROWS_AS(head.train({Divergence::forward, 0, 1}), Error);
  CHECK_THROWS_AS(head.train({Divergence::forward, 1, 1.5}), Error);
  CHECK_THROWS_AS(head.train({Divergence::forward, 1, -0.5}), Error);
  head.ids[1] = 4;
  CHECK_THROWS_AS(head.train({}), Error);
  head.ids[1] = 0;
  head.teacher_weight = head.teacher_weight.slice(0, 3);
  CHECK_THROWS_AS(head.evaluate({}), Error);
}

}  // namespace divergence_test
