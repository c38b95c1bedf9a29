# SPDX-License-Identifier: MIT
# The time of a LoRA training step in transformers and PEFT, beside which temper's own is put. Random weights in the
# shape of Qwen2.5-0.5B; one JSON line: median seconds, tokens a second, peak resident memory. Kept out of CI.
import argparse
import json
import resource
import statistics
import time

import peft
import torch
import transformers
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, Qwen2Config


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rows", type=int, default=4)
    parser.add_argument("--length", type=int, default=256)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--warmup", type=int, default=1)
    parser.add_argument("--layers", type=int, default=24)
    parser.add_argument("--rank", type=int, default=16)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(1)
    config = Qwen2Config(
        vocab_size=151936, hidden_size=896, intermediate_size=4864, num_hidden_layers=arguments.layers,
        num_attention_heads=14, num_key_value_heads=2, max_position_embeddings=32768, tie_word_embeddings=True,
        rope_parameters={"rope_type": "default", "rope_theta": 1000000.0}, use_cache=False)
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32, attn_implementation="sdpa")
    model = get_peft_model(model, LoraConfig(r=arguments.rank, lora_alpha=2 * arguments.rank, lora_dropout=0.0,
                                             target_modules="all-linear", task_type="CAUSAL_LM"))
    model.train()
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-4, weight_decay=0.01)
    tokens = torch.randint(0, config.vocab_size, (arguments.rows, arguments.length))
    seconds, processor, losses = [], [], []
    for step in range(arguments.warmup + arguments.steps):
        began, began_processor = time.monotonic(), time.process_time()
        loss = model(input_ids=tokens, labels=tokens).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(float(loss.detach()))
        if step >= arguments.warmup:
            seconds.append(time.monotonic() - began)
            processor.append(time.process_time() - began_processor)
    median = statistics.median(seconds)
    print(json.dumps({
        "what": "LoRA step, transformers and PEFT, sdpa, fp32", "layers": arguments.layers, "rows": arguments.rows,
        "length": arguments.length, "rank": arguments.rank, "threads": arguments.threads,
        "trained_parameters": sum(parameter.numel() for parameter in trained),
        "step_seconds": round(median, 3), "fastest": round(min(seconds), 3), "slowest": round(max(seconds), 3),
        "processor_seconds": round(statistics.median(processor), 3),  # of all threads; far below the product: not alone
        "tokens_per_second": round(arguments.rows * arguments.length / median, 1),
        "peak_rss_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "first_loss": losses[0], "last_loss": losses[-1], "torch": torch.__version__,
        "transformers": transformers.__version__, "peft": peft.__version__}))


main()
