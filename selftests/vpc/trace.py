# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""What the API calls say: who moved what, when, and how long AWS took for it."""

from __future__ import annotations

from dataclasses import dataclass

import plan as plans


@dataclass(frozen=True)
class Move:
    """A call that changed who holds something."""

    time: float  # of the call
    caller: str  # letter of the node whose credentials it was made with, "" for anybody else
    what: str  # "route" or "eip"
    zone: str
    to: str  # letter of the node


def caller_of(entry) -> str:
    return entry.key[len("ASIANODE")].lower() if entry.key.startswith("ASIANODE") else ""


def move_of(plan: plans.Plan, entry) -> Move | None:
    params = entry.params
    if entry.code or entry.status != 200:
        return None
    by_interface = {zone.interface: zone.letter for zone in plan.nat_zones}
    to = by_interface.get(params.get("NetworkInterfaceId", ""), "")
    if entry.action in ("ReplaceRoute", "CreateRoute"):
        zones = {zone.table: zone.letter for zone in plan.nat_zones}
        zone = zones.get(params["RouteTableId"])
        return Move(entry.time, caller_of(entry), "route", zone, to) if zone else None
    if entry.action == "AssociateAddress":
        zones = {zone.allocation: zone.letter for zone in plan.nat_zones}
        return Move(entry.time, caller_of(entry), "eip", zones[params["AllocationId"]], to)
    return None


def moves(vpc, since: float = 0) -> list[Move]:
    found = [move_of(vpc.plan, entry) for entry in vpc.cloud.standin.calls()
             if entry.time >= since]
    return sorted((move for move in found if move), key=lambda move: move.time)


def holders_over_time(vpc, since: float, start: dict[str, str]) -> dict[tuple[str, str], list[str]]:
    """(what, zone) -> who held it, one after the other; start: who did at first, by zone.

    A call that changes nothing (idempotent, or a repair) is no change of hands.
    """
    held = {(what, zone): [letter] for zone, letter in start.items() for what in ("route", "eip")}
    for move in moves(vpc, since):
        line = held[move.what, move.zone]
        if line[-1] != move.to:
            line.append(move.to)
    return held


def flip_flops(vpc, since: float, start: dict[str, str]) -> list[str]:
    """What came back to a node that it had left, in one stretch without a planned return."""
    return [f"{what} of zone {zone}: {' -> '.join(line)}"
            for (what, zone), line in holders_over_time(vpc, since, start).items()
            if len(line) > len(set(line))]


def api_time(vpc, since: float, until: float, caller: str) -> float:
    """Seconds of a span in which AWS had the ball.

    That is while a call of that node was under way, or made and not yet acting.
    """
    spans = [(entry.time, entry.time + entry.delay) for entry in vpc.cloud.standin.calls()
             if caller_of(entry) == caller]
    spans += [(change.called, change.acted) for change in list(vpc.cloud.changes)]
    total, end = 0.0, since
    for begun, ended in sorted(spans):
        begun, ended = max(begun, end), min(ended, until)
        if ended > begun:
            total += ended - begun
            end = ended
    return total


def claimed_at(vpc, zone: plans.Zone, caller: str, first_move: float) -> float:
    """When the node wrote itself into the lease of the zone before its first move."""
    claims = [entry.time for entry in vpc.cloud.standin.calls("UpdateItem")
              if caller_of(entry) == caller and not entry.code and entry.time <= first_move
              and entry.params["Key"].get("az") == {"S": zone.name}]
    return max(claims, default=first_move)


def leases(vpc) -> dict[str, dict]:
    """zone letter -> the item in the table, with plain values."""
    items = vpc.cloud.world.tables[plans.LEASES]["items"]
    plain = [{name: next(iter(value.values())) for name, value in item.items()} for item in items]
    return {str(item["az"])[-1]: item for item in plain}
