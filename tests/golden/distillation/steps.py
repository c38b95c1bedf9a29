# SPDX-License-Identifier: MIT
# Writes steps.json: twelve steps of distillation in float64 on two families of ../model, whole and with LoRA, from a
# frozen teacher of another family. The loss is alpha T^2 D + (1 - alpha) cross entropy, a mean over supervised tokens;
# D is checked against TRL's GKDTrainer.generalized_jsd_loss (beta 0, 1 and 1/2), which has neither T^2 nor the second
# term. Needs what ../model/make.py needs, and trl.
import json
import pathlib
import sys

import torch
import trl
from peft import PeftModel
from torch.nn.functional import cross_entropy, kl_div, log_softmax
from trl.experimental.gkd import GKDTrainer

HERE = pathlib.Path(__file__).resolve().parent
MODELS = HERE.parent / "model"
sys.path.insert(0, str(MODELS))
sys.dont_write_bytecode = True
import reference
from twelve_steps import twelve_steps

ROWS = 4
BETA = {"forward": 0, "reverse": 1, "jsd": 0.5}
RUNS = {  # student: teacher, and the runs
    "llama3": ("qwen3", {"full_forward": dict(), "lora_reverse": dict(divergence="reverse", temperature=2.0, alpha=0.7)}),
    "qwen2": ("llama3", {"full_jsd": dict(divergence="jsd", alpha=0.5), "lora_forward": dict(temperature=2.0)}),
}
DEFAULTS = {"divergence": "forward", "temperature": 1.0, "alpha": 1.0}


def apart(settings, student, teacher):
    """The divergence of each token."""
    log_q, log_p = (log_softmax(logits / settings["temperature"], -1) for logits in (student, teacher))
    kl = lambda a, b: kl_div(b, a, reduction="none", log_target=True).sum(-1)  # KL(a, b)
    if settings["divergence"] == "forward":
        return kl(log_p, log_q)
    if settings["divergence"] == "reverse":
        return kl(log_q, log_p)
    mixed = torch.logaddexp(log_p, log_q) - torch.log(torch.tensor(2.0, dtype=log_p.dtype))
    return (kl(log_p, mixed) + kl(log_q, mixed)) / 2


def subject(folder, adapter):
    model = reference.load(folder)
    if adapter:
        model = PeftModel.from_pretrained(model, folder / "adapter", is_trainable=True)
    return reference.in_float64(model)


def run(student, teacher, name, settings, rows):
    lora = name.startswith("lora")
    model, master = subject(MODELS / student, lora), subject(MODELS / teacher, False)
    temperature, alpha = settings["temperature"], settings["alpha"]

    def backward(step):
        picked = [rows[(ROWS * step + at) % len(rows)] for at in range(ROWS)]
        count = reference.supervised(picked)
        told = {"loss": 0.0, "divergence": 0.0}
        for row in picked:
            chosen = torch.tensor(row["labels"][1:], dtype=torch.bool)
            targets = torch.tensor(row["tokens"][1:])[chosen]
            logits = reference.logits_of(model, row)[:-1][chosen]
            with torch.no_grad():
                taught = reference.logits_of(master, row)[:-1][chosen]
            each = apart(settings, logits, taught)
            theirs = GKDTrainer.generalized_jsd_loss(logits, taught, beta=BETA[settings["divergence"]],
                                                     temperature=temperature, reduction="sum")
            assert abs(float((each.sum() - theirs).detach())) < 1e-12
            loss = alpha * temperature**2 * each.sum() + (1 - alpha) * cross_entropy(logits, targets, reduction="sum")
            (loss / count).backward()
            told["loss"] += float(loss.detach()) / count
            told["divergence"] += float(each.sum().detach()) / count
        return told

    rate = 5e-3 if lora else 1e-3
    return {"settings": settings, "learning_rate": rate,
            **twelve_steps(model, rate, ["loss", "grad_norm", "divergence"], backward)}


def main():
    torch.set_num_threads(1)
    record = {"torch": torch.__version__, "trl": trl.__version__}
    for student, (teacher, runs) in RUNS.items():
        rows = json.loads((MODELS / student / "batch.json").read_text())["documents"]
        record[student] = {"teacher": teacher}
        for name, changes in runs.items():
            curve = record[student][name] = run(student, teacher, name, {**DEFAULTS, **changes}, rows)
            print(f"{student:8} {name:14} loss {curve['loss'][0]:.4f} -> {curve['loss'][-1]:.4f}", flush=True)
    (HERE / "steps.json").write_text(json.dumps(record, indent=1) + "\n")


main()
