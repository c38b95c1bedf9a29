# SPDX-License-Identifier: MIT
"""Makes pride_and_prejudice.jsonl from Debian's package r-cran-janeaustenr: passages of whole sentences, one a line.

The result is in the repository, so nobody needs to run this. It was made with Python 3.11 from version 1.0.0-1:
    apt-get download r-cran-janeaustenr && dpkg -x r-cran-janeaustenr_*.deb unpacked
    python3 make_text.py unpacked/usr/lib/R/site-library/janeaustenr/data/Rdata.rdb
Chapter headings and marks of emphasis are left out, and lines are joined into paragraphs.
"""

import json
import re
import struct
import sys
import zlib
from pathlib import Path

longest = 850  # characters of a passage, unless a sentence is longer


def books(packed):
    """R's lazy-load file: objects one after the other, each a length, then a deflated vector of lines."""
    at = 0
    while at < len(packed):
        inflate = zlib.decompressobj()
        data = inflate.decompress(packed[at + 4 :])
        at = len(packed) - len(inflate.unused_data)
        version = struct.unpack(">I", data[2:6])[0]
        begin = 14 + (4 + struct.unpack(">I", data[14:18])[0] if version == 3 else 0)
        kind, count = struct.unpack(">II", data[begin : begin + 8])
        if kind & 255 != 16:  # a vector of strings
            continue
        begin += 8
        lines = []
        for _ in range(count):
            length = struct.unpack(">i", data[begin + 4 : begin + 8])[0]
            lines.append(data[begin + 8 : begin + 8 + max(length, 0)].decode())
            begin += 8 + max(length, 0)
        yield lines


def paragraphs(lines):
    words = []
    for line in [*lines, ""]:
        if line.strip():
            words.append(line.strip())
        elif words:
            yield re.sub(r"\s+", " ", " ".join(words).replace("_", ""))
            words = []


def pieces(paragraph):
    piece = ""
    for sentence in re.split(r'(?<=[.!?;"])\s+(?=["A-Za-z])', paragraph):
        if piece and len(piece) + len(sentence) + 1 > longest:
            yield piece
            piece = ""
        piece = f"{piece} {sentence}" if piece else sentence
    yield piece


def passages(lines):
    passage = ""
    for paragraph in paragraphs(lines):
        if re.match(r"chapter\s+[ivxl\d]+|pride and prejudice$|by jane austen$", paragraph, re.I):
            if passage:
                yield passage
            passage = ""
            continue
        for piece in pieces(paragraph):
            if passage and len(passage) + len(piece) > longest:
                yield passage
                passage = ""
            passage = f"{passage}\n\n{piece}" if passage else piece
    yield passage


for lines in books(Path(sys.argv[1]).read_bytes()):
    if lines[0] == "PRIDE AND PREJUDICE":
        rows = "".join(json.dumps({"text": passage}) + "\n" for passage in passages(lines))
        (Path(__file__).parent / "pride_and_prejudice.jsonl").write_text(rows)
