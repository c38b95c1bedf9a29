// SPDX-License-Identifier: MIT
// Prompt tuning (Lester et al. 2021): the model stays as it is; before each document stand learned states in place of
// tokens, which the document sees and which nothing is predicted from. They begin as the embeddings of given tokens -
// repeated or cut to their number - or of tokens drawn from the vocabulary.
#pragma once
#include <algorithm>
#include <vector>

#include "temper/adapter/frozen.hpp"

namespace temper {

template <class Storage = Dense>
struct PromptTuningOn {
  Index virtual_tokens = 20;
  std::vector<TokenId> initial_tokens = {};  // of a text; empty: drawn by the seed
  Storage storage = {};

  template <class B>
  using Linear = typename FrozenOn<Storage>::template Linear<B>;

  template <class B>
  Linear<B> linear(Builder<B>& build, std::string_view path, LinearShape shape) const {
    return FrozenOn<Storage>{storage}.linear(build, path, shape);
  }
  void check_names(const ModuleNames& modules) const { check_storage_names(storage, modules); }

  template <class B>
  Parameter<B> prefix(Builder<B>& build, Index vocabulary, Index width) const {
    require(virtual_tokens >= 1 && virtual_tokens <= 65536, Fault::usage, "prompt.virtual_tokens",
            "prompt tuning: {} virtual tokens; expected 1 to 65536", virtual_tokens);
    const Random random{build.seed(), random_site("prompt_embeddings"), 0};
    std::vector<Index> rows;
    for (Index i = 0; i < virtual_tokens; ++i) {
      const Index drawn =
          static_cast<Index>(random.uniform(static_cast<std::uint64_t>(i)) * static_cast<double>(vocabulary));
      rows.push_back(initial_tokens.empty() ? std::min(drawn, vocabulary - 1)
                                            : initial_tokens[static_cast<std::size_t>(i) % initial_tokens.size()]);
      require(rows.back() >= 0 && rows.back() < vocabulary, Fault::usage, "prompt.token",
              "prompt tuning: initial token {} is outside of the vocabulary of {}; expected ids of the model's own "
              "tokenizer",
              rows.back(), vocabulary);
    }
    return build.parameter_of_rows("prompt_embeddings", "model.embed_tokens.weight", rows, width);
  }
};

using PromptTuning = PromptTuningOn<>;

template <class Storage, class From>
PromptTuningOn<Storage> on(Storage storage, const PromptTuningOn<From>& prompt) {
  return {prompt.virtual_tokens, prompt.initial_tokens, std::move(storage)};
}

}  // namespace temper
