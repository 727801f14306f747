# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The routerd authors
"""The ollama package, as applications use it, against a router. Usage: ollama_client.py URL MODEL OTHER_MODEL"""
import asyncio
import sys

import ollama

url, model, other = sys.argv[1:4]
client = ollama.Client(host=url)
asynchronous = ollama.AsyncClient(host=url)
messages = [{"role": "user", "content": "Hello"}]


def check(condition, what):
    if not condition:
        sys.exit(f"ollama client: {what}")


def lists():
    names = [entry.model for entry in client.list().models]
    check(model in names and other in names, f"list: {names}")
    shown = client.show(model)
    check(shown.details.family, f"show: {shown}")


def texts():
    whole = client.chat(model=model, messages=messages)
    check(whole.message.content and whole.done, f"chat: {whole}")
    check(whole.eval_count and whole.eval_count > 0, f"chat's figures: {whole}")
    parts = list(client.chat(model=model, messages=messages, stream=True))
    check(len(parts) > 2 and parts[-1].done and not parts[0].done, f"chat streamed: {parts}")
    check("".join(part.message.content for part in parts).strip() != "", "chat streamed: no text")
    whole = client.generate(model=model, prompt="Hello")
    check(whole.response and whole.done, f"generate: {whole}")
    parts = list(client.generate(model=model, prompt="Hello", stream=True))
    check(len(parts) > 2 and parts[-1].done, f"generate streamed: {parts}")
    # An empty prompt loads, and `ps` shows it.
    loaded = client.generate(model=other, prompt="")
    check(loaded.done_reason == "load", f"load: {loaded}")


def running():
    names = [entry.model for entry in client.ps().models]
    check(model in names, f"ps: {names}")


def embeddings():
    one = client.embed(model=model, input="a")
    two = client.embed(model=model, input=["a", "b"])
    check(len(one.embeddings) == 1 and len(two.embeddings) == 2, "embed: wrong number")
    check(len(client.embeddings(model=model, prompt="a").embedding) > 0, "embeddings: empty")


def errors():
    for call in (lambda: client.chat(model="nonsense", messages=messages), lambda: list(client.chat(model="nonsense", messages=messages, stream=True))):
        try:
            call()
        except ollama.ResponseError as error:
            check(error.status_code == 404 and "nonsense" in error.error, f"error: {error.status_code} {error.error}")
        else:
            check(False, "an unknown model is no error")


async def at_once():
    answers = await asyncio.gather(*(asynchronous.chat(model=model, messages=messages) for _ in range(8)))
    check(all(answer.done for answer in answers), "async: not done")
    parts = [part async for part in await asynchronous.chat(model=model, messages=messages, stream=True)]
    check(len(parts) > 2 and parts[-1].done, "async streamed: cut")
    # Leaving in the middle is an application's right.
    async for part in await asynchronous.generate(model=model, prompt="Hello", stream=True):
        break
    check((await asynchronous.embed(model=model, input="a")).embeddings, "async embed: empty")
    check(any(entry.model == model for entry in (await asynchronous.list()).models), "async list")


lists()
texts()
running()
embeddings()
errors()
asyncio.run(at_once())
print("ollama client: all good")
