# SPDX-License-Identifier: MIT
# Loads what temper wrote into transformers and PEFT: no key may be missing, left over or of another shape, and the
# logits must agree. Run by hand (the packages are those of make.py); prints one JSON object, exit 0 if all agree.
#
#   check_outputs.py --base DIR --adapter DIR [--logits FILE]      an adapter folder on its base
#   check_outputs.py --model DIR [--logits FILE]                   a folder of a whole model
#   check_outputs.py --model DIR --base DIR --adapter DIR          a merged folder against base + adapter by PEFT
#
# FILE is a safetensors file that temper wrote: `tokens` (integers, one document) and `logits` [tokens, vocabulary], of a
# classifier or reward model the scores of its last token, or
# several as `tokens.0`, `logits.0`, ... Where there is none, documents come from batch.json beside the base, else from
# a fixed seed, and only finite logits are asked for unless there are two models to compare.
import argparse
import json
import pathlib
import sys

import torch
import transformers
from peft import PeftConfig, PeftModel, get_peft_model, get_peft_model_state_dict
from safetensors.torch import load_file

HEADS = {"score.weight"}  # the head of a classifier or reward model is in the adapter, not in its base


def fail_on(what, names):
    if names:
        sys.exit(f"{what}: {sorted(map(str, names))}")


def load_model(folder, head_config=None):
    config = transformers.AutoConfig.from_pretrained(head_config or folder)
    kind = transformers.AutoModelForSequenceClassification if head_config else getattr(
        transformers, (config.architectures or ["?"])[0], transformers.AutoModelForCausalLM)
    model, report = kind.from_pretrained(folder, config=config, dtype=torch.float32, output_loading_info=True)
    missing = set(report["missing_keys"]) - (HEADS if head_config else set())
    unexpected = set(report["unexpected_keys"]) - ({"lm_head.weight"} if head_config else set())
    fail_on(f"{folder}: missing from the weights", missing)
    fail_on(f"{folder}: in the weights but not in the model", unexpected)
    fail_on(f"{folder}: of another shape", report["mismatched_keys"])
    if hasattr(model, "score"):
        check_labels(head_config or folder, config, model.score.weight.shape[0])
    return model.eval()


def check_labels(folder, config, outputs):
    """A classifier names its scores, and pads with a token that does not end texts."""
    ends = config.eos_token_id if isinstance(config.eos_token_id, list) else [config.eos_token_id]
    names = [config.id2label.get(number) for number in range(outputs)]
    if None in names or config.num_labels != outputs or config.label2id != {n: i for i, n in enumerate(names)}:
        sys.exit(f"{folder}: {outputs} scores but id2label is {config.id2label} and label2id {config.label2id}")
    if config.pad_token_id is None or config.pad_token_id in ends or config.problem_type is None:
        sys.exit(f"{folder}: pad_token_id is {config.pad_token_id} and problem_type {config.problem_type}")


def load_adapter(base, folder):
    settings = PeftConfig.from_pretrained(folder)
    classifier = settings.task_type == "SEQ_CLS" and (pathlib.Path(folder) / "config.json").exists()
    model = load_model(base, folder if classifier else None)
    file = load_file(pathlib.Path(folder) / "adapter_model.safetensors")
    fresh = get_peft_model(load_model(base, folder if classifier else None), settings)
    written = {name: value.shape for name, value in file.items()}
    wanted = {name: value.shape for name, value in get_peft_model_state_dict(fresh).items()}
    fail_on(f"{folder}: PEFT wants these too", set(wanted) - set(written))
    fail_on(f"{folder}: PEFT does not know", set(written) - set(wanted))
    fail_on(f"{folder}: of another shape", [(n, written[n], wanted[n]) for n in wanted if written[n] != wanted[n]])
    tuned = PeftModel.from_pretrained(model, folder).eval()
    read = get_peft_model_state_dict(tuned)
    fail_on(f"{folder}: PEFT did not take the value of",
            [name for name in file if not torch.equal(read[name].float(), file[name].float())])
    return tuned, len(written)


def documents(arguments, vocabulary):
    """Pairs of tokens and temper's logits, or None where there are none."""
    if arguments.logits:
        tensors = load_file(arguments.logits)
        keys = sorted(name for name in tensors if name.split(".")[0] == "tokens")
        if not keys:
            sys.exit(f"{arguments.logits}: no tensor named tokens or tokens.0")
        return [(tensors[key].long().reshape(-1), tensors[key.replace("tokens", "logits")]) for key in keys]
    batch = pathlib.Path(arguments.base or arguments.model) / "batch.json"
    if batch.exists():
        return [(torch.tensor(row["tokens"]), None) for row in json.loads(batch.read_text())["documents"]]
    seeded = torch.Generator().manual_seed(1)
    return [(torch.randint(0, vocabulary, (length,), generator=seeded), None) for length in (23, 9, 40)]


def logits_of(model, tokens):
    with torch.no_grad():
        return model(input_ids=tokens[None]).logits[0].float()


def main():
    parser = argparse.ArgumentParser(description="Checks temper's folders with transformers and PEFT.")
    for name in ("model", "base", "adapter", "logits"):
        parser.add_argument("--" + name)
    parser.add_argument("--tolerance", type=float, default=1e-4, help="of the largest difference of two logits")
    arguments = parser.parse_args()
    if not arguments.model and not (arguments.base and arguments.adapter):
        parser.error("needs --model, or --base and --adapter, or all three")
    transformers.logging.disable_progress_bar()
    report, models = {}, []
    if arguments.adapter:
        tuned, report["adapter_tensors"] = load_adapter(arguments.base, arguments.adapter)
        models.append(tuned)
    if arguments.model:
        models.append(load_model(arguments.model))
        report["model_tensors"] = len(models[-1].state_dict())
        if (pathlib.Path(arguments.model) / "tokenizer.json").exists():
            report["tokenizer"] = len(transformers.AutoTokenizer.from_pretrained(arguments.model))
    differences, largest = [], 0.0
    rows = documents(arguments, models[0].config.vocab_size)
    for tokens, written in rows:
        computed = [logits_of(model, tokens) for model in models]
        if not all(bool(torch.isfinite(values).all()) for values in computed):
            sys.exit("logits that are not finite")
        candidates = computed + ([] if written is None else [written.float().reshape(computed[0].shape)])
        differences += [float((candidates[0] - other).abs().max()) for other in candidates[1:]]
        largest = max(largest, float(candidates[0].abs().max()))
    report.update(documents=len(rows), compared=len(differences), largest_logit=largest,
                  largest_difference=max(differences, default=None), tolerance=arguments.tolerance)
    report["ok"] = all(difference <= arguments.tolerance for difference in differences)
    print(json.dumps(report))
    sys.exit(0 if report["ok"] else 1)


main()
