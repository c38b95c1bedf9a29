# SPDX-License-Identifier: MIT
# The reference computations: loss, gradients and training steps of a transformers or PEFT model, in float32 as these
# libraries do it and in float64. transformers computes norms, rotary tables and inverse frequencies in float32 in any
# case, so that the float64 run replaces these three; sdpa attention is in float64 when its input is.
import math
import types

import numpy
import torch
from transformers import Adafactor, AutoModelForCausalLM, get_scheduler
from transformers.trainer_pt_utils import LabelSmoother

STEPS, WARMUP, ROWS_OF_A_STEP = 20, 3, 4


def inverse_frequencies(config, length):
    """The rotary frequencies in float64 for a document of this many tokens."""
    rope = config.rope_parameters
    width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    base, kind = rope["rope_theta"], rope["rope_type"]
    if kind == "dynamic":
        longest = max(length, config.max_position_embeddings)
        stretch = rope["factor"] * longest / config.max_position_embeddings - (rope["factor"] - 1)
        base = base * stretch ** (width / (width - 2))
    frequencies = base ** -(numpy.arange(0, width, 2, dtype=numpy.float64) / width)
    if kind == "linear":
        return frequencies / rope["factor"]
    if kind == "llama3":
        original, low, high = (rope[key] for key in
                               ("original_max_position_embeddings", "low_freq_factor", "high_freq_factor"))
        share = numpy.clip((original * frequencies / (2 * math.pi) - low) / (high - low), 0.0, 1.0)
        return (1 - share) * frequencies / rope["factor"] + share * frequencies
    return frequencies


def in_float64(model):
    def norm(self, x):
        return self.weight * x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.variance_epsilon)

    def rotary(self, x, position_ids):
        length = int(position_ids.max()) + 1
        frequencies = torch.from_numpy(inverse_frequencies(self.config, length))
        angles = position_ids[..., None].double() * frequencies
        angles = torch.cat((angles, angles), dim=-1)
        return angles.cos(), angles.sin()

    model.double()
    for module in model.modules():
        kind = type(module).__name__
        if kind.endswith("RMSNorm"):
            module.forward = types.MethodType(norm, module)
        elif kind.endswith("RotaryEmbedding"):
            module.forward = types.MethodType(rotary, module)
    return model


def load(folder):
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="sdpa")


def forget_length(model):
    """transformers keeps the base of the longest document it has seen; each document here starts afresh."""
    for module in model.modules():
        if type(module).__name__.endswith("RotaryEmbedding"):
            module.inv_freq = module.original_inv_freq.clone()
            module.max_seq_len_cached = module.original_max_seq_len


def logits_of(model, row):
    forget_length(model)
    logits = model(input_ids=torch.tensor([row["tokens"]]), use_cache=False).logits[0]
    return logits[-len(row["tokens"]):]  # after the virtual tokens of prompt tuning


def supervised(rows):
    return sum(sum(row["labels"]) for row in rows)


def loss_sum(logits, row, smoothing=0.0, z_loss=0.0):
    """The sum over this row's supervised tokens; logits at i predict token i + 1."""
    chosen = torch.tensor(row["labels"][1:], dtype=torch.bool)
    logits = logits[:-1][chosen]
    tokens = torch.tensor(row["tokens"][1:])[chosen]
    log_sums = torch.logsumexp(logits, dim=-1)
    nll = torch.nn.functional.cross_entropy(logits, tokens, reduction="sum")
    if smoothing:
        nll = (1 - smoothing) * nll + smoothing * (log_sums - logits.mean(-1)).sum()
    return nll + z_loss * log_sums.pow(2).sum()


def backward(model, rows, smoothing=0.0, z_loss=0.0):
    """Adds the gradient of the mean over all supervised tokens of these rows; a row is a micro-batch of its own."""
    total, loss = supervised(rows), 0.0
    for row in rows:
        part = loss_sum(logits_of(model, row), row, smoothing, z_loss) / total
        part.backward()
        loss = loss + part.detach()
    return loss


