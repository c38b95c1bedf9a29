# SPDX-License-Identifier: MIT
# Writes scores.json: twelve steps of each loss on a score head, in float64, on two families of ../model, whole and with
# LoRA: transformers' own ForSequenceClassification losses (with class weights: torch's cross-entropy, a mean over rows),
# and TRL RewardTrainer's formula. A step takes four rows, or two pairs. And what a reward model says of every row before
# any step. Needs what ../model/make.py needs.
import json
import pathlib
import sys

import torch
from peft import LoraConfig, get_peft_model, set_peft_model_state_dict
from safetensors.torch import load_file
from torch.nn.functional import cross_entropy, logsigmoid
from transformers import AutoModelForSequenceClassification

HERE = pathlib.Path(__file__).resolve().parent
MODELS = HERE.parent / "model"
sys.path.insert(0, str(MODELS))
sys.dont_write_bytecode = True
import reference
from twelve_steps import twelve_steps

ROWS = 4
TASKS = {
    "single_label": dict(problem="single_label", outputs=3),
    "weighted": dict(problem="single_label", outputs=3, class_weights=[0.5, 2.0, 1.25]),
    "multi_label": dict(problem="multi_label", outputs=4),
    "regression": dict(problem="regression", outputs=1),
    "reward": dict(problem="reward", outputs=1, center_coefficient=0.0),
    "centered": dict(problem="reward", outputs=1, center_coefficient=0.3),
}


def labels_of(problem, outputs, row):
    """The numbers that this row's scores are held against."""
    if problem == "regression":
        return [((5 * row) % 7 - 3) / 2]
    if problem == "multi_label":
        return [float((row >> label & 1) ^ (label == 2)) for label in range(outputs)]
    return [float((7 * row + row // 4) % outputs == label) for label in range(outputs)]


def subject(folder, method, task, head):
    model = AutoModelForSequenceClassification.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="sdpa", num_labels=task["outputs"])
    model.config.pad_token_id = None  # every row is a batch of its own
    with torch.no_grad():
        model.score.weight.copy_(head)
    if method == "lora":
        settings = LoraConfig.from_pretrained(folder / "adapter")
        settings.task_type, settings.inference_mode = "SEQ_CLS", False
        model = get_peft_model(model, settings)
        adapter = load_file(folder / "adapter/adapter_model.safetensors")
        set_peft_model_state_dict(model, {**adapter, "base_model.model.score.weight": head.float()})
    model = reference.in_float64(model)
    with torch.no_grad():  # in all its digits
        for name, parameter in model.named_parameters():
            if "score" in name:
                parameter.copy_(head)
    return model


def scores_of(model, row):
    reference.forget_length(model)
    return model(input_ids=torch.tensor([row["tokens"]]), use_cache=False).logits[0]


def loss_of_row(model, task, row, labels):
    if task.get("class_weights"):
        scores = scores_of(model, row)
        return cross_entropy(scores[None], torch.tensor([labels]).double().argmax(-1),
                             torch.tensor(task["class_weights"]).double(), reduction="sum"), scores
    config = getattr(model, "base_model", model).config
    config.problem_type = task["problem"] if task["problem"] == "regression" else task["problem"] + "_classification"
    config.num_labels = task["outputs"]
    target = torch.tensor([labels]).double()
    if task["problem"] == "single_label":
        target = target.argmax(-1)
    reference.forget_length(model)
    result = model(input_ids=torch.tensor([row["tokens"]]), use_cache=False, labels=target)
    return result.loss, result.logits[0]


def right(task, scores, labels):
    truth = torch.tensor(labels).double()
    if task["problem"] == "single_label":
        return float(scores.argmax() == truth.argmax())
    return float(bool(((scores > 0) == (truth > 0.5)).all()))


def run(folder, method, task, rows, head, labels):
    model = subject(folder, method, task, head)
    learning_rate = 5e-3 if method == "lora" else 1e-3
    assert any(parameter.shape == head.shape for _, parameter in reference.trained(model))

    def backward(step):
        picked = [(ROWS * step + at) % len(rows) for at in range(ROWS)]
        total, hits, margin = 0.0, 0.0, 0.0
        if task["problem"] == "reward":
            for first in (0, 2):
                good, bad = (scores_of(model, rows[picked[first + side]])[0] for side in (0, 1))
                value = (-logsigmoid(good - bad) + task["center_coefficient"] * (good + bad) ** 2) / 2
                value.backward()
                total, hits = total + float(value.detach()), hits + float(good > bad) / 2
                margin += float((good - bad).detach()) / 2
        else:
            for index in picked:
                value, scores = loss_of_row(model, task, rows[index], labels[index])
                (value / ROWS).backward()
                total += float(value.detach()) / ROWS
                hits += right(task, scores.detach(), labels[index]) / ROWS
        return {"loss": total, "accuracy": hits, "margin": margin}

    return {"learning_rate": learning_rate,
            **twelve_steps(model, learning_rate, ["loss", "grad_norm", "accuracy", "margin"], backward)}


def main():
    torch.set_num_threads(1)
    record = {}
    for family in ("llama3", "qwen2"):
        rows = json.loads((MODELS / family / "batch.json").read_text())["documents"]
        width = json.loads((MODELS / family / "config.json").read_text())["hidden_size"]
        record[family] = {}
        for name, task in TASKS.items():
            drawn = torch.randn(task["outputs"], width, generator=torch.Generator().manual_seed(5))
            head = (drawn.double() * 64).round() / 256  # exact in every format
            labels = [labels_of(task["problem"], task["outputs"], row) for row in range(len(rows))]
            record[family][name] = {"task": task, "head": head.flatten().tolist(), "labels": labels}
            if name == "reward":  # what a reward model says before any step
                with torch.no_grad():
                    model = subject(MODELS / family, "full", task, head)
                    record[family][name]["scores"] = [float(scores_of(model, row)[0]) for row in rows]
            for method in ("full", "lora"):
                curve = run(MODELS / family, method, task, rows, head, labels)
                record[family][name][method] = curve
                print(f"{family:8} {name:14} {method} loss {curve['loss'][0]:.4f} -> {curve['loss'][-1]:.4f}", flush=True)
    (HERE / "scores.json").write_text(json.dumps(record) + "\n")


main()
