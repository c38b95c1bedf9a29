# SPDX-License-Identifier: MIT
# Writes update.json: two steps of PPO, GRPO and leave-one-out on recorded answers, in float64, through two families of
# ../model from transformers and PEFT: rewards, advantages and losses by the formulas of TRL (make.py has the same on
# padded lists), gradients by autograd, torch's AdamW and clipping. Needs what ../model/make.py needs.
import json
import pathlib
import sys

import torch
from peft import PeftModel

HERE = pathlib.Path(__file__).resolve().parent
MODELS = HERE.parent / "model"
sys.path.insert(0, str(MODELS))
sys.dont_write_bytecode = True
import reference

PPO = dict(kl=0.05, clip=0.2, value_clip=0.2, value_coefficient=0.1, gamma=0.98, lam=0.95, epochs=2, minibatches=2,
           temperature=0.7, missing_eos_penalty=0.5, group_size=2)
RATES = [1.0, 0.5]
SCORES = [[1.0, -0.5, 0.25, 2.0], [0.5, 1.5, -1.0, 0.0]]
STOPPED = [[True, False, True, True], [False, True, True, True]]
RUNS = {"full_gae": (None, "gae", 1e-3), "lora_gae": ("adapter", "gae", 5e-3), "full_group": (None, "group", 1e-3),
        "lora_leave_one_out": ("adapter", "leave_one_out", 5e-3)}


def answers_of(rows):
    """Two steps of two prompts with two answers each, of different lengths."""
    steps = []
    for step in range(2):
        answers = []
        for prompt in range(2):
            asked = rows[2 * step + prompt]["tokens"][:2 + prompt + step]
            for side in range(2):
                tokens = rows[(3 * step + 2 * prompt + side) % len(rows)]["tokens"]
                answers.append({"prompt": asked, "response": tokens[2:5 + side + prompt]})
        steps.append(answers)
    return steps


def read(model, value, answer):
    """Log-probabilities and values of the response's tokens, with gradients."""
    tokens = answer["prompt"] + answer["response"]
    reference.forget_length(model)
    output = model(input_ids=torch.tensor([tokens]), use_cache=False, output_hidden_states=True)
    at = slice(len(answer["prompt"]) - 1, len(tokens) - 1)
    logits = output.logits[0, at] / PPO["temperature"]
    chosen = torch.tensor(answer["response"])[:, None]
    logp = torch.log_softmax(logits, -1)
    entropy = -(logp.exp() * logp).sum(-1)
    values = output.hidden_states[-1][0, at] @ value[0] if value is not None else None
    return logp.gather(1, chosen)[:, 0], values, entropy


def judged(kind, drawn, base, values, scores):
    advantages, returns = [], []
    rewards = []
    for logp, ref, score in zip(drawn, base, scores):
        reward = -PPO["kl"] * (logp - ref)
        reward[-1] += score
        rewards.append(reward)
    if kind == "gae":
        for reward, value in zip(rewards, values):
            own, last, following = torch.zeros_like(reward), 0.0, 0.0
            for t in reversed(range(len(reward))):
                last = reward[t] + PPO["gamma"] * following - value[t] + PPO["gamma"] * PPO["lam"] * last
                own[t], following = last, value[t]
            advantages.append(own)
            returns.append(own + value)
        every = torch.cat(advantages)
        mean, variance = every.mean(), every.var()
        return [(own - mean) * torch.rsqrt(variance + 1e-8) for own in advantages], returns
    grouped = torch.stack([reward.sum() for reward in rewards]).view(-1, PPO["group_size"])
    if kind == "group":
        compared = (grouped - grouped.mean(1, keepdim=True)) / (grouped.std(1, keepdim=True) + 1e-4)
    else:
        compared = grouped - (grouped.sum(1, keepdim=True) - grouped) / (PPO["group_size"] - 1)
    return [torch.full_like(reward, a) for reward, a in zip(rewards, compared.flatten().tolist())], None


def subject(folder, adapter):
    model = reference.load(folder)
    if adapter:
        model = PeftModel.from_pretrained(model, folder / adapter, is_trainable=True)
    return reference.in_float64(model)


