# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The routerd authors
"""TLS in front of a plain server: terminates it with Python's ssl and relays bytes.

Prints its port, and one line for each handshake. Usage: tls_front.py CERTIFICATE KEY BACKEND_PORT [options]
"""

import argparse
import select
import socket
import ssl
import threading

parser = argparse.ArgumentParser()
parser.add_argument("certificate")
parser.add_argument("key")
parser.add_argument("backend", type=int)
parser.add_argument("--drip", action="store_true", help="one byte in each record")
parser.add_argument("--truncate", action="store_true", help="end answers without TLS's own end")
parser.add_argument("--client-ca", help="demand a client certificate of this authority")
parser.add_argument("--tls12", action="store_true")
parser.add_argument("--mute", action="store_true", help="accept, and never shake hands")
options = parser.parse_args()

context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(options.certificate, options.key)
context.set_alpn_protocols(["http/1.1"])
if options.tls12:
    context.maximum_version = ssl.TLSVersion.TLSv1_2
if options.client_ca:
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(options.client_ca)
names = {}
context.sni_callback = lambda sock, name, ctx: names.__setitem__(sock, name)


def send(sink, data, drips):
    if drips:
        for index in range(len(data)):
            sink.sendall(data[index : index + 1])
    else:
        sink.sendall(data)


def relay(client, backend):
    """Both ways in one thread: two must not use one TLS connection at once. Ends when either side does."""
    while True:
        ready = [client] if client.pending() else select.select([client, backend], [], [], 60)[0]
        if not ready:
            return
        for source in ready:
            data = source.recv(65536)
            if not data:
                return
            if source is client:
                backend.sendall(data)
            else:
                send(client, data, options.drip)


def serve(raw):
    if options.mute:
        raw.recv(1)
        threading.Event().wait(60)
        return
    raw.settimeout(60)
    try:
        client = context.wrap_socket(raw, server_side=True)
    except OSError as error:
        print(f"failed {error}", flush=True)
        raw.close()
        return
    print(f"{client.version()} reused={client.session_reused} alpn={client.selected_alpn_protocol()} sni={names.pop(client, None)}", flush=True)
    backend = socket.create_connection(("127.0.0.1", options.backend))
    try:
        relay(client, backend)
        if not options.truncate:
            client.unwrap()
    except OSError:
        pass
    for sock in (client, backend):
        try:
            sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        sock.close()


listener = socket.create_server(("127.0.0.1", 0), backlog=256)
print(f"port {listener.getsockname()[1]}", flush=True)
while True:
    connection, _ = listener.accept()
    threading.Thread(target=serve, args=(connection,), daemon=True).start()
