# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""The programs that talk through the NATs: tcp_echo, tcp_load and udp_probe."""

from __future__ import annotations

import json
import queue
import threading
from dataclasses import dataclass, field

from lab import BUILD, HELPERS, Namespace, reap, wait_until

PROGRAMS = BUILD / "selftests" / "vpc"
TCP_PORTS = (7000, 7001, 7002, 7003)
UDP_PORT = 9000


class Talker:
    """A program that answers each line with a line of JSON."""

    def __init__(self, ns: Namespace, *command: object) -> None:
        self.process = ns.spawn(*command, stdin=-1, stderr=None, bufsize=1)
        self.lines: queue.Queue = queue.Queue()
        threading.Thread(target=self.read, daemon=True).start()

    def read(self) -> None:
        try:
            for line in self.process.stdout:
                self.lines.put(json.loads(line))
        except ValueError:
            pass  # closed with the lab
        self.lines.put(None)

    def next(self, timeout: float = 30) -> dict:
        line = self.lines.get(timeout=timeout)
        assert line is not None, f"it has ended: {self.process.args}"
        return line

    def ask(self, order: str) -> dict:
        self.process.stdin.write(order + "\n")
        self.process.stdin.flush()
        return self.next()

    def stop(self) -> None:
        reap(self.process)


class Echo:
    """The servers of all below, on one host. One process a port: descriptors may be limited."""

    def __init__(self, ns: Namespace, address: str) -> None:
        self.address = address
        self.tcp = [Talker(ns, PROGRAMS / "tcp_echo", port) for port in TCP_PORTS]
        for server in self.tcp:
            server.next()
        self.udp = ns.spawn(HELPERS / "udp_echo", UDP_PORT)
        wait_until(lambda: ns.listens(UDP_PORT, "u"), "the UDP echo listens")

    def report(self) -> dict:
        """accepted, open, wrong, messages"""
        reports = [server.ask("report") for server in self.tcp]
        return {name: sum(report[name] for report in reports)
                for name in ("accepted", "open", "wrong", "messages")}


@dataclass
class Outcome:
    """What became of the connections of a load; see tcp_load.c."""

    raw: dict = field(repr=False)
    wanted: int = 0
    open: int = 0
    failed: int = 0
    lost: int = 0
    answered: int = 0
    errors: dict = field(default_factory=dict)
    public: dict = field(default_factory=dict)
    gap_ms: dict = field(default_factory=dict)

    @classmethod
    def of(cls, raw: dict) -> Outcome:
        return cls(raw, *(raw[name] for name in ("wanted", "open", "failed", "lost", "answered",
                                                 "errors", "public", "gap_ms")))

    @property
    def survived(self) -> bool:
        return self.lost == 0 and self.answered == self.open

    def lost_before(self, moment: float) -> list[dict]:
        """Lost connections that were open at a moment, those listed."""
        return [item for item in self.raw["lost_connections"] if item["opened_at"] < moment]


class Load(Talker):
    """Long-lived TCP connections of one client. interval: milliseconds between messages."""

    def __init__(self, ns: Namespace, address: str, sources: list[str] | None = None,
                 interval: int = 1000, **options: object) -> None:
        ns.sysctl("net.ipv4.ip_local_port_range", "1024 65535")
        to = ",".join(f"{address}:{port}" for port in TCP_PORTS)
        words = [f"--{name}={value}" for name, value in options.items()]
        words += [f"--from={','.join(sources)}"] if sources else []
        super().__init__(ns, PROGRAMS / "tcp_load", f"--to={to}", f"--interval={interval}", *words)

    def report(self) -> Outcome:
        return Outcome.of(self.ask("report"))

    def open(self, count: int, timeout: float = 30) -> Outcome:
        """Opens more, and waits until all are open or have failed."""
        self.ask(f"open {count}")
        return wait_until(self.when(lambda now: now.open + now.failed + now.lost == now.wanted),
                          f"{count} connections are open", timeout)

    def mark(self) -> None:
        self.ask("mark")

    def check(self) -> None:
        """Only what is sent from now on counts as answered; gaps stay."""
        self.ask("check")

    def settle(self, timeout: float = 30) -> Outcome:
        """Waits until each connection is answered or lost, and tells how it stands then."""
        try:
            return wait_until(self.when(
                lambda now: now.answered + now.lost + now.failed == now.wanted), "", timeout)
        except TimeoutError:
            return self.report()

    def when(self, condition):
        def check() -> Outcome | None:
            now = self.report()
            return now if condition(now) else None

        return check


class Probe(Talker):
    """Datagrams in one flow, or each in a new one."""

    def __init__(self, ns: Namespace, address: str, interval: float = 5, fresh: bool = False):
        super().__init__(ns, PROGRAMS / "udp_probe", f"--to={address}:{UDP_PORT}",
                         f"--interval={interval}", *(["--fresh"] if fresh else []))

    def mark(self) -> dict:
        return self.ask("mark")

    def report(self) -> dict:
        """sent, answered, outage_ms, silent_ms"""
        return self.ask("report")

    def works(self, timeout: float = 30) -> None:
        """Waits for an answer to what is sent from now on."""
        before = self.report()["answered"]
        wait_until(lambda: self.report()["answered"] > before + 2, "the probe is answered", timeout)
