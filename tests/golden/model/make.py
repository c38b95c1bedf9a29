# SPDX-License-Identifier: MIT
# Writes every golden file of this folder: tiny seeded models and adapters as transformers and PEFT save them, and the
# logits, losses, gradients and training curves that these libraries compute from them. Needs numpy, torch,
# transformers, peft and safetensors; the versions used are in versions.json. A second run writes the same bytes.
import json
import os
import pathlib
import re
import shutil
import sys
import warnings

if os.environ.get("PYTHONHASHSEED") != "0":  # PEFT writes a set of names in the order of their hashes
    os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, "PYTHONHASHSEED": "0"})

import peft
import safetensors
import safetensors.torch
import torch
import transformers
from peft import LoraConfig, PeftModel, PromptTuningConfig, get_peft_model
from transformers import AutoModelForCausalLM

sys.dont_write_bytecode = True
import families
import reference
import schedules

HERE = pathlib.Path(__file__).resolve().parent
DEFAULTS = {"learning_rate": 5e-3, "optimizer": "adamw", "momentum": 0.0, "nesterov": False, "weight_decay": 0.01,
            "max_grad_norm": 1.0, "label_smoothing": 0.0, "z_loss": 0.0, "lora_plus_ratio": None, "batch_size": 1,
            "gradient_accumulation": 4}
LORA = dict(r=3, lora_alpha=6, lora_dropout=0.0, task_type="CAUSAL_LM",
            target_modules=["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"])
ADAPTERS = {
    "adapter": {},
    "adapter_all_linear": dict(target_modules="all-linear"),  # PEFT writes out every module's whole name
    "adapter_rslora": dict(use_rslora=True),
    "adapter_targets": dict(target_modules=["q_proj", "v_proj"]),
    "adapter_bias_all": dict(bias="all", target_modules=["q_proj", "v_proj"]),
    "adapter_bias_lora_only": dict(bias="lora_only", target_modules=["q_proj", "v_proj"]),
    "adapter_modules_to_save": dict(modules_to_save=["lm_head"]),
    "adapter_dora": dict(use_dora=True),
    "adapter_prompt": None,  # prompt tuning, which has none of LoRA's settings
}
PADDED = dict(batch_size=4, gradient_accumulation=1)
# name of the run: (adapter or None, settings that differ from DEFAULTS)
EVERY_FAMILY = {"full": (None, {}), "lora": ("adapter", {})}
RUNS = {
    "llama3": {
        "full_batch": (None, PADDED),
        "full_no_clipping": (None, dict(max_grad_norm=None, learning_rate=1e-3)),
        "lora_batch": ("adapter", PADDED),
        "modules_to_save": ("adapter_modules_to_save", {}),
        "dora": ("adapter_dora", {}),
        "prompt": ("adapter_prompt", dict(learning_rate=0.05)),
    },
    "qwen2": {
        "full_label_smoothing": (None, dict(label_smoothing=0.1)),
        "full_label_smoothing_batch": (None, dict(label_smoothing=0.1, **PADDED)),
        "full_z_loss": (None, dict(z_loss=0.01)),
        "full_sgd_momentum": (None, dict(optimizer="sgd", momentum=0.9, learning_rate=0.05)),
        "full_adafactor": (None, dict(optimizer="adafactor")),
        "lora_label_smoothing": ("adapter", dict(label_smoothing=0.1)),
        "lora_sgd": ("adapter", dict(optimizer="sgd", learning_rate=0.2)),
        "lora_sgd_momentum": ("adapter", dict(optimizer="sgd", momentum=0.9, learning_rate=0.05)),
        "lora_sgd_nesterov": ("adapter", dict(optimizer="sgd", momentum=0.9, nesterov=True, learning_rate=0.05)),
        "lora_adafactor": ("adapter", dict(optimizer="adafactor")),
        "lora_plus": ("adapter", dict(lora_plus_ratio=4.0)),
        "all_linear": ("adapter_all_linear", {}),
        "rslora": ("adapter_rslora", {}),
        "targets": ("adapter_targets", {}),
        "bias_all": ("adapter_bias_all", {}),
        "bias_lora_only": ("adapter_bias_lora_only", {}),
    },
}


def write_json(path, value):
    text = json.dumps(value, indent=1)
    flat = re.sub(r"\[\s+([^][{}]*?)\s+\]", lambda list: "[" + re.sub(r",\s+", ", ", list[1]) + "]", text)
    assert json.loads(flat) == value
    path.write_text(flat + "\n")


