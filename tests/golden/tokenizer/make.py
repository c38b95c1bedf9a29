# SPDX-License-Identifier: MIT
# Trains small BPE tokenizers of each family with Hugging Face tokenizers and records what they make of difficult texts:
# ids, byte spans and decoded text. Run it with 'pip install tokenizers'; it writes NAME/tokenizer.json,
# NAME/tokenizer_config.json and NAME/expected.json beside itself, and splits.json, stages.json, normalizers.json and
# decoders.json. Spans are in bytes; where Hugging Face gives a token that is part of a character the whole character, so
# do these. 'spans' is null where normalization changes more of the text than its spaces.
import json
import pathlib
import random
import unicodedata

import tokenizers
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

here = pathlib.Path(__file__).parent

LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|"
          r"\s*[\r\n]+|\s+(?!\S)|\s+")
PHI4 = (r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+")
UPPER, LOWER, ENDING = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]", r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
TEKKEN = (rf"[^\r\n\p{{L}}\p{{N}}]?{UPPER}*{LOWER}+|[^\r\n\p{{L}}\p{{N}}]?{UPPER}+{LOWER}*|\p{{N}}| ?[^\s\p{{L}}\p{{N}}]+[\r\n/]*|"
          r"\s*[\r\n]+|\s+(?!\S)|\s+")
O200K = TEKKEN.replace(LOWER + "+|", LOWER + "+" + ENDING + "|").replace(LOWER + "*|", LOWER + "*" + ENDING + "|").replace(
    r"\p{N}|", r"\p{N}{1,3}|")
DEEPSEEK = (r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|"
            r"\s*[\r\n]+|\s+(?!\S)|\s+")
SPACE = "\u2581"
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")


def corpus():
    subjects = ["the cat", "a small dog", "my teacher", "the old house", "our river", "this model", "the user"]
    verbs = ["sees", "doesn't like", "has found", "will train", "can't read", "asks for", "is writing", "they've seen"]
    objects = ["a token", "the vocabulary", "some water", "12 apples", "the number 3456", "an answer", "every word",
               "the gradient", "a long sentence", "the caf\u00e9", "na\u00efve questions", "its weights"]
    others = ["\u4f60\u597d\uff0c\u4e16\u754c\u3002", "\u6211\u4eec\u5728\u5b66\u4e60\u8bed\u8a00\u6a21\u578b\u3002",
              "\u041f\u0440\u0438\u0432\u0435\u0442, \u043c\u0438\u0440!", "\u0645\u0631\u062d\u0628\u0627",
              "Gr\u00fc\u00dfe aus M\u00fcnchen", "\U0001f600\U0001f44d\U0001f3fd \U0001f468\u200d\U0001f469\u200d\U0001f467",
              "\u3053\u3093\u306b\u3061\u306f\u4e16\u754c", "\ud55c\uad6d\uc5b4 \ubb38\uc7a5"]
    code = ["def add(a, b):\n    return a + b\n", "for (int i = 0; i < n; ++i) {\n\tsum += x[i];\n}\n",
            "{\"key\": [1, 2, 3], \"name\": null}\r\n", "if x == 10:\n        print('ten')\n"]
    pick = random.Random(7)
    for _ in range(1200):
        yield f"{pick.choice(subjects).capitalize()} {pick.choice(verbs)} {pick.choice(objects)}. "
        if pick.random() < 0.4:
            yield pick.choice(others)
        if pick.random() < 0.3:
            yield pick.choice(code)


