# SPDX-License-Identifier: MIT
# Writes preference.json: twelve steps of each preference loss, in float64, on two families of ../model, from transformers
# and PEFT and the formulas of TRL's DPOTrainer (sigmoid, hinge, ipo), of its CPOTrainer (simpo) and ORPOTrainer (orpo), where
# the two are means over pairs. Rows 2p and 2p + 1 of a family are a pair; a step takes two. Needs what ../model/make.py needs.
import json
import pathlib
import sys

import torch
from peft import PeftModel
from torch.nn.functional import logsigmoid

HERE = pathlib.Path(__file__).resolve().parent
MODELS = HERE.parent / "model"
sys.path.insert(0, str(MODELS))
sys.dont_write_bytecode = True
import reference
from twelve_steps import twelve_steps

PAIRS = 2
DEFAULTS = {"loss": "sigmoid", "beta": 0.1, "label_smoothing": 0.0, "gamma": 0.5, "learning_rate": 5e-3}
RUNS = {
    "full_sigmoid": (None, dict(learning_rate=1e-3)),
    "lora_sigmoid": ("adapter", {}),
    "lora_smoothed": ("adapter", dict(label_smoothing=0.2)),
    "lora_hinge": ("adapter", dict(loss="hinge", beta=0.05)),
    "full_ipo": (None, dict(loss="ipo", learning_rate=1e-3)),
    "lora_ipo": ("adapter", dict(loss="ipo", beta=0.5)),
    "lora_simpo": ("adapter", dict(loss="simpo", beta=2.0, label_smoothing=0.1)),
    "full_orpo": (None, dict(loss="orpo", learning_rate=1e-3)),
    "lora_orpo": ("adapter", dict(loss="orpo", beta=0.5)),
}


def token_log_probs(model, row):
    chosen = torch.tensor(row["labels"][1:], dtype=torch.bool)
    logits = reference.logits_of(model, row)[:-1][chosen]
    tokens = torch.tensor(row["tokens"][1:])[chosen]
    return torch.log_softmax(logits, -1).gather(1, tokens[:, None])[:, 0]


def pair_loss(settings, chosen, rejected, base_chosen, base_rejected):
    """The loss of one pair and the rewards of its sides, from log-probabilities of its tokens."""
    beta, e, loss = settings["beta"], settings["label_smoothing"], settings["loss"]
    if loss in ("simpo", "orpo"):
        base_chosen, base_rejected = torch.zeros_like(chosen), torch.zeros_like(rejected)
    chosen, rejected = chosen - base_chosen, rejected - base_rejected
    d = chosen.sum() - rejected.sum()
    mean = chosen.mean() - rejected.mean()
    smoothed = lambda z: -(1 - e) * logsigmoid(z) - e * logsigmoid(-z)
    if loss == "sigmoid":
        value = smoothed(beta * d)
    elif loss == "hinge":
        value = torch.relu(1 - beta * d)
    elif loss == "ipo":
        value = (mean - 1 / (2 * beta)) ** 2
    elif loss == "simpo":
        value = smoothed(beta * mean - settings["gamma"])
    else:
        odds = lambda side: side.mean() - torch.log1p(-torch.exp(side.mean()))
        value = -chosen.mean() - beta * logsigmoid(odds(chosen) - odds(rejected))
    rewards = (chosen.mean(), rejected.mean()) if loss in ("simpo", "orpo") else (chosen.sum(), rejected.sum())
    return value, beta * rewards[0].detach(), beta * rewards[1].detach()


def subject(folder, adapter):
    model = reference.load(folder)
    if adapter:
        model = PeftModel.from_pretrained(model, folder / adapter, is_trainable=True)
    return reference.in_float64(model)


def run(folder, adapter, settings, rows):
    model, base = subject(folder, adapter), subject(folder, None)

    def backward(step):
        total, margin = 0.0, 0.0
        for pair in range(PAIRS):
            sides = [rows[(2 * PAIRS * step + 2 * pair + side) % len(rows)] for side in (0, 1)]
            with torch.no_grad():
                reference_sides = [token_log_probs(base, row) for row in sides]
            value, good, bad = pair_loss(settings, *(token_log_probs(model, row) for row in sides), *reference_sides)
            (value / PAIRS).backward()
            total, margin = total + float(value.detach()) / PAIRS, margin + float(good - bad) / PAIRS
        return {"loss": total, "reward_margin": margin}

    return twelve_steps(model, settings["learning_rate"], ["loss", "grad_norm", "reward_margin"], backward)


def main():
    torch.set_num_threads(1)
    record = {}
    for family in ("llama3", "qwen2"):
        rows = json.loads((MODELS / family / "batch.json").read_text())["documents"]
        record[family] = {}
        for name, (adapter, changes) in RUNS.items():
            settings = {**DEFAULTS, **changes}
            record[family][name] = {"adapter": adapter, "settings": settings,
                                    **run(MODELS / family, adapter, settings, rows)}
            curve = record[family][name]
            print(f"{family:8} {name:16} loss {curve['loss'][0]:.4f} -> {curve['loss'][-1]:.4f}", flush=True)
    (HERE / "preference.json").write_text(json.dumps(record, indent=1) + "\n")


main()
