#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The routerd authors
"""What `routerctl top` costs: a control socket with 50 endpoints and 500 requests, a new picture twice a second, a terminal of 200x60.

    swift build -c release --product routerctl && Benchmarks/console.py .build/release/routerctl

Prints the share of one core that the console takes in each view, and the bytes a second that it sends to the terminal.
The bar is 1%.
"""
import fcntl
import json
import os
import pty
import select
import socket
import struct
import sys
import tempfile
import termios
import threading
import time

ENDPOINTS, REQUESTS, SECONDS = 50, 500, 15


def endpoint(index, step):
    loaded = [f"model-{index % 7}:8b", f"model-{index % 5}:3b"]
    return {
        "name": f"gpu-{index}", "url": f"http://10.0.0.{index}:11434", "kind": "ollama", "state": "up" if index % 9 else "down",
        "reason": "" if index % 9 else "connection refused", "since": "2026-11-24T03:00:00Z", "version": "0.12.6",
        "in_flight": (index + step) % 5, "limit": 4, "waiting": 0, "weight": 1, "loaded": loaded, "available": loaded + ["other:1b"],
        "in_flight_by_model": {}, "requests_total": 1000 + step, "tokens_total": 100000 + step * 40, "failures_total": index % 3,
        "aborts_total": 0, "retries_total": 0, "client_errors_total": 0,
        "loaded_models": [{"name": name, "size_vram_bytes": 5000000000, "expires_at": "2026-11-24T03:20:00Z", "in_flight": 1} for name in loaded],
        "has_key": False, "requests_per_second": (index + step) % 7 * 0.3, "tokens_per_second": (index * 3 + step) % 90 * 1.5,
        "ttft_p50_ms": 180.5 + index, "ttft_p95_ms": 900.5 + index, "polled_ago_ms": 500,
    }


def request(index, step):
    return {
        "id": f"r-{index}", "client": f"10.1.{index // 250}.{index % 250}:50112", "method": "POST", "route": "/v1/chat/completions",
        "model": f"model-{index % 7}:8b", "endpoint": f"gpu-{index % ENDPOINTS}", "phase": "streaming", "age_ms": 500 * step + index * 10,
        "phase_ms": 500 * step, "tokens": step * 15 + index, "bytes_sent": step * 900, "key": f"team-{index % 6}", "why": "loaded",
        "tokens_per_second": 30.5 + index % 10, "cache": "miss",
    }


def status(step):
    return {
        "schema": 1, "version": "0.1.0", "pid": 1, "uptime_s": step / 2, "state": "running", "listen": ["127.0.0.1:12434"],
        "config_path": "config.yaml", "connections": 500, "endpoints": [endpoint(index, step) for index in range(ENDPOINTS)],
        "queue": {"waiting": 0, "oldest_ms": 0, "limit": 256, "timeout_s": 300},
        "requests": {"in_flight": REQUESTS, "waiting": 0, "total": 1000 + step, "completed": 900, "failed": 1, "aborted": 2, "rejected": 0},
        "cache": {"schema": 1, "enabled": False, "backend": "", "fault": "", "semantic": False, "semantic_fault": "", "vectors": 0, "guarded": {},
                  "exact_hits": 0, "semantic_hits": 0, "shared": 0, "misses": 0, "bypasses": {}, "not_kept": {}, "entries": 0, "bytes": 0,
                  "tokens_saved": 0, "seconds_saved": 0, "hit_rates": [], "namespaces": []},
        "storage": {"fault": "", "set_aside": ""},
    }


def history(params):
    steps = range(300)
    series = {"requests": [step % 20 for step in steps], "tokens": [step % 50 for step in steps], "failures": [0] * 300,
              "in_flight": [step % 7 for step in steps], "waiting": [0] * 300, "ttft_ms": [90.5] * 300}
    names = params.get("endpoints", [f"gpu-{index}" for index in range(ENDPOINTS)])
    return {"schema": 1, "step_s": 2, "fleet": series, "hit_rate": [0.5] * 300, "endpoints": {name: series for name in names}}


def serve(connection):
    reader = connection.makefile("r")
    for line in reader:
        call = json.loads(line)
        params = call.get("params") or {}

        def send(body):
            connection.sendall((json.dumps(body, separators=(",", ":")) + "\n").encode())

        def tell(result):
            send({"jsonrpc": "2.0", "id": call["id"], "result": result})

        method = call["method"]
        if method == "hello":
            tell({"schema": 1, "name": "routerd", "version": "0.1.0", "control_protocol": 2, "pid": 1, "access": ["read"], "methods": []})
        elif method == "history":
            tell(history(params))
        elif method == "subscribe":
            tell({"interval_ms": 500})
            topics = params.get("topics", ["requests"])
            step = 0
            while True:
                step += 1
                send({"jsonrpc": "2.0", "method": "snapshot", "params": {
                    "schema": 1, "sequence": step, "at_ms": step * 500, "status": status(step),
                    "requests": [request(index, step) for index in range(REQUESTS)] if "requests" in topics else [],
                    "queue": [], "models": [], "events": []}})
                time.sleep(0.5)
        else:
            send({"jsonrpc": "2.0", "id": call["id"], "error": {"code": -32601, "message": "not here"}})


def attend(connection):
    try:
        serve(connection)
    except (OSError, ValueError):
        connection.close()


def listen(path):
    server = socket.socket(socket.AF_UNIX)
    server.bind(path)
    server.listen(16)
    while True:
        connection, _ = server.accept()
        threading.Thread(target=attend, args=(connection,), daemon=True).start()


def ticks(pid):
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


def measure(program, path, view):
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ.update(TERM="xterm-256color", LC_ALL="C.UTF-8")
        os.execv(program, [program, "top", "--socket", path, "--view", view])
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 60, 200, 0, 0))

    def drain(seconds):
        sent, end = 0, time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if select.select([terminal], [], [], left)[0]:
                try:
                    sent += len(os.read(terminal, 65536))
                except OSError:
                    # The console has left, and its terminal with it.
                    break
        return sent

    drain(3)
    before = ticks(pid)
    sent = drain(SECONDS)
    used = (ticks(pid) - before) / os.sysconf("SC_CLK_TCK")
    os.write(terminal, b"q")
    drain(5)
    status = os.waitpid(pid, 0)[1]
    if status != 0:
        sys.exit(f"the console ended with {os.waitstatus_to_exitcode(status)} in {view}")
    os.close(terminal)
    print(f"{view:10} {100 * used / SECONDS:5.2f}% of a core  {sent / SECONDS / 1000:6.1f} kB/s to the terminal")


def main():
    program = sys.argv[1] if len(sys.argv) > 1 else ".build/release/routerctl"
    with tempfile.TemporaryDirectory(prefix="routerd-bench-") as folder:
        path = f"{folder}/s"
        threading.Thread(target=listen, args=(path,), daemon=True).start()
        while not os.path.exists(path):
            time.sleep(0.01)
        for view in ["endpoints", "requests", "models"]:
            measure(os.path.abspath(program), path, view)


main()
