# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""Endpoints: servers that remember whom they saw, and raw packets by hand."""

from __future__ import annotations

import contextlib
import hashlib
import http.server
import random
import errno
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from capture import SO_RCVBUFFORCE
from lab import HELPERS, Namespace

SO_NO_CHECK = 11


class Server:
    """A thread that serves one socket until the test ends."""

    def __init__(self, ns: Namespace, sock: socket.socket) -> None:
        self.sock = sock
        self.ending = False
        sock.settimeout(0.05)  # how often it looks whether it should end
        self.thread = threading.Thread(target=self.serve, daemon=True)
        ns.lab.stack.callback(self.end)

    def end(self) -> None:
        self.ending = True
        self.thread.join()

    def serve(self) -> None:
        while not self.ending:
            with contextlib.suppress(TimeoutError):
                self.step()

    def step(self) -> None:
        raise NotImplementedError


class UdpServer(Server):
    """Echoes each datagram and keeps (address, port, payload) of it."""

    def __init__(
        self, ns: Namespace, port: int, answer: Callable[[bytes], bytes] = lambda data: data
    ) -> None:
        super().__init__(ns, ns.socket(socket.AF_INET, socket.SOCK_DGRAM))
        self.seen: list[tuple[str, int, bytes]] = []
        self.answer = answer
        self.sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
        self.sock.bind(("", port))
        self.thread.start()

    def step(self) -> None:
        data, (address, port) = self.sock.recvfrom(65535)
        self.seen.append((address, port, data))
        self.sock.sendto(self.answer(data), (address, port))

    def peers(self) -> set[str]:
        return {address for address, _, _ in self.seen}


def udp_client(ns: Namespace, address: str, port: int, source: int = 0) -> socket.socket:
    sock = ns.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("", source))
    sock.connect((address, port))
    sock.settimeout(5)
    return sock


def echoed(sock: socket.socket, payload: bytes = b"probe") -> bool:
    """Whether the payload comes back."""
    try:
        sock.send(payload)
        return sock.recv(65535) == payload
    except (TimeoutError, ConnectionRefusedError):
        return False
    except OSError as error:  # an ICMP error came, ours at exhaustion for example
        if error.errno not in (errno.EHOSTUNREACH, errno.ENETUNREACH):
            raise
        return False


class HttpServer:
    """Serves one body at every path and keeps the addresses of the clients."""

    def __init__(self, ns: Namespace, port: int, body: bytes) -> None:
        self.seen: list[tuple[str, int]] = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:  # noqa: N802, the name that http.server calls
                outer.seen.append(self.client_address)
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        with ns.entered():
            self.server = http.server.ThreadingHTTPServer(("", port), Handler)
        self.server.daemon_threads = True
        ns.lab.stack.callback(self.server.server_close)
        ns.lab.stack.callback(self.server.shutdown)
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def curl(ns: Namespace, url: str, timeout: float = 60) -> bytes:
    path = ns.lab.scratch / f"curl-{random.getrandbits(64):x}"
    ns.run("curl", "-sS", "-f", "--max-time", timeout, "-o", path, url, timeout=timeout + 5)
    body = path.read_bytes()
    path.unlink()
    return body


def listener(ns: Namespace, port: int) -> socket.socket:
    sock = ns.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("", port))
    sock.listen(4096)
    sock.settimeout(5)
    return sock


def connect(ns: Namespace, address: str, port: int, source: int = 0) -> socket.socket:
    sock = ns.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.bind(("", source))
    sock.settimeout(5)
    sock.connect((address, port))
    return sock


@contextmanager
def tcp_pair(
    client: Namespace, server: Namespace, address: str, port: int
) -> Iterator[tuple[socket.socket, socket.socket]]:
    """A connection through the NAT: the client's end, and the server's."""
    with listener(server, port) as listening, connect(client, address, port) as near:
        far, _ = listening.accept()
        with far:
            far.settimeout(5)
            yield near, far


def inject(ns: Namespace, dev: str, packet: object) -> None:
    """Sends a scapy packet, Ethernet header included, as it is."""
    with ns.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as sock:
        sock.bind((dev, 0))
        sock.send(bytes(packet))


def helper(name: str) -> str:
    """The path of a C program of this directory."""
    return str(HELPERS / name)