def texts():
    fixed = [
        "", " ", "  ", "   ", "\n", "\n\n", "\r\n", "\t", " \n", "\n ", " \r\n \r\n", "a", " a", "a ", "  a  ", "\ta\t",
        "Hello, world!", "hello  world", "hello   world   ", "I'm you're he's we'll they've I'd don't",
        "I'M YOU'RE HE'S WE'LL THEY'VE I'D DON'T", "'s't're've'm'll'd", "''s ' s 'x", "it\u2019s", "\u017f'\u017f 'S",
        "1", "12", "123", "1234", "12345678901234567890", "3.14159", "1,000,000", "x1y22z333", "\u0661\u0662\u0663",
        "\u00b2\u00b3\u00bc \u2163 \u2460", "\U0001d7d8\U0001d7d9", "a1b2", "1st 2nd", "0x1F",
        "def f(x):\n    return x\n", "\tif (a) {\r\n\t\tb();\r\n\t}\r\n", "a\n\n\nb", "a \n b", "a  \n  b", "a\r\rb",
        "x = [1, 2]; y = {'k': \"v\"}", "!!!", "...", " ...", "?!?!", "--==--", "a-b_c", "_x_", "__init__", "$5 & 6%",
        "https://example.org/a?b=c&d=%20#e", "me@example.org", "C:\\dir\\file.txt", "<html><b>x</b></html>",
        "\u4f60\u597d\uff0c\u4e16\u754c\u3002", "\u4f60 \u597d", "\u6211\u4eec abc \u8bed\u8a00", "\u3053\u3093\u306b\u3061\u306f",
        "\ud55c\uad6d\uc5b4", "\u1112\u1161\u11ab\u1100\u116e\u11a8", "\u1100\u1161", "\uac00\u11a8",
        "\u041f\u0440\u0438\u0432\u0435\u0442", "\u0645\u0631\u062d\u0628\u0627 \u0628\u0643", "\u05e9\u05dc\u05d5\u05dd",
        "\u0928\u092e\u0938\u094d\u0924\u0947", "\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35", "\u1e9e\u00df\u0130\u0131",
        "caf\u00e9", "cafe\u0301", "e\u0301\u0301", "a\u0323\u0307", "a\u0307\u0323", "\u212b \u212a \u2126", "\u1e9b\u0323",
        "q\u0307\u0323x", "\u0301", "\u0301a", " \u0301", "n\u0303o\u0308", "\ufb01 \ufb03", "\u0958", "\u2adc", "\uf900\ufa0e",
        "\u0344", "\u00c5\u0301", "A\u030a\u0301", "\u0041\u0327\u030a", "word cafe\u0301 word", "\u0065\u0300\u0301 fin",
        "\U0001f600", "\U0001f600\U0001f600", "\U0001f44d\U0001f3fd", "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466",
        "\U0001f1e9\U0001f1ea", "\u2764\ufe0f", "a\U0001f600b", " \U0001f600 ", "1\ufe0f\u20e3",
        "\u0000", "a\u0000b", "\u0001\u0002\u001f", "\u007f", "\u0080\u0085\u009f", "\u00a0a\u00a0", "a\u00ad b",
        "\u2003a\u2009b", "\u3000\u3000a", "\u200b a", "\ufeffa", "\u180ea", "\u2028\u2029", "a\u000bb\u000cc",
        "\ufffd", "\uffff", "\U0010ffff", "\u0378", "\U000e0fff", "\ue000", "\U000f0000x",
        "\ufdfa", "\U0001f9d1\u200d\U0001f680", "\u0f77", "\U0001d400\U0001d401", "\u202eabc\u202c",
        " " * 17 + "x", "\n" * 9, "\t" * 5 + "x", "a" * 70, "ab" * 40, "the " * 12, "\u597d" * 30, "z\u0301" * 9,
        "The cat doesn't like 12 apples.", "Every word, the gradient... is 3456!", " leading", "trailing ", "MiXeD CaSe",
    ]
    added = [
        "<s>", "</s>", "<s>a</s>", " <s> a </s> ", "a<s>b", "<s><s></s>", "<s", "s>", "<s >", "<|x|>a<|x|>", "a <|x|> b",
        "<left>", "a  <left>b", "a \n\t<left> b", "<right>", "a<right>  b", "a <right>\n\n b", "<right>  <left>",
        "<left>  <right>", "  <left>  <left>  ", "<right> <right> x", "word", "a word b", "awordb", "words word", "word.",
        "_word", "1word", "word\u00e9", "\u00b2word", "\u0301word", "word\u200d", "wordword", "word word",
        "caf\u00e9token", "cafe\u0301token", "x caf\u00e9token y", "New York", "in New York.", "New  York", "new york",
        "\u2581", "a\u2581b", "\u2581a", " \u2581 a", "a \u2581<s>\u2581 b", "<|x|> a", "e the e  the", "<0x41>", "a<0x0A>b",
        "<|reserved_0|><|reserved_1|>", "<|reserved_|>", "<|re<|reserved_0|>", "<<s>>", "\u3000<left>", "<right>\u2003x",
    ]
    return fixed + added


