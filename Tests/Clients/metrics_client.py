# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The routerd authors
"""Reads the router's metrics as Prometheus does. Usage: metrics_client.py URL"""

import sys
import urllib.request

from prometheus_client.parser import text_string_to_metric_families

text = urllib.request.urlopen(sys.argv[1], timeout=20).read().decode()
families = {family.name: family for family in text_string_to_metric_families(text)}
# Of what no endpoint was asked for there is no sample.
unused = {"routerd_answer_seconds", "routerd_embeddings_seconds", "routerd_time_to_first_token_seconds", "routerd_time_per_output_token_seconds"}
for name, kind in {
    "routerd_build_info": "gauge",
    "routerd_requests": "counter",
    "routerd_tokens": "counter",
    "routerd_waiting": "gauge",
    "routerd_endpoint_state": "gauge",
    "routerd_time_to_first_byte_seconds": "histogram",
    "routerd_time_to_first_token_seconds": "histogram",
    "routerd_answer_seconds": "histogram",
    "routerd_embeddings_seconds": "histogram",
    "routerd_breaker_state": "gauge",
    "routerd_breaker_openings": "counter",
    "routerd_verdicts": "counter",
    "routerd_time_per_output_token_seconds": "histogram",
}.items():
    family = families[name]
    assert family.type == kind, (name, family.type)
    assert family.documentation, name
    assert family.samples or name in unused, name
buckets = [s.value for s in families["routerd_time_to_first_byte_seconds"].samples if s.name.endswith("_bucket")]
assert buckets == sorted(buckets), "cumulative"
states = {s.labels["state"] for s in families["routerd_endpoint_state"].samples if s.value == 1}
assert states == {"up"}, states
print("metrics_client: all well")
