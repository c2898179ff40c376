# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""No agent lives, a node dies, and the functions move its zone.

NATXDP_TEST_LONG=1 has a round of nat-health-probe and a period of the alarm every 10 seconds, as
Terraform sets them up, and three failures one after the other; else they are 2 seconds, and
there is one. What it measured goes into build/vpc-functions.json, and from there by hand into
docs/performance.md.

test-timeout: 900
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import plan as plans
import pytest
import scenario
import trace
from conftest import LONG, served
from fleet import Fleet
from functions import ControlPlane
from lab import BUILD, wait_until

# 3 s as Terraform has it, for on a busy machine a node may take as long to answer
INTERVAL, WITNESS_MS, RUNS = (10, 3000, 3) if LONG else (2, 4000, 1)
LIMIT = 60  # seconds, of the whole outage
FILE = BUILD / "vpc-functions.json"


@pytest.fixture
def fleet() -> Iterator[Fleet]:
    with Fleet(nodes="ab") as vpc:
        vpc.power_on()
        yield served(vpc)
        vpc.assert_no_leak()


def test_a_zone_moves_when_no_agent_lives(fleet: Fleet) -> None:
    traffic = scenario.Traffic(fleet, "a", 300)
    runs = []
    for number in range(RUNS):
        runs.append(lose_a_node(fleet, traffic))
        FILE.write_text(json.dumps({"interval": INTERVAL, "runs": runs}, indent=1) + "\n")
        if number + 1 < RUNS:
            fleet.nodes["a"].recover()
            fleet.nodes["b"].start_agent()
            fleet.wait_ready(home=False)
            fleet.go_home("a")
            fleet.wait_ready()


def lose_a_node(fleet: Fleet, traffic: scenario.Traffic) -> dict[str, float]:
    """Returns the seconds until the alarm, and those of the outage of an established UDP flow."""
    with fleet.lab.scope():
        plane = ControlPlane(fleet, INTERVAL, WITNESS_MS)
        wait_until(lambda: all(plane.reachability(letter)[-1:] == [100] for letter in "ab"),
                   "both nodes reach their targets", 30)
        for letter in "ba":
            fleet.nodes[letter].kill_agent()
        agents_alone(fleet, plane)
        since = time.time()
        traffic.mark()
        fleet.nodes["a"].crash()
        try:
            scenario.wait_holder(fleet, "a", lambda letter: letter == "b", LIMIT)
        except TimeoutError as error:
            raise AssertionError(f"{error}\n{plane.explain()}") from None
        traffic.wait_back(LIMIT)
        outcomes = traffic.settle(60)
        check(fleet, plane)
        for outcome in outcomes.values():
            assert outcome.survived and len(outcome.public) == 1, (outcome, fleet.explain())
        rang = next(at for at in plane.alarms["a"].rang if at > since)
        outage = traffic.old.report()["outage_ms"] / 1e3
        assert outage < LIMIT
        return {"alarm": rang - since, "outage": outage}


def agents_alone(fleet: Fleet, plane: ControlPlane) -> None:
    """Without them the data plane goes on: nothing is alarmed, nothing moves."""
    seen = len(plane.reachability("a"))
    wait_until(lambda: len(plane.reachability("a")) > seen + 2 and all(
        set(plane.reachability(letter)[-2:]) == {100} for letter in "ab"),
        "rounds go on, and all is reached", 10 * INTERVAL + 30)
    assert fleet.holders() == {"a": ("a", "a"), "b": ("b", "b")}


def check(fleet: Fleet, plane: ControlPlane) -> None:
    # what it says comes after what it does; one value is enough for the alarm, and a round that a
    # busy machine has lost moves nothing
    wait_until(lambda: "claim" in [answer["decision"] for answer in plane.answers],
               "nat-route-failover has ended", 60)
    [answer] = [answer for answer in plane.answers if answer["decision"] == "claim"]
    assert (answer["target"], answer["moved"]) == ("nat-b", 2)
    assert all(answer["moved"] == 0 for answer in plane.answers if answer["decision"] == "complete")
    assert fleet.holders() == {"a": ("b", "b"), "b": ("b", "b")}
    assert {zone: lease["owner"] for zone, lease in trace.leases(fleet).items()} == {
        "a": "nat-b", "b": "nat-b"}
    a, _, _ = plans.Plan().zones
    run = plane.failover
    assert run.logged(decision="claim", zone=a.name, owner="nat-a", target="nat-b")
    for action in "ReplaceRoute", "AssociateAddress":
        assert run.logged(action=action, after=fleet.nodes["b"].zone.interface)
    assert run.metric("FailoverCount", AvailabilityZone=a.name) == [1]
    # the alarm once more, as EventBridge delivers at least once
    plane.go_off(a.name)
    assert plane.answers[-1]["moved"] == 0 and fleet.holders()["a"] == ("b", "b")
