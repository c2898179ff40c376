# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""TCP connections of real sockets, opened and closed through each NAT.

    c-NAME 10.77.0.11 -- in0 10.77.0.1 [ NAME ] out0 203.0.113.1 -- s-NAME 203.0.113.254
"""

from __future__ import annotations

import json

from boxes import EXTERNAL, PROGRAMS, Box, bench
from lab import Lab, Namespace

KINDS = ("natxdp", "nft", "iptables", "forward")
SERVER = "203.0.113.254"
PORTS = "1024 65535"


class SocketBox(Box):
    """A NAT between a host with clients and one with a server."""

    def __init__(self, lab: Lab, kind: str, name: str = "") -> None:
        name = name or kind
        self.lab = lab
        self.kind = kind
        self.arms = 2
        self.outside = "out0"
        self.pin_dir = lab.pin_dir.with_name(f"{lab.pin_dir.name}-{name}")
        self.ns = lab.router(name)
        self.client, self.server = lab.host(f"c-{name}"), lab.host(f"s-{name}")
        lab.cable(self.ns, "in0", "10.77.0.1/24", self.client, "eth0")
        lab.cable(self.ns, "out0", f"{EXTERNAL}/24", self.server, "eth0")
        self.client.ip("addr add 10.77.0.11/24 dev eth0")
        self.server.ip(f"addr add {SERVER}/24 dev eth0")
        self.client.ip("route add default via 10.77.0.1")
        if kind == "forward":
            self.server.ip(f"route add 10.77.0.0/24 via {EXTERNAL}")
        self.client.sysctl("net.ipv4.ip_local_port_range", PORTS)
        self.client.sysctl("net.ipv4.tcp_tw_reuse", 1)
        serve(self.server)


def serve(ns: Namespace) -> None:
    process = ns.spawn(PROGRAMS / "connect", "server")
    json.loads(process.stdout.readline())  # it listens


def connect(rounds: int, seconds: int) -> dict[str, list[dict]]:
    """Connections a second, the NATs in turns."""
    results: dict[str, list[dict]] = {kind: [] for kind in KINDS}
    with Lab() as lab:
        boxes = [SocketBox(lab, kind) for kind in KINDS]
        for box in boxes:
            box.start(1_048_576)
        for _ in range(rounds):
            for box in boxes:
                results[box.kind].append(
                    bench(box.client, "connect", "client", "--to", SERVER, "--seconds", seconds)
                )
    return results
