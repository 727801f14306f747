# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The routerd authors
"""The openai package, as applications use it, against a router. Usage: openai_client.py URL KEY MODEL [text-only] [any-name]"""
import asyncio
import sys

import openai

url, key, model = sys.argv[1:4]
text_only = "text-only" in sys.argv[4:]
# The only server of the fleet answers under any name, as it does without a router.
any_name = "any-name" in sys.argv[4:]
client = openai.OpenAI(base_url=url + "/v1", api_key=key, max_retries=0, timeout=60)
asynchronous = openai.AsyncOpenAI(base_url=url + "/v1", api_key=key, max_retries=0, timeout=60)
messages = [{"role": "user", "content": "Say hello."}]


def check(condition, what):
    if not condition:
        sys.exit(f"openai client: {what}")


def lists():
    ids = [entry.id for entry in client.models.list()]
    check(model in ids, f"models: {ids}")
    check(client.models.retrieve(model).id == model, "models.retrieve")


def texts():
    whole = client.chat.completions.create(model=model, messages=messages, max_tokens=16)
    check(whole.choices[0].message.content and whole.usage.completion_tokens > 0, f"chat: {whole}")
    parts = list(client.chat.completions.create(model=model, messages=messages, max_tokens=16, stream=True, stream_options={"include_usage": True}))
    text = "".join(part.choices[0].delta.content or "" for part in parts if part.choices)
    check(len(parts) > 2 and text, f"chat streamed: {parts}")
    check(parts[-1].usage and parts[-1].usage.total_tokens > 0, f"chat streamed: no figures: {parts[-1]}")
    completion = client.completions.create(model=model, prompt="Hello", max_tokens=8)
    check(completion.choices[0].text is not None, f"completion: {completion}")
    parts = list(client.completions.create(model=model, prompt="Hello", max_tokens=8, stream=True))
    check(len(parts) > 1, f"completion streamed: {parts}")


def embeddings():
    vectors = client.embeddings.create(model=model, input=["a"], encoding_format="float").data
    check(len(vectors) == 1 and len(vectors[0].embedding) > 0, "embeddings: empty")


def errors():
    try:
        client.chat.completions.create(model="nonsense", messages=messages, max_tokens=8)
    except openai.NotFoundError as error:
        check("nonsense" in str(error), f"error: {error}")
    else:
        check(any_name, "an unknown model is no error")
    if key != "unused":
        try:
            openai.OpenAI(base_url=url + "/v1", api_key="wrong", max_retries=0).models.list()
        except openai.PermissionDeniedError:
            pass
        else:
            check(False, "a wrong key is no error")


async def at_once():
    answers = await asyncio.gather(*(asynchronous.chat.completions.create(model=model, messages=messages, max_tokens=8) for _ in range(4)))
    check(all(answer.choices for answer in answers), "async: no choices")
    stream = await asynchronous.chat.completions.create(model=model, messages=messages, max_tokens=8, stream=True)
    check(len([part async for part in stream]) > 1, "async streamed: cut")


lists()
texts()
if not text_only:
    embeddings()
errors()
asyncio.run(at_once())
print("openai client: all good")
