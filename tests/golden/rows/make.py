# SPDX-License-Identifier: MIT
# Records ids and label masks of conversations. Templates with generation blocks: transformers' own assistant mask. Others:
# the rule of the contract, for templates where it needs no record of who wrote what: an answer runs from the length of
# the rendering before it (with generation prompt) to that of the rendering up to it. Token spans are the tokenizer's.
# Run: pip install jinja2 transformers && python make.py (writes masks.json).
import json
import pathlib

import transformers
from tokenizers import Tokenizer

HERE = pathlib.Path(__file__).parent
TEMPLATES = HERE.parent / "template" / "templates"
TOKENIZERS = HERE.parent / "tokenizer"

S = {"role": "system", "content": "Be brief."}
U = {"role": "user", "content": "Hello, who are you?"}
A = {"role": "assistant", "content": "I am a model."}
V = {"role": "user", "content": "Say \"h\u00e9llo\" \U0001f600 in b\u00f6ld"}
B = {"role": "assistant", "content": "h\u00e9llo \U0001f600\u4f60\u597d"}
CONVERSATIONS = [[U, A], [S, U, A], [U, A, V, B], [S, U, A, V, B], [U, A, V], [S, U, B, V, A, U, B]]


def fast(folder):
    config = json.loads((folder / "tokenizer_config.json").read_text()) if (folder / "tokenizer_config.json").exists() else {}
    tokens = {}
    for name in ("bos_token", "eos_token", "unk_token", "pad_token"):
        value = config.get(name)
        if value:
            tokens[name] = value if isinstance(value, str) else value["content"]
    return transformers.PreTrainedTokenizerFast(tokenizer_object=Tokenizer.from_file(str(folder / "tokenizer.json")), **tokens)


def overlaps(offsets, spans):
    return [int(any(a < e and b > s and a < b for s, e in spans)) for a, b in offsets]


cases = []
for folder in ("gpt2", "llama3", "qwen2"):
    tokenizer = fast(TOKENIZERS / folder)
    for template in ("chatml", "chatml_generation", "fallback", "qwen25_style", "llama3_style", "zephyr_style"):
        source = (TEMPLATES / f"{template}.jinja").read_text()
        for messages in CONVERSATIONS:
            render = lambda m, prompt=False: tokenizer.apply_chat_template(m, chat_template=source, tokenize=False, add_generation_prompt=prompt)
            text = render(messages)
            if template in ("chatml_generation", "fallback"):
                out = tokenizer.apply_chat_template(messages, chat_template=source, return_dict=True, return_assistant_tokens_mask=True)
                ids, mask = out["input_ids"], out["assistant_masks"]
            else:
                spans = []
                for i, message in enumerate(messages):
                    if message["role"] == "assistant":
                        before, after = render(messages[:i], True), render(messages[: i + 1])
                        assert text.startswith(before) and text.startswith(after)
                        spans.append((len(before), len(after)))
                out = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
                ids, mask = out["input_ids"], overlaps(out["offset_mapping"], spans)
            mask[0] = 0
            cases.append({"tokenizer": folder, "template": template, "messages": messages, "ids": ids, "mask": "".join(map(str, mask))})
(HERE / "masks.json").write_text(json.dumps({"made_by": f"transformers {transformers.__version__}", "cases": cases}, separators=(",", ":")) + "\n")
print(len(cases), "conversations,", sum(c["mask"].count("1") for c in cases), "labelled tokens")