def write_rows(path, rows):
    lines = ",\n".join("  " + json.dumps(row) for row in rows)
    path.write_text('{"expected_documents": 3, "documents": [\n' + lines + "\n]}\n")


def old_style(folder):
    """config.old.json: the same model in the words of transformers 4, for which the results are the same."""
    config = json.loads((folder / "config.json").read_text())
    rope = config.pop("rope_parameters")
    config["torch_dtype"] = config.pop("dtype")
    config["rope_theta"] = rope.pop("rope_theta")
    kind = rope.pop("rope_type")
    word = "type" if kind in ("linear", "dynamic") else "rope_type"  # the older of the two spellings where it was used
    config["rope_scaling"] = None if kind == "default" else {word: kind, **rope}
    config["transformers_version"] = "4.45.0"
    config.pop("layer_types", None)
    if config["model_type"] == "llama":
        del config["head_dim"]  # hidden_size / num_attention_heads, which older files leave unsaid
    if config["model_type"] == "qwen2":
        config.update(sliding_window=4, max_window_layers=1)  # without effect while use_sliding_window is false
    write_json(folder / "config.old.json", config)


def write_model(folder, name, config):
    model = AutoModelForCausalLM.from_config(config)
    families.fill(model, name)
    if name == "llama_bf16":
        model.to(torch.bfloat16)
    model.save_pretrained(folder)
    if name == "llama2":  # the same weights once more, over two files
        sharded = HERE / "llama_sharded"
        shutil.rmtree(sharded, ignore_errors=True)
        model.save_pretrained(sharded, max_shard_size="20KB")
        (sharded / "generation_config.json").unlink(missing_ok=True)
        assert len(list(sharded.glob("model-*.safetensors"))) == 2, "wanted two shards"
    (folder / "generation_config.json").unlink(missing_ok=True)
    old_style(folder)


def write_adapter(folder, name, adapter):
    model = reference.load(folder)
    model.name_or_path = name
    if ADAPTERS[adapter] is None:
        settings = PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=5)
    else:
        settings = LoraConfig(**{**LORA, **ADAPTERS[adapter]})
    tuned = get_peft_model(model, settings)
    families.fill_adapter(tuned, name)
    tuned.save_pretrained(folder / adapter)
    (folder / adapter / "README.md").unlink(missing_ok=True)
    names = {reference.saved_name(parameter) for parameter, _ in reference.trained(tuned)}
    with safetensors.safe_open(folder / adapter / "adapter_model.safetensors", "pt") as file:
        assert set(file.keys()) == names, f"{folder / adapter}: {sorted(set(file.keys()) ^ names)}"


def subject(folder, adapter, precision):
    """The model to train in the wanted precision: everything for no adapter, else what the adapter trains."""
    model = reference.load(folder)
    if adapter is not None:
        prompt = ADAPTERS[adapter] is None  # PEFT loads these only as frozen
        model = PeftModel.from_pretrained(model, folder / adapter, is_trainable=not prompt)
        for parameter in model.prompt_encoder.parameters() if prompt else ():
            parameter.requires_grad_(True)
    return reference.in_float64(model) if precision == "float64" else model


def record(folder, adapter, rows, prefix, tensors):
    """Logits, loss and gradients; tensors of the float32 run are kept, of the float64 run the difference to them."""
    results = {}
    for precision in ("float32", "float64"):
        model = subject(folder, adapter, precision)
        loss = reference.backward(model, rows)
        with torch.no_grad():
            logits = [reference.logits_of(model, row) for row in rows]
        results[precision] = (loss, logits, reference.gradients(model))
    (loss, logits, gradients), (loss64, logits64, gradients64) = results["float32"], results["float64"]
    tensors[prefix + "loss"] = loss.reshape(1)
    for index, values in enumerate(logits):
        tensors[f"{prefix}logits.{index}"] = values
    for name, values in gradients.items():
        tensors[f"{prefix}gradient.{name}"] = values
    scale = max(float(values.abs().max()) for values in gradients64.values())
    return {
        "loss": {"float32": float(loss), "float64": float(loss64)},
        "grad_norm": {"float32": reference.norm_of(gradients.values()),
                      "float64": reference.norm_of(gradients64.values())},
        "supervised_tokens": reference.supervised(rows),
        "largest_difference": {
            "logits": max(float((a - b).abs().max()) for a, b in zip(logits, logits64)),
            "largest_logit": max(float(values.abs().max()) for values in logits64),
            "gradient": max(float((gradients[name] - gradients64[name]).abs().max()) for name in gradients),
            "largest_gradient": scale,
        },
    }


