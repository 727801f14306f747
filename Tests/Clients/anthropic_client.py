# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The routerd authors
"""The anthropic package against the router. Usage: anthropic_client.py URL KEY MODEL [real]

`real`: a real model answers, whose words nobody knows beforehand.
"""

import sys

import anthropic

url, key, model = sys.argv[1:4]
real = "real" in sys.argv[4:]
client = anthropic.Anthropic(base_url=url, api_key=key, max_retries=0, timeout=120)
ask = dict(model=model, max_tokens=16, system="Be brief.", messages=[{"role": "user", "content": "What is the capital of France?"}])

message = client.messages.create(**ask)
assert message.type == "message" and message.role == "assistant" and message.content, message
text = "".join(block.text for block in message.content if block.type == "text")
assert text, message
assert message.stop_reason in ("end_turn", "max_tokens"), message.stop_reason
assert message.usage.input_tokens > 0 and message.usage.output_tokens > 0, message.usage

with client.messages.stream(**ask) as stream:
    pieces = list(stream.text_stream)
    final = stream.get_final_message()
assert len(pieces) > 1, pieces
assert "".join(pieces) == "".join(block.text for block in final.content if block.type == "text")
assert final.usage.output_tokens > 0, final.usage
if not real:
    assert text == "".join(pieces), (text, pieces)

try:
    client.messages.create(**{**ask, "model": "no-such-model"})
    raise AssertionError("an unknown model was answered")
except anthropic.NotFoundError as error:
    assert "no-such-model" in str(error), error
print("anthropic_client: all well")
