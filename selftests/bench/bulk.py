# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""Bulk TCP of real sockets, wired as containers are: 64 KB with half a checksum at a time.

The network is that of connect.py. Sender and receiver have a core each; what the
NAT does is done on the sender's.
"""

from __future__ import annotations

import json

from connect import SERVER, SocketBox
from lab import Lab, Namespace, wait_until

# what each is, and how natxdp is loaded for it
KINDS: dict[str, tuple[str, tuple[str, ...]]] = {
    "tc": ("natxdp", ("--hook", "tc")),
    "nft": ("nft", ()),
    "forward": ("forward", ()),
}
OFFLOADS = ("tx", "tso", "gso", "gro")
PORT = 5201


def offload(box: SocketBox) -> None:
    for ns, dev in ((box.ns, "in0"), (box.ns, "out0"), (box.client, "eth0"), (box.server, "eth0")):
        for what in OFFLOADS:
            ns.run("ethtool", "-K", dev, what, "on")


def serve(ns: Namespace) -> None:
    ns.spawn("iperf3", "-s", "-p", PORT)
    wait_until(lambda: ns.listens(PORT, "t"), "iperf3 listens", 30)


def transfer(box: SocketBox, seconds: float, way: str) -> float:
    """Gbit/s that have arrived. way: out, from the client; in, to it."""
    done = box.client.run(
        "iperf3", "-c", SERVER, "-p", PORT, "-t", seconds, "-J", "-A", "0,1",
        *(["-R"] if way == "in" else []), timeout=seconds + 60,
    )  # fmt: skip
    return json.loads(done.stdout)["end"]["sum_received"]["bits_per_second"] / 1e9


def bulk(rounds: int, seconds: int) -> dict[str, dict[str, list[float]]]:
    """Gbit/s by kind and way, the NATs in turns."""
    results: dict[str, dict[str, list[float]]] = {n: {"out": [], "in": []} for n in KINDS}
    with Lab() as lab:
        boxes = {name: SocketBox(lab, kind, name) for name, (kind, _) in KINDS.items()}
        for name, box in boxes.items():
            box.start(65_536, *KINDS[name][1])
            offload(box)
            serve(box.server)
        for _ in range(rounds):
            for way in ("out", "in"):
                for name, box in boxes.items():
                    results[name][way].append(transfer(box, seconds, way))
    return results
