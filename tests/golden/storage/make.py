# SPDX-License-Identifier: MIT
# Writes this folder's golden files: bitsandbytes' codes, scales and decoded values of small matrices; checkpoints in 4
# and in 8 bits as transformers saves them; and what PEFT makes of each base, quantized or in 16 bits: logits, gradients
# and twenty steps of LoRA, DoRA, prompt tuning and, in 16 bits, the whole model. Needs numpy, torch, transformers, peft,
# bitsandbytes, accelerate and safetensors; versions in versions.json.
#
# The base of the runs is bitsandbytes' quantized weights, decoded to float32 and put into the transformers model in
# place of its own, or every weight rounded to 16 bits, so that nothing but the storage is lossy. Two parts of
# bitsandbytes for CPUs do not follow its own formula; what it has for any device is put in their place: the block-wise
# quantizer, which looks codes up in a table of 65,536 bins and misses the nearest now and then, and the decoder of 4
# bits, which takes wrong scales where a row is shorter than a block.
import json
import pathlib
import platform
import shutil
import sys
import warnings

import accelerate
import bitsandbytes
import numpy
import peft
import safetensors
import safetensors.torch
import torch
import transformers
from bitsandbytes import functional
from bitsandbytes.backends.default.ops import _dequantize_4bit_compute
from peft import PeftModel
from transformers import AutoModelForCausalLM, BitsAndBytesConfig

HERE = pathlib.Path(__file__).resolve().parent
MODELS = HERE.parent / "model"
sys.path.insert(0, str(MODELS))
sys.dont_write_bytecode = True
import families
import reference

MATRICES = {"whole": (32, 64), "rows": (48, 100), "short": (7, 9), "many": (300, 256), "zeros": (2, 64)}
STORAGES = {"nf4": ("nf4", True), "nf4_plain": ("nf4", False), "fp4": ("fp4", True), "int8": ("int8", None),
            "bf16": (torch.bfloat16, None), "f16": (torch.float16, None)}
ADAPTERS = ("adapter", "adapter_dora", "adapter_prompt")
SETTINGS = {"learning_rate": 5e-3, "optimizer": "adamw", "momentum": 0.0, "nesterov": False, "weight_decay": 0.01,
            "max_grad_norm": 1.0, "label_smoothing": 0.0, "z_loss": 0.0, "lora_plus_ratio": None, "batch_size": 1}


def nearest_codes(values, code=None, absmax=None, out=None, blocksize=256, nested=False):
    """functional.quantize_blockwise with the formula of bitsandbytes' default backend."""
    code = functional.create_dynamic_map() if code is None else code
    flat, count = values.reshape(-1).float(), values.numel()
    whole = count - count % blocksize
    blocks = flat[:whole].reshape(-1, blocksize)
    largest = blocks.abs().max(dim=-1)[0] if whole else torch.empty(0)
    scaled = (blocks * (1.0 / largest.clamp(min=1e-38).view(-1, 1))).reshape(-1)
    if count % blocksize:
        last = flat[whole:].abs().max().clamp(min=1e-38)
        largest = torch.cat([largest, last.unsqueeze(0)])
        scaled = torch.cat([scaled, flat[whole:] / last])
    codes = torch.bucketize(scaled.clamp(-1, 1), (code[:-1] + code[1:]) / 2).to(torch.uint8).reshape(values.shape)
    state = functional.QuantState(absmax=largest, code=code, blocksize=blocksize, dtype=values.dtype)
    return codes, state


functional.quantize_blockwise = nearest_codes


