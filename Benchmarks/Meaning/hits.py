# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The routerd authors
"""How long a hit takes over HTTP, with many entries in its namespace: exact, and by meaning for questions of some lengths.

Usage: hits.py ROUTERD MODEL_FOLDER [ENTRIES]      Exit status 1 if a bar is missed.
"""

import hashlib
import http.client
import http.server
import json
import os
import random
import re
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time

program, model = sys.argv[1:3]
entries = int(sys.argv[3]) if len(sys.argv) > 3 else 100_000


class Endpoint(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def reply(self, value):
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        row = {"name": "m", "model": "m", "size": 1, "digest": "d", "details": {}}
        self.reply({"version": "0.12.0"} if self.path == "/api/version" else {"models": [row]})

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.reply({"model": "m", "message": {"role": "assistant", "content": "an answer"}, "done": True, "done_reason": "stop"})

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Endpoint)
threading.Thread(target=server.serve_forever, daemon=True).start()
folder = tempfile.mkdtemp()
config = f"""
listen: 127.0.0.1:0
endpoints: ["http://127.0.0.1:{server.server_address[1]}"]
cache_enabled: true
cache_backend: sqlite
cache_db_path: {folder}/cache.db
cache_similarity: 0.9
cache_model_path: {model}
cache_max_entries: 1000000
cache_max_bytes: 100GiB
cache_embed_budget: 1s
db_path: ""
"""
open(f"{folder}/config.yaml", "w").write(config)


def start():
    log = open(f"{folder}/log", "a")
    process = subprocess.Popen([program, "--config", f"{folder}/config.yaml", "--control", f"{folder}/s"], stdout=log, stderr=log)
    for _ in range(600):
        found = re.findall(r"address=127\.0\.0\.1:(\d+)", open(f"{folder}/log").read())
        if found and len(found) == start.count + 1:
            start.count += 1
            return process, http.client.HTTPConnection("127.0.0.1", int(found[-1]), timeout=60)
        time.sleep(0.05)
    sys.exit(open(f"{folder}/log").read())


start.count = 0


def ask(connection, question):
    body = json.dumps({"model": "m", "stream": False, "messages": [{"role": "user", "content": question}]})
    begin = time.perf_counter()
    connection.request("POST", "/api/chat", body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    answer.read()
    return answer.headers.get("X-Cache"), (time.perf_counter() - begin) * 1000


def stats(connection):
    connection.request("GET", "/api/cache/stats")
    return json.loads(connection.getresponse().read())


def until(what):
    for _ in range(2400):
        if what():
            return
        time.sleep(0.05)
    sys.exit("hits: not in time\n" + open(f"{folder}/log").read())


def resident(process):
    return int(open(f"/proc/{process.pid}/statm").read().split()[1]) * 4096 >> 20


short = "how do i reset the password of the old mail account at home"
long = short + " when i have lost the telephone that used to get the code for it"
process, connection = start()
before = resident(process)
until(lambda: ask(connection, short)[0] in ("miss", "hit"))
until(lambda: ask(connection, long)[0] in ("miss", "hit"))
until(lambda: stats(connection)["vectors"] == 2)
print(f"resident memory: {before} MiB before the model is read, {resident(process)} MiB after")
process.kill()
process.wait()

# Strangers in the same namespace: vectors of about length 1 in every direction.
database = sqlite3.connect(f"{folder}/cache.db")
namespace, meaning = database.execute("SELECT namespace, meaning FROM routerd_answers LIMIT 1").fetchone()
fingerprint = json.loads(meaning)["fingerprint"]
table = [int((byte - 127.5) * 22.8).to_bytes(2, "little", signed=True).hex() for byte in range(256)]
source = random.Random(1)
now = int(time.time() * 1000)


def row(number):
    vector = "".join(table[byte] for byte in source.randbytes(384))
    text = json.dumps({"fingerprint": fingerprint, "question": f"stranger {number}", "history": "", "vector": vector})
    return (hashlib.sha256(str(number).encode()).digest(), namespace, "m:latest", "", now, None, now, 2000, b"", text.encode())


database.executemany(
    "INSERT INTO routerd_answers (key, namespace, model, tenant, created, expires, used, size, bytes, meaning) VALUES (?,?,?,?,?,?,?,?,?,?)",
    (row(number) for number in range(entries)))
database.commit()
database.close()
process, connection = start()
began = time.time()
until(lambda: stats(connection)["vectors"] >= entries)
print(f"{entries} entries in the namespace, in the index after {time.time() - began:.1f} s")


def table_row(name, times, bars):
    times.sort()
    p50, p99 = times[len(times) // 2], times[int(len(times) * 0.99)]
    missed = [f"{which} {bar} ms" for which, bar in bars.items() if {"p50": p50, "p99": p99}[which] >= bar]
    print(f"| {name} | {len(times)} | {p50:.2f} | {p99:.2f} | {'missed: ' + ', '.join(missed) if missed else 'met'} |")
    return bool(missed)


print("| hit | requests | p50, ms | p99, ms | bar |\n|---|---|---|---|---|")
ask(connection, short)
failed = table_row("exact", [ask(connection, short)[1] for _ in range(3000)], {"p99": 1})
starts = ["how do i", "how can i", "how could i", "how should i", "how may i", "how might i", "how shall i", "how would i"]
verbs = ["reset", "quickly reset", "simply reset", "again reset", "properly reset", "reset again", "reset now", "finally reset"]
things = ["the password", "my password", "that password", "a password", "this password"]
for name, question, bars in (("by meaning, up to 16 tokens", short, {"p99": 10}), ("by meaning, up to 32 tokens", long, {"p50": 10})):
    rest = question.split("the password", 1)[1]
    times = []
    for start_ in starts:
        for verb in verbs:
            for thing in things:
                mark, taken = ask(connection, f"{start_} {verb} {thing}{rest}")
                if mark == "semantic":
                    times.append(taken)
    failed = table_row(name, times, bars) or failed
print(f"resident memory with all of them: {resident(process)} MiB")
process.kill()
sys.exit(1 if failed else 0)
