# SPDX-License-Identifier: MIT
# The speed of Hugging Face tokenizers on one thread, beside which temper's own is put, and what both read. 'prepare'
# gathers mixed text from folders and trains tokenizers of several families on it; 'time' encodes the text line by line
# and prints one JSON line: seconds of processor time, megabytes a second, the number of tokens and a checksum of the ids.
# Kept out of CI.
import os

os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["RAYON_NUM_THREADS"] = "1"

import argparse
import gzip
import json
import pathlib
import random
import time

import tokenizers
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|"
          r"\s*[\r\n]+|\s+(?!\S)|\s+")
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")
UPPER, LOWER, ENDING = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]", r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
O200K = (rf"[^\r\n\p{{L}}\p{{N}}]?{UPPER}*{LOWER}+{ENDING}|[^\r\n\p{{L}}\p{{N}}]?{UPPER}+{LOWER}*{ENDING}|\p{{N}}{{1,3}}|"
         r" ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")


def gather(folders, bytes_wanted):
    files = sorted(path for folder in folders for path in pathlib.Path(folder).rglob("*") if path.is_file())
    random.Random(1).shuffle(files)
    parts, size = [], 0
    for path in files:
        try:
            text = (gzip.open(path).read() if path.suffix == ".gz" else path.read_bytes())[:200_000].decode()
        except (OSError, UnicodeDecodeError, EOFError):
            continue
        if "\0" in text or len(text) < 200:
            continue
        parts.append(text if text.endswith("\n") else text + "\n")
        size += len(text.encode())
        if size >= bytes_wanted:
            break
    return "".join(parts)


def trained(family, lines, vocabulary):
    byte_level = {"gpt2": GPT2, "llama3": LLAMA3, "qwen2": QWEN2, "o200k": O200K}
    tokenizer = Tokenizer(models.BPE(ignore_merges=family in ("llama3", "o200k")))
    if family in byte_level:
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
            pre_tokenizers.Split(Regex(byte_level[family]), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
        tokenizer.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(vocab_size=vocabulary, initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
        tokenizer.train_from_iterator(lines, trainer)
        return tokenizer
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.train_from_iterator(lines, trainers.BpeTrainer(vocab_size=vocabulary - 259, limit_alphabet=2000))
    saved = json.loads(tokenizer.to_str())
    known = sorted(saved["model"]["vocab"], key=saved["model"]["vocab"].get)
    special = ["<unk>", "<s>", "</s>"] + [f"<0x{byte:02X}>" for byte in range(256)]
    saved["model"]["vocab"] = {token: i for i, token in enumerate(special + known)}
    saved["model"].update(byte_fallback=True, fuse_unk=True, unk_token="<unk>")
    saved["normalizer"] = {"type": "Sequence", "normalizers": [
        {"type": "Prepend", "prepend": "\u2581"}, {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"}]}
    saved["pre_tokenizer"] = None
    saved["decoder"] = {"type": "Sequence", "decoders": [
        {"type": "Replace", "pattern": {"String": "\u2581"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"}]}
    return Tokenizer.from_str(json.dumps(saved))


def checksum(ids, state):
    for token in ids:
        state = (state * 31 + token) & 0xffffffffffffffff
    return state


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["prepare", "time"])
    parser.add_argument("folder", type=pathlib.Path, help="where text.txt and FAMILY/tokenizer.json are")
    parser.add_argument("--from", dest="sources", nargs="*", default=[], help="prepare: folders with text files")
    parser.add_argument("--megabytes", type=float, default=20)
    parser.add_argument("--vocabulary", type=int, default=32000)
    parser.add_argument("--families", nargs="*", default=["gpt2", "llama3", "qwen2", "o200k", "llama2"])
    parser.add_argument("--without-spans", action="store_true", help="time: encode_batch_fast")
    arguments = parser.parse_args()
    if arguments.what == "prepare":
        text = gather(arguments.sources, arguments.megabytes * 1e6)
        arguments.folder.mkdir(exist_ok=True)
        (arguments.folder / "text.txt").write_text(text, newline="")
        for family in arguments.families:
            (arguments.folder / family).mkdir(exist_ok=True)
            lines = text.split("\n")
            trained(family, lines[:len(lines) // 3], arguments.vocabulary).save(str(arguments.folder / family / "tokenizer.json"))
        return
    lines = (arguments.folder / "text.txt").read_bytes().decode().split("\n")
    size = sum(len(line.encode()) for line in lines)
    for family in arguments.families:
        tokenizer = Tokenizer.from_file(str(arguments.folder / family / "tokenizer.json"))
        encode = tokenizer.encode_batch_fast if arguments.without_spans else tokenizer.encode_batch
        seconds, tokens, state = 0.0, 0, 0
        for first in range(0, len(lines), 1000):
            batch = lines[first:first + 1000]
            began = time.process_time()
            encodings = encode(batch, add_special_tokens=False)
            seconds += time.process_time() - began
            for encoding in encodings:
                tokens += len(encoding.ids)
                state = checksum(encoding.ids, state)
        print(json.dumps({"what": "Hugging Face tokenizers " + tokenizers.__version__, "family": family, "bytes": size,
                          "spans": not arguments.without_spans, "processor_seconds": round(seconds, 3),
                          "megabytes_per_second": round(size / seconds / 1e6, 2), "tokens": tokens,
                          "checksum": f"{state:016x}"}), flush=True)


main()
