# SPDX-License-Identifier: MIT
# The learning rate of every optimizer step (from 0) as transformers' schedules give it, printed so that it round-trips.
import torch
from transformers import get_scheduler, get_wsd_schedule

RATE, MINIMUM = 2e-4, 2e-5
LENGTHS = [(20, 3), (20, 0), (100, 10), (7, 7), (33, 1), (1, 0)]  # total steps, warmup steps


def table(make, total):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=RATE)
    schedule, rates = make(optimizer), []
    for _ in range(total):
        rates.append(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()
    return rates


def tables():
    made = []
    for total, warmup in LENGTHS:
        steps = dict(num_warmup_steps=warmup, num_training_steps=total)
        kinds = {
            "constant": lambda optimizer: get_scheduler("constant", optimizer),
            "constant_with_warmup": lambda optimizer: get_scheduler("constant_with_warmup", optimizer, **steps),
            "linear": lambda optimizer: get_scheduler("linear", optimizer, **steps),
            "cosine": lambda optimizer: get_scheduler("cosine", optimizer, **steps),
            "cosine_with_min_lr": lambda optimizer: get_scheduler(
                "cosine_with_min_lr", optimizer, **steps, scheduler_specific_kwargs={"min_lr": MINIMUM}),
            "wsd": lambda optimizer: get_wsd_schedule(
                optimizer, **steps, num_decay_steps=total // 10, warmup_type="linear", decay_type="linear"),
        }
        for kind, make in kinds.items():
            made.append({"scheduler": kind, "learning_rate": RATE,
                         "min_learning_rate": MINIMUM if kind == "cosine_with_min_lr" else 0.0,
                         "steps": total, "warmup_steps": warmup, "rates": table(make, total)})
    return made