def tokens_of(style):
    special = [AddedToken("<s>", special=True, normalized=False), AddedToken("</s>", special=True, normalized=False)]
    if style == "llama3":
        special += [AddedToken(f"<|reserved_{i}|>", special=True, normalized=False) for i in range(4)]
    plain = [
        AddedToken("<|x|>", normalized=False),
        AddedToken("<left>", lstrip=True, normalized=False),
        AddedToken("<right>", rstrip=True, normalized=False),
        AddedToken("word", single_word=True, normalized=False),
        AddedToken("caf\u00e9token", normalized=True),
        AddedToken("New York", single_word=True, normalized=True),
    ]
    return special, plain


def byte_level_of(style):
    tokenizer = Tokenizer(models.BPE(ignore_merges=style in ("llama3", "o200k", "tekken")))
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=style == "prefix", use_regex=style in ("gpt2", "prefix"))
    patterns = {"llama3": LLAMA3, "qwen2": QWEN2, "o200k": O200K, "tekken": TEKKEN, "phi4": PHI4}
    if style in patterns:
        split = pre_tokenizers.Split(Regex(patterns[style]), "isolated")
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, byte_level])
    elif style == "deepseek":
        splits = [pre_tokenizers.Split(Regex(pattern), "isolated")
                  for pattern in (r"\p{N}{1,3}", "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+", DEEPSEEK)]
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([*splits, byte_level])
    elif style == "prefix":
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), byte_level])
    else:
        tokenizer.pre_tokenizer = byte_level
    if style == "qwen2":
        tokenizer.normalizer = normalizers.NFC()
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    size = {"llama3": 800, "qwen2": 700, "gpt2": 700}.get(style, 500)
    trainer = trainers.BpeTrainer(vocab_size=size, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False)
    tokenizer.train_from_iterator(corpus(), trainer)
    return tokenizer


