// SPDX-License-Identifier: MIT
// The runs of tests/golden/objective/scores.json: a score head on a recorded family, twelve steps of four rows.
#pragma once
#include "support/golden_model.hpp"

namespace temper_test {

// Documents with labels; owns what a HostBatch views.
struct ScoredRows {
  PackedRows rows;
  std::vector<double> labels;

  HostBatch host() const {
    HostBatch batch = rows.host();
    batch.labels = labels;
    return batch;
  }
};

struct ScoreRecord {
  std::string family;
  Json record;
  GoldenBatch golden;

  ScoreRecord(const std::string& of, const std::string& name)
      : family(of),
        record(read_json(std::filesystem::path(TEMPER_TESTS) / "golden/objective/scores.json")[of][name]),
        golden(of) {}

  Index outputs() const { return record["task"]["outputs"].get<Index>(); }
  ScoredRows packed(std::size_t begin, std::size_t end) const {
    ScoredRows batch{golden.packed(begin, end), {}};
    for (std::size_t row = begin; row < end; ++row)
      for (const Json& label : record["labels"][row % golden.rows.size()]) batch.labels.push_back(label.get<double>());
    return batch;
  }
};

template <class M>
Parameter<typename M::Backend>& parameter_of(M& model, std::string_view name) {
  Parameter<typename M::Backend>* found = nullptr;
  model.visit([&](auto& p) {
    if (p.name == name) found = &p;
  });
  REQUIRE(found != nullptr);
  return *found;
}

// What a recorded run did, done again.
template <class B, class O>
struct ScoreRun {
  const ScoreRecord& recorded;
  Json run;
  std::vector<double> loss, norm, accuracy, margin;

  ScoreRun(const ScoreRecord& of, const O& objective, const std::string& method)
      : recorded(of), run(of.record[method]) {
    const auto folder = golden_models / of.family;
    const BuildOptions options{.scores = of.outputs()};
    if (method == "full") {
      auto model = open_decoder<B>(folder, Full{}, options);
      train(model, objective);
    } else {
      auto model = open_decoder<B>(folder, read_peft_config(folder / "adapter"), options);
      const SafetensorsFile file(folder / "adapter/adapter_model.safetensors");
      model.visit([&](auto& p) {
        if (p.name == "score.weight") return;
        const auto values = widen<typename B::Activation>(*file.find(peft_name_of(model, p.name)));
        std::copy(values.begin(), values.end(), p.value.data);
      });
      train(model, objective);
    }
  }

  void train(auto& model, const O& objective) {
    auto& head = parameter_of(model, "score.weight");
    for (Index i = 0; i < head.size(); ++i)
      head.value.data[i] = static_cast<typename B::Activation>(
          recorded.record["head"][static_cast<std::size_t>(i)].template get<double>());
    const AdamW rule;
    const Linear rate{.peak = run["learning_rate"].get<double>(), .warmup = 3, .total = 12};
    Trainee trainee(model, objective, rule, shape_of(recorded.packed(0, 8).host()));
    for (Step k = 0; k < 12; ++k) {
      const auto first = static_cast<std::size_t>(4 * k);
      Loss total;
      double counted_rows = 0;
      for (const std::size_t at : {first, first + 2})
        counted_rows += static_cast<double>(counted<B>(objective, recorded.packed(at, at + 2).host()));
      begin_step(trainee.session, model, k, counted_rows);
      for (const std::size_t at : {first, first + 2})
        total += forward_backward(trainee.session, model, objective, recorded.packed(at, at + 2).host());
      norm.push_back(clip_gradients(trainee.session, model, 1.0));
      loss.push_back(total.mean());
      accuracy.push_back(total.accuracy());
      margin.push_back(total.metrics[2].sum / total.count);
      update(trainee.session, model, rule, rate(k));
    }
  }

  double error(const std::vector<double>& values, std::string_view what) const {
    const auto expected = run[what].template get<std::vector<double>>();
    REQUIRE(expected.size() == values.size());
    double largest = 1e-12, off = 0;
    for (std::size_t i = 0; i < values.size(); ++i) {
      largest = std::max(largest, std::abs(expected[i]));
      off = std::max(off, std::abs(values[i] - expected[i]));
    }
    return off / largest;
  }
};

// The gradient of a step's loss with respect to everything that is trained, against central differences.
template <class M, class O>
GradientCheck check_model_gradient(M& model, const O& objective, const HostBatch& batch) {
  const Sgd rule;
  Trainee trainee(model, objective, rule, shape_of(batch));
  const auto rows = static_cast<double>(counted<Cpu<double>>(objective, batch));
  begin_step(trainee.session, model, 0, rows);
  forward_backward(trainee.session, model, objective, batch);
  const auto loss = [&] { return evaluate(trainee.session, model, objective, batch).sum / rows; };
  GradientCheck check;
  model.visit([&](auto& p) {
    const auto size = static_cast<std::size_t>(p.size());
    compare_gradient(check, p.name, {p.value.data, size}, {p.gradient.data, size}, loss, 1e-6);
  });
  return check;
}

}  // namespace temper_test
