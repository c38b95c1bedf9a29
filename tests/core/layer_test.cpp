// SPDX-License-Identifier: MIT
#include "temper/core/layer.hpp"

#include <doctest/doctest.h>

#include "temper/testing/gradient_check.hpp"

namespace layer_test {

using namespace temper;

using B = Cpu<double>;

// y = x W^T, W trained.
struct Projection {
  Parameter<B> weight;
  struct Saved {
    In<B> x;
  };
  void forward(Context<B>& ctx, In<B> x, Out<B> y, Saved& saved) {
    saved.x = x;
    matmul(ctx, y, x, DenseMatrix<B>(weight.value));
  }
  void backward(Context<B>& ctx, In<B> dy, Out<B> dx, Saved& saved) {
    matmul_outer(ctx, onto(weight.gradient), dy, saved.x);
    matmul_transposed(ctx, dx, dy, DenseMatrix<B>(weight.value));
  }
  void visit(auto&& each) { each(weight); }
};

// y = x^2.
struct Square {
  struct Saved {
    In<B> x;
  };
  void forward(Context<B>& ctx, In<B> x, Out<B> y, Saved& saved) {
    saved.x = x;
    ctx.run("square", {}, [&] {
      for (Index i = 0; i < x.size(); ++i) {
        double& to = y.view.data[i];
        to = x.data[i] * x.data[i] + (y.add ? to : 0);
      }
    });
  }
  void backward(Context<B>& ctx, In<B> dy, Out<B> dx, Saved& saved) {
    ctx.run("square_backward", {}, [&] {
      for (Index i = 0; i < dy.size(); ++i) {
        double& to = dx.view.data[i];
        to = 2 * saved.x.data[i] * dy.data[i] + (dx.add ? to : 0);
      }
    });
  }
  void visit(auto&&) {}
};

class Weights {
 public:
  Parameter<B> operator()(const std::string& name, Index rows, Index cols) {
    return build_.trained_matrix(name, rows, cols);
  }

 private:
  Memory<B> memory_{Execution::running};
  Threads stream_{1};
  Builder<B> build_{memory_, stream_, nullptr, 1};
};

struct NoSaved {
  void visit(auto&&) {}
};
struct WrongResult : Square {
  double forward(Context<B>&, In<B>, Out<B>, Saved&) { return 0; }
};

static_assert(Layer<Projection, B> && Layer<Square, B>);
static_assert(Layer<Sequence<B, Projection, Square>, B> && Layer<Residual<B, Sequence<B, Square, Projection>>, B>);
static_assert(!HasSaved<NoSaved, B> && HasVisit<NoSaved, B> && !HasForward<WrongResult, B> &&
              HasBackward<WrongResult, B>);

TEST_CASE("layer: a sequence's gradients match central differences") {
  Weights weights;
  Sequence<B, Projection, Sequence<B, Square, Projection>> layer{
      {weights("first", 5, 4)}, {{}, {weights("second", 3, 5)}, 5}, 5};
  const GradientCheck check = check_layer(layer, 6, 4, 3);
  CAPTURE(check.where);
  CHECK(check.largest_error < 1e-8);
}

TEST_CASE("layer: a residual's gradients match central differences, and its value is x + inner(x)") {
  Weights weights;
  Residual<B, Sequence<B, Projection, Square>> layer{{{weights("inner", 4, 4)}, {}, 4}};
  const GradientCheck check = check_layer(layer, 6, 4, 4);
  CAPTURE(check.where);
  CHECK(check.largest_error < 1e-8);

  Residual<B, Square> square;
  Threads stream(1);
  std::vector<std::byte> memory(1 << 12);
  Arena arena(memory.data(), memory.size());
  Context<B> ctx(stream, arena, 1, Execution::running);
  std::vector<double> x = {3, -2}, y = {9, 9};
  Residual<B, Square>::Saved saved;
  square.forward(ctx, {x.data(), {1, 2}}, into(View<B, double, 2>(y.data(), {1, 2})), saved);
  CHECK(y == std::vector<double>{12, 2});
  square.forward(ctx, {x.data(), {1, 2}}, onto(View<B, double, 2>(y.data(), {1, 2})), saved);
  CHECK(y == std::vector<double>{24, 4});
}

TEST_CASE("layer: a sequence gives all its parameters, in order") {
  Weights weights;
  Sequence<B, Projection, Residual<B, Projection>> layer{{weights("first", 4, 4)}, {{weights("second", 4, 4)}}, 4};
  std::vector<std::string> names;
  layer.visit([&](Parameter<B>& p) { names.push_back(p.name); });
  CHECK(names == std::vector<std::string>{"first", "second"});
}

TEST_CASE("layer: matrices decay and vectors do not, by the shape that a file shows") {
  Parameter<B> p;
  p.shape = {4};
  CHECK_FALSE(p.is_matrix());
  p.shape = {4, 1};
  CHECK(p.is_matrix());
}

}  // namespace layer_test
