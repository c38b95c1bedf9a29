// SPDX-License-Identifier: MIT
#include "temper/backend/cpu/attention.hpp"

#include <doctest/doctest.h>

#include "support/workbench.hpp"

namespace attention_test {

using namespace temper;

struct Case {
  std::vector<Index> documents;
  Index heads, kv_heads, width, window;
  AttentionShape shape() const { return {heads, kv_heads, width, 1 / std::sqrt(static_cast<double>(width)), window}; }
  Index tokens() const {
    Index sum = 0;
    for (const Index n : documents) sum += n;
    return sum;
  }
  std::vector<AttentionSpan> spans() const {
    std::vector<AttentionSpan> list;
    for (Index at = 0; const Index n : documents) list.push_back({at, at + n, at, at + n}), at += n;
    return list;
  }
};

// Lengths around the sizes of tiles; groups that divide 128 and not; widths that are and are not multiples of 16.
const Case cases[] = {
    {{1}, 1, 1, 8, 0},        {{5, 1, 9}, 2, 1, 6, 0},   {{64, 65}, 4, 2, 16, 0},
    {{130, 70}, 6, 2, 20, 0}, {{200}, 14, 2, 64, 0},     {{100, 30}, 4, 4, 32, 7},
    {{150}, 6, 3, 18, 64},    {{90, 129}, 3, 1, 10, 65}, {{20}, 2, 2, 256, 0},
};

template <class Real>
struct Pass {
  Workbench<Real> bench;
  std::vector<AttentionSpan> spans;
  View<Cpu<Real>, Real, 2> q, k, v, dy, y, lse, dq, dk, dv;

  explicit Pass(const Case& c, int threads = 1)
      : bench(threads),
        spans(c.spans()),
        q(bench.matrix(c.tokens(), c.heads * c.width, 1)),
        k(bench.matrix(c.tokens(), c.kv_heads * c.width, 2)),
        v(bench.matrix(c.tokens(), c.kv_heads * c.width, 3)),
        dy(bench.matrix(c.tokens(), c.heads * c.width, 4)),
        y(bench.unset(c.tokens(), c.heads * c.width)),
        lse(bench.unset(c.tokens(), c.heads)),
        dq(bench.unset(c.tokens(), c.heads * c.width)),
        dk(bench.unset(c.tokens(), c.kv_heads * c.width)),
        dv(bench.unset(c.tokens(), c.kv_heads * c.width)) {}

