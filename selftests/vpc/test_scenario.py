# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""Do the scenarios of failover measure what happens? Here everything is moved by hand."""

from __future__ import annotations

import threading
import time

import plan as plans
import pytest
import scenario
import trace
from calls import move_zone
from vpc import Vpc

A, B, C = plans.Plan().zones
DELAY, API, PROPAGATION = 1.0, 0.25, 0.5


def operator(vpc: Vpc, zone: plans.Zone, to: plans.Zone):
    """Notices after a while, and moves a zone. Its calls come one after the other."""
    def act() -> None:
        time.sleep(DELAY)
        node = vpc.nodes[to.letter]
        node.natxdp("pools", "undrain", to.slot(zone))
        move_zone(vpc, zone, to)

    threading.Thread(target=act).start()


def test_an_outage_in_numbers(vpc: Vpc) -> None:
    """Without replication, connections of the zone are lost, and are counted as lost."""
    vpc.cloud.api, vpc.cloud.propagation = API, PROPAGATION

    def fault() -> None:
        vpc.power_off("a")
        operator(vpc, A, B)

    result = scenario.run(vpc, "by hand", fault, "a", connections=60, patience=15)
    # the second call is made when the first is answered
    least = (DELAY + API + PROPAGATION) * 1e3
    assert least - 100 <= result.outage_ms < least + 3000, result
    assert least - 100 <= result.new_flows_ms < least + 3000, result
    assert 0.9 * (API + PROPAGATION) * 1e3 <= result.api_ms <= result.outage_ms, result
    assert result.beyond_ms == pytest.approx(result.outage_ms - result.api_ms)
    assert DELAY * 1e3 * 0.9 <= result.first_call_ms < DELAY * 1e3 + 2000
    assert result.holders == {"a": ("b", "b"), "b": ("b", "b"), "c": ("c", "c")}
    assert result.connections == 60 and result.lost == 20, result
    assert any("lost" in problem or "stuck" in problem for problem in result.problems)


def test_nothing_happens(vpc: Vpc) -> None:
    result = scenario.run(vpc, "nothing", lambda: None, "b", connections=30, moves=False)
    assert result.lost == 0 and result.problems == [] and result.first_call_ms == 0
    assert result.outage_ms < 1000


def test_flip_flops_are_seen(vpc: Vpc) -> None:
    since, start = time.time(), {"a": "a", "b": "b", "c": "c"}
    move_zone(vpc, A, B)
    move_zone(vpc, A, B)  # a repair is no move
    assert not trace.flip_flops(vpc, since, start)
    move_zone(vpc, A, C)
    assert not trace.flip_flops(vpc, since, start)
    move_zone(vpc, A, B)
    assert trace.flip_flops(vpc, since, start) == [
        "route of zone a: a -> b -> c -> b", "eip of zone a: a -> b -> c -> b"]
    calls = trace.moves(vpc, since)
    assert len(calls) == 8 and {move.caller for move in calls} == {""}


def test_the_time_of_the_api(vpc: Vpc) -> None:
    """Spans that overlap count once, and those of others do not."""
    vpc.cloud.api, vpc.cloud.propagation = 0.2, 0.3
    since = time.time()
    move_zone(vpc, A, B)
    vpc.cloud.settle()
    until = time.time()
    spent = trace.api_time(vpc, since, until, "")
    assert 0.5 <= spent <= until - since + 0.001
    assert trace.api_time(vpc, since, since + 0.1, "") <= 0.1
    assert trace.api_time(vpc, until + 1, until + 2, "") == 0