def rope_tables(folder, lengths):
    """Inverse frequencies for documents of these lengths, and cosines and sines at some positions (first half)."""
    model = reference.load(folder)
    rotary = model.model.rotary_emb
    tables = []
    for length in lengths:
        reference.forget_length(model)
        cosine, sine = rotary(torch.zeros(1, 1), torch.arange(length)[None])
        half = cosine.shape[-1] // 2
        exact = reference.inverse_frequencies(model.config, length)
        assert torch.allclose(rotary.inv_freq.double(), torch.from_numpy(exact), rtol=1e-6, atol=0)
        positions = sorted({0, 1, 2, 7, length // 2, length - 1})
        tables.append({
            "length": length,
            "inverse_frequencies": {"float32": rotary.inv_freq.tolist(), "float64": exact.tolist()},
            "attention_scaling": float(rotary.attention_scaling),
            "positions": positions,
            "cosine": [cosine[0, position, :half].tolist() for position in positions],
            "sine": [sine[0, position, :half].tolist() for position in positions],
        })
    return tables


def check_old_style(folder, rows):
    """The old configuration gives the same logits to the bit."""
    kept = (folder / "config.json").read_text()
    with torch.no_grad():
        new = [reference.logits_of(reference.load(folder), row) for row in rows]
        try:
            (folder / "config.json").write_text((folder / "config.old.json").read_text())
            model = reference.load(folder)
            old = [reference.logits_of(model, row) for row in rows]
        finally:
            (folder / "config.json").write_text(kept)
    assert all(torch.equal(a, b) for a, b in zip(new, old)), folder


def write_family(name, config, lengths):
    folder = HERE / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    write_model(folder, name, config)
    rows = families.rows(name, lengths)
    write_rows(folder / "batch.json", rows)
    check_old_style(folder, rows[:3])
    runs = {**EVERY_FAMILY, **RUNS.get(name, {})}
    adapters = sorted({adapter for adapter, _ in runs.values() if adapter})
    for adapter in adapters:
        write_adapter(folder, name, adapter)
    write_json(folder / "rope.json", rope_tables(folder, sorted(set(lengths[:3]))))
    for adapter in [None, *adapters]:
        tensors = {}
        summary = record(folder, adapter, rows[:3], "", tensors)
        where = folder if adapter is None else folder / adapter
        safetensors.torch.save_file({key: value.detach().float().contiguous() for key, value in tensors.items()},
                                    where / "expected.safetensors")
        write_json(where / "expected.json", summary)
    training = {"steps": reference.STEPS, "warmup_steps": reference.WARMUP, "scheduler": "linear",
                "rows_of_a_step": reference.ROWS_OF_A_STEP, "runs": {}}
    for run, (adapter, changes) in runs.items():
        settings = {**DEFAULTS, **changes}
        training["runs"][run] = {"adapter": adapter, "settings": settings}
        for precision in ("float32", "float64"):
            model = subject(folder, adapter, precision)
            training["runs"][run][precision] = reference.train(model, rows, settings)
        losses = training["runs"][run]["float32"]["loss"]
        exact = training["runs"][run]["float64"]["loss"]
        gap = max(abs(a - b) for a, b in zip(losses, exact))
        norms = training["runs"][run]["float64"]["grad_norm"]
        print(f"{name:14} {run:28} loss {exact[0]:.4f} -> {exact[-1]:.4f}  float32 off by {gap:.1e}  "
              f"grad_norm {min(norms):.2f}..{max(norms):.2f}", flush=True)
    write_json(folder / "training.json", training)


def write_sharded():
    tensors = {}
    rows = families.rows("llama2", families.SHORT)[:3]
    record(HERE / "llama_sharded", None, rows, "", tensors)
    whole = safetensors.torch.load_file(HERE / "llama2" / "expected.safetensors")
    assert all(torch.equal(tensors[name], values) for name, values in whole.items())


def main():
    torch.set_num_threads(1)
    warnings.simplefilter("ignore", FutureWarning)
    torch.use_deterministic_algorithms(True)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    chosen = sys.argv[1:] or list(families.FAMILIES)
    for name in chosen:
        write_family(name, *families.FAMILIES[name])
    if "llama2" in chosen:
        write_sharded()
    write_json(HERE / "schedules.json", schedules.tables())
    write_json(HERE / "versions.json", {
        "python": sys.version.split()[0], "numpy": families.numpy.__version__, "torch": torch.__version__,
        "transformers": transformers.__version__, "peft": peft.__version__, "safetensors": safetensors.__version__})


main()
