# SPDX-License-Identifier: MIT
"""Makes model/tokenizer.json: a byte-level BPE of 2,048 tokens, learned from the novel.

The result is in the repository, so nobody needs to run this. It was made with Python 3.11 and tokenizers 0.23.3:
    python3 make_tokenizer.py
"""

import json
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

here = Path(__file__).parent
special = ["<|pad|>", "<|im_start|>", "<|im_end|>"]


def texts():
    for line in (here / "pride_and_prejudice.jsonl").read_text().splitlines():
        yield json.loads(line)["text"]


tokenizer = Tokenizer(models.BPE())
tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
tokenizer.decoder = decoders.ByteLevel()
tokenizer.train_from_iterator(
    texts(),
    trainers.BpeTrainer(
        vocab_size=2048,
        special_tokens=special,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    ),
)
tokenizer.save(str(here / "model" / "tokenizer.json"), pretty=False)
tokens = sum(len(tokenizer.encode(text).ids) for text in texts())
print(f"{tokenizer.get_vocab_size()} tokens; the text is {tokens} of them")
