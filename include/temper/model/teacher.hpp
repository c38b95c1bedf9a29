// SPDX-License-Identifier: MIT
// A frozen model whose predictions a student follows (objective/distillation.hpp). It reads a micro-batch before the
// student does, and leaves its states at the supervised positions: [S, D], not [S, V]. The two may differ in everything
// but their tokens; where the teacher's table is padded further than the student's, what stands behind is left out.
#pragma once
#include "temper/model/decoder.hpp"

namespace temper {

template <class M>
class Teacher {
  using B = typename M::Backend;
  using Act = typename B::Activation;

 public:
  // 'vocabulary' is the student's.
  Teacher(M& model, Index vocabulary) : model_(&model), vocabulary_(vocabulary) {
    require(vocabulary <= model.config().vocabulary, Fault::data, "distillation.vocabulary",
            "the student scores {} tokens and the teacher {}; expected a teacher that scores them all", vocabulary,
            model.config().vocabulary);
  }

  // Scratch of the enclosing scope.
  TaughtStates<B> states(Context<B>& ctx, BatchStaging<B>& staging, const HostBatch& host) const {
    const auto evaluating = ctx.evaluating(Adapters::on);
    const Index width = model_->config().width;
    const auto result = scratch<Act>(ctx, shape_of(host).supervised, width);
    const auto scope = ctx.scope();
    const auto keeping = ctx.keeping();
    const TokenBatch<B> batch = upload_batch_of(ctx, staging, *model_, host);
    const auto hidden = scratch<Act>(ctx, batch.size(), width);
    model_->forward(ctx, batch, hidden, model_->saved());
    gather_rows(ctx, result, In<B>(hidden), batch.rows);
    DenseMatrix<B> head = model_->head().weight;
    head.rows = vocabulary_;
    return {result, head};
  }

 private:
  M* model_;
  Index vocabulary_;
};

}  // namespace temper
