# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""A failure with traffic on it, from beginning to end, and what came of it in numbers.

The traffic: long-lived TCP connections with data in flight in every zone
(tcp_load), and in the zone that fails a probe in one UDP flow and one that
opens a new flow each time.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field

import plan as plans
import trace
from lab import wait_until
from load import Echo, Load, Outcome, Probe
from vpc import Vpc

MOVE_LIMIT = 60  # seconds; the seed asks for about 60 at most



class Traffic:
    """Of all zones. zone: the one that is looked at closely."""

    def __init__(self, vpc: Vpc, zone: str, connections: int, interval: int = 500) -> None:
        self.vpc, self.zone = vpc, zone
        if not vpc.echo:
            vpc.echo = Echo(vpc.servers["s1"], plans.SERVERS[0])
        self.server = vpc.echo.address
        names = [client.name for client in vpc.plan.clients]
        share = -(-connections // len(names))
        self.loads = {name: Load(vpc.clients[name], self.server, interval=interval,
                                 rate=600, window=100) for name in names}
        for load in self.loads.values():
            load.ask(f"open {share}")
        for load in self.loads.values():
            wait_until(load.when(lambda now: now.open + now.failed == now.wanted),
                       "the connections are open", 60 + connections / 300)
        self.old = Probe(vpc.clients[f"{zone}1"], self.server)
        self.new = Probe(vpc.clients[f"{zone}1"], self.server, interval=20, fresh=True)
        for probe in self.old, self.new:
            probe.works()
        assert not any(load.report().failed for load in self.loads.values())

    def mark(self) -> None:
        for talker in (*self.loads.values(), self.old, self.new):
            talker.ask("mark")

    def wait_back(self, timeout: float) -> None:
        """Until both probes are answered again without a pause."""
        def well() -> bool:
            return all(probe.report()["silent_ms"] < 200 for probe in (self.old, self.new))

        wait_until(well, "the probes are answered again", timeout)
        time.sleep(0.3)
        wait_until(well, "the probes are answered again", timeout)

    def settle(self, timeout: float) -> dict[str, Outcome]:
        """What was answered before now does not count."""
        end = time.monotonic() + timeout
        for load in self.loads.values():
            load.check()
        return {name: load.settle(max(0, end - time.monotonic()))
                for name, load in self.loads.items()}

    def stop(self) -> None:
        for talker in (*self.loads.values(), self.old, self.new):
            talker.stop()


@dataclass
class Result:
    scenario: str
    outage_ms: float  # of the established UDP flow
    new_flows_ms: float  # of those that begin
    api_ms: float  # of the outage after the claim, in which AWS had the ball
    beyond_ms: float  # outage_ms less api_ms
    first_call_ms: float  # from the fault to the first call that moves something
    connections: int
    lost: int
    gap_ms: float  # the longest of a TCP connection, with its retransmission timer
    holders: dict[str, tuple[str, str]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def as_dict(self) -> dict:
        return asdict(self)


def home(vpc: Vpc) -> dict[str, tuple[str, str]]:
    return {zone.letter: (zone.letter, zone.letter) for zone in vpc.plan.nat_zones}


def wait_holder(vpc: Vpc, zone: str, who: Callable[[str], bool], timeout: float) -> None:
    """Until route and elastic IP of a zone are with one node that fits."""
    def moved() -> bool:
        route, eip = vpc.holders()[zone]
        return route == eip and who(route)

    wait_until(moved, f"zone {zone} is with another node; {vpc.holders()}", timeout)


def run(vpc: Vpc, name: str, fault: Callable[[], None], zone: str = "a", *,
        connections: int = 300, moves: bool = True, traffic: Traffic | None = None,
        patience: float = 60, watch: float = 5) -> Result:
    """moves: whether the zone has to go to another node. patience: for what is stuck.

    watch: seconds in which nothing may move, where nothing has to; long beside all timers
    of detection. traffic: goes on afterwards.
    """
    start = {letter: holders[0] for letter, holders in vpc.holders().items()}
    ours = traffic or Traffic(vpc, zone, connections)
    ours.mark()
    began = time.time()
    fault()
    struck = time.time()
    if moves:
        wait_holder(vpc, zone, lambda letter: letter not in ("", start[zone]), MOVE_LIMIT)
        ours.wait_back(MOVE_LIMIT)
    else:
        time.sleep(watch)
    outcomes = ours.settle(patience)
    old, new = ours.old.report(), ours.new.report()
    result = measure(vpc, name, (began, struck), start, old, new, list(outcomes.values()))
    if not traffic:
        ours.stop()
    return result


def measure(vpc: Vpc, name: str, times: tuple[float, float], start: dict[str, str], old: dict,
            new: dict, outcomes: list[Outcome]) -> Result:
    """times: when the fault began, and when it was done."""
    began, struck = times
    calls = trace.moves(vpc, began)
    taker = calls[0].caller if calls else ""
    until = old["outage_from"] + old["outage_ms"] / 1e3
    api = 0.0
    if calls and until > began:
        # before the claim, calls go on beside the detection: all of that is ours
        zone = next(zone for zone in vpc.plan.nat_zones if zone.letter == calls[0].zone)
        claim = trace.claimed_at(vpc, zone, taker, calls[0].time)
        outage = max(old["outage_from"], began)
        api = trace.api_time(vpc, max(claim, outage), until, taker) * 1e3
    problems = trace.flip_flops(vpc, began, start)
    problems += [f"lost: {outcome.errors}" for outcome in outcomes if outcome.lost]
    for outcome in outcomes:
        if outcome.answered != outcome.open:
            problems.append(f"{outcome.open - outcome.answered} connections are stuck")
        if len(outcome.public) > 1:
            problems.append(f"several public addresses: {outcome.public}")
    wrong = vpc.echo.report()["wrong"]
    if wrong:
        problems.append(f"{wrong} connections got bytes that were not theirs")
    return Result(
        scenario=name, outage_ms=old["outage_ms"], new_flows_ms=new["outage_ms"], api_ms=api,
        beyond_ms=max(0.0, old["outage_ms"] - api),
        first_call_ms=(calls[0].time - struck) * 1e3 if calls else 0.0,
        connections=sum(outcome.wanted for outcome in outcomes),
        lost=sum(outcome.lost + outcome.open - outcome.answered for outcome in outcomes),
        gap_ms=max(outcome.gap_ms.get("max", 0) for outcome in outcomes),
        holders=vpc.holders(), problems=problems)
