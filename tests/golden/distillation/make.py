# SPDX-License-Identifier: MIT
# Writes expected.json: loss, divergence, cross-entropy and gradients of distillation on a few rows, by torch's kl_div
# and cross_entropy in float64. Needs torch; the version used stands in the file. Values are numbers(seed, count) below,
# which the test makes again.
import json
import math
import pathlib

import torch
import torch.nn.functional as F

HERE = pathlib.Path(__file__).resolve().parent
ROWS, WIDTH, TEACHER_WIDTH, VOCABULARY = 4, 3, 5, 11
TARGETS = [0, 10, 4, 4]


def numbers(seed, rows, cols):
    """Numbers in (-2, 2), exact in float32."""
    def one(i):
        h = (i * 2654435761 + seed * 7919 + 12345) & 0xFFFFFFFF
        h = ((h ^ (h >> 15)) * 2246822519) & 0xFFFFFFFF
        h = ((h ^ (h >> 13)) * 3266489917) & 0xFFFFFFFF
        h ^= h >> 16
        return 4 * ((h >> 8) / 2**24) - 2
    return torch.tensor([one(i) for i in range(rows * cols)], dtype=torch.float64).reshape(rows, cols)


def run(divergence, temperature, alpha):
    hidden = numbers(1, ROWS, WIDTH).requires_grad_()
    weight = numbers(2, VOCABULARY, WIDTH).requires_grad_()
    teacher = numbers(3, ROWS, TEACHER_WIDTH) @ numbers(4, VOCABULARY, TEACHER_WIDTH).T
    z = hidden @ weight.T
    student_log, teacher_log = F.log_softmax(z / temperature, -1), F.log_softmax(teacher / temperature, -1)

    def kl(p_log, q_log):  # KL(p, q)
        return F.kl_div(q_log, p_log, reduction="none", log_target=True).sum(-1)

    if divergence == "forward":
        apart = kl(teacher_log, student_log)
    elif divergence == "reverse":
        apart = kl(student_log, teacher_log)
    else:
        mixed = torch.logsumexp(torch.stack([student_log, teacher_log]) - math.log(2), 0)
        apart = kl(teacher_log, mixed) / 2 + kl(student_log, mixed) / 2
    cross = F.cross_entropy(z, torch.tensor(TARGETS), reduction="none")
    loss = alpha * temperature**2 * apart + (1 - alpha) * cross
    loss.sum().backward()
    return {"divergence": divergence, "temperature": temperature, "alpha": alpha, "loss": loss.tolist(),
            "apart": apart.tolist(), "cross_entropy": cross.tolist(),
            "correct": (z.argmax(-1) == torch.tensor(TARGETS)).int().tolist(),
            "dhidden": hidden.grad.flatten().tolist(), "dweight": weight.grad.flatten().tolist()}


def main():
    cases = [run(divergence, temperature, alpha) for divergence in ("forward", "reverse", "jsd")
             for temperature, alpha in ((1.0, 1.0), (2.0, 0.5), (0.7, 0.25), (4.0, 1.0))]
    expected = {"torch": torch.__version__, "rows": ROWS, "width": WIDTH, "teacher_width": TEACHER_WIDTH,
                "vocabulary": VOCABULARY, "targets": TARGETS, "cases": cases}
    (HERE / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")


main()
