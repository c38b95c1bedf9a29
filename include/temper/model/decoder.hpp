// SPDX-License-Identifier: MIT
// A decoder by configuration: embedding, n blocks, norm; and the head that scores the vocabulary. Llama, Qwen2, Qwen3
// and Mistral are this one type. Forward turns tokens into hidden states [T, D]; the head stands apart, since losses
// read it in blocks (model/heads.hpp). A classifier or a reward model has a score head instead.
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "temper/core/module_names.hpp"
#include "temper/model/block.hpp"
#include "temper/model/embedding.hpp"

namespace temper {

enum class HeadKind { language, scores };

// What turns hidden states into logits, or scores: hidden W^T. The gradient is empty where the head is frozen.
template <class B>
struct HeadOf {
  DenseMatrix<B> weight;  // [V, D], or [outputs, D]
  Gradient<B> gradient;
  HeadKind kind = HeadKind::language;
  Parameter<B>* moved = nullptr;  // in backward, when its gradient is whole
};

// The paths of a decoder's modules, as Hugging Face names them.
inline ModuleNames module_names(const Config& config, HeadKind head = HeadKind::language) {
  ModuleNames names{.all = {"model.embed_tokens", "model.norm", head == HeadKind::scores ? "score" : "lm_head"},
                    .projections = {}};
  for (Index l = 0; l < config.layers; ++l) {
    const std::string path = "model.layers." + std::to_string(l) + ".";
    for (const char* norm : {"input_layernorm", "post_attention_layernorm"}) names.all.push_back(path + norm);
    if (config.query_norm)
      for (const char* norm : {"self_attn.q_norm", "self_attn.k_norm"}) names.all.push_back(path + norm);
    for (const char* projection : {"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj",
                                   "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"})
      names.projections.push_back(path + projection);
  }
  names.all.insert(names.all.end(), names.projections.begin(), names.projections.end());
  return names;
}

// What backward needs of a block is kept, or computed once more from the block's input: for a third more arithmetic,
// the activations of one block are held at a time instead of all (Chen et al. 2016). The bits are the same.
enum class Recompute { none, blocks };

struct BuildOptions {
  std::uint64_t seed = 42;                   // of values that no file gives
  Execution execution = Execution::running;  // planning: shapes and bytes only
  Recompute recompute = Recompute::none;
  Base base = Base::replaced;  // kept: what is trained can be switched off like any adapter
  Precision precision = Precision::full;
  Precision gradients = Precision::full;   // of the same matrices; bf16 where they are held so too
  Update update = Update::after_backward;  // in_backward: no memory for the gradients of matrices, see docs/memory.md
  Index scores = 0;                        // outputs of a score head in place of the language head; 0: none
  int threads = 1;  // that quantize weights on their way from the file, to the same bits; 0: all cores
};

template <class B, class A>
class Decoder {
  static_assert(check_adapter<A, B>());

 public:
  using Backend = B;
  using Adapter = A;
  using Act = typename B::Activation;
  using Matrix = View<B, Act, 2>;

  // All that backward needs. Made once; a step fills it again and again.
  struct Saved {
    std::vector<Matrix> streams;  // what each block was given, where blocks are computed once more
    std::vector<typename Block<B, A>::Saved> blocks;
    typename Norm<B>::Saved norm;
  };

