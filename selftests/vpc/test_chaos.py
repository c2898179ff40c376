# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""Faults by chance, one after the other, on nodes that take over from each other.

A fault lasts for a while and ends, then another node has one. The seed is printed, and
NATXDP_TEST_SEED repeats it. At any time: nothing leaves untranslated, no byte is mixed up. After each
fault: route, elastic IP and lease of each zone are with one node that works, connections have lived on.

test-timeout: 2700
"""

from __future__ import annotations

import os
import random
import time

import scenario
import trace
from conftest import LONG
from failures import FAILURES
from fleet import Fleet
from lab import wait_until

SECONDS = 1800 if LONG else 20
SEED = int(os.environ.get("NATXDP_TEST_SEED", random.randrange(2**32)))
KINDS = ("crash", "power-off", "partition", "hand-over", "agent-death", "cut-off")


def at_one(vpc: Fleet) -> bool:
    """Is each zone, as a whole, with the node that its lease names, and does that work?"""
    leases = trace.leases(vpc)
    return all(route == eip and route and leases[zone]["owner"] == f"nat-{route}"
               for zone, (route, eip) in vpc.holders().items())


def fault(vpc: Fleet, chance: random.Random, traffic: scenario.Traffic) -> str:
    """One, from its beginning to its end. Returns what it was."""
    failure, letter = FAILURES[chance.choice(KINDS)], chance.choice(list(vpc.nodes))
    vpc.cloud.api = chance.choice((0.0, 0.05, 0.3))
    vpc.cloud.propagation = chance.choice((0.0, 0.3, 1.0))
    if chance.random() < 0.3:
        vpc.cloud.standin.faults.add(error="RequestLimitExceeded", status=503, share=0.3, times=5)
    since, start = time.time(), {zone: pair[0] for zone, pair in vpc.holders().items()}
    failure.strike(vpc, letter)
    if failure.moves:
        scenario.wait_holder(vpc, letter, lambda now: now not in ("", letter), 60)
    time.sleep(chance.uniform(0, 2))
    wait_until(lambda: at_one(vpc), "each zone is with one node", 60)
    assert not trace.flip_flops(vpc, since, start), vpc.explain()
    for name, outcome in traffic.settle(60).items():
        assert outcome.survived, (failure.name, letter, name, outcome, vpc.explain())
    assert vpc.echo.report()["wrong"] == 0
    failure.undo(vpc, letter)
    vpc.cloud.standin.faults.clear()
    # on a machine that stalls, the zone of another may have moved as well
    for home in vpc.nodes:
        vpc.go_home(home)
    vpc.wait_ready()
    return f"{failure.name} of {letter}"


def test_faults_by_chance() -> None:
    chance = random.Random(SEED)
    print(f"NATXDP_TEST_SEED={SEED}")
    with Fleet() as vpc:
        vpc.power_on()
        traffic = scenario.Traffic(vpc, "a", 5000 if LONG else 300)
        end, count = time.monotonic() + SECONDS, 0
        while time.monotonic() < end:
            print(f"{time.strftime('%X')} {fault(vpc, chance, traffic)}", flush=True)
            count += 1
            vpc.assert_no_leak()
        assert count > 0
        # nothing is stuck: all flows are those of the connections, on each node that owns them
        for outcome in traffic.settle(60).values():
            assert outcome.survived and outcome.lost == 0, vpc.explain()
