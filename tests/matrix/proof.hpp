// SPDX-License-Identifier: MIT
// What a cell of docs/support.md must do: train, have the right gradient, come back from its files, and go on from a
// checkpoint to the same bits. One adapter at a time, all that stands on it chosen while the test runs.
#pragma once
#include <unistd.h>

#include "io/scratch.hpp"
#include "matrix/cells.hpp"
#include "matrix/policy_proof.hpp"
#include "matrix/proven.hpp"
#include "temper/train/checkpoint.hpp"

namespace temper_test {

template <class M>
std::vector<typename M::Backend::Activation> values_of(M& model) {
  std::vector<typename M::Backend::Activation> all;
  model.visit([&](const auto& p) { all.insert(all.end(), p.value.data, p.value.data + p.size()); });
  return all;
}
template <class M>
void set_values(M& model, const std::vector<typename M::Backend::Activation>& values) {
  auto at = values.begin();
  model.visit([&](auto& p) { std::copy_n(at, p.size(), p.value.data), at += p.size(); });
}

// The model's values, each moved a little: initial zeros hide mistakes.
template <class M>
std::vector<double> moved_values(M& model) {
  std::vector<double> values = values_of(model);
  const Random random{3, random_site("moved_values"), 0};
  for (std::size_t i = 0; i < values.size(); ++i) values[i] += 0.05 * random.normal(i);
  return values;
}

// Slopes of the loss along directions that move every trained element, against central differences; the largest error,
// relative. Each tensor weighs alike. DoRA's norms are measured once: they are constants of the gradient.
template <class M>
double slope_error(M& model, const ObjectiveCase<Cpu<double>>& chosen) {
  const Sgd rule;
  const std::vector<double> values = moved_values(model);
  set_values(model, values);
  Trainee trainee(model, chosen.objective, rule, shape_of(batch_of(chosen)), {.threads = 1});
  auto& session = trainee.session;
  const HostBatch batch = with_reference(session, model, chosen.objective, batch_of(chosen));
  const auto denominator = static_cast<double>(counted<Cpu<double>>(chosen.objective, batch));
  begin_step(session, model, 0, denominator);
  forward_backward(session, model, chosen.objective, batch);
  const auto loss_at = [&](const std::vector<double>& direction, double step) {
    std::vector<double> there = values;
    for (std::size_t i = 0; i < there.size(); ++i) there[i] += step * direction[i];
    set_values(model, there);
    session.context().set_mode(Mode::evaluating);
    session.context().set_position({.first_token = 1});
    return run_micro_batch(session.context(), session.staging(), model, chosen.objective, batch, 1).sum / denominator;
  };
  double worst = 0;
  for (std::uint64_t number = 0; number < 2; ++number) {
    const Random random{number, random_site("slope_error"), 0};
    std::vector<double> direction;
    double slope = 0, size = 0;
    model.visit([&](const auto& p) {
      double squares = 1e-12;
      for (Index i = 0; i < p.size(); ++i) squares += p.gradient.data[i] * p.gradient.data[i];
      const double scale = std::min(1 / std::sqrt(squares), 50.0);
      double own = 0;
      for (Index i = 0; i < p.size(); ++i) {
        direction.push_back(scale * random.normal(direction.size()));
        own += direction.back() * p.gradient.data[i];
      }
      slope += own, size += std::abs(own);
    });
    constexpr double step = 1e-6;
    const double difference = (loss_at(direction, step) - loss_at(direction, -step)) / (2 * step);
    const double error = std::abs(difference - slope) / (size + 1e-6);
    worst = std::isfinite(error) ? std::max(worst, error) : std::numeric_limits<double>::infinity();
  }
  return worst;
}

// Files are waited for until they are on the disk; hundreds of them need a file system in memory to be quick.
inline std::filesystem::path quick_folder() {
  const std::filesystem::path memory = "/dev/shm";
  return ::access(memory.c_str(), W_OK) == 0 ? memory : std::filesystem::temp_directory_path();
}

template <class A>
class Prover {
  using B = Cpu<float>;
  using M = Decoder<B, A>;
  using Values = std::vector<float>;

 public:
  Proven prove() {
    for (std::size_t s = 0; s < storage_cases().size(); ++s) {
      if (std::is_same_v<A, Full> && storage_cases()[s].quantized()) continue;
      const std::vector<bool> right = prove_gradients(storage_cases()[s]);
      prove_steps(s, right);
      proven_.cells[s][static_cast<std::size_t>(Family::policy)] = policy_cells<A>(storage_cases()[s]);
    }
    return proven_;
  }

