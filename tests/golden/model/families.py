# SPDX-License-Identifier: MIT
# The tiny models of the golden files: one configuration for each family, seeded weights and a seeded set of rows.
# Weights come from numpy's PCG64, so that they do not depend on the version of torch.
import zlib

import numpy
import torch
from transformers import LlamaConfig, MistralConfig, Qwen2Config, Qwen3Config

SHORT = [23, 9, 14, 17, 12, 20, 7, 15]  # tokens of each row; the first three are the rows of expected.safetensors
LONG = [40, 9, 23, 17, 16, 31, 7, 26]
COMMON = dict(vocab_size=64, num_hidden_layers=2, num_attention_heads=4, bos_token_id=1, eos_token_id=2,
              pad_token_id=None, initializer_range=0.02)
LLAMA3 = dict(rope_type="llama3", rope_theta=100.0, factor=4.0, low_freq_factor=1.0, high_freq_factor=4.0,
              original_max_position_embeddings=32)

FAMILIES = {
    "llama2": (LlamaConfig(**COMMON, hidden_size=16, intermediate_size=40, num_key_value_heads=4, rms_norm_eps=1e-5,
                           max_position_embeddings=64, tie_word_embeddings=False), SHORT),
    "llama3": (LlamaConfig(**COMMON, hidden_size=32, intermediate_size=40, num_key_value_heads=2, rms_norm_eps=1e-5,
                           max_position_embeddings=128, tie_word_embeddings=False, rope_parameters=LLAMA3), LONG),
    "llama_linear": (LlamaConfig(**COMMON, hidden_size=16, intermediate_size=36, num_key_value_heads=2,
                                 rms_norm_eps=1e-6, max_position_embeddings=64, tie_word_embeddings=False,
                                 rope_parameters=dict(rope_type="linear", rope_theta=10000.0, factor=4.0)), SHORT),
    "llama_dynamic": (LlamaConfig(**COMMON, hidden_size=24, intermediate_size=40, num_key_value_heads=2,
                                  rms_norm_eps=1e-6, max_position_embeddings=16, tie_word_embeddings=False,
                                  rope_parameters=dict(rope_type="dynamic", rope_theta=1000.0, factor=2.0)), LONG),
    "qwen2": (Qwen2Config(**COMMON, hidden_size=16, intermediate_size=40, num_key_value_heads=2, rms_norm_eps=1e-6,
                          max_position_embeddings=64, tie_word_embeddings=True,
                          rope_parameters=dict(rope_type="default", rope_theta=1000000.0)), SHORT),
    "qwen3": (Qwen3Config(**COMMON, hidden_size=24, intermediate_size=40, num_key_value_heads=2, head_dim=8,
                          rms_norm_eps=1e-6, max_position_embeddings=64, tie_word_embeddings=True,
                          rope_parameters=dict(rope_type="default", rope_theta=1000000.0)), SHORT),
    "mistral": (MistralConfig(**COMMON, hidden_size=16, intermediate_size=40, num_key_value_heads=2, head_dim=6,
                              rms_norm_eps=1e-5, max_position_embeddings=128, sliding_window=8,
                              tie_word_embeddings=False), LONG),
    "llama_bf16": (LlamaConfig(**COMMON, hidden_size=16, intermediate_size=40, num_key_value_heads=2,
                               rms_norm_eps=1e-5, max_position_embeddings=64, tie_word_embeddings=True), SHORT),
}


def generator(*words):
    return numpy.random.Generator(numpy.random.PCG64(zlib.crc32(" ".join(words).encode())))


def fill(model, family):
    """Matrices and biases get N(0, 0.3), norms 1 + N(0, 0.2): large enough that every path changes the loss."""
    seeded = generator("weights", family)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            values = seeded.standard_normal(parameter.shape)
            values = 1.0 + 0.2 * values if "norm" in name else 0.3 * values
            parameter.copy_(torch.from_numpy(values).to(parameter.dtype))


def fill_adapter(model, family):
    """A, B and virtual tokens are random, none zero; magnitudes of DoRA move off their start by a tenth at most."""
    seeded = generator("adapter", family)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_A" in name or "lora_B" in name:
                parameter.copy_(torch.from_numpy(0.2 * seeded.standard_normal(parameter.shape)))
            elif "prompt_encoder" in name:
                parameter.copy_(torch.from_numpy(0.3 * seeded.standard_normal(parameter.shape)))
        for name, parameter in model.named_parameters():
            if "lora_magnitude_vector" in name:
                parameter.mul_(torch.from_numpy(1.0 + 0.1 * seeded.uniform(-1, 1, parameter.shape)))


def rows(family, lengths):
    """Rows of tokens and labels (1: this token is predicted); the first token never is."""
    seeded = generator("rows", family)
    made = []
    for index, length in enumerate(lengths):
        tokens = [1] + [int(token) for token in seeded.integers(3, 64, length - 1)]
        labels = [0] * length
        prompt = (0, 3, 5)[index % 3]  # everything, a prompt that is not learned, two learned turns
        for position in range(max(1, prompt), length):
            labels[position] = 0 if index % 3 == 2 and 8 <= position < 11 else 1
        made.append({"tokens": tokens, "labels": labels})
    return made
