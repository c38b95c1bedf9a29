// SPDX-License-Identifier: MIT
#include "teacher.hpp"

#include "engine.hpp"
#include "storage_settings.hpp"
#include "temper/adapter/frozen.hpp"
#include "temper/backend/cpu.hpp"
#include "temper/backend/cpu/top_divergence.hpp"
#include "temper/model/folder.hpp"
#include "temper/model/teacher.hpp"
#include "temper/train/micro_batch.hpp"

namespace temper_cli {
namespace {

class FrozenTeacher final : public RunTeacher {
  using Model = temper::Decoder<B, temper::FrozenOn<temper::AnyStorage>>;

 public:
  FrozenTeacher(const std::filesystem::path& folder, temper::Index vocabulary, temper::Execution execution)
      : source_(std::make_shared<temper::FolderWeights>(folder)),
        model_(temper::open_config(folder), {storage_of(temper::open_config(folder))}, source_,
               {.execution = execution}),
        teacher_(model_, vocabulary) {
    if (execution == temper::Execution::planning) source_->refuse_non_finite();  // once is enough
  }

  temper::TaughtStates<B> states(temper::Context<B>& ctx, temper::BatchStaging<B>& staging,
                                 const temper::HostBatch& batch) const override {
    return teacher_.states(ctx, staging, batch);
  }
  const temper::BytesByHolder& bytes() const override { return model_.bytes(); }

 private:
  std::shared_ptr<temper::FolderWeights> source_;
  Model model_;
  temper::Teacher<Model> teacher_;
};

class FrozenReader final : public TeacherReader {
  using B = RunTeacher::B;
  using Holder = temper::Holder;

 public:
  FrozenReader(const std::filesystem::path& folder, temper::Index vocabulary, KeptTop kept, int threads,
               const temper::Plan* plan)
      : teacher_(folder, vocabulary, plan ? temper::Execution::running : temper::Execution::planning),
        kept_(kept),
        stream_(threads) {
    if (!plan) return;
    block_ = memory_.allocate<std::byte, 1>(Holder::scratch, {static_cast<temper::Index>(plan->arena_bytes())});
    arena_.emplace(block_.data, plan->arena_bytes());
    context_.emplace(stream_, *arena_, 0, temper::Execution::running);
  }

  temper::Plan plan(const std::vector<temper::BatchShape>& shapes) override {
    temper::Plan plan{.bytes = teacher_.bytes()};
    plan.of(Holder::workspace) += stream_.bytes();
    for (const temper::BatchShape& shape : shapes) {
      temper::Arena arena = temper::Arena::imaginary();
      temper::Context<B> ctx(stream_, arena, 0, temper::Execution::planning);
      read_top(ctx, temper::ShapedBatch(shape).host(), [](auto, auto, auto) {});
      if (arena.peak() > plan.arena_bytes()) plan.of(Holder::scratch) = arena.peak();
    }
    return plan;
  }

  void read(const temper::HostBatch& batch, std::vector<float>& logits, std::vector<temper::TokenId>& tokens,
            std::vector<double>& rest) override {
    read_top(*context_, batch, [&](auto top, auto of, auto others) {
      logits.insert(logits.end(), top.data, top.data + top.size());
      tokens.insert(tokens.end(), of.data, of.data + of.size());
      rest.insert(rest.end(), others.data, others.data + others.size());
    });
  }

  std::size_t measured_bytes() const override {
    std::size_t total = stream_.bytes();
    for (std::size_t h = 0; h < temper::holder_names.size(); ++h) total += teacher_.bytes()[h] + memory_.bytes()[h];
    return total;
  }

 private:
  template <class Take>
  void read_top(temper::Context<B>& ctx, const temper::HostBatch& batch, Take take) {
    const auto scope = ctx.scope();
    const temper::TaughtStates<B> taught = teacher_.states(ctx, staging_, batch);
    const temper::Index rows = taught.states.rows();
    const auto top = temper::scratch<float>(ctx, rows, kept_.count);
    const auto tokens = temper::scratch<temper::TokenId>(ctx, rows, kept_.count);
    const auto rest = temper::scratch<double>(ctx, rows);
    temper::top_logits<float>(ctx, top, tokens, rest, taught.states, taught.head, kept_.temperature);
    ctx.run("keep_top", {}, [&] { take(top, tokens, rest); });
  }

  FrozenTeacher teacher_;
  KeptTop kept_;
  B::Stream stream_;
  temper::Memory<B> memory_{temper::Execution::running};
  temper::View<B, std::byte, 1> block_;
  std::optional<temper::Arena> arena_;
  std::optional<temper::Context<B>> context_;
  temper::BatchStaging<B> staging_;
};

std::string shown_token(std::string_view token) {
  return token.empty() ? std::string("no token") : "'" + temper::printable(token) + "'";
}

}  // namespace

std::unique_ptr<RunTeacher> open_teacher(const std::filesystem::path& folder, temper::Index vocabulary,
                                         temper::Execution execution) {
  require_model_folder(folder);
  return std::make_unique<FrozenTeacher>(folder, vocabulary, execution);
}

std::unique_ptr<TeacherReader> open_teacher_reader(const std::filesystem::path& folder, temper::Index vocabulary,
                                                   KeptTop kept, int threads, const temper::Plan* plan) {
  require_model_folder(folder);
  return std::make_unique<FrozenReader>(folder, vocabulary, kept, threads, plan);
}

std::string differing_tokens(const temper::Tokenizer& ours, const temper::Tokenizer& theirs) {
  constexpr int most_shown = 3;
  std::string differing;
  int count = 0;
  for (temper::Index id = 0; id < std::max(ours.vocabulary(), theirs.vocabulary()); ++id) {
    const std::string_view one = ours.token(static_cast<temper::TokenId>(id)),
                           other = theirs.token(static_cast<temper::TokenId>(id));
    if (one == other) continue;
    if (count++ < most_shown)
      differing +=
          fmt::format("{}id {} is {} and {}", differing.empty() ? "" : ", ", id, shown_token(one), shown_token(other));
  }
  return count == 0 ? "" : fmt::format("{} ids differ: {}", count, differing);
}

void require_teacher_of(const std::filesystem::path& student, const std::filesystem::path& teacher) {
  require_model_folder(student);
  require_model_folder(teacher);
  const temper::Index ours = temper::open_config(student).vocabulary, theirs = temper::open_config(teacher).vocabulary;
  temper::require(ours <= theirs, temper::Fault::data, "distillation.vocabulary",
                  "{}: the model scores {} tokens and its teacher {} scores {} (vocab_size of config.json); expected a "
                  "teacher that scores every token of the model; choose one of the model's own family",
                  temper::shown_path(student), ours, temper::shown_path(teacher), theirs);
}

void require_same_tokens(const temper::Tokenizer& tokenizer, const std::filesystem::path& student,
                         const std::filesystem::path& teacher) {
  const std::string differing = differing_tokens(tokenizer, temper::Tokenizer::open(teacher));
  temper::require(differing.empty(), temper::Fault::data, "distillation.tokenizer",
                  "{}: the teacher has another tokenizer than the model {}: {} (the model's first); expected the same "
                  "token for every id; choose a teacher of the model's own family",
                  temper::shown_path(teacher), temper::shown_path(student), differing);
}

}  // namespace temper_cli
