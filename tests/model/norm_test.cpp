// SPDX-License-Identifier: MIT
#include "temper/model/norm.hpp"

#include "support/layer_bench.hpp"
#include "temper/adapter/full.hpp"
#include "temper/adapter/lora.hpp"

namespace norm_test {

using namespace temper_test;

// A norm as a layer of the checker: it overwrites y, as the model asks of it.
struct Alone {
  using B = Cpu<double>;
  using Saved = Norm<B>::Saved;
  Norm<B> norm;
  void forward(Context<B>& ctx, In<B> x, Out<B> y, Saved& saved) { norm.forward(ctx, x, y.view, saved); }
  void backward(Context<B>& ctx, In<B> dy, Out<B> dx, Saved& saved) { norm.backward(ctx, dy, dx, saved); }
  void visit(auto&& each) { norm.visit(each); }
};

TEST_CASE("norm: gradients match central differences, trained and frozen") {
  for (const bool trained : {false, true}) {
    LayerBench<double> bench;
    Alone layer{trained ? norm(bench.build, Full{}, "model.norm", 7, 1e-5)
                        : norm(bench.build, Lora<>{}, "model.norm", 7, 1e-5)};
    CHECK(layer.norm.trained.has_value() == trained);
    const GradientCheck check = check_layer(layer, 5, 7, 7);
    CAPTURE(check.where);
    CHECK(check.largest_error < 1e-7);
  }
}

TEST_CASE("norm: it is trained where the adapter says so, under the name of the file") {
  LayerBench<float> bench;
  auto by_name = norm(bench.build, Lora<>{.modules_to_save = {"model.norm"}}, "model.norm", 4, 1e-5);
  CHECK(names_of(by_name) == std::vector<std::string>{"model.norm.weight"});
  CHECK(by_name.trained->shape == std::vector<Index>{4});
  CHECK_FALSE(by_name.trained->is_matrix());
  auto other = norm(bench.build, Lora<>{.modules_to_save = {"lm_head"}}, "model.norm", 4, 1e-5);
  CHECK(names_of(other).empty());
}

TEST_CASE_TEMPLATE("norm: without a file its weight is one, so rows get the root mean square one", Real, float,
                   double) {
  LayerBench<Real> bench;
  auto layer = norm(bench.build, Full{}, "model.norm", 16, 0);
  const auto x = bench.filled(3, 16, 1), y = bench.filled(3, 16, 2);
  typename Norm<Cpu<Real>>::Saved saved;
  layer.forward(bench.ctx, x, y, saved);
  for (Index t = 0; t < 3; ++t) {
    double squares = 0;
    for (Index i = 0; i < 16; ++i) squares += static_cast<double>(y(t, i)) * static_cast<double>(y(t, i)) / 16;
    CHECK(squares == doctest::Approx(1).epsilon(1e-6));
  }
}

}  // namespace norm_test
