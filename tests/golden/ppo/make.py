# SPDX-License-Identifier: MIT
# Writes expected.json: the pieces of PPO on a padded batch of answers in torch, float64, by the formulas of TRL's
# PPOTrainer (rewards, GAE, masked whitening, clipped losses, statistics), GRPOTrainer (advantages of groups) and
# RLOOTrainer (leave one out), with the gradients of autograd. Needs torch; the version used stands in the file.
import json
import pathlib

import torch

HERE = pathlib.Path(__file__).resolve().parent
LENGTHS = [3, 1, 6, 4, 2, 5]
GROUP = 3
KL, CLIP, VALUE_CLIP, VALUE_COEFFICIENT, GAMMA, LAMBDA = 0.05, 0.2, 0.15, 0.1, 0.98, 0.95


def masked_mean(values, mask):
    return (values * mask).sum() / mask.sum()


def masked_whiten(values, mask):
    mean = masked_mean(values, mask)
    variance = masked_mean((values - mean) ** 2, mask)
    variance = variance * mask.sum() / (mask.sum() - 1)
    return (values - mean) * torch.rsqrt(variance + 1e-8)


def main():
    torch.manual_seed(7)
    torch.set_default_dtype(torch.float64)
    rows, cols = len(LENGTHS), max(LENGTHS)
    mask = torch.zeros(rows, cols)
    for row, length in enumerate(LENGTHS):
        mask[row, :length] = 1
    flat = lambda values: values[mask.bool()].tolist()
    drawn = -3 * torch.rand(rows, cols)
    reference = drawn + 0.5 * torch.randn(rows, cols)
    old_values = torch.randn(rows, cols)
    scores = torch.randn(rows)
    logp = (drawn + 0.3 * torch.randn(rows, cols)).requires_grad_()
    values = (old_values + 0.3 * torch.randn(rows, cols)).requires_grad_()

    log_ratio = reference - drawn
    k1, k3 = -log_ratio, (log_ratio.exp() - 1) - log_ratio
    rewards = -KL * k1
    for row, length in enumerate(LENGTHS):
        rewards[row, length - 1] += scores[row]
    masked = old_values * mask
    advantages, last = torch.zeros(rows, cols), torch.zeros(rows)
    for t in reversed(range(cols)):
        following = masked[:, t + 1] if t < cols - 1 else torch.zeros(rows)
        delta = (rewards * mask)[:, t] + GAMMA * following - masked[:, t]
        last = delta + GAMMA * LAMBDA * last
        advantages[:, t] = last
    returns = advantages + masked
    whitened = masked_whiten(advantages, mask)

    clipped_values = torch.clamp(values, old_values - VALUE_CLIP, old_values + VALUE_CLIP)
    value_loss = 0.5 * masked_mean(torch.max((values - returns) ** 2, (clipped_values - returns) ** 2), mask)
    ratio = torch.exp(logp - drawn)
    free, held = -whitened * ratio, -whitened * torch.clamp(ratio, 1 - CLIP, 1 + CLIP)
    policy_loss = masked_mean(torch.max(free, held), mask)
    loss = policy_loss + VALUE_COEFFICIENT * value_loss
    loss.backward()

    totals = scores - KL * (k1 * mask).sum(1)
    grouped = totals.view(-1, GROUP)
    group = (grouped - grouped.mean(1, keepdim=True)) / (grouped.std(1, keepdim=True) + 1e-4)
    leave_one_out = grouped - (grouped.sum(1, keepdim=True) - grouped) / (GROUP - 1)
    coefficient, adaptive = 0.2, []
    for divergence in (6.5, 12.0, 3.0, 5.9):  # Ziegler et al.: target 6, horizon 10000, 64 answers
        error = min(max(divergence / 6 - 1, -0.2), 0.2)
        coefficient *= 1 + error * 64 / 10000
        adaptive.append([divergence, coefficient])

    expected = {
        "torch": torch.__version__, "lengths": LENGTHS, "group": GROUP,
        "settings": {"kl": KL, "clip": CLIP, "value_clip": VALUE_CLIP, "value_coefficient": VALUE_COEFFICIENT,
                     "gamma": GAMMA, "lambda": LAMBDA},
        "drawn": flat(drawn), "reference": flat(reference), "old_values": flat(old_values), "scores": scores.tolist(),
        "logp": flat(logp.detach()), "values": flat(values.detach()),
        "k1": flat(k1), "k3": flat(k3), "rewards": flat(rewards), "advantages": flat(advantages),
        "returns": flat(returns), "whitened": flat(whitened), "policy_loss": policy_loss.item(),
        "value_loss": value_loss.item(), "loss": loss.item(), "dlogp": flat(logp.grad), "dvalues": flat(values.grad),
        "ratio": masked_mean(ratio, mask).item(), "clip_fraction": masked_mean((held > free).double(), mask).item(),
        "approximate_kl": (0.5 * masked_mean((logp - drawn) ** 2, mask)).item(),
        "divergence": (k1 * mask).sum(1).mean().item(), "group_advantages": group.flatten().tolist(),
        "leave_one_out": leave_one_out.flatten().tolist(), "adaptive": adaptive,
    }
    (HERE / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")


main()
