# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""What is to be reached, as ratios within one run, and whether it is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import mean, median

PORTS = 64_512
BARE = {64: 1.2, 10_000: 1.5, 200_000: 1.8, 1_000_000: 2.0}


@dataclass
class Target:
    text: str
    value: float
    limit: float
    at_least: bool = False
    unit: str = "x"

    @property
    def met(self) -> bool:
        return self.value >= self.limit if self.at_least else self.value <= self.limit

    def line(self) -> str:
        sign = ">=" if self.at_least else "<="
        verdict = "met   " if self.met else "MISSED"
        return f"{verdict} {self.value:8.2f} {sign} {self.limit:g} {self.unit:9} {self.text}"


def ratio(rounds: list[float], of: list[float]) -> float:
    """The median over rounds: what slows the machine for a while slows both."""
    return median(a / b for a, b in zip(rounds, of, strict=True))


def size_of(step: str) -> int:
    return int(step.partition("/")[2])


def of_kind(results: dict, kind: str) -> Iterator[tuple[str, object]]:
    for name, result in results.items():
        if name.partition("/")[0] == kind:
            yield name, result


def path_targets(results: dict) -> Iterator[Target]:
    for name, rows in of_kind(results, "path"):
        flows = size_of(name)
        uniform = [row for row in rows if row["order"] == "uniform"]
        ns = [{kind: peer["ns"] for kind, peer in row["peers"].items()} for row in uniform]
        if flows in BARE:
            worst = max(ratio(each["natxdp"], each["bare"]) for each in ns)
            text = f"established, whole path, {flows:,} flows: time of a bare redirect"
            yield Target(text, worst, BARE[flows])
        least = min(ratio(each["nft"], each["natxdp"]) for each in ns)
        text = f"established, whole path, {flows:,} flows: rate of nft masquerade"
        yield Target(text, least, 5, at_least=True)


def established_targets(results: dict) -> Iterator[Target]:
    for name, rows in of_kind(results, "established"):
        flows = size_of(name)
        uniform = [row["ns"] for row in rows if row["order"] == "uniform"]
        if flows == 64:
            worst = max(median(ns["natxdp"]) for ns in uniform)
            text = "established packet over an empty program, 64 flows"
            yield Target(text, worst, 60, unit="ns")
        if "gwlb" in uniform[0]:
            worst = max(ratio(ns["gwlb"], ns["natxdp"]) for ns in uniform)
            text = f"established packet, {flows:,} flows: mode gwlb, time of mode routed"
            yield Target(text, worst, 1.5)
        if flows >= 10_000:
            worst = max(ratio(ns["natxdp"], ns["hash"]) for ns in uniform)
            text = f"established packet, {flows:,} flows: time of the HASH yardstick"
            yield Target(text, worst, 0.6)


def new_targets(results: dict) -> Iterator[Target]:
    for _, row in of_kind(results, "new-path"):
        peers = row["peers"]
        text = f"new flow, whole path, table {row['load']} % full: time of nft masquerade"
        yield Target(text, ratio(peers["natxdp"]["ns"], peers["nft"]["ns"]), 0.25)
    for _, row in of_kind(results, "new"):
        text = f"new flow, table {row['load']} % full: time of the HASH yardstick"
        yield Target(text, ratio(row["ns"]["natxdp"], row["ns"]["hash"]), 1)


def bulk_targets(results: dict) -> Iterator[Target]:
    for _, kinds in of_kind(results, "bulk"):
        least = min(ratio(kinds["tc"][way], kinds["nft"][way]) for way in ("out", "in"))
        text = "bulk TCP at TC on a veth with offloads: rate of nft masquerade"
        yield Target(text, least, 1, at_least=True)


def port_targets(results: dict) -> Iterator[Target]:
    for _, result in of_kind(results, "ports"):
        rounds = result["rounds"]
        given = min(r["accepted"] for r in rounds)
        yield Target("ports handed out before the first refusal", given, PORTS, True, "ports")
        refused = median(r["refused_mean_ns"] / r["all"]["mean_ns"] for r in rounds)
        yield Target("refused flow under a flood: time of an accepted one", refused, 2)


def other_targets(results: dict) -> Iterator[Target]:
    for _, result in of_kind(results, "expiry"):
        share = median(result["taken_during"]) - median(result["taken_before"])
        text = f"sweep of {result['flows']:,} live flows: share of a core"
        yield Target(text, share * 100, 1, unit="%")
    for _, result in of_kind(results, "dump"):
        text = f"dump of {result['flows']:,} flows as JSON"
        yield Target(text, median(result["seconds"]), 3, unit="s")
    for _, result in of_kind(results, "memory"):
        text = "kernel memory a flow, all maps"
        yield Target(text, result["bytes"] / result["max_flows"], 140, unit="bytes")


def targets(results: dict) -> list[Target]:
    """Of all that was measured."""
    found = []
    for part in (path_targets, established_targets, new_targets, bulk_targets, port_targets, other_targets):
        found += part(results)
    return found


def sane(results: dict) -> list[str]:
    """What cannot be, however slow the machine is."""
    wrong = []
    for name, result in results.items():
        for path, number in numbers(result):
            if number != number or abs(number) > 1e15:
                wrong.append(f"{name}: {path} is {number}")
    for kind in ("path", "one-armed"):
        for name, rows in of_kind(results, kind):
            for row in rows:
                for peer, measured in row["peers"].items():
                    if not 50 < mean(measured["ns"]) < 1e6:
                        wrong.append(f"{name}: {peer} takes {mean(measured['ns'])} ns a packet")
                    if measured["lost"] > 0.05:
                        wrong.append(f"{name}: {peer} loses {measured['lost']:.1%}")
    for name, result in [*of_kind(results, "hooks"), *of_kind(results, "dispatcher")]:
        for row in result["rows"]:
            for peer, measured in row["peers"].items():
                if measured["lost"] > 0.05:
                    wrong.append(f"{name}: {peer} loses {measured['lost']:.1%}")
    for name, kinds in of_kind(results, "bulk"):
        for kind, ways in kinds.items():
            if not all(rate > 0 for way in ways.values() for rate in way):
                wrong.append(f"{name}: {kind} lets nothing through")
    for name, result in of_kind(results, "ports"):
        for r in result["rounds"]:
            if r["accepted"] != PORTS or r["accepted_late"]:
                wrong.append(f"{name}: {r['accepted']} and {r['accepted_late']} flows accepted")
    for name, result in of_kind(results, "connect"):
        for peer, rounds in result.items():
            if not all(r["connections"] > 0 for r in rounds):
                wrong.append(f"{name}: {peer} makes no connections")
    for name, result in of_kind(results, "expiry"):
        if result["late"]["earliest_s"] < -0.1:
            wrong.append(f"{name}: flows expire {-result['late']['earliest_s']} s early")
    return wrong


def numbers(value: object, path: str = "") -> Iterator[tuple[str, float]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from numbers(item, f"{path}.{key}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from numbers(item, f"{path}[{index}]")
    elif isinstance(value, (int, float)):
        yield path, value
