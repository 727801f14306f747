# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The routerd authors
"""langchain-ollama against the router. Usage: langchain_client.py URL EMBEDDING_MODEL MODEL..."""

import sys

from langchain_core.messages import HumanMessage, SystemMessage
from langchain_ollama import ChatOllama, OllamaEmbeddings

url, embedding, *models = sys.argv[1:]
for model in models:
    chat = ChatOllama(model=model, base_url=url, num_predict=16, num_ctx=2048, temperature=0)
    messages = [SystemMessage("Be brief."), HumanMessage("What is the capital of France?")]
    answer = chat.invoke(messages)
    assert answer.content, (model, answer)
    assert answer.usage_metadata["output_tokens"] > 0, (model, answer.usage_metadata)
    pieces = [chunk.content for chunk in chat.stream(messages)]
    assert sum(1 for piece in pieces if piece) > 1, (model, pieces)
vectors = OllamaEmbeddings(model=embedding, base_url=url).embed_documents(["one", "two", "three"])
assert len(vectors) == 3 and all(len(vector) > 2 for vector in vectors), [len(vector) for vector in vectors]
print("langchain_client: all well")