def backward_padded(model, rows, smoothing=0.0):
    """The same in one padded batch through transformers' own loss, or its LabelSmoother (both are float32 inside)."""
    longest = max(len(row["tokens"]) for row in rows)
    tokens = torch.zeros(len(rows), longest, dtype=torch.long)
    labels, mask = torch.full_like(tokens, -100), torch.zeros_like(tokens)
    for index, row in enumerate(rows):
        length = len(row["tokens"])
        tokens[index, :length] = torch.tensor(row["tokens"])
        mask[index, :length] = 1
        chosen = torch.tensor(row["labels"], dtype=torch.bool)
        labels[index, :length][chosen] = tokens[index, :length][chosen]
    settings = dict(input_ids=tokens, attention_mask=mask, use_cache=False)
    if model.dtype == torch.float64:
        logits = model(**settings).logits
        parts = [loss_sum(logits[i, :len(row["tokens"])], row, smoothing) for i, row in enumerate(rows)]
        loss = sum(parts) / supervised(rows)
    elif smoothing:
        loss = LabelSmoother(epsilon=smoothing)({"logits": model(**settings).logits}, labels, shift_labels=True)
    else:
        loss = model(**settings, labels=labels, num_items_in_batch=supervised(rows)).loss
    loss.backward()
    return loss.detach()


def trained(model):
    return [(name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad]


def saved_name(name):
    """The name that a PEFT file has for a parameter of a live PEFT model."""
    if name.startswith("prompt_encoder."):
        return "prompt_embeddings"
    return (name.replace(".default", "").replace(".modules_to_save", "")
            .replace("lora_magnitude_vector.weight", "lora_magnitude_vector"))


def gradients(model):
    return {saved_name(name): parameter.grad for name, parameter in trained(model)}


def norm_of(tensors):
    return math.sqrt(sum(float(tensor.double().pow(2).sum()) for tensor in tensors))


def make_optimizer(model, settings):
    rate, groups = settings["learning_rate"], {}
    for name, parameter in trained(model):
        scale = settings["lora_plus_ratio"] if "lora_B" in name and settings["lora_plus_ratio"] else 1.0
        key = (rate * scale, settings["weight_decay"] if parameter.ndim >= 2 else 0.0)
        groups.setdefault(key, []).append(parameter)
    groups = [dict(params=members, lr=key[0], weight_decay=key[1]) for key, members in groups.items()]
    if settings["optimizer"] == "adamw":
        return torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.999), eps=1e-8)
    if settings["optimizer"] == "sgd":
        return torch.optim.SGD(groups, lr=rate, momentum=settings["momentum"], nesterov=settings["nesterov"])
    return Adafactor(groups, lr=rate, scale_parameter=False, relative_step=False, beta1=None)


def train(model, rows, settings):
    model.train()
    optimizer = make_optimizer(model, settings)
    scheduler = get_scheduler("linear", optimizer, num_warmup_steps=WARMUP, num_training_steps=STEPS)
    parameters = [parameter for _, parameter in trained(model)]
    smoothing, z_loss = settings["label_smoothing"], settings["z_loss"]
    curve = {"loss": [], "grad_norm": [], "learning_rate": []}
    for step in range(STEPS):
        first = step * ROWS_OF_A_STEP
        batch = [rows[(first + index) % len(rows)] for index in range(ROWS_OF_A_STEP)]
        if settings["batch_size"] == 1:
            loss = backward(model, batch, smoothing, z_loss)
        else:
            loss = backward_padded(model, batch, smoothing)
        limit = settings["max_grad_norm"] or math.inf
        norm = torch.nn.utils.clip_grad_norm_(parameters, limit)
        curve["loss"].append(float(loss))
        curve["grad_norm"].append(float(norm))
        curve["learning_rate"].append(scheduler.get_last_lr()[0])
        optimizer.step()
        scheduler.step()
        optimizer.zero_grad()
    return curve