# Vocabularies of characters, which know few of them: bytes or the unknown token stand for the others.
def character_level_of(style):
    odd = style in ("odd", "suffix")
    marks = {"continuing_subword_prefix": "##"} if odd else {}
    if style == "suffix":
        marks["end_of_word_suffix"] = "</w>"
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", **marks))
    # Merges reach over words in one of them, so that a text may not be cut at its spaces.
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit() if odd else pre_tokenizers.Metaspace(split=style != "llama2")
    trainer = trainers.BpeTrainer(vocab_size=330, limit_alphabet=64, show_progress=False, **marks)
    lines = ("".join(list(corpus())[i:i + 3]) for i in range(0, 1500, 3)) if style == "llama2" else corpus()
    tokenizer.train_from_iterator(lines, trainer)
    saved = json.loads(tokenizer.to_str())
    model, special = saved["model"], ["<unk>", "<s>", "</s>"]
    if style in ("llama2", "mistral", "gemma"):
        special += [f"<0x{byte:02X}>" for byte in range(256)]
    known = sorted(model["vocab"], key=model["vocab"].get)
    if not odd:
        if SPACE * 2 not in known:
            model["merges"].append([SPACE, SPACE])
        model["merges"].append([SPACE * 2, SPACE * 2])
        known += [token for token in (SPACE * 2, SPACE * 4) if token not in known]
    model["vocab"] = {token: i for i, token in enumerate(special + [token for token in known if token not in special])}
    model.update(byte_fallback=len(special) > 3, fuse_unk=style != "metaspace", unk_token="<unk>")
    to_space = {"type": "Replace", "pattern": {"String": SPACE}, "content": " "}
    from_space = {"type": "Replace", "pattern": {"String": " "}, "content": SPACE}
    fallback = [to_space, {"type": "ByteFallback"}, {"type": "Fuse"}]
    stripped = [*fallback, {"type": "Strip", "content": " ", "start": 1, "stop": 0}]
    normal, cuts, decoder = {
        "llama2": ([{"type": "Prepend", "prepend": SPACE}, from_space], None, stripped),
        "mistral": (None, [{"type": "Metaspace", "replacement": SPACE, "prepend_scheme": "first", "split": False}], stripped),
        "gemma": ([from_space], [{"type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious",
                                  "invert": False}], fallback),
        "metaspace": ([{"type": "NFKC"}, {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "},
                       {"type": "Strip", "strip_left": False, "strip_right": True}],
                      [{"type": "Metaspace", "replacement": SPACE, "prepend_scheme": "always", "split": True}],
                      [{"type": "Metaspace", "replacement": SPACE, "prepend_scheme": "always", "split": True}]),
        "odd": ([{"type": "NFD"}, {"type": "StripAccents"}, {"type": "Lowercase"}],
                [{"type": "Whitespace"}, {"type": "Punctuation", "behavior": "Contiguous"},
                 {"type": "Digits", "individual_digits": False}], None),
        "suffix": ([{"type": "NFKD"}, {"type": "Strip", "strip_left": True, "strip_right": True}],
                   [{"type": "WhitespaceSplit"}, {"type": "Punctuation", "behavior": "Isolated"}], None),
    }[style]
    saved["normalizer"] = normal and {"type": "Sequence", "normalizers": normal}
    saved["pre_tokenizer"] = cuts and (cuts[0] if len(cuts) == 1 else {"type": "Sequence", "pretokenizers": cuts})
    saved["decoder"] = decoder and (decoder[0] if len(decoder) == 1 else {"type": "Sequence", "decoders": decoder})
    return Tokenizer.from_str(json.dumps(saved))


byte_levels = ["gpt2", "llama3", "qwen2", "prefix", "deepseek", "o200k", "tekken", "phi4"]
character_levels = ["llama2", "mistral", "gemma", "metaspace", "odd", "suffix"]


def build(style):
    tokenizer = byte_level_of(style) if style in byte_levels else character_level_of(style)
    special, plain = tokens_of(style)
    tokenizer.add_special_tokens(special)
    tokenizer.add_tokens(plain)
    first = [] if style in byte_levels and style != "llama3" else [("<s>", tokenizer.token_to_id("<s>"))]
    if first:
        template = processors.TemplateProcessing(single="<s> $A", pair="<s> $A <s> $B", special_tokens=first)
        byte_level = processors.ByteLevel(trim_offsets=False)
        tokenizer.post_processor = processors.Sequence([byte_level, template]) if style == "llama3" else template
    return tokenizer


def spans_of(tokenizer, style, text, encoding):
    if style in ("metaspace", "odd", "suffix") and tokenizer.normalizer.normalize_str(text) != text:
        return None
    if style == "qwen2" and unicodedata.normalize("NFC", text) != text:
        return None
    place = [0]
    for c in text:
        place.append(place[-1] + len(c.encode()))
    spans = []
    following = [begin for begin, _ in encoding.offsets[1:]] + [len(text)]
    for i, (token, (begin, end)) in enumerate(zip(encoding.tokens, encoding.offsets)):
        # A space that was put there, and a token of the template, stand for no bytes.
        put = token == "\u0120" and style == "prefix" and text[begin:end] != " "
        put |= token == SPACE and style not in byte_levels and (text[begin:end] not in (" ", SPACE) or following[i] < end)
        if put or encoding.special_tokens_mask[i]:
            end = begin
        spans.append([place[begin], place[end]])
    return spans


for style in byte_levels + character_levels:
    folder = here / style
    folder.mkdir(exist_ok=True)
    tokenizer = build(style)
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    config = {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<s>", "eos_token": "</s>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=1) + "\n")
    cases = []
    for text in texts():
        encoding = tokenizer.encode(text)
        cases.append({
            "text": text, "ids": encoding.ids, "spans": spans_of(tokenizer, style, text, encoding),
            "plain": tokenizer.encode(text, add_special_tokens=False).ids,
            "decoded": tokenizer.decode(encoding.ids, skip_special_tokens=False),
            "without_special": tokenizer.decode(encoding.ids, skip_special_tokens=True),
        })
        if cases[-1]["plain"] == encoding.ids:
            del cases[-1]["plain"]
        if cases[-1]["without_special"] == cases[-1]["decoded"]:
            del cases[-1]["without_special"]
        if cases[-1]["decoded"] == text:
            del cases[-1]["decoded"]
    # Decoding ids in any order: characters cut anywhere, and ids that no token has.
    pick = random.Random(11)
    decodes = []
    for _ in range(60):
        ids = [pick.randrange(tokenizer.get_vocab_size() + 3) if pick.random() < 0.3 else pick.randrange(256)
               for _ in range(pick.randint(1, 12))]
        decodes.append({"ids": ids, "decoded": tokenizer.decode(ids, skip_special_tokens=False)})
    lines = [json.dumps(case, separators=(",", ":")) for case in cases]
    more = [json.dumps(case, separators=(",", ":")) for case in decodes]
    (folder / "expected.json").write_text(
        '{"versions":' + json.dumps({"tokenizers": tokenizers.__version__, "unicodedata": unicodedata.unidata_version}) +
        ',\n"vocabulary":' + str(tokenizer.get_vocab_size()) +
        ',\n"cases":[\n' + ",\n".join(lines) + '\n],\n"decodes":[\n' + ",\n".join(more) + "\n]}\n")