def run(folder, adapter, kind, rate, rows):
    model, base = subject(folder, adapter), subject(folder, None)
    model.eval()
    value = torch.zeros(1, base.config.hidden_size, dtype=torch.float64, requires_grad=True) if kind == "gae" else None
    named = [(reference.saved_name(name), parameter) for name, parameter in reference.trained(model)]
    if value is not None:
        named.append(("value.weight", value))
    parameters = [parameter for _, parameter in named]
    before = {name: parameter.detach().clone() for name, parameter in named}
    optimizer = torch.optim.AdamW([
        dict(params=[p for p in parameters if p.ndim >= 2], weight_decay=0.01),
        dict(params=[p for p in parameters if p.ndim < 2], weight_decay=0.0)], lr=rate, betas=(0.9, 0.999), eps=1e-8)
    result = {"adapter": adapter, "advantage": kind, "rate": rate, "steps": []}
    for step, answers in enumerate(answers_of(rows)):
        for group in optimizer.param_groups:
            group["lr"] = rate * RATES[step]
        with torch.no_grad():
            drawn, old, entropies = zip(*[read(model, value, answer) for answer in answers])
            plain = [read(base, None, answer)[0] for answer in answers]
            scores = [score if stopped else score - PPO["missing_eos_penalty"]
                      for score, stopped in zip(SCORES[step], STOPPED[step])]
            advantages, returns = judged(kind, drawn, plain, old, scores)
        updates = []
        for _ in range(PPO["epochs"]):
            for m in range(PPO["minibatches"]):
                size = len(answers) // PPO["minibatches"]
                chosen = range(m * size, (m + 1) * size)
                tokens = sum(len(answers[i]["response"]) for i in chosen)
                policy = worth = ratios = clipped = 0.0
                for i in chosen:
                    logp, values, _ = read(model, value, answers[i])
                    ratio = (logp - drawn[i]).exp()
                    free, held = -advantages[i] * ratio, -advantages[i] * ratio.clamp(1 - PPO["clip"], 1 + PPO["clip"])
                    policy = policy + torch.max(free, held).sum() / tokens
                    ratios += float(ratio.sum()) / tokens
                    clipped += float((held > free).sum()) / tokens
                    if values is None:
                        continue
                    near = torch.clamp(values, old[i] - PPO["value_clip"], old[i] + PPO["value_clip"])
                    worst = torch.max((values - returns[i]) ** 2, (near - returns[i]) ** 2)
                    worth = worth + 0.5 * worst.sum() / tokens
                loss = policy + PPO["value_coefficient"] * worth
                loss.backward()
                norm = torch.nn.utils.clip_grad_norm_(parameters, 1.0)
                optimizer.step()
                optimizer.zero_grad()
                updates.append([float(loss), float(norm), ratios, clipped, float(worth)])
        means = torch.tensor(updates, dtype=torch.float64).mean(0).tolist()
        result["steps"].append({
            **dict(zip(["loss", "grad_norm", "ratio", "clip_fraction", "value_loss"], means)),
            "kl": sum(float((a - b).sum()) for a, b in zip(drawn, plain)) / len(answers),
            "entropy": float(torch.cat(entropies).mean()), "reward": sum(scores) / len(scores)})
    change = {name: (parameter.detach() - before[name]).flatten() for name, parameter in named}
    result["change"] = {name: {"norm": float(c.norm()), "first": c[:4].tolist()} for name, c in change.items()}
    return result


def main():
    torch.set_num_threads(1)
    record = {"torch": torch.__version__, "settings": PPO, "rates": RATES, "scores": SCORES, "stopped": STOPPED,
              "families": {}}
    for family in ("llama3", "qwen2"):
        rows = json.loads((MODELS / family / "batch.json").read_text())["documents"]
        record["families"][family] = {"answers": answers_of(rows), "runs": {
            name: run(MODELS / family, *settings, rows) for name, settings in RUNS.items()}}
        for name, done in record["families"][family]["runs"].items():
            print(f"{family:8} {name:20} {done['steps']}", flush=True)
    (HERE / "update.json").write_text(json.dumps(record, indent=1) + "\n")


main()