 private:
  std::vector<bool> prove_gradients(const StorageCase& storage) {
    using D = Cpu<double>;
    std::vector<bool> right;
    Master<D> master = open_decoder<D>(golden_models / "qwen3", Frozen{});
    const Teacher teacher(master, open_config(matrix_student).vocabulary);
    for (const ObjectiveCase<D>& chosen : objective_cases<D>(teacher)) {
      CAPTURE(storage.name);
      CAPTURE(chosen.name);
      auto model = matrix_model<D>(adapter_on<A>(storage.storage), storage, chosen.scores, chosen.base);
      const double error = slope_error(model, chosen);
      CHECK(error < 1e-6);
      right.push_back(error < 1e-6);
      ++proven_.gradients;
    }
    return right;
  }

  void prove_steps(std::size_t s, const std::vector<bool>& right) {
    const StorageCase& storage = storage_cases()[s];
    Master<B> master = open_decoder<B>(golden_models / "qwen3", Frozen{});
    const Teacher teacher(master, open_config(matrix_student).vocabulary);
    const auto cases = objective_cases<B>(teacher);
    for (std::size_t o = 0; o < cases.size(); ++o) {
      CAPTURE(storage.name);
      CAPTURE(cases[o].name);
      M model = matrix_model<B>(adapter_on<A>(storage.storage), storage, cases[o].scores, cases[o].base);
      const Values initial = values_of(model);
      int holding = 0;
      for (std::size_t r = 0; r < optimizer_cases().size(); ++r) {
        CAPTURE(optimizer_cases()[r].name);
        set_values(model, initial);
        // Each adapter, objective and optimizer resumes on one storage, and all storages have their turn.
        const std::size_t storages = std::is_same_v<A, Full> ? 3 : storage_cases().size();
        const bool trained = trains(model, cases[o], optimizer_cases()[r], (o + r) % storages == s);
        CHECK(trained);
        holding += trained;
      }
      const bool returned = returns(model, cases[o]);
      CHECK(returned);
      if (right[o] && returned) proven_.cells[s][static_cast<std::size_t>(cases[o].family)] += holding;
    }
  }

  static double step(auto& trainee, const ObjectiveCase<B>& chosen, Step number, double rate) {
    const HostBatch batch = batch_of(chosen);
    begin_step(trainee.session, trainee.model, number, static_cast<double>(counted<B>(chosen.objective, batch)));
    const Loss loss = forward_backward(trainee.session, trainee.model, chosen.objective, batch);
    clip_gradients(trainee.session, trainee.model, 1.0);
    update(trainee.session, trainee.model, trainee.rule, rate);
    return loss.mean();
  }

  // Three steps on one batch: the loss falls; and from a checkpoint after the second the third is the same.
  bool trains(M& model, const ObjectiveCase<B>& chosen, const OptimizerCase& with, bool resumes) {
    const BatchShape shape = shape_of(batch_of(chosen));
    const temper::test::ScratchFolder folder(quick_folder());
    double first = 0, last = 0;
    {
      Trainee trainee(model, chosen.objective, with.rule, shape, {.threads = 1});
      for (Step k = 0; k < 3; ++k) {
        if (resumes && k == 2) save_state(trainee.session, model, folder.path());
        last = step(trainee, chosen, k, with.rate);
        if (k == 0) first = last;
      }
    }
    const bool falls = std::isfinite(last) && last < first;
    CHECK(last < first);
    if (!resumes) return falls;
    const Values through = values_of(model);
    model.visit([](auto& p) { std::fill_n(p.value.data, p.size(), 7.0f); });
    Trainee again(model, chosen.objective, with.rule, shape, {.threads = 1});
    load_state(again.session, model, folder.path());
    const double same_loss = step(again, chosen, 2, with.rate);
    CHECK(same_loss == last);
    const bool same = values_of(model) == through;
    CHECK(same);
    ++proven_.resumed;
    return falls && same && same_loss == last;
  }

  // What is written for others is read again, to the bit.
  bool returns(M& model, const ObjectiveCase<B>& chosen) {
    ++proven_.folders;
    const temper::test::ScratchFolder folder(quick_folder());
    const Values trained = values_of(model);
    std::optional<ScoreLabels> labels;
    if (chosen.scores > 0) labels = ScoreLabels{Problem::single_label, {}, 0};
    for (Index i = 0; i < chosen.scores; ++i) labels->names.push_back("label " + std::to_string(i));
    if constexpr (std::is_same_v<A, Full>) {
      save_model(model, matrix_student, folder.path(), labels);
      M read = open_decoder<B>(folder.path(), Full{}, {.scores = chosen.scores});
      return values_of(read) == trained;
    } else {
      save_peft(model, "base", folder.path(), labels);
      model.visit([](auto& p) { std::fill_n(p.value.data, p.size(), 7.0f); });
      load_peft(model, folder.path(), labels);
      return values_of(model) == trained;
    }
  }

  Proven proven_;
};

template <class A>
Proven proven() {
  return Prover<A>().prove();
}

}  // namespace temper_test
