# SPDX-License-Identifier: MIT
# Parquet files as pyarrow and pandas write them, and the rows that they hold as JSON lines: python make.py, with the
# versions in versions.json. Texts of all planes, nulls, empty lists and strings, several pages and row groups.
import json
import pathlib
import random

import pandas
import pyarrow
import pyarrow.parquet as parquet

here = pathlib.Path(__file__).parent
random.seed(4)
words = ["", "a", "row", "two words", "line\nbreak", "\u00e9t\u00e9", "\u4f60\u597d", "\U0001f600 face", 'say "no"', "tab\t"]
made = []


def text():
    return " ".join(random.choice(words) for _ in range(random.randint(0, 5)))


def maybe(value, share=0.2):
    return None if random.random() < share else value


def flat(count):
    return pyarrow.table({
        "text": pyarrow.array([text() for _ in range(count)], pyarrow.string()),
        "maybe": pyarrow.array([maybe(text()) for _ in range(count)], pyarrow.large_string()),
        "small": pyarrow.array([maybe(random.randint(-2**31, 2**31 - 1)) for _ in range(count)], pyarrow.int32()),
        "large": pyarrow.array([random.randint(-2**63, 2**63 - 1) for _ in range(count)], pyarrow.int64()),
        "byte": pyarrow.array([random.randint(-128, 127) for _ in range(count)], pyarrow.int8()),
        "natural": pyarrow.array([random.randint(0, 2**64 - 1) for _ in range(count)], pyarrow.uint64()),
        "natural32": pyarrow.array([random.randint(0, 2**32 - 1) for _ in range(count)], pyarrow.uint32()),
        "single": pyarrow.array([maybe(random.randint(-1000, 1000) / 8) for _ in range(count)], pyarrow.float32()),
        "double": pyarrow.array([random.random() for _ in range(count)], pyarrow.float64()),
        "flag": pyarrow.array([maybe(random.random() < 0.5) for _ in range(count)], pyarrow.bool_()),
        "never": pyarrow.array([None] * count, pyarrow.null()),
        "same": pyarrow.array(["the same"] * count, pyarrow.string()),
    })


def message():
    return {"role": random.choice(["user", "assistant"]), "content": maybe(text(), 0.1)}


def nested(count):
    message_type = pyarrow.struct([("role", pyarrow.string()), ("content", pyarrow.string())])
    call = pyarrow.struct([("name", pyarrow.string()), ("arguments", pyarrow.list_(pyarrow.int64()))])
    deep = pyarrow.struct([("role", pyarrow.string()), ("calls", pyarrow.list_(call))])

    def calls():
        return maybe([{"name": text(), "arguments": maybe([random.randint(0, 9) for _ in range(random.randint(0, 3))])}
                      for _ in range(random.randint(0, 2))])
    return pyarrow.table({
        "messages": pyarrow.array([maybe([maybe(message(), 0.05) for _ in range(random.randint(0, 4))], 0.1)
                                   for _ in range(count)], pyarrow.list_(message_type)),
        "words": pyarrow.array([maybe([maybe(text()) for _ in range(random.randint(0, 3))])
                                for _ in range(count)], pyarrow.large_list(pyarrow.string())),
        "one": pyarrow.array([maybe(message()) for _ in range(count)], message_type),
        "deep": pyarrow.array([maybe([{"role": text(), "calls": calls()} for _ in range(random.randint(0, 3))])
                               for _ in range(count)], pyarrow.list_(deep)),
        "grid": pyarrow.array([maybe([maybe([random.randint(0, 3) for _ in range(random.randint(0, 3))])
                                      for _ in range(random.randint(0, 3))]) for _ in range(count)],
                              pyarrow.list_(pyarrow.list_(pyarrow.int32()))),
    })


def write(name, table, **options):
    parquet.write_table(table, here / f"{name}.parquet", **options)
    expect(name, table.to_pylist())


def expect(name, rows):
    with open(here / f"{name}.jsonl", "w") as file:
        for row in rows:
            file.write(json.dumps(row) + "\n")
    made.append(name)