  // Without a source the weights start at random, by the seed and their names.
  Decoder(Config config, A adapter, std::shared_ptr<const WeightSource> source = nullptr, BuildOptions options = {})
      : config_(std::move(config)),
        adapter_(std::move(adapter)),
        source_(std::move(source)),
        recompute_(options.recompute),
        memory_(std::make_unique<Memory<B>>(options.execution)) {
    check_adapter_names(adapter_, module_names(config_, options.scores > 0 ? HeadKind::scores : HeadKind::language));
    require(!source_ || source_->holds_values() || options.execution == Execution::planning, Fault::usage,
            "decoder.no_values",
            "{}: the source knows types and shapes but no values; expected Execution::planning, or the folder that was "
            "merged",
            source_ ? source_->description() : "");
    require(options.gradients == Precision::full ||
                (options.precision == Precision::bf16 && options.update == Update::after_backward),
            Fault::usage, "decoder.gradients",
            "gradients are to be held in bf16 but the matrices are {}; expected BuildOptions with precision bf16 and "
            "update after_backward; a gradient is held as its weight is, or not at all",
            options.precision == Precision::full ? "held in full" : "moved in backward, which holds no gradients");
    require(
        !source_ || source_->coding() == config_.coding, Fault::data, "weights.coding",
        "{}: config.json says that weights are {} (quantization_config) but they are {}; expected them to agree; use "
        "the config.json that belongs to these weights",
        source_ ? source_->description() : "", name_of(config_.coding),
        name_of(source_ ? source_->coding() : Coding::dense));
    typename B::Stream stream(options.execution == Execution::planning ? 1 : options.threads);
    Builder<B> build(*memory_, stream, source_.get(), options.seed, config_.initializer_range,
                     {options.base, options.precision, {options.update, options.gradients}});
    embedding_ = embedding(build, adapter_, "model.embed_tokens", config_.vocabulary, config_.width,
                           config_.tied ? build.held_gradients() : build.gradients());
    if constexpr (HasPrefix<A, B>) prefix_ = adapter_.prefix(build, config_.vocabulary, config_.width);
    for (Index l = 0; l < config_.layers; ++l)
      blocks_.push_back(block(build, adapter_, "model.layers." + std::to_string(l), config_, l));
    norm_ = norm(build, adapter_, "model.norm", config_.width, config_.norm_epsilon);
    if (options.scores > 0)
      build_score(build, options.scores);
    else
      build_head(build);
    build.allow_left_over("rotary_emb.inv_freq");
    build.finish();
    switchable_ = build.keeps_base() || !build.trains_base();
    saved_.blocks.resize(blocks_.size());
    saved_.streams.resize(blocks_.size());
  }

  const Config& config() const { return config_; }
  const A& adapter() const { return adapter_; }
  const WeightSource* source() const { return source_.get(); }
  const BytesByHolder& bytes() const { return memory_->bytes(); }
  Saved& saved() { return saved_; }
  bool switchable() const { return switchable_; }                       // whether Adapters::off is the base
  Index prefix() const { return prefix_ ? prefix_->value.rows() : 0; }  // places before each document

  Index scores() const { return score_ ? score_->value.rows() : 0; }  // outputs of the score head; 0: a language model

  HeadOf<B> head(Adapters adapters = Adapters::on) {
    if (score_) return {score_->matrix(), score_->held_gradient(), HeadKind::scores};
    if (head_ && adapters == Adapters::on)
      return {head_->matrix(), head_->held_gradient(), HeadKind::language,
              head_->update == Update::in_backward ? &*head_ : nullptr};
    if (!config_.tied) return {frozen_head_, {}};
    return {embedding_.table(adapters), embedding_.trained ? embedding_.trained->held_gradient() : Gradient<B>{}};
  }

  // hidden [T, D] = the states after the last norm. In training the streams between blocks are kept for backward, and
  // what each block keeps too unless it is computed once more; else two scratch buffers take turns and each block's
  // memory is released behind it.
  void forward(Context<B>& ctx, const TokenBatch<B>& batch, Matrix hidden, Saved& saved) {
    const Index tokens = batch.size(), width = config_.width;
    require(batch.prefix == (ctx.adapted() ? prefix() : 0) || batch.cache, Fault::usage, "decoder.prefix",
            "the batch has {} places before each document but the adapter {}; expected equal; use upload_batch_of",
            batch.prefix, prefix());
    const auto scope = ctx.scope();
    Matrix turns[2];
    if (!ctx.training())
      for (Matrix& turn : turns) turn = scratch<Act>(ctx, tokens, width);

    Matrix stream = ctx.training() ? keep<Act>(ctx, tokens, width) : turns[0];
    embedding_.forward(ctx, batch.tokens, stream);
    over_prefixes(batch, stream, [&](Matrix places) { copy(ctx, places, In<B>(prefix_->value)); });
    check_finite(ctx, In<B>(stream), "model.embed_tokens", "");
    // [blocks]
    for (std::size_t l = 0; l < blocks_.size(); ++l) {
      const Matrix next = ctx.training() ? keep<Act>(ctx, tokens, width) : turns[(l + 1) % 2];
      std::optional<typename Context<B>::Keeping> released;
      if (!ctx.training() || recompute_ == Recompute::blocks) released.emplace(ctx.arena());
      blocks_[l].forward(ctx, stream, next, batch, saved.blocks[l]);
      saved.streams[l] = stream;
      stream = next;
    }
    // [/blocks]
    norm_.forward(ctx, stream, hidden, saved.norm);
    check_finite(ctx, In<B>(hidden), "model.norm", "");
  }

