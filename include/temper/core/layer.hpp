// SPDX-License-Identifier: MIT
// A layer is anything with a gradient: forward fills y and what it must remember (Saved), backward reads that, adds to
// the gradients of its parameters and writes dx. The one rule of accumulation: gradients of parameters always add;
// results say into or onto. The caller owns y and dx; the layer owns what it keeps in the step's arena.
#pragma once
#include <concepts>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "temper/core/context.hpp"
#include "temper/core/view.hpp"
#include "temper/storage/dense.hpp"

namespace temper {

// When an optimizer moves a weight: after backward, or in its midst, as soon as the weight's gradient is whole. Then no
// memory is held for that gradient: it is scratch, and the next weight's takes its place.
enum class Update { after_backward, in_backward };

// How numbers of trained matrices are held: as the backend computes, or in bf16, two bytes an element, rounded at
// random. Vectors, and what an adapter adds, are held as the backend computes.
enum class Precision { full, bf16 };

// How the gradient of a trained matrix is held, by a layer that asks gradient_of where to add.
struct GradientForm {
  Update update = Update::after_backward;
  Precision precision = Precision::full;
};

// A tensor that is trained. Vectors are held as one row; 'shape' is the shape that a file shows. A matrix may be held
// in bf16 (Precision::bf16): its 'value' then has a shape, and memory only while an optimizer moves it.
template <class B>
struct Parameter {
  using Act = typename B::Activation;
  std::string name;          // as in a Hugging Face file: model.layers.0.self_attn.q_proj.lora_A.weight
  std::vector<Index> shape;  // [n] or [rows, cols]
  View<B, Act, 2> value{}, gradient{};
  View<B, bf16, 2> narrow{};           // the values where they are held in bf16, else empty
  View<B, bf16, 2> narrow_gradient{};  // the same of the gradient; 'gradient' then has a shape alone
  double rate_scale = 1;               // of the learning rate (LoRA+)
  Update update = Update::after_backward;

  DenseMatrix<B> matrix() const { return is_narrow() ? DenseMatrix<B>(narrow) : DenseMatrix<B>(value); }
  bool is_narrow() const { return !narrow.empty(); }
  bool has_narrow_gradient() const { return !narrow_gradient.empty(); }

  // Where a gradient that is held is added to.
  Gradient<B> held_gradient() const {
    if (!has_narrow_gradient()) return gradient;
    return {narrow_gradient, random_site(name, random_site("gradient "))};
  }

  Index size() const { return value.size(); }
  bool is_matrix() const { return shape.size() == 2; }  // matrices decay, vectors do not
};

template <class B>
View<B, const typename B::Activation, 1> vector_of(const Parameter<B>& p) {
  return flat(p.value);
}

// [gradient_of]
// What backward adds a parameter's gradient to: its own memory, or zeroed scratch of the enclosing scope.
template <class B>
Gradient<B> gradient_of(Context<B>& ctx, const Parameter<B>& p) {
  if (p.update == Update::after_backward) return p.held_gradient();
  const auto gradient = scratch<typename B::Activation>(ctx, p.gradient.rows(), p.gradient.cols());
  zero(ctx, flat(gradient));
  return gradient;
}

// Says that nothing more will be added, and that this step no longer needs the weight.
template <class B>
void gradient_is_whole(Context<B>& ctx, Parameter<B>& p, const Gradient<B>& gradient) {
  if (p.update == Update::after_backward) return;
  require(ctx.mover() != nullptr, Fault::usage, "step.no_mover",
          "{} is to be moved in backward but nothing is there to move it; expected begin_step with the optimizer and "
          "its rate, or a model built with Update::after_backward",
          p.name);
  p.gradient.data = gradient.wide.data;
  ctx.mover()->move(ctx, p);
  p.gradient.data = nullptr;
}
// [/gradient_of]

// A step's gradients begin at zero.
template <class B>
void zero_gradient(Context<B>& ctx, const Parameter<B>& p) {
  if (p.update == Update::in_backward) return;
  if (p.has_narrow_gradient())
    zero(ctx, flat(p.narrow_gradient));
  else
    zero(ctx, flat(p.gradient));
}

struct AnyVisitor {  // stands for any visitor in concepts (nvcc takes no lambda inside requires)
  void operator()(auto&) const {}
};

template <class L, class B>
concept HasSaved = requires {
  typename L::Saved;
};
template <class L, class B>
concept HasForward = HasSaved<L, B> &&
    requires(L& layer, Context<B>& ctx, In<B> x, Out<B> y, typename L::Saved& saved) {
  { layer.forward(ctx, x, y, saved) } -> std::same_as<void>;
};
template <class L, class B>
concept HasBackward = HasSaved<L, B> &&
    requires(L& layer, Context<B>& ctx, In<B> dy, Out<B> dx, typename L::Saved& saved) {
  { layer.backward(ctx, dy, dx, saved) } -> std::same_as<void>;
};
template <class L, class B>
concept HasVisit = requires(L& layer) {
  layer.visit(AnyVisitor{});
};

template <class L, class B>
concept Layer = HasForward<L, B> && HasBackward<L, B> && HasVisit<L, B>;

// y = second(first(x)): the width between the two is 'between'.
template <class B, class First, class Second>
struct Sequence {
  First first;
  Second second;
  Index between = 0;
  struct Saved {
    typename First::Saved first;
    typename Second::Saved second;
    View<B, typename B::Activation, 2> middle;
  };

  void forward(Context<B>& ctx, In<B> x, Out<B> y, Saved& saved) {
    saved.middle = keep<typename B::Activation>(ctx, x.rows(), between);
    first.forward(ctx, x, into(saved.middle), saved.first);
    second.forward(ctx, saved.middle, y, saved.second);
  }
  void backward(Context<B>& ctx, In<B> dy, Out<B> dx, Saved& saved) {
    const auto scope = ctx.scope();
    const auto dmiddle = scratch<typename B::Activation>(ctx, dy.rows(), between);
    second.backward(ctx, dy, into(dmiddle), saved.second);
    first.backward(ctx, dmiddle, dx, saved.first);
  }
  void visit(auto&& each) { first.visit(each), second.visit(each); }
};

// [residual]
// y = x + inner(x). Operations are found by argument-dependent lookup on the backend's context.
template <class B, class Inner>
struct Residual {
  Inner inner;
  struct Saved {
    typename Inner::Saved inner;
  };

  void forward(Context<B>& ctx, In<B> x, Out<B> y, Saved& saved) {
    inner.forward(ctx, x, y, saved.inner);
    add(ctx, onto(y.view), x);
  }
  void backward(Context<B>& ctx, In<B> dy, Out<B> dx, Saved& saved) {
    inner.backward(ctx, dy, dx, saved.inner);
    add(ctx, onto(dx.view), dy);
  }
  void visit(auto&& each) { inner.visit(each); }
};
// [/residual]

}  // namespace temper
