// SPDX-License-Identifier: MIT
#include "teacher.hpp"

#include "engine.hpp"
#include "temper/adapter/frozen.hpp"
#include "temper/backend/cpu.hpp"
#include "temper/model/folder.hpp"
#include "temper/model/teacher.hpp"

namespace temper_cli {
namespace {

class FrozenTeacher final : public RunTeacher {
  using Model = temper::Decoder<B, temper::Frozen>;

 public:
  FrozenTeacher(const std::filesystem::path& folder, temper::Index vocabulary, temper::Execution execution)
      : source_(std::make_shared<temper::FolderWeights>(folder)),
        model_(temper::open_config(folder), temper::Frozen{}, source_, {.execution = execution}),
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

std::string shown_token(std::string_view token) {
  return token.empty() ? std::string("no token") : "'" + temper::printable(token) + "'";
}

}  // namespace

std::unique_ptr<RunTeacher> open_teacher(const std::filesystem::path& folder, temper::Index vocabulary,
                                         temper::Execution execution) {
  require_model_folder(folder);
  return std::make_unique<FrozenTeacher>(folder, vocabulary, execution);
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

void require_same_tokens(const temper::Tokenizer& student, const temper::Tokenizer& teacher,
                         const std::filesystem::path& folder) {
  const std::string differing = differing_tokens(student, teacher);
  temper::require(differing.empty(), temper::Fault::data, "distillation.tokenizer",
                  "{}: the teacher has another tokenizer than the model: {}; expected the same token for every id; "
                  "choose a teacher of the model's own family",
                  temper::shown_path(folder), differing);
}

}  // namespace temper_cli
