# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The routerd authors
"""The openai package's newer half against the router: responses, embeddings, models. Usage: responses_client.py URL MODEL EMBEDDING_MODEL"""

import sys

import openai

url, model, embedding = sys.argv[1:4]
client = openai.OpenAI(base_url=url + "/v1", api_key="unused", max_retries=0, timeout=120)

assert model in {entry.id for entry in client.models.list()}
assert client.models.retrieve(model).id == model

response = client.responses.create(model=model, input="What is the capital of France?", instructions="Be brief.", max_output_tokens=16)
assert response.output_text, response
assert response.status in ("completed", "incomplete"), response.status
assert response.usage.output_tokens > 0, response.usage

text, kinds = "", []
with client.responses.stream(model=model, input="What is the capital of France?", max_output_tokens=16) as stream:
    for event in stream:
        kinds.append(event.type)
        if event.type == "response.output_text.delta":
            text += event.delta
    # The package's own `get_final_response` knows no answer that its limit has cut.
    final = event.response
assert kinds[0] == "response.created" and kinds[-1] in ("response.completed", "response.incomplete"), kinds
assert text and final.output_text == text, (text, final.output_text)

vectors = client.embeddings.create(model=embedding, input=["one", "two"], encoding_format="float").data
assert [vector.index for vector in vectors][:2] == list(range(len(vectors)))[:2] and len(vectors[0].embedding) > 2
try:
    client.responses.create(model=model, input="x", previous_response_id="resp_1")
    print("responses_client: the endpoint keeps state itself")
except openai.APIStatusError as error:
    assert error.status_code in (400, 404, 501), error
print("responses_client: all well")