# Every behavior of Split, inverted and not, with patterns that match often, rarely, and the empty text.
splits = []
for kind, pattern in [("Regex", r"\s+"), ("Regex", r"\d"), ("Regex", r"x*"), ("Regex", r"(?i:AB)|[^a-z\s]+"), ("String", "."),
                      ("Regex", r"\w+"), ("Regex", r"[\p{Han}\p{Hiragana}]+"), ("Regex", r"\p{N}{,2}"),
                      ("Regex", r"(?<=a)b|c(?!d)")]:
    for behavior in ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"]:
        for invert in [False, True]:
            name = "".join("_" + c.lower() if c.isupper() else c for c in behavior)[1:]
            split = pre_tokenizers.Split(Regex(pattern) if kind == "Regex" else pattern, name, invert)
            for text in ["a  b c", "12 ab.c3xx", "..a..", "xxyx", "ABab aB\u017f", "\u4f60\u597d\u3053 x\u00b2", "abcabcd"]:
                pieces = [piece for piece, _ in split.pre_tokenize_str(text)]
                splits.append([{kind: pattern}, behavior, invert, text, pieces])


def write_rows(name, rows):
    (here / name).write_text("[\n" + ",\n".join(json.dumps(row, separators=(",", ":")) for row in rows) + "\n]\n")


write_rows("splits.json", splits)

# Parts of a tokenizer alone, made from their JSON: [the part, what goes in, what comes out].
bare = json.loads(Tokenizer(models.BPE()).to_str())


def made_of(field, part):
    return Tokenizer.from_str(json.dumps({**bare, field: part}))


def sequence(field, parts):
    return {"type": "Sequence", field: parts}


metaspaces = [{"type": "Metaspace", "replacement": mark, "prepend_scheme": scheme, "split": split}
              for mark in (SPACE, "_") for scheme in ("always", "first", "never") for split in (True, False)]
metaspaces += [{"type": "Metaspace", "replacement": "_", "str_rep": "_", "add_prefix_space": True}]
isolated = {"type": "Split", "pattern": {"String": "b"}, "behavior": "Isolated", "invert": False}
stages = []
for part in [*metaspaces, {"type": "Whitespace"}, {"type": "WhitespaceSplit"}, {"type": "Digits", "individual_digits": False},
             *({"type": "Punctuation", "behavior": b} for b in ("Removed", "Isolated", "MergedWithPrevious", "Contiguous")),
             sequence("pretokenizers", [isolated, metaspaces[1 + 1]]), sequence("pretokenizers", [metaspaces[0], isolated]),
             sequence("pretokenizers", [{"type": "WhitespaceSplit"}, {"type": "Punctuation"}])]:
    cut = made_of("pre_tokenizer", part).pre_tokenizer
    for text in ["", " ", "a", " a b", "a  b_c ", "\u2581a \u2581", "b a b a", "it's 12.5, (really) \u00bfno?\u3002 x_y\u00b2",
                 "\u4f60 \u597d\u3000a\u00a0b\tc\n", "e\u0301 \u203f a\u200db ...!!"]:
        stages.append([part, text, [piece for piece, _ in cut.pre_tokenize_str(text)]])
