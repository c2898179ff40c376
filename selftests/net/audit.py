# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""Do the counters of natxdp add up? The kernel counts beside it.

veth counts what it hands to XDP and what came back with which verdict, on both
ends of the cable; a queue in front of it counts what the kernel sends. From
these follows, exactly,
  what came in, with the fragments that were sent through again = all reasons,
  what XDP dropped, passed and sent on                          = the verdicts,
  what arrived at the other ends of the cables = forwarded + answered + sent by the kernel,
and from the flow table
  opened = expired + there,
  packets that were translated = packets of the flows + ICMP errors, unless flows have gone.
"""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lab import Namespace, run, wait_until

if TYPE_CHECKING:
    from box import Natxdp

PATIENCE = 3  # seconds in which what is on its way has arrived
FEW_FLOWS = 20_000  # more take seconds to list


@dataclass
class Wire:
    """A cable of the NAT, and its other end."""

    ns: Namespace
    dev: str
    peer_ns: Namespace
    peer_dev: str


def watch_queue(ns: Namespace, dev: str) -> None:
    """veth has no queue of its own, and so nothing that counts what the kernel sends."""
    run("tc", "-n", ns.name, "qdisc", "replace", "dev", dev, "root", "pfifo", "limit", "10000")


def queue_sent(ns: Namespace, dev: str) -> int:
    listed = run("tc", "-s", "-j", "-n", ns.name, "qdisc", "show", "dev", dev, "root").stdout
    [queue] = json.loads(listed)
    return queue["packets"]


def xdp_counters(ns: Namespace, dev: str) -> dict[str, int]:
    """packets, drops, tx, redirect and others, over all queues."""
    sums: dict[str, int] = {}
    for line in ns.run("ethtool", "-S", dev).stdout.splitlines():
        found = re.fullmatch(r" *[rt]x_queue_\d+_xdp_(\w+): (\d+)", line)
        if found:
            sums[found[1]] = sums.get(found[1], 0) + int(found[2])
    return sums


def lost_on_the_way_out(ns: Namespace, dev: str) -> int:
    """The other end took no more: the ring of the cable was full."""
    [link] = json.loads(ns.ip(f"-s -j link show dev {dev}"))
    return link["stats64"]["tx"]["dropped"]


@dataclass
class Snapshot:
    """Both books at one moment."""

    came: int = 0
    dropped: int = 0
    sent_on: int = 0
    kernel_sent: int = 0
    lost: int = 0
    arrived: int = 0
    again: int = 0
    opened: int = 0
    expired: int = 0
    errors: int = 0
    verdicts: dict[str, int] = field(default_factory=dict)
    translated: int = 0


def read_cables(wires: list[Wire]) -> Snapshot:
    now = Snapshot()
    for wire in wires:
        here = xdp_counters(wire.ns, wire.dev)
        now.came += here["packets"]
        now.dropped += here["drops"]
        now.sent_on += here["tx"] + here["redirect"]
        now.kernel_sent += queue_sent(wire.ns, wire.dev)
        now.lost += lost_on_the_way_out(wire.ns, wire.dev)
        now.arrived += xdp_counters(wire.peer_ns, wire.peer_dev)["packets"]
    return now


def take(box: Natxdp, wires: list[Wire]) -> Snapshot | None:
    """None if packets came meanwhile: then both books are not of one moment."""
    now = read_cables(wires)
    stats = box.stats()
    if read_cables(wires) != now:
        return None
    reasons, events = stats["reasons"], stats["events"]
    now.verdicts = {name: sums["packets"] for name, sums in stats["verdicts"].items()}
    ways = ("out_forwarded", "in_forwarded", "out_via_kernel", "in_via_kernel")
    now.translated = sum(reasons[way]["packets"] for way in ways)
    now.opened, now.expired = events["flows_opened"], events["flows_expired"]
    now.errors = events["errors_translated"]
    fragments = box.status()["watcher"].get("fragments", {})
    now.again = fragments.get("sent_on", 0)
    return now


def since(before: Snapshot, now: Snapshot) -> Snapshot:
    grown = Snapshot(**{
        name: value - getattr(before, name)
        for name, value in vars(now).items() if name != "verdicts"
    })  # fmt: skip
    grown.verdicts = {name: now.verdicts[name] - n for name, n in before.verdicts.items()}
    return grown


def packet_errors(grown: Snapshot) -> list[str]:
    """What does not add up."""
    verdicts = grown.verdicts
    sent = verdicts["forward"] + verdicts["reply"]
    equal = {
        "came in, and all reasons": (grown.came + grown.again, sum(verdicts.values())),
        "arrived, and sent": (grown.arrived + grown.lost, sent + grown.kernel_sent),
    }
    wrong = [f"{what}: {a} != {b}" for what, (a, b) in equal.items() if a != b]
    passed = grown.came - grown.dropped - grown.sent_on
    # a fragment that is sent through again is in no counter of the cable
    each = {
        "dropped": verdicts["drop"] - grown.dropped,
        "sent on": sent - grown.sent_on,
        "passed": verdicts["pass"] - passed,
    }
    if min(each.values()) < 0 or sum(each.values()) != grown.again:
        wrong.append(f"natxdp counts more than the cables by {each}, and {grown.again} came again")
    return wrong


def flow_errors(box: Natxdp, now: Snapshot) -> list[str]:
    """They may expire between the counters and the list: then as many as the counters say."""
    if now.opened - now.expired > FEW_FLOWS:
        return []
    flows = box.flows()
    expired = box.stats()["events"]["flows_expired"]
    if not now.expired <= now.opened - len(flows) <= expired:
        return [f"{now.opened} opened, {now.expired} to {expired} expired, {len(flows)} there"]
    of_flows = sum(flow[way]["packets"] for flow in flows for way in ("out", "in"))
    translated = now.translated - now.errors
    if of_flows > translated or (of_flows < translated and len(flows) == now.opened):
        return [f"{translated} packets translated, and the flows have {of_flows}"]
    return []


class Audit:
    """From the moment that the NAT is loaded."""

    def __init__(self, box: Natxdp, wires: list[Wire]) -> None:
        self.box, self.wires = box, wires
        self.before = wait_until(lambda: take(box, wires), "no packets come", PATIENCE)

    def errors(self) -> list[str]:
        now = take(self.box, self.wires)
        if not now:
            return ["packets still come"]
        grown = since(self.before, now)
        return packet_errors(grown) + flow_errors(self.box, now)

    def close(self) -> None:
        """What is on its way is waited for."""
        deadline = time.monotonic() + PATIENCE
        while errors := self.errors():
            assert time.monotonic() < deadline, "the counters do not add up: " + "; ".join(errors)
            time.sleep(0.02)
