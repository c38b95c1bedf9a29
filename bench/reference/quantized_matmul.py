# SPDX-License-Identifier: MIT
# Products with NF4 weights as bitsandbytes computes them on a CPU, beside torch's own in float32 and bfloat16:
# milliseconds, the best of some rounds. For bench/quantized_matmul.cpp. Arguments: threads (1), rounds (7).
import sys
import time

import bitsandbytes
import torch
from bitsandbytes import functional

threads, rounds = (int(word) for word in (sys.argv[1:] + ["1", "7"][len(sys.argv) - 1:]))
torch.set_num_threads(threads)
torch.manual_seed(1)


def best_of(work):
    seconds = []
    for _ in range(rounds + 1):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return min(seconds[1:]) * 1e3


print("torch", torch.__version__, "bitsandbytes", bitsandbytes.__version__, "threads", threads)
for out, inner in ((2048, 2048), (11008, 4096), (4096, 11008)):
    weight = torch.randn(out, inner) * 0.02
    codes, state = functional.quantize_4bit(weight, quant_type="nf4", compress_statistics=True)
    again, packed_state = functional.quantize_4bit(weight, quant_type="nf4", compress_statistics=True)
    packed, packed_state = functional._convert_weight_packed_for_cpu(again, packed_state)
    for rows in (1, 16, 128, 512):
        x = torch.randn(rows, inner)
        half, weight_half = x.bfloat16(), weight.bfloat16()
        with torch.no_grad():
            line = {"f32": best_of(lambda: torch.nn.functional.linear(x, weight)),
                    "bf16": best_of(lambda: torch.nn.functional.linear(half, weight_half)),
                    "nf4 f32": best_of(lambda: bitsandbytes.matmul_4bit(x, codes.t(), quant_state=state)),
                    "nf4 bf16": best_of(lambda: bitsandbytes.matmul_4bit(half, codes.t(), quant_state=state))}
            # What Linear4bit does for inference alone: the codes in another order, for AVX-512 in bfloat16.
            line["nf4 packed bf16"] = best_of(lambda: bitsandbytes.matmul_4bit(half, packed, quant_state=packed_state))
        print(out, "x", inner, "M", rows, *(f"{name} {value:.3f} ms" for name, value in line.items()), flush=True)
