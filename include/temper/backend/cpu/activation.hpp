// SPDX-License-Identifier: MIT
// Everything that works element by element, and the sums over tokens that are its backward. Matrices are [T, D],
// vectors [D]. A sum over tokens is one chain a column in token order: halves of a batch, one after the other, give the
// bits of the whole.
#pragma once
#include "temper/backend/cpu/math.hpp"
#include "temper/backend/cpu/operands.hpp"
#include "temper/backend/operations.hpp"

namespace temper {

template <class First, class Second>
void require_same_shape(std::string_view operation, std::string_view first_name, const First& first,
                        std::string_view second_name, const Second& second) {
  if (first.shape == second.shape) return;  // the code is a string of its own: made only when it is needed
  fail(Fault::usage, fmt::format("{}.shape", operation), "{}: {} is [{}, {}] but {} is [{}, {}]; expected one shape",
       operation, first_name, first.rows(), first.cols(), second_name, second.rows(), second.cols());
}

// y = silu(gate) * up        silu(x) = x * sigmoid(x)
template <class Real>
void swiglu(Context<Cpu<Real>>& ctx, OutMatrix<Real> y, InMatrix<Real> gate, InMatrix<Real> up) {
  require_same_shape("swiglu", "gate", gate, "up", up);
  require_same_shape("swiglu", "gate", gate, "y", y);
  ctx.run("swiglu", {20 * static_cast<double>(y.size()), bytes_of_all(y, gate, up)}, [&] {
    over_elements(ctx, y.size(), [to = y.data, g = gate.data, u = up.data](Index begin, Index end) {
      for (Index i = begin; i < end; ++i) to[i] = g[i] * sigmoid(g[i]) * u[i];
    });
  });
}

// dup = dy * silu(gate)        dgate = dy * up * s * (1 + gate * (1 - s)), s = sigmoid(gate)
template <class Real>
void swiglu_backward(Context<Cpu<Real>>& ctx, OutMatrix<Real> dgate, OutMatrix<Real> dup, InMatrix<Real> dy,
                     InMatrix<Real> gate, InMatrix<Real> up) {
  require_same_shape("swiglu_backward", "gate", gate, "up", up);
  require_same_shape("swiglu_backward", "gate", gate, "dy", dy);
  require_same_shape("swiglu_backward", "gate", gate, "dgate", dgate);
  require_same_shape("swiglu_backward", "gate", gate, "dup", dup);
  const Cost cost{25 * static_cast<double>(dy.size()), bytes_of_all(dgate, dup, dy, gate, up)};
  ctx.run("swiglu_backward", cost, [&] {
    const auto work = [to_gate = dgate.data, to_up = dup.data, d = dy.data, g = gate.data, u = up.data](Index begin,
                                                                                                        Index end) {
      for (Index i = begin; i < end; ++i) {
        const Real x = g[i], s = sigmoid(x), silu = x * s, gradient = d[i];
        to_gate[i] = gradient * u[i] * multiply_add(silu, Real(1) - s, s);
        to_up[i] = gradient * silu;
      }
    };
    over_elements(ctx, dy.size(), work);
  });
}

// Rotary position embedding in place, halves rotated against each other as in Hugging Face's models: with (a, b) the
// halves of a head, a' = a cos - b sin and b' = b cos + a sin. Tables are [max_positions, width / 2], flattened.
template <class Real>
void rotary(Context<Cpu<Real>>& ctx, OutMatrix<Real> x, InList<Real, std::int32_t> positions, InVector<Real> cosines,
            InVector<Real> sines, Index heads, Rotation direction) {
  require(heads > 0 && x.cols() % heads == 0 && x.cols() / heads % 2 == 0, Fault::usage, "rotary.shape",
          "rotary: x has {} columns for {} heads; expected an even width for each head", x.cols(), heads);
  const Index width = x.cols() / heads, half = width / 2;
  require(
      positions.size() == x.rows() && cosines.size() == sines.size() && half > 0 && cosines.size() % half == 0,
      Fault::usage, "rotary.shape",
      "rotary: x has {} rows of width {}, there are {} positions, {} cosines and {} sines; expected a position a row "
      "and tables of half the width",
      x.rows(), width, positions.size(), cosines.size(), sines.size());
  ctx.run("rotary", {3 * static_cast<double>(x.size()), 2 * bytes_of_all(x)}, [&] {
    const Index known = cosines.size() / half;
    for (Index t = 0; t < x.rows(); ++t)
      require(positions(t) >= 0 && positions(t) < known, Fault::usage, "rotary.position",
              "rotary: row {} has position {} but the tables end at {}; make them for the longest text", t,
              positions(t), known);
    const Real sign = direction == Rotation::forward ? Real(1) : Real(-1);
    over_rows(ctx, x.rows(), x.cols(), [&](Index t) {
      const Real *c = cosines.data + positions(t) * half, *s = sines.data + positions(t) * half;
      for (Index h = 0; h < heads; ++h) {
        Real *first = &x(t, h * width), *second = first + half;
        for (Index i = 0; i < half; ++i) {
          const Real a = first[i], b = second[i], sine = sign * s[i];
          first[i] = multiply_add(a, c[i], -(b * sine));
          second[i] = multiply_add(b, c[i], a * sine);
        }
      }
    });
  });
}

// y = x
template <class Real>
void copy(Context<Cpu<Real>>& ctx, OutMatrix<Real> y, InMatrix<Real> x) {
  require_same_shape("copy", "x", x, "y", y);
  ctx.run("copy", {0, bytes_of_all(x, y)}, [&] {
    over_elements(ctx, x.size(), [to = y.data, from = x.data](Index begin, Index end) {
      std::copy(from + begin, from + end, to + begin);
    });
  });
}

// y (+)= x
template <class Real>
void add(Context<Cpu<Real>>& ctx, TargetMatrix<Real> y, InMatrix<Real> x) {
  if (!y.add) return copy(ctx, y.view, x);
  require_same_shape("add", "x", x, "y", y.view);
  ctx.run("add", {static_cast<double>(x.size()), 2 * bytes_of_all(x) + bytes_of_all(y.view)}, [&] {
    over_elements(ctx, x.size(), [to = y.view.data, from = x.data](Index begin, Index end) {
      for (Index i = begin; i < end; ++i) to[i] += from[i];
    });
  });
}

// y[t, :] += row
template <class Real>
void add_row(Context<Cpu<Real>>& ctx, OutMatrix<Real> y, InVector<Real> row) {
  require(row.size() == y.cols(), Fault::usage, "add_row.shape",
          "add_row: row has {} elements but y has {} columns; expected equal", row.size(), y.cols());
  ctx.run("add_row", {static_cast<double>(y.size()), 2 * bytes_of_all(y)}, [&] {
    over_rows(ctx, y.rows(), y.cols(), [&](Index t) {
      Real* to = &y(t, 0);
      for (Index j = 0; j < row.size(); ++j) to[j] += row.data[j];
    });
  });
}

// s[j] (+)= sum over t of x[t, j]
template <class Real>
void sum_rows(Context<Cpu<Real>>& ctx, TargetVector<Real> s, InMatrix<Real> x) {
  require(s.view.size() == x.cols(), Fault::usage, "sum_rows.shape",
          "sum_rows: s has {} elements but x has {} columns; expected equal", s.view.size(), x.cols());
  ctx.run("sum_rows", {static_cast<double>(x.size()), bytes_of_all(x, s.view)}, [&] {
    sum_columns(ctx.stream(), s.view.data, s.add, x.rows(), x.cols(),
                [&](Index t, Index j, Real sum) { return sum + x(t, j); });
  });
}

// y (+)= x * s[j]
template <class Real>
void scale_columns(Context<Cpu<Real>>& ctx, TargetMatrix<Real> y, InMatrix<Real> x, InVector<Real> s) {
  require_same_shape("scale_columns", "x", x, "y", y.view);
  require(s.size() == x.cols(), Fault::usage, "scale_columns.shape",
          "scale_columns: s has {} elements but x has {} columns; expected equal", s.size(), x.cols());
  ctx.run("scale_columns", {static_cast<double>(x.size()), bytes_of_all(x, y.view, s)}, [&] {
    over_rows(ctx, x.rows(), x.cols(), [&](Index t) {
      const Real *from = &x(t, 0), *scale = s.data;
      Real* to = &y.view(t, 0);
      if (y.add)
        for (Index j = 0; j < s.size(); ++j) to[j] = multiply_add(from[j], scale[j], to[j]);
      else
        for (Index j = 0; j < s.size(); ++j) to[j] = from[j] * scale[j];
    });
  });
}

// s[j] (+)= sum over t of a[t, j] * b[t, j]
template <class Real>
void sum_of_products(Context<Cpu<Real>>& ctx, TargetVector<Real> s, InMatrix<Real> a, InMatrix<Real> b) {
  require_same_shape("sum_of_products", "a", a, "b", b);
  require(s.view.size() == a.cols(), Fault::usage, "sum_of_products.shape",
          "sum_of_products: s has {} elements but a has {} columns; expected equal", s.view.size(), a.cols());
  ctx.run("sum_of_products", {2 * static_cast<double>(a.size()), bytes_of_all(a, b, s.view)}, [&] {
    sum_columns(ctx.stream(), s.view.data, s.add, a.rows(), a.cols(),
                [&](Index t, Index j, Real sum) { return multiply_add(a(t, j), b(t, j), sum); });
  });
}

// Random bits of the blocks from 'block' on, many at a time so that the compiler makes vectors of them.
inline constexpr Index random_stretch = 256;
inline void fill_random(const Random& random, std::uint64_t block, std::uint32_t (&bits)[random_stretch]) {
  constexpr Index blocks = random_stretch / 4;
  std::uint32_t c0[blocks], c1[blocks], c2[blocks], c3[blocks];
  for (Index i = 0; i < blocks; ++i) {
    c0[i] = static_cast<std::uint32_t>(block + static_cast<std::uint64_t>(i));
    c1[i] = static_cast<std::uint32_t>((block + static_cast<std::uint64_t>(i)) >> 32);
    c2[i] = random.step;
    c3[i] = random.site;
  }
  auto key0 = static_cast<std::uint32_t>(random.seed), key1 = static_cast<std::uint32_t>(random.seed >> 32);
  for (int round = 0; round < 10; ++round, key0 += 0x9E3779B9u, key1 += 0xBB67AE85u)
    for (Index i = 0; i < blocks; ++i) {
      const std::uint64_t a = std::uint64_t{0xD2511F53u} * c0[i], b = std::uint64_t{0xCD9E8D57u} * c2[i];
      c0[i] = static_cast<std::uint32_t>(b >> 32) ^ c1[i] ^ key0;
      c1[i] = static_cast<std::uint32_t>(b);
      c2[i] = static_cast<std::uint32_t>(a >> 32) ^ c3[i] ^ key1;
      c3[i] = static_cast<std::uint32_t>(a);
    }
  for (Index i = 0; i < blocks; ++i)
    bits[4 * i] = c0[i], bits[4 * i + 1] = c1[i], bits[4 * i + 2] = c2[i], bits[4 * i + 3] = c3[i];
}

// y = x / (1 - p) where element (first_row + t) * D + j of 'random' is at least p, and 0 elsewhere. Backward is the
// same with dy for x.
template <class Real>
void dropout(Context<Cpu<Real>>& ctx, OutMatrix<Real> y, InMatrix<Real> x, double probability, Random random,
             Index first_row) {
  require_same_shape("dropout", "x", x, "y", y);
  require(probability >= 0 && probability < 1, Fault::usage, "dropout.probability",
          "dropout: the probability is {}; expected at least 0 and below 1", probability);
  ctx.run("dropout", {25 * static_cast<double>(x.size()), bytes_of_all(x, y)}, [&] {
    const auto threshold = static_cast<std::uint32_t>(std::ceil(probability * 0x1p24));
    const Real scale = static_cast<Real>(1 / (1 - probability));
    const auto offset = static_cast<std::uint64_t>(first_row * x.cols());
    over_elements(ctx, x.size(), [=](Index begin, Index end) {
      std::uint32_t bits[random_stretch];
      for (Index from = begin; from < end;) {
        const std::uint64_t element = offset + static_cast<std::uint64_t>(from);
        const auto skipped = static_cast<Index>(element % 4);
        const Index count = std::min(random_stretch - skipped, end - from);
        fill_random(random, element / 4, bits);
        for (Index i = 0; i < count; ++i)
          y.data[from + i] = (bits[skipped + i] >> 8) >= threshold ? x.data[from + i] * scale : Real(0);
        from += count;
      }
    });
  });
}

}  // namespace temper