def numbers(shape):
    """Exact in float32, and made again by the test: integers times a small integer of the block times 2^-18."""
    index = numpy.arange(shape[0] * shape[1], dtype=numpy.int64)
    values = ((index * 7919) % 10007 - 5003) * (1 + index // 64 % 7)
    return torch.from_numpy((values * 2.0**-18).astype(numpy.float32)).reshape(shape)


def decoded_codes(codes, state):
    scales = functional.dequantize_blockwise(state.absmax, state.state2) + state.offset if state.nested else state.absmax
    return _dequantize_4bit_compute(codes.reshape(-1), scales, state.code, 64, state.shape, torch.float32)


def decoded(weight, kind, nested):
    if kind == "int8":
        codes, rows, _ = functional.int8_vectorwise_quant(weight)
        return functional.int8_vectorwise_dequant(codes, rows)
    codes, state = functional.quantize_4bit(weight, quant_type=kind, compress_statistics=nested)
    return decoded_codes(codes, state)


def record_matrices(tensors):
    for name, shape in MATRICES.items():
        weight = numbers(shape) if name != "zeros" else torch.zeros(shape)
        keep = weight.numel() <= 2100
        for kind in ("nf4", "fp4"):
            codes, state = functional.quantize_4bit(weight, quant_type=kind)
            again, nested = functional.quantize_4bit(weight, quant_type=kind, compress_statistics=True)
            assert torch.equal(codes, again)
            at = f"{kind}.{name}."
            tensors[at + "codes"] = codes.reshape(-1)
            if kind == "nf4":  # scales do not depend on the codes
                tensors[f"{name}.scales"] = state.absmax
                tensors[f"{name}.scale_codes"] = nested.absmax
                tensors[f"{name}.scale_scales"] = nested.state2.absmax
                tensors[f"{name}.offset"] = nested.offset.reshape(1)
            if keep:
                tensors[at + "decoded"] = decoded_codes(codes, state)
                tensors[at + "decoded_nested"] = decoded_codes(again, nested)
        if name == "zeros":
            continue  # bitsandbytes divides by zero
        codes, rows, _ = functional.int8_vectorwise_quant(weight)
        tensors[f"int8.{name}.codes"], tensors[f"int8.{name}.scales"] = codes, rows
        if keep:
            tensors[f"int8.{name}.decoded"] = functional.int8_vectorwise_dequant(codes, rows)
    tensors["nf4.table"] = functional.get_4bit_type("nf4", device="cpu")
    tensors["fp4.table"] = functional.get_4bit_type("fp4", device="cpu")


def stored_base(kind, nested):
    model = reference.load(MODELS / "llama3")
    if isinstance(kind, torch.dtype):
        return model.to(kind).float()
    with torch.no_grad():
        for name, module in model.named_modules():
            if isinstance(module, torch.nn.Linear) and name != "lm_head":
                module.weight.copy_(decoded(module.weight.data, kind, nested))
    return model


def subject(kind, nested, adapter, precision):
    model = stored_base(kind, nested)
    if adapter:
        prompt = adapter == "adapter_prompt"  # PEFT loads these only as frozen
        model = PeftModel.from_pretrained(model, MODELS / "llama3" / adapter, is_trainable=not prompt)
        for parameter in model.prompt_encoder.parameters() if prompt else ():
            parameter.requires_grad_(True)
    return reference.in_float64(model) if precision == "float64" else model


def record_runs(tensors):
    rows = json.loads((MODELS / "llama3" / "batch.json").read_text())["documents"]
    runs = {}
    for storage, (kind, nested) in STORAGES.items():
        for adapter in (*ADAPTERS, None) if isinstance(kind, torch.dtype) else ADAPTERS:
            key = f"{storage}.{adapter or 'full'}"
            run = runs[key] = {"storage": storage, "adapter": adapter}
            for precision in ("float32", "float64"):
                run[precision] = reference.train(subject(kind, nested, adapter, precision), rows, SETTINGS)
            model = subject(kind, nested, adapter, "float64")
            tensors[key + ".loss"] = reference.backward(model, rows[:3]).reshape(1)
            with torch.no_grad():
                tensors[key + ".logits.0"] = reference.logits_of(model, rows[0])
            for name, values in reference.gradients(model).items():
                if ".layers.1." in name and (adapter or "self_attn" in name) or name == "prompt_embeddings":
                    tensors[f"{key}.gradient.{name}"] = values
    (HERE / "training.json").write_text(json.dumps({"settings": SETTINGS, "runs": runs}, indent=1) + "\n")


def write_checkpoints():
    for name, kind, nested in (("checkpoint_nf4", "nf4", True), ("checkpoint_fp4", "fp4", False)):
        config = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type=kind, bnb_4bit_use_double_quant=nested,
                                    bnb_4bit_compute_dtype=torch.float32)
        model = AutoModelForCausalLM.from_pretrained(MODELS / "llama3", quantization_config=config, dtype=torch.float32,
                                                     device_map="cpu")
        folder = HERE / name
        shutil.rmtree(folder, ignore_errors=True)
        model.save_pretrained(folder)
        (folder / "generation_config.json").unlink(missing_ok=True)


def write_rows_checkpoint():
    """In 8 bits: what two of its matrices are decoded to, logits with all of them decoded, and transformers' own."""
    model = AutoModelForCausalLM.from_pretrained(
        MODELS / "llama3", quantization_config=BitsAndBytesConfig(load_in_8bit=True), dtype=torch.float32,
        device_map="cpu")
    folder = HERE / "checkpoint_int8"
    shutil.rmtree(folder, ignore_errors=True)
    model.save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)
    stored, tensors = safetensors.torch.load_file(folder / "model.safetensors"), {}
    exact = reference.load(MODELS / "llama3")
    with torch.no_grad():
        for name, module in exact.named_modules():
            if isinstance(module, torch.nn.Linear) and name != "lm_head":
                values = functional.int8_vectorwise_dequant(stored[name + ".weight"], stored[name + ".SCB"])
                module.weight.copy_(values)
                if name in ("model.layers.0.self_attn.q_proj", "model.layers.1.mlp.down_proj"):
                    tensors["decoded." + name] = values
        rows = json.loads((MODELS / "llama3" / "batch.json").read_text())["documents"]
        tensors["logits"] = reference.logits_of(reference.in_float64(exact), rows[0]).float()
        tensors["logits.llm_int8"] = reference.logits_of(model, rows[0])
    safetensors.torch.save_file(tensors, HERE / "checkpoint_int8.safetensors")


def main():
    torch.set_num_threads(1)  # bitsandbytes' mean of scales depends on it
    warnings.simplefilter("ignore")
    torch.use_deterministic_algorithms(True)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    write_checkpoints()
    write_rows_checkpoint()
    tensors, results = {}, {}
    record_matrices(tensors)
    safetensors.torch.save_file(tensors, HERE / "matrices.safetensors")
    record_runs(results)
    safetensors.torch.save_file({key: value.detach().float().contiguous() for key, value in results.items()},
                                HERE / "expected.safetensors")
    versions = {"python": platform.python_version()}
    for module in (numpy, torch, transformers, peft, accelerate, bitsandbytes, safetensors):
        versions[module.__name__] = module.__version__
    (HERE / "versions.json").write_text(json.dumps(versions, indent=1) + "\n")


main()
