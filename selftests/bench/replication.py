# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""What it costs to keep the flows of one node on another one, and how far that is behind.

The two nodes are those of selftests/net/nodes.py, each with a process that does
nothing but replication, as the agent does it; its CPU time is what is measured.
"""

from __future__ import annotations

import threading
import time
from statistics import median

import nodes
from boxes import HELPERS, bench
from lab import Lab, wait_until
from nodes import Node

OWNER, STANDBY = 0b01, 0b10
FORWARDED = 10_000  # flows beside those that are copied, whose packets are timed


def udp_flows(lab: Lab, flows: int, rate: int) -> None:
    lab["router"].run(
        HELPERS / "udp_flows", "--device", "nata", "--gateway", lab.nodes["nata"].ns.mac("eth0"),
        "--host", "10.79.0.1", "--hosts", 64, "--flows", flows, "--unanswered", rate,
        "--to", ",".join(f"192.0.2.{n}:53" for n in range(1, 101)), timeout=200)  # fmt: skip


def start(lab: Lab, max_flows: int, timeout: str) -> tuple[Node, Node]:
    lab["router"].ip("route replace blackhole 192.0.2.0/24")
    a, b = lab.nodes["nata"], lab.nodes["natb"]
    for node in a, b:
        lab.stack.callback(node.unload)
        node.load("--max-flows", max_flows, "--udp-timeout", timeout)
    return a, b


class Watch:
    """The lag of the standby, looked at all the time in another thread."""

    def __init__(self, node: Node) -> None:
        self.node, self.lags, self.ending = node, [], threading.Event()
        self.thread = threading.Thread(target=self.look)
        self.thread.start()

    def look(self) -> None:
        while not self.ending.is_set():
            self.lags.append(self.node.state()["lag_ms"])
            time.sleep(0.02)

    def end(self) -> list[int]:
        self.ending.set()
        self.thread.join()
        return sorted(self.lags)


def steady(rate: int, seconds: int) -> dict:
    """New flows at a rate, each of which closes some seconds later."""
    with nodes.build(clients=0) as lab:
        a, b = start(lab, 524_288, "4s")
        a.start(OWNER, "natb")
        b.start(STANDBY, "nata")
        wait_until(lambda: a.state()["synced"], "in sync", 60)
        udp_flows(lab, rate * 6, rate)  # until as many close as open
        before, began = (a.state(), b.state()), time.monotonic()
        watch = Watch(a)
        udp_flows(lab, rate * seconds, rate)
        lags = watch.end()
        took = time.monotonic() - began
        after = (a.state(), b.state())
    records = after[0]["records_sent"] - before[0]["records_sent"]
    share = [100 * (new["cpu"] - old["cpu"]) / took for old, new in zip(before, after)]
    return {
        "flows_per_second": round(rate * seconds / took),
        "seconds": took,
        "records_per_second": records / took,
        "bytes_per_record": (after[0]["sent_bytes"] - before[0]["sent_bytes"]) / records,
        "owner_percent": share[0],
        "standby_percent": share[1],
        "lag_median_ms": lags[len(lags) // 2],
        "lag_99_ms": lags[len(lags) * 99 // 100],
        "lag_worst_ms": lags[-1],
    }


def forward(node: Node, rounds: int) -> float:
    """ns a packet of established flows, the median of the rounds."""
    rows = bench(node.ns, "established", "--pin-dir", node.pin_dir, "--iface", "eth0",
                 "--flows", FORWARDED, "--proto", "udp", "--packets", 200_000, "--rounds", rounds,
                 "--yardsticks", 0)  # fmt: skip
    return median(rows[0]["ns"]["natxdp"])


def copy(flows: int) -> dict:
    """A peer that knows nothing yet."""
    with nodes.build(clients=0) as lab:
        a, b = start(lab, (flows + FORWARDED) * 6 // 5, "2h")
        a.start(OWNER, "natb")
        udp_flows(lab, flows, 100_000)
        forward(a, 1)
        alone = forward(a, 9)
        idle = a.state()["cpu"]
        began = time.monotonic()
        b.start(STANDBY, "nata")
        ns: list[float] = []
        thread = threading.Thread(target=lambda: ns.append(forward(a, 9)))
        thread.start()
        wait_until(lambda: a.state()["synced"], "in sync", 120)
        took = time.monotonic() - began
        thread.join()
        states = a.state(), b.state()
    return {
        "flows": states[0]["known"],
        "seconds": took,
        "owner_cpu_seconds": states[0]["cpu"] - idle,
        "standby_cpu_seconds": states[1]["cpu"],
        "bytes_per_flow": states[0]["sent_bytes"] / max(states[0]["records_sent"], 1),
        "forward_ns_alone": alone,
        "forward_ns_during": ns[0],
    }
