# SPDX-License-Identifier: MIT
# Writes this folder's golden files: what transformers' Adafactor, torch's Muon and AdamW, and bitsandbytes' Lion and
# AdamW8bit make of twenty recorded steps. Needs numpy, torch, transformers, bitsandbytes and safetensors; the versions
# used are in versions.json. Values and gradients are numbers(seed, step, count) below, which the tests make again.
#
# Two parts of the references are exchanged, and nothing else:
# - torch's Muon rounds its Newton-Schulz iterations to bfloat16. Here they are in float64 (muon.*), by replacing that
#   one word; the unchanged rule is recorded too, to be compared loosely (muon_bfloat16.*).
# - bitsandbytes' quantizer for CPUs looks codes up in a table of 65,536 bins of [-1, 1], for speed: it is not the
#   nearest code near zero (0 becomes 2e-5 of the block's largest). Its quantizer for any device, which finds the
#   nearest as the one for CUDA does, is put in its place.
import inspect
import json
import pathlib
import platform

import bitsandbytes
import numpy
import safetensors.torch
import torch
import transformers
from bitsandbytes.backends.cpu import ops as cpu_ops
from bitsandbytes.backends.default import ops as default_ops
from torch.optim import _muon

HERE = pathlib.Path(__file__).resolve().parent
STEPS, RATE, DECAY = 20, 1e-2, 0.1
SHAPES = {"wide": (12, 20), "tall": (20, 6), "vector": (20,)}
SHAPES_8BIT = {"coded": (64, 70), "plain": (63, 65), "vector": (4100,)}


def numbers(seed, step, shape):
    """Numbers in (-0.5, 0.5) of many sizes, exact in float32."""
    count = int(numpy.prod(shape))
    h = (numpy.arange(count, dtype=numpy.uint64) * 2654435761 + step * 40503 + seed * 7919 + 12345) & 0xFFFFFFFF
    h = ((h ^ (h >> 15)) * 2246822519) & 0xFFFFFFFF
    h = ((h ^ (h >> 13)) * 3266489917) & 0xFFFFFFFF
    h ^= h >> 16
    values = ((h >> 8).astype(numpy.float64) / 2**24 - 0.5) * 2.0 ** -(h & 7).astype(numpy.float64)
    return torch.from_numpy(values.reshape(shape))


def run(name, shapes, dtype, make, states, result, steps=(1, STEPS)):
    parameters = {key: torch.nn.Parameter(numbers(seed, 0, shape).to(dtype))
                  for seed, (key, shape) in enumerate(shapes.items())}
    groups = [dict(params=[parameter], weight_decay=DECAY if parameter.ndim == 2 else 0.0)
              for parameter in parameters.values()]
    optimizers = make(groups)
    for step in range(1, STEPS + 1):
        for seed, parameter in enumerate(parameters.values()):
            parameter.grad = numbers(seed, step, parameter.shape).to(dtype)
        for optimizer in optimizers:
            optimizer.step()
        if step not in steps:
            continue
        for key, parameter in parameters.items():
            result[f"{name}.{step}.{key}.value"] = parameter.detach().clone()
            for optimizer in optimizers:
                for theirs, ours in states.items():
                    state = optimizer.state.get(parameter, {}).get(theirs)
                    if state is not None:
                        suffix = "_codes" if state.dtype == torch.uint8 else ""
                        result[f"{name}.{step}.{key}.{ours}{suffix}"] = state.detach().clone()


def muon(groups):
    matrices = [group for group in groups if group["params"][0].ndim == 2]
    vectors = [group for group in groups if group["params"][0].ndim != 2]
    return [torch.optim.Muon(matrices, lr=RATE, momentum=0.9, nesterov=True), torch.optim.AdamW(vectors, lr=RATE)]


def main():
    torch.set_num_threads(1)
    result = {}
    run("adafactor", SHAPES, torch.float64,
        lambda groups: [transformers.Adafactor(groups, lr=RATE, scale_parameter=False, relative_step=False, beta1=None)],
        {"exp_avg_sq_row": "row", "exp_avg_sq_col": "column", "exp_avg_sq": "square"}, result)

    momenta = {"momentum_buffer": "momentum", "exp_avg": "first", "exp_avg_sq": "second"}
    bfloat16 = {}
    run("muon_bfloat16", SHAPES, torch.float64, muon, {}, bfloat16, (STEPS,))
    result.update({key: value.float() for key, value in bfloat16.items()})
    source = inspect.getsource(_muon._zeropower_via_newtonschulz)
    assert source.count("torch.bfloat16") == 1
    exec(source.replace("torch.bfloat16", "torch.float64"), vars(_muon))
    run("muon", SHAPES, torch.float64, muon, momenta, result)

    run("lion", SHAPES, torch.float32,
        lambda groups: [bitsandbytes.optim.Lion32bit(groups, lr=RATE, betas=(0.9, 0.99))], {"state1": "mean"}, result)

    def nearest(values, code, scales, codes, block):
        found, largest = default_ops._quantize_blockwise_nearest(values, code, block)
        codes.copy_(found), scales.copy_(largest)

    source = inspect.getsource(default_ops)
    begin = source.index('@register_kernel("bitsandbytes::quantize_blockwise", "default")')
    body = source[source.index("def _(", begin):]
    body = body[:body.index("\n\n\n")].replace("def _(", "def _quantize_blockwise_nearest(")
    exec(body, vars(default_ops))
    cpu_ops._quant_blockwise_fp32_direct = nearest
    names = {"state1": "first", "state2": "second", "absmax1": "first_scales", "absmax2": "second_scales"}
    run("adamw_8bit", SHAPES_8BIT, torch.float32, lambda groups: [bitsandbytes.optim.AdamW8bit(groups, lr=RATE)], names,
        result)
    result["dynamic_map.both"] = bitsandbytes.functional.create_dynamic_map(signed=True)
    result["dynamic_map.positive"] = bitsandbytes.functional.create_dynamic_map(signed=False)
    for key in [key for key in result if ".1.plain." in key or ".1.vector." in key and key.startswith("adamw_8bit")]:
        del result[key]  # the twentieth step says as much
    safetensors.torch.save_file(result, HERE / "steps.safetensors")

    versions = {"python": platform.python_version()}
    for module in (numpy, torch, transformers, bitsandbytes, safetensors):
        versions[module.__name__] = module.__version__
    (HERE / "versions.json").write_text(json.dumps(versions, indent=1) + "\n")


main()
