# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The routerd authors
"""Python's ssl against the router's listener: sessions, renegotiation's absence, slow bytes, large bodies, many at once.

Usage: tls_client.py PORT CA_FILE MODEL
"""

import json
import socket
import ssl
import sys
import threading

port, ca_file, model = int(sys.argv[1]), sys.argv[2], sys.argv[3]
context = ssl.create_default_context(cafile=ca_file)
context.set_alpn_protocols(["h2", "http/1.1"])


def connect(session=None):
    raw = socket.create_connection(("127.0.0.1", port), timeout=60)
    return context.wrap_socket(raw, server_hostname="localhost", session=session)


def request(body, close=False):
    head = f"POST /api/chat HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + (b"Connection: close\r\n" if close else b"") + b"\r\n" + body


def read_all(sock):
    data = b""
    while part := sock.recv(65536):
        data += part
    return data


body = json.dumps({"model": model, "stream": False, "messages": [{"role": "user", "content": "hi"}]}).encode()

# One request on one connection; its session serves the next.
sock = connect()
assert sock.version() == "TLSv1.3", sock.version()
assert sock.selected_alpn_protocol() == "http/1.1", sock.selected_alpn_protocol()
sock.sendall(request(body, close=True))
answer = read_all(sock)
assert answer.startswith(b"HTTP/1.1 200 OK"), answer[:200]
session = sock.session
sock.close()
sock = connect(session)
assert sock.session_reused, "a session is taken up again"

# One byte in each record.
whole = request(body, close=True)
for index in range(len(whole)):
    sock.sendall(whole[index : index + 1])
assert read_all(sock).startswith(b"HTTP/1.1 200 OK")
sock.close()

# A request of 20 MB.
large = json.dumps({"model": model, "stream": False, "messages": [{"role": "user", "content": "x" * (20 << 20)}]}).encode()
sock = connect()
sock.sendall(request(large, close=True))
assert read_all(sock).startswith(b"HTTP/1.1 200 OK")
sock.close()

# A client that vanishes without TLS's end.
sock = connect()
sock.sendall(whole[:50])
sock.detach()

# A hundred at once.
failures = []


def one():
    try:
        with connect() as sock:
            sock.sendall(request(body, close=True))
            answer = read_all(sock)
            if not answer.startswith(b"HTTP/1.1 200 OK"):
                failures.append(answer[:200])
    except OSError as error:
        failures.append(error)


threads = [threading.Thread(target=one) for _ in range(100)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert not failures, failures[:3]

# Who does not trust the authority gets nothing, and the router lives on.
try:
    ssl.create_default_context().wrap_socket(socket.create_connection(("127.0.0.1", port)), server_hostname="localhost")
    raise AssertionError("an unknown authority was trusted")
except ssl.SSLCertVerificationError:
    pass
print("tls_client: all well")