small = flat(60)
write("flat", small)
for codec in ["none", "gzip", "zstd"]:
    parquet.write_table(small, here / f"flat_{codec}.parquet", compression=codec)
parquet.write_table(small, here / "flat_plain.parquet", use_dictionary=False, data_page_version="2.0", compression="zstd",
                    column_encoding=None)
parquet.write_table(small, here / "flat_v2.parquet", data_page_version="2.0", version="1.0", compression="snappy")
parquet.write_table(small, here / "flat_groups.parquet", row_group_size=7, data_page_size=64, write_batch_size=4)
rows = nested(80)
write("nested", rows)
parquet.write_table(rows, here / "nested_v2.parquet", data_page_version="2.0", compression="zstd", row_group_size=33,
                    data_page_size=64, write_batch_size=4)
parquet.write_table(rows, here / "nested_plain.parquet", use_dictionary=False, compression="gzip",
                    use_compliant_nested_type=False)

frame = pandas.DataFrame({
    "prompt": ["What is two and two?", "And three?", None, ""],
    "kind": pandas.Categorical(["sum", "sum", "none", "sum"]),
    "label": [4, 5, 0, 1],
    "score": [0.5, float("nan"), 1.0, -2.0],
    "messages": [[{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}], [], None,
                 [{"role": "user", "content": "again"}]],
})
frame.to_parquet(here / "pandas.parquet")
expect("pandas", [
    {"prompt": p, "kind": k, "label": n, "score": s, "messages": m} for p, k, n, s, m in
    zip([p if isinstance(p, str) else None for p in frame["prompt"]], frame["kind"].tolist(), frame["label"].tolist(),
        [None if s != s else s for s in frame["score"]], frame["messages"])])

# What is refused, each by its name.
refused = {
    "brotli": (small.select(["text"]), {"compression": "brotli"}),
    "lz4": (small.select(["text"]), {"compression": "lz4"}),
    "delta": (small.select(["large"]), {"use_dictionary": False, "column_encoding": "DELTA_BINARY_PACKED"}),
    "delta_text": (small.select(["text"]), {"use_dictionary": False, "column_encoding": "DELTA_BYTE_ARRAY"}),
    "split": (small.select(["double"]), {"use_dictionary": False, "column_encoding": "BYTE_STREAM_SPLIT"}),
    "int96": (pyarrow.table({"when": pyarrow.array([0, 1], pyarrow.timestamp("us"))}),
              {"use_deprecated_int96_timestamps": True}),
    "timestamp": (pyarrow.table({"text": ["a", "b"], "when": pyarrow.array([0, 1], pyarrow.timestamp("us"))}), {}),
    "decimal": (pyarrow.table({"cost": pyarrow.array([1, 2]).cast(pyarrow.decimal128(30, 2))}), {}),
    "binary": (pyarrow.table({"bytes": pyarrow.array([b"a", b"\xff"])}), {}),
    "map": (pyarrow.table({"map": pyarrow.array([[("a", 1)], []], pyarrow.map_(pyarrow.string(), pyarrow.int32()))}), {}),
    "date": (pyarrow.table({"day": pyarrow.array([0, 1], pyarrow.date32())}), {}),
}
(here / "refused").mkdir(exist_ok=True)
for name, (table, options) in refused.items():
    parquet.write_table(table, here / "refused" / f"{name}.parquet", **options)

# Pages with checksums; row groups without rows, which writers of parts leave.
parquet.write_table(small, here / "flat_checksum.parquet", write_page_checksum=True, row_group_size=23)
parquet.write_table(rows, here / "nested_checksum.parquet", write_page_checksum=True, data_page_version="2.0",
                    use_dictionary=False, compression="none")
with parquet.ParquetWriter(here / "flat_empty_groups.parquet", small.schema) as writer:
    for part in [small.slice(0, 0), small, small.slice(0, 0)]:
        writer.write_table(part)

(here / "versions.json").write_text(json.dumps({"pyarrow": pyarrow.__version__, "pandas": pandas.__version__}) + "\n")
