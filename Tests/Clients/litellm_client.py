# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The routerd authors
"""litellm against the router, as Ollama and as OpenAI. Usage: litellm_client.py URL MODEL..."""

import os
import sys

# Its list of prices would be fetched from the network otherwise.
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

import litellm

litellm.telemetry = False
url = sys.argv[1]
messages = [{"role": "user", "content": "What is the capital of France?"}]
for model in sys.argv[2:]:
    for provider, base in (("ollama_chat", url), ("openai", url + "/v1")):
        ask = dict(model=f"{provider}/{model}", messages=messages, api_base=base, api_key="unused", max_tokens=16, timeout=120)
        whole = litellm.completion(**ask)
        assert whole.choices[0].message.content, (provider, model, whole)
        assert whole.usage.completion_tokens > 0, (provider, model, whole.usage)
        pieces = [chunk.choices[0].delta.content or "" for chunk in litellm.completion(**ask, stream=True) if chunk.choices]
        assert sum(1 for piece in pieces if piece) > 1, (provider, model, pieces)
print("litellm_client: all well")
