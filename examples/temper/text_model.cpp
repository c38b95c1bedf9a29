// SPDX-License-Identifier: MIT
#include "text_model.hpp"

#include "storage_settings.hpp"
#include "suggestion.hpp"
#include "temper/adapter/frozen.hpp"
#include "temper/adapter/peft.hpp"
#include "temper/backend/cpu.hpp"

namespace temper_cli {
namespace {

namespace fs = std::filesystem;

template <class A>
class TextModelOf : public TextModel {
  using Model = temper::Decoder<temper::Cpu<float>, A>;

 public:
  TextModelOf(const fs::path& folder, A adapter) {
    const temper::Config config = temper::open_config(folder);
    auto weights = std::make_shared<temper::FolderWeights>(folder);
    weights->refuse_non_finite();
    model_ = std::make_unique<Model>(config, std::move(adapter), std::move(weights));
  }
  TextModelOf(const fs::path& folder, A adapter, const fs::path& adapter_folder)
      : TextModelOf(folder, std::move(adapter)) {
    temper::load_peft(*model_, adapter_folder);
  }

  std::vector<temper::TokenId> generate(std::span<const temper::TokenId> prompt, temper::Index capacity, int threads,
                                        const temper::Sampling& sampling,
                                        const std::function<void(temper::TokenId)>& on_token) override {
    return temper::Generator<Model>(*model_, capacity, threads)(prompt, sampling, on_token);
  }
  void follow(std::span<const temper::TokenId> text, int threads,
              const std::function<void(std::span<const float>)>& on_logits) override {
    temper::Generator<Model>(*model_, std::ssize(text), threads).follow(text, on_logits);
  }

 private:
  std::unique_ptr<Model> model_;
};

}  // namespace

std::unique_ptr<TextModel> open_text_model(const fs::path& model, const fs::path& adapter) {
  using temper::AnyStorage;
  const temper::Config config = temper::open_config(model);
  temper::require(
      !temper::is_classifier(config.json), temper::Fault::usage, "generate.scores",
      "{}: is a classifier or a reward model, which scores texts and writes none; expected a language model",
      temper::shown_path(model));
  const AnyStorage storage = storage_of(config);
  if (adapter.empty()) {
    const temper::FrozenOn<AnyStorage> frozen{storage};
    return std::make_unique<TextModelOf<temper::FrozenOn<AnyStorage>>>(model, frozen);
  }
  temper::require(fs::exists(adapter), temper::Fault::usage, "generate.adapter",
                  "{}: no such folder; expected a PEFT adapter's folder", temper::shown_path(adapter));
  temper::require(fs::exists(adapter / "adapter_config.json"), temper::Fault::data, "generate.adapter",
                  "{}: has no adapter_config.json; expected a PEFT adapter's folder{}", temper::shown_path(adapter),
                  inner_folder_hint(adapter, "adapter_config.json"));
  const temper::PeftKind kind = temper::peft_kind(adapter);
  if (kind == temper::PeftKind::prompt)
    return std::make_unique<TextModelOf<temper::PromptTuningOn<AnyStorage>>>(
        model, on(storage, temper::read_peft_prompt(adapter)), adapter);
  if (kind == temper::PeftKind::dora)
    return std::make_unique<TextModelOf<temper::Dora<AnyStorage>>>(model, on(storage, temper::read_peft_dora(adapter)),
                                                                   adapter);
  return std::make_unique<TextModelOf<temper::Lora<AnyStorage>>>(model, on(storage, temper::read_peft_config(adapter)),
                                                                 adapter);
}

}  // namespace temper_cli
