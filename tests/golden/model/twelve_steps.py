# SPDX-License-Identifier: MIT
# The loop of the recorded runs of ../objective and ../distillation: twelve steps of AdamW with a linear schedule and
# clipped gradients, in float64, whatever the loss.
import torch
from transformers import get_scheduler

import reference

STEPS, WARMUP = 12, 3


def twelve_steps(model, learning_rate, keys, backward):
    """backward(step) adds to the gradients and returns a number for each of keys; 'grad_norm' is found here."""
    model.train()
    optimizer = reference.make_optimizer(model, {"learning_rate": learning_rate, "weight_decay": 0.01,
                                                 "optimizer": "adamw", "lora_plus_ratio": None})
    scheduler = get_scheduler("linear", optimizer, num_warmup_steps=WARMUP, num_training_steps=STEPS)
    parameters = [parameter for _, parameter in reference.trained(model)]
    curve = {key: [] for key in keys}
    for step in range(STEPS):
        told = backward(step)
        told["grad_norm"] = float(torch.nn.utils.clip_grad_norm_(parameters, 1.0))
        for key in keys:
            curve[key].append(told[key])
        optimizer.step()
        scheduler.step()
        optimizer.zero_grad()
    return curve
