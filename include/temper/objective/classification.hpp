// SPDX-License-Identifier: MIT
// Whole documents classified, by the scores s of their last token, as transformers' ForSequenceClassification, or of
// the mean of their tokens' states:
//   single label   -log softmax(s)[y]
//   multi label    mean over labels of -y log sigma(s) - (1 - y) log sigma(-s)
//   regression     mean over outputs of (s - y)^2
// each the mean over the rows of the step. With class weights, the term of class c counts w[c] times; the mean stays
// one over rows, so weights that are to keep the size of the loss have a mean of 1 over the rows.
#pragma once
#include <vector>

#include "temper/data/problem.hpp"
#include "temper/objective/objective.hpp"

namespace temper {

struct Classification {
  Problem problem = Problem::single_label;
  std::vector<double> class_weights = {};  // one for each class; empty: all 1
  Pooling pooling = Pooling::last;

  template <class B>
  using Input = Scores<B>;
  template <class B>
  using Batch = ScoreBatch<B>;

  template <class B>
  Loss loss(Context<B>& ctx, Scores<B> scores, const ScoreBatch<B>& batch,
            View<B, typename B::Activation, 2> dscores) const {
    const Index rows = scores.score.rows(), outputs = scores.score.cols();
    require(batch.labels.rows() == rows && batch.labels.cols() == outputs, Fault::usage, "classification.labels",
            "classification: labels [{}, {}] for scores [{}, {}]; expected a label for each score", batch.labels.rows(),
            batch.labels.cols(), rows, outputs);
    require(class_weights.empty() || std::ssize(class_weights) == outputs, Fault::usage, "classification.weights",
            "classification: {} class weights for {} classes; expected one each", class_weights.size(), outputs);
    Loss total{.count = static_cast<double>(rows)};
    if (problem == Problem::regression)
      total.predicts = Predicts::no;
    else if (!ctx.training())
      total.classes.counts.resize(static_cast<std::size_t>(outputs));
    ctx.run("classification", {.flops = 8.0 * static_cast<double>(rows * outputs)}, [&] {
      for (Index row = 0; row < rows; ++row) {
        const Row<B> at{row, outputs, scores.score, batch.labels, dscores, 1 / batch.denominator};
        if (problem == Problem::single_label)
          single(at, total);
        else if (problem == Problem::multi_label)
          multi(at, total);
        else
          value(at, total);
      }
    });
    return total;
  }

 private:
  // One document: its scores, labels and slopes.
  template <class B>
  struct Row {
    using Act = typename B::Activation;
    Index row, outputs;
    View<B, const Act, 2> scores, labels;
    View<B, Act, 2> slopes;
    double share;  // of the step's mean

    double score(Index c) const { return static_cast<double>(scores(row, c)); }
    double label(Index c) const { return static_cast<double>(labels(row, c)); }
    void slope(Index c, double derivative) const { slopes(row, c) = static_cast<Act>(derivative * share); }
  };

  double weight(Index c) const { return class_weights.empty() ? 1 : class_weights[static_cast<std::size_t>(c)]; }

  template <class B>
  void single(const Row<B>& row, Loss& total) const {
    Index actual = 0, predicted = 0;
    for (Index c = 1; c < row.outputs; ++c) {
      if (row.label(c) > row.label(actual)) actual = c;
      if (row.score(c) > row.score(predicted)) predicted = c;
    }
    const double largest = row.score(predicted);
    double sum = 0;
    for (Index c = 0; c < row.outputs; ++c) sum += std::exp(row.score(c) - largest);
    const double log_sum = std::log(sum) + largest, w = weight(actual);
    for (Index c = 0; c < row.outputs; ++c)
      row.slope(c, w * (std::exp(row.score(c) - log_sum) - (c == actual ? 1 : 0)));
    total.sum += w * (log_sum - row.score(actual));
    total.correct += actual == predicted ? 1 : 0;
    if (!total.classes.empty()) total.classes.add(actual, predicted);
  }

  // A label is predicted where its probability is above a half. A row is right where all its labels are.
  template <class B>
  void multi(const Row<B>& row, Loss& total) const {
    const auto labels = static_cast<double>(row.outputs);
    double sum = 0;
    bool right = true;
    for (Index c = 0; c < row.outputs; ++c) {
      const double s = row.score(c), y = row.label(c), w = weight(c) / labels;
      sum += w * (y * softplus(-s) + (1 - y) * softplus(s));
      row.slope(c, w * (sigmoid(s) - y));
      const bool predicted = s > 0, actual = y > 0.5;
      right = right && predicted == actual;
      if (total.classes.empty()) continue;
      ClassOutcome& count = total.classes.counts[static_cast<std::size_t>(c)];
      count.right += predicted && actual, count.predicted += predicted, count.actual += actual;
    }
    total.sum += sum;
    total.correct += right ? 1 : 0;
  }

  template <class B>
  void value(const Row<B>& row, Loss& total) const {
    for (Index c = 0; c < row.outputs; ++c) {
      const double off = row.score(c) - row.label(c), w = weight(c) / static_cast<double>(row.outputs);
      total.sum += w * off * off;
      row.slope(c, 2 * w * off);
    }
  }
};

}  // namespace temper