  void forward(const Case& c) { attention(bench.ctx, y, lse, q, k, v, list_of(spans, Real{}), c.shape()); }
  void backward(const Case& c) {
    attention_backward(bench.ctx, dq, dk, dv, dy, y, lse, q, k, v, list_of(spans, Real{}), c.shape());
  }
};

// The formula, one query at a time, in double.
template <class Real>
double error_of_forward(const Pass<Real>& pass, const Case& c) {
  double largest = 0;
  for (const AttentionSpan& s : pass.spans)
    for (Index t = s.query_begin; t < s.query_end; ++t)
      for (Index h = 0; h < c.heads; ++h) {
        const Index kv = h / (c.heads / c.kv_heads), last = s.key_end - s.query_end + t;
        const Index first = c.window == 0 ? s.key_begin : std::max(s.key_begin, last + 1 - c.window);
        std::vector<double> p;
        double sum = 0;
        for (Index key = first; key <= last; ++key) {
          double score = 0;
          for (Index j = 0; j < c.width; ++j)
            score +=
                static_cast<double>(pass.q(t, h * c.width + j)) * static_cast<double>(pass.k(key, kv * c.width + j));
          p.push_back(std::exp(score * c.shape().scale));
          sum += p.back();
        }
        largest = std::max(largest, std::abs(std::log(sum) - static_cast<double>(pass.lse(t, h))));
        for (Index j = 0; j < c.width; ++j) {
          double value = 0;
          for (Index key = first; key <= last; ++key)
            value +=
                p[static_cast<std::size_t>(key - first)] / sum * static_cast<double>(pass.v(key, kv * c.width + j));
          const double error = std::abs(value - static_cast<double>(pass.y(t, h * c.width + j)));
          largest = error <= largest ? largest : std::isfinite(error) ? error : 1e9;
        }
      }
  return largest;
}

TEST_CASE("attention: equals softmax of scores times values, for groups, windows and packed documents") {
  for (const Case& c : cases) {
    CAPTURE(c.width);
    CAPTURE(c.window);
    Pass<double> exact(c);
    exact.forward(c);
    CHECK(error_of_forward(exact, c) < 1e-13);
    Pass<float> rounded(c);
    rounded.forward(c);
    CHECK(error_of_forward(rounded, c) < 1e-6);
  }
}

TEST_CASE("attention: gradients match central differences") {
  const Case small[] = {{{7, 3}, 4, 2, 6, 0}, {{70}, 2, 1, 2, 0}, {{12}, 2, 2, 4, 5}, {{75}, 1, 1, 2, 66}};
  for (const Case& c : small) {
    Pass<double> pass(c);
    const auto loss = [&] {
      pass.forward(c);
      return dot(pass.y, pass.dy);
    };
    loss();
    pass.backward(c);
    CHECK(gradient_error(pass.q, pass.dq, loss) < 1e-8);
    CHECK(gradient_error(pass.k, pass.dk, loss) < 1e-8);
    CHECK(gradient_error(pass.v, pass.dv, loss) < 1e-8);
  }
}

TEST_CASE("attention: gradients in float are those in double, rounded") {
  for (const Case& c : cases) {
    CAPTURE(c.width);
    Pass<double> exact(c);
    exact.forward(c), exact.backward(c);
    Pass<float> rounded(c);
    rounded.forward(c), rounded.backward(c);
    CHECK(largest_difference(exact.dq, rounded.dq) < 1e-6);
    CHECK(largest_difference(exact.dk, rounded.dk) < 2e-5);
    CHECK(largest_difference(exact.dv, rounded.dv) < 2e-5);
  }
}

TEST_CASE("attention: bits do not depend on threads") {
  for (const Case& c : cases) {
    Pass<float> one(c);
    one.forward(c), one.backward(c);
    for (const int threads : {2, 3}) {
      Pass<float> more(c, threads);
      more.forward(c), more.backward(c);
      CHECK(same_bits(one.y, more.y));
      CHECK(same_bits(one.lse, more.lse));
      CHECK(same_bits(one.dq, more.dq));
      CHECK(same_bits(one.dk, more.dk));
      CHECK(same_bits(one.dv, more.dv));
    }
  }
}

TEST_CASE("attention: a document has the same bits alone and in a pack") {
  for (const Case& c : cases) {
    Pass<float> pack(c);
    pack.forward(c), pack.backward(c);
    for (std::size_t i = 0; i < c.documents.size(); ++i) {
      const AttentionSpan s = pack.spans[i];
      Case single = c;
      single.documents = {c.documents[i]};
      Pass<float> alone(single);
      for (const auto member : {&Pass<float>::q, &Pass<float>::k, &Pass<float>::v, &Pass<float>::dy}) {
        const auto part = (pack.*member).slice(s.query_begin, s.query_end);
        std::copy_n(part.data, part.size(), (alone.*member).data);
      }
      alone.forward(single), alone.backward(single);
      for (const auto member :
           {&Pass<float>::y, &Pass<float>::lse, &Pass<float>::dq, &Pass<float>::dk, &Pass<float>::dv})
        CHECK(same_bits((pack.*member).slice(s.query_begin, s.query_end), alone.*member));
    }
  }
}

TEST_CASE("attention: one query or a few against cached keys have the bits of the whole document") {
  for (const Case& c : cases) {
    Pass<float> whole(c);
    whole.forward(c);
    const AttentionSpan document = whole.spans.back();
    const Index length = document.key_end - document.key_begin;
    for (Index begin = 0; begin < length; begin += 1 + begin / 3)
      for (const Index count : {Index{1}, Index{5}}) {
        const Index end = std::min(length, begin + count), first = document.query_begin;
        const std::vector<AttentionSpan> spans = {{0, end - begin, document.key_begin, document.key_begin + end}};
        Pass<float> part(c);
        attention(part.bench.ctx, part.y.slice(0, end - begin), part.lse.slice(0, end - begin),
                  whole.q.slice(first + begin, first + end), whole.k, whole.v, list_of(spans, 0.0f), c.shape());
        CHECK(same_bits(part.y.slice(0, end - begin), whole.y.slice(first + begin, first + end)));
        CHECK(same_bits(part.lse.slice(0, end - begin), whole.lse.slice(first + begin, first + end)));
      }
  }
}

TEST_CASE("attention: large scores neither overflow nor lose the sum") {
  const Case c{{80}, 2, 1, 16, 0};
  Pass<float> pass(c);
  for (Index i = 0; i < pass.q.size(); ++i) pass.q.data[i] *= 300;
  pass.forward(c);
  for (Index i = 0; i < pass.y.size(); ++i) REQUIRE(std::abs(pass.y.data[i]) <= 1);
  // lse is a few hundred, where float's spacing is 3e-5.
  CHECK(error_of_forward(pass, c) < 2e-3);
}

TEST_CASE("attention: planning computes nothing, takes the same scratch and counts the same work") {
  const Case c{{40, 10}, 4, 2, 8, 0};
  Pass<float> pass(c);
  pass.forward(c), pass.backward(c);
  Workbench<float> plan(1, Execution::planning);
  const auto q = keep<float>(plan.ctx, 50, 32), k = keep<float>(plan.ctx, 50, 16), lse = keep<float>(plan.ctx, 50, 4);
  const auto spans = keep<AttentionSpan>(plan.ctx, 2);
  attention(plan.ctx, q, lse, q, k, k, spans, c.shape());
  attention_backward(plan.ctx, q, k, k, q, q, lse, q, k, k, spans, c.shape());
  REQUIRE(plan.ctx.operations().size() == pass.bench.ctx.operations().size());
  for (std::size_t i = 0; i < plan.ctx.operations().size(); ++i) {
    CHECK(plan.ctx.operations()[i].name == pass.bench.ctx.operations()[i].name);
    CHECK(plan.ctx.operations()[i].cost.flops == pass.bench.ctx.operations()[i].cost.flops);
  }
  CHECK(plan.ctx.arena().peak() - plan.ctx.arena().kept() == pass.bench.ctx.arena().peak());
}

TEST_CASE("attention: shapes and spans that do not fit are refused") {
  const Case c{{6}, 2, 1, 4, 0};
  Pass<float> pass(c);
  AttentionShape wrong = c.shape();
  wrong.heads = 3;
  CHECK_THROWS_AS(attention(pass.bench.ctx, pass.y, pass.lse, pass.q, pass.k, pass.v, list_of(pass.spans, 0.0f), wrong),
                  Error);
  for (const AttentionSpan bad : {AttentionSpan{0, 5, 0, 6}, {1, 6, 1, 6}, {0, 6, 0, 7}, {0, 6, 2, 6}, {0, 6, -1, 6}}) {
    pass.spans = {bad};
    CHECK_THROWS_AS(pass.forward(c), Error);
  }
  pass.spans = c.spans();
  pass.spans[0].key_begin = 0, pass.spans[0].query_end = 6;
  CHECK_NOTHROW(pass.forward(c));
}

}  // namespace attention_test