  // dhidden [T, D] is used as workspace. What forward kept is released by the caller's ctx.keeping().
  void backward(Context<B>& ctx, const TokenBatch<B>& batch, Matrix dhidden, Saved& saved) {
    const auto scope = ctx.scope();
    const auto dstream = scratch<Act>(ctx, dhidden.rows(), dhidden.cols());
    norm_.backward(ctx, dhidden, into(dstream), saved.norm);
    for (std::size_t l = blocks_.size(); l-- > 0;) {
      const auto block_scope = ctx.scope();
      const auto keeping = ctx.keeping();
      if (recompute_ == Recompute::blocks) {
        const auto next = scratch<Act>(ctx, dhidden.rows(), dhidden.cols());  // which is known already
        blocks_[l].forward(ctx, saved.streams[l], next, batch, saved.blocks[l]);
      }
      blocks_[l].backward(ctx, dstream, batch, saved.blocks[l]);
    }
    over_prefixes(batch, dstream, [&](Matrix dplaces) {
      add(ctx, onto(prefix_->gradient), In<B>(dplaces));
      if (embedding_.trained) zero(ctx, flat(dplaces));  // they are no token's
    });
    embedding_.backward(ctx, dstream, batch.tokens);
  }

  // Every trained parameter, in a fixed order.
  void visit(auto&& each) { walk(std::ref(each)); }

 private:
  // The tree of layers, walked by one function: as a template it would be compiled anew for each who visits.
  void walk(const std::function<void(Parameter<B>&)>& each) {
    embedding_.visit(each);
    if (prefix_) each(*prefix_);
    for (Block<B, A>& b : blocks_) b.visit(each);
    norm_.visit(each);
    if (head_) each(*head_);
    if (score_) each(*score_);
  }

  // The places before each document, in their order.
  void over_prefixes(const TokenBatch<B>& batch, Matrix stream, auto&& work) const {
    if (batch.prefix == 0) return;
    for (const AttentionSpan& s : batch.host_spans) work(stream.slice(s.query_begin, s.query_begin + batch.prefix));
  }

  // As transformers' ForSequenceClassification: no bias. Always trained; zero where the folder is a language model's.
  void build_score(Builder<B>& build, Index outputs) {
    score_ = build.trained_if_there("score.weight", {outputs, config_.width}, zeros, build.held_gradients());
    build.allow_left_over("lm_head.weight");
  }

  void build_head(Builder<B>& build) {
    const bool trains_head = adapter_trains(adapter_, "lm_head");
    const bool trains_table = adapter_trains(adapter_, "model.embed_tokens");
    const Index v = config_.vocabulary, d = config_.width;
    if (!config_.tied) {
      if (trains_head) head_ = build.trained_matrix("lm_head.weight", v, d, build.gradients());
      if (!trains_head || build.keeps_base()) frozen_head_ = build.frozen_matrix("lm_head.weight", v, d);
      return;
    }
    require(!trains_table || trains_head, Fault::usage, "decoder.tied",
            "the embedding of this model is its head too (tie_word_embeddings), but only model.embed_tokens is to be "
            "trained; "
            "expected both or lm_head alone; name lm_head in modules_to_save as well");
    if (trains_head && !trains_table)
      head_ = build.trained_copy("lm_head.weight", "model.embed_tokens.weight", v, d, build.gradients());
    build.allow_left_over("lm_head.weight");  // some checkpoints store the tied table twice
  }

  Config config_;
  A adapter_;
  std::shared_ptr<const WeightSource> source_;
  Recompute recompute_;
  std::unique_ptr<Memory<B>> memory_;
  Embedding<B> embedding_;
  std::optional<Parameter<B>> prefix_;  // [places, D]
  std::vector<Block<B, A>> blocks_;
  Norm<B> norm_;
  DenseMatrix<B> frozen_head_;
  std::optional<Parameter<B>> head_, score_;
  bool switchable_ = true;
  Saved saved_;
};

// Trained parameters and their elements.
template <class M>
Index trained_elements(M& model) {
  Index count = 0;
  model.visit([&](const auto& p) { count += p.size(); });
  return count;
}

}  // namespace temper
