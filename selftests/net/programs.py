# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""What the programs of test_programs.py talk to, and transfers that take a while."""

from __future__ import annotations

import os
import socket
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from lab import Namespace, wait_until
from probes import connect, listener

SO_MAX_PACING_RATE = 47


def start_sshd(ns: Namespace, port: int) -> list[str]:
    """Returns the client's command, with its key and the key of the server."""
    home = Path(tempfile.mkdtemp(prefix="ssh-", dir=ns.lab.scratch))
    for name in ("host", "user"):
        ns.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", home / name)
    (home / "known").write_text("server " + (home / "host.pub").read_text())
    (home / "config").write_text(
        f"Port {port}\nHostKey {home}/host\nAuthorizedKeysFile {home}/user.pub\n"
        "PermitRootLogin prohibit-password\nPasswordAuthentication no\n"
        "StrictModes no\nUseDNS no\nPidFile none\nListenAddress 0.0.0.0\n"
    )
    # the init system makes it where sshd is a service
    os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
    ns.spawn("/usr/sbin/sshd", "-D", "-e", "-f", home / "config")
    wait_until(lambda: ns.listens(port, "t"), "sshd listens")
    options = (
        "BatchMode=yes", "IdentitiesOnly=yes", "StrictHostKeyChecking=yes", "ConnectTimeout=5",
        "HostKeyAlias=server", f"UserKnownHostsFile={home}/known",
    )  # fmt: skip
    return ["ssh", "-F", "none", "-p", str(port), "-i", str(home / "user"),
            *[word for option in options for word in ("-o", option)]]  # fmt: skip


class FtpServer:
    """Enough of RFC 959 for one file, and a memory of what PORT asked for."""

    def __init__(self, ns: Namespace, address: str, body: bytes) -> None:
        self.ns, self.address, self.body = ns, address, body
        self.asked: list[tuple[str, int]] = []
        self.open_data: Callable[[], socket.socket] = self.no_data
        self.listening = listener(ns, 21)
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()
        ns.lab.stack.callback(self.thread.join)

    def no_data(self) -> socket.socket:
        raise OSError("neither PORT nor PASV came")

    def serve(self) -> None:
        control, self.peer = self.listening.accept()
        control.settimeout(5)  # ends with a client that has failed
        with control, control.makefile("rw", newline="\r\n") as lines:

            def say(line: str) -> None:
                lines.write(line + "\n")
                lines.flush()

            say("220 ready")
            for line in lines:
                verb, _, argument = line.strip().partition(" ")
                say(getattr(self, verb.lower(), self.other)(argument, say))
                if verb == "QUIT":
                    return

    def other(self, argument: str, say: Callable[[str], None]) -> str:
        return "200 yes"

    def user(self, argument: str, say: Callable[[str], None]) -> str:
        return "230 come in"

    def quit(self, argument: str, say: Callable[[str], None]) -> str:
        return "221 bye"

    def pasv(self, argument: str, say: Callable[[str], None]) -> str:
        waiting = listener(self.ns, 0)
        self.open_data = lambda: waiting.accept()[0]
        port = waiting.getsockname()[1]
        return f"227 at ({self.address.replace('.', ',')},{port >> 8},{port & 255})"

    def port(self, argument: str, say: Callable[[str], None]) -> str:
        numbers = argument.split(",")
        port = int(numbers[4]) * 256 + int(numbers[5])
        self.asked.append((".".join(numbers[:4]), port))
        self.open_data = lambda: self.call_back(port)
        return "200 will do"

    def call_back(self, port: int) -> socket.socket:
        """To the one address that the server can reach: that of the control connection."""
        sock = self.ns.socket(socket.AF_INET, socket.SOCK_STREAM)
        sock.settimeout(0.5)
        sock.connect((self.peer[0], port))
        return sock

    def retr(self, argument: str, say: Callable[[str], None]) -> str:
        try:
            data = self.open_data()
        except OSError:
            return "425 no data connection"
        say("150 here it comes")
        with data:
            data.sendall(self.body)
        return "226 that was it"


class Download:
    """A connection by which the server sends for ever, at a pace, and what arrives of it."""

    def __init__(self, client: Namespace, server: Namespace, address: str, port: int) -> None:
        self.bytes, self.last = 0, 0.0
        self.ending = False
        listening = listener(server, port)
        self.near = connect(client, address, port)
        self.far, _ = listening.accept()
        for sock in (self.near, self.far):
            sock.settimeout(0.1)
        self.far.setsockopt(socket.SOL_SOCKET, SO_MAX_PACING_RATE, 5_000_000)
        self.threads = [
            threading.Thread(target=self.repeat, args=(step,), daemon=True)
            for step in (self.send, self.receive)
        ]
        client.lab.stack.callback(self.end)
        for thread in self.threads:
            thread.start()

    def repeat(self, step: Callable[[], None]) -> None:
        while not self.ending:
            try:
                step()
            except TimeoutError:
                continue
            except OSError:  # the connection is over
                return

    def send(self) -> None:
        self.far.send(bytes(1 << 14))

    def receive(self) -> None:
        part = self.near.recv(1 << 16)
        if not part:
            raise ConnectionError("the server has ended it")
        self.bytes += len(part)
        self.last = time.monotonic()

    def end(self) -> None:
        self.ending = True
        for thread in self.threads:
            thread.join()

    def goes_on(self, count: int = 1_000_000) -> None:
        """Waits until so many more bytes have arrived."""
        goal = self.bytes + count
        wait_until(lambda: self.bytes >= goal, f"{count} more bytes arrive", 30)


def send_in_background(sock: socket.socket, data: bytes) -> threading.Thread:
    def send() -> None:
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)

    thread = threading.Thread(target=send, daemon=True)
    thread.start()
    return thread


def read_to_end(sock: socket.socket) -> bytes:
    parts = []
    while part := sock.recv(1 << 16):
        parts.append(part)
    return b"".join(parts)
