// SPDX-License-Identifier: MIT
#include "reward_model.hpp"

#include "engine.hpp"
#include "storage_settings.hpp"
#include "teacher.hpp"
#include "temper/adapter/frozen.hpp"
#include "temper/backend/cpu.hpp"
#include "temper/model/folder.hpp"
#include "temper/model/heads.hpp"
#include "temper/model/score_labels.hpp"

namespace temper_cli {
namespace {

using temper::Fault;

class FrozenRewardModel final : public RunRewardModel {
  using Model = temper::Decoder<B, temper::FrozenOn<temper::AnyStorage>>;

 public:
  FrozenRewardModel(const std::filesystem::path& folder, temper::Index vocabulary, temper::Execution execution)
      : source_(opened(folder)),
        model_(temper::open_config(folder), {storage_of(temper::open_config(folder))}, source_,
               {.execution = execution, .scores = 1}),
        pooling_(temper::stated_pooling(model_.config().json, temper::shown_path(folder / "config.json"))) {
    temper::require(model_.config().vocabulary >= vocabulary, Fault::data, "reward_model.vocabulary",
                    "{}: reads {} tokens and the policy writes {}; expected a reward model of the model's own family",
                    temper::shown_path(folder), model_.config().vocabulary, vocabulary);
    if (execution == temper::Execution::planning) source_->refuse_non_finite();  // once is enough
  }

  void score(temper::Context<B>& ctx, temper::BatchStaging<B>& staging, const temper::HostBatch& host,
             std::vector<double>& scores) override {
    const auto evaluating = ctx.evaluating(temper::Adapters::on);
    const auto scope = ctx.scope();
    const auto keeping = ctx.keeping();
    const auto batch = temper::upload_batch_of(ctx, staging, model_, host);
    const temper::Index width = model_.config().width;
    const auto hidden = temper::scratch<float>(ctx, batch.size(), width);
    model_.forward(ctx, batch, hidden, model_.saved());
    const auto states = temper::scratch<float>(ctx, batch.documents, width),
               values = temper::scratch<float>(ctx, batch.documents, 1);
    pool_states(ctx, states, temper::In<B>(hidden), batch, pooling_);
    matmul(ctx, temper::into(values), temper::In<B>(states), model_.head().weight);
    ctx.run("download", {.bytes = 2.0 * static_cast<double>(values.bytes())},
            [&] { scores.insert(scores.end(), values.data, values.data + values.size()); });
  }
  const temper::BytesByHolder& bytes() const override { return model_.bytes(); }

 private:
  static std::shared_ptr<temper::FolderWeights> opened(const std::filesystem::path& folder) {
    auto source = std::make_shared<temper::FolderWeights>(folder);
    temper::require(source->find("score.weight").has_value(), Fault::data, "reward_model.no_head",
                    "{}: has no tensor 'score.weight'; expected a reward model, as task reward writes one",
                    temper::shown_path(folder));
    return source;
  }

  std::shared_ptr<temper::FolderWeights> source_;
  Model model_;
  temper::Pooling pooling_;
};

}  // namespace

std::unique_ptr<RunRewardModel> open_reward_model(const std::filesystem::path& folder, temper::Index vocabulary,
                                                  temper::Execution execution) {
  temper::require(!std::filesystem::exists(folder / "adapter_config.json"), Fault::data, "reward_model.adapter",
                  "{}: is an adapter; expected a whole reward model; merge it first: temper merge --model BASE "
                  "--adapter {} --output FOLDER",
                  temper::shown_path(folder), temper::shown_path(folder));
  require_model_folder(folder);
  return std::make_unique<FrozenRewardModel>(folder, vocabulary, execution);
}

void require_tokens_of_policy(const temper::Tokenizer& policy, const std::filesystem::path& folder) {
  const std::string differing = differing_tokens(policy, temper::Tokenizer::open(folder));
  temper::require(differing.empty(), Fault::data, "reward_model.tokenizer",
                  "{}: the reward model has another tokenizer than the model: {}; expected the same token for every "
                  "id; choose a reward model of the model's own family",
                  temper::shown_path(folder), differing);
}

}  // namespace temper_cli
