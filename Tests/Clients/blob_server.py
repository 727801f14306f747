# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The routerd authors
"""An Ollama that takes blobs and forgets them. Prints its port, and the size of each blob that came whole.

Usage: blob_server.py has|lacks FAILS_AFTER_BYTES (0: never)
"""

import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HAS, FAILS_AFTER = sys.argv[1] == "has", int(sys.argv[2])
PAGES = {"/api/version": b'{"version":"0.12.3"}', "/api/tags": b'{"models":[]}', "/api/ps": b'{"models":[]}'}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def answer(self, status, body=b""):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.answer(200 if self.path in PAGES else 404, PAGES.get(self.path, b""))

    def do_HEAD(self):
        self.send_response(200 if HAS else 404)
        self.end_headers()

    def do_POST(self):
        left = int(self.headers["Content-Length"])
        got = 0
        buffer = bytearray(1 << 20)
        while left:
            count = self.rfile.readinto(memoryview(buffer)[: min(left, len(buffer))])
            if not count:
                return
            got += count
            left -= count
            if FAILS_AFTER and got > FAILS_AFTER:
                self.close_connection = True
                return
        print(f"got {got}", flush=True)
        self.answer(200 if HAS else 201)


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(f"port {server.server_port}", flush=True)
server.serve_forever()