write_rows("stages.json", stages)

from_space = {"type": "Replace", "pattern": {"String": " "}, "content": SPACE}
young = "\u32ff\U00010781\u1102\u1169\u11a7\u11a0 a\u089a\u0334\U00011935\U00011930"  # younger than its tables, mostly
rows = []
for part in [*({"type": kind} for kind in ("NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents")),
             *({"type": "Strip", "strip_left": left, "strip_right": right} for left in (True, False) for right in (True, False)),
             {"type": "Prepend", "prepend": "xy"}, from_space, {"type": "Replace", "pattern": {"String": "aa"}, "content": ""},
             {"type": "Replace", "pattern": {"String": ""}, "content": "-"},
             {"type": "Replace", "pattern": {"Regex": "b*"}, "content": "$1"},
             sequence("normalizers", [{"type": "Strip", "strip_left": True, "strip_right": True}, {"type": "NFKD"},
                                      {"type": "StripAccents"}, {"type": "Lowercase"}, {"type": "Prepend", "prepend": SPACE}, from_space]),
             sequence("normalizers", [])]:
    normal = made_of("normalizer", part).normalizer
    for text in ["", " ", " a  b ", "aaab bba", "caf\u00e9 CAFE\u0301", "\ufb01\ufdfa\u00bd\u2460\uff21\u1e9b\u0323", "\u0130I\u0131\u03a3\u1e9e\u01c5",
                 "\u1100\u1161\u11a8\uac01\uac00\u11a8", "a\u0323\u0307\u0301\u0327", "\u3000 x \u0085\u00a0", "\u0958\u0b94\u0ddd\u1026",
                 "\U0001d400\U0002f800\U0001f600", "\u212b\u2126\u0344\u0f77", young]:
        if text == young and "NF" not in json.dumps(part) or text == young and "Strip" in json.dumps(part):
            continue  # what is a mark differs between editions of Unicode
        rows.append([part, text, normal.normalize_str(text) if normal else text])
write_rows("normalizers.json", rows)

to_space = {"type": "Replace", "pattern": {"String": SPACE}, "content": " "}
fallback, fuse, level = {"type": "ByteFallback"}, {"type": "Fuse"}, {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True}
strips = [{"type": "Strip", "content": " ", "start": start, "stop": stop} for start, stop in ((1, 0), (0, 1), (2, 2))]
rows = []
pick = random.Random(5)
texts_of_tokens = [SPACE + "a", "b", SPACE, " ", "  ", "a ", " a", "<0x41>", "<0xE4>", "<0xBD>", "<0xA0>", "<0x+F>", "<0x4>", "<0xzz>",
                   "\u0120x", "\u00e4\u00bd", "\u0142", "\u00e9\u20ac", "\u4f60", SPACE * 2 + "c", "xx"]
for part in [None, level, fuse, fallback, to_space, *metaspaces[:3], *strips[:2], metaspaces[-1],
             sequence("decoders", [to_space, fallback, fuse]), sequence("decoders", [to_space, fallback, fuse, strips[0]]),
             sequence("decoders", [fuse, strips[1]]), sequence("decoders", [fuse, to_space, strips[0]]),
             sequence("decoders", [fallback, metaspaces[0]]), sequence("decoders", [level, strips[0]]), sequence("decoders", [level, to_space]),
             sequence("decoders", [{"type": "Replace", "pattern": {"Regex": "x*"}, "content": "-"}]),
             sequence("decoders", [fuse, {"type": "Replace", "pattern": {"Regex": "ab|bx+"}, "content": "-"}])]:
    decoder = made_of("decoder", part).decoder
    for length in [0, 1, 1, 1, 2, 2, 3, 4, 5, 6, 8, 12]:
        tokens = [pick.choice(texts_of_tokens) for _ in range(length)]
        try:
            rows.append([part, tokens, decoder.decode(tokens) if decoder else " ".join(tokens)])
        except BaseException as error:  # Strip that wants more than there is ends in a panic there
            assert "PanicException" in type(error).__name__, error
write_rows("decoders.json", rows)
