# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""Nodes die, and connections live on with the same public address.

In every failure: at most one node ends up with the route and the elastic IP of a zone, it is the
one whose name stands in the lease, nothing goes back and forth, the zones of the others stay, and
no byte comes back that was not sent. How long it takes is measured by `make bench-ha`; the limit
here only tells seconds from never, on any machine.

test-timeout: 600
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import plan as plans
import pytest
import scenario
import trace
from conftest import LONG
from lab import wait_until
from failures import FAILURES, cut_off_from_peers
from fleet import Fleet
from load import Load

CONNECTIONS = 50_000 if LONG else 1_200
INTERVAL = 8000 if LONG else 500  # ms between messages of a connection
LIMIT_MS = 15_000  # beyond the time of the API
API, PROPAGATION = 0.1, 0.2
A, B, C = plans.Plan().zones


class Running:
    """The fleet of all tests of this file; after one that has failed, another."""

    def __init__(self) -> None:
        self.vpc: Fleet | None = None

    def get(self) -> Fleet:
        if not self.vpc:
            self.vpc = vpc = Fleet()
            vpc.cloud.api, vpc.cloud.propagation = API, PROPAGATION
            vpc.power_on()
            vpc.traffic = scenario.Traffic(vpc, "a", CONNECTIONS, interval=INTERVAL)
        self.vpc.wait_ready()
        return self.vpc

    def close(self) -> None:
        if self.vpc:
            vpc, self.vpc = self.vpc, None
            vpc.close()


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    shared = Running()
    yield shared
    shared.close()


@pytest.fixture
def fleet(running: Running, request: pytest.FixtureRequest) -> Iterator[Fleet]:
    failed, well = request.session.testsfailed, False
    try:
        vpc = running.get()
        yield vpc
        untranslated, leaked = vpc.untranslated.forget(), vpc.leaks.forget()
        assert not leaked, f"left the VPC with a private source: {leaked[:3]}"
        assert not untranslated, f"left a NAT untranslated: {untranslated[:3]}"
        well = request.session.testsfailed == failed
    finally:
        if not well:
            running.close()


def check(vpc: Fleet, result: scenario.Result, moves: bool) -> None:
    said = f"{result}\n{vpc.explain()}"
    assert result.problems == [] and result.lost == 0, said
    assert result.beyond_ms < LIMIT_MS, said
    for zone, (route, eip) in result.holders.items():
        assert route == eip != "", said
        assert (route != zone) == (moves and zone == "a"), said
        assert trace.leases(vpc)[zone]["owner"] == f"nat-{route}", said


@pytest.mark.parametrize("name", [name for name, failure in FAILURES.items()
                                  if failure.nodes == "abc"])
def test_connections_survive(fleet: Fleet, name: str) -> None:
    failure = FAILURES[name]
    result = scenario.run(fleet, name, lambda: failure.strike(fleet, "a"), "a",
                          traffic=fleet.traffic, moves=failure.moves, watch=3)
    check(fleet, result, failure.moves)
    failure.undo(fleet, "a")
    fleet.go_home("a")


def test_new_connections_while_another_node_has_the_zone(fleet: Fleet) -> None:
    """They work at once, from the elastic IP of their zone, and the others are told of them."""
    fleet.nodes["a"].crash()
    scenario.wait_holder(fleet, "a", lambda letter: letter not in ("", "a"), 60)
    fleet.traffic.wait_back(60)
    taker = fleet.holders()["a"][0]
    third = ({"b", "c"} - {taker}).pop()
    before = {letter: fleet.nodes[letter].metrics() for letter in (taker, third)}
    load = Load(fleet.clients["a2"], fleet.traffic.server, interval=50)
    load.open(50)
    load.mark()
    outcome = load.settle(60)
    load.stop()
    assert outcome.open == 50 and outcome.survived, fleet.explain()
    assert outcome.public == {A.public_ip: 50}
    for letter, metric, least in ((taker, "natxdp_sync_flows_sent_total", 50),
                                  (taker, "natxdp_sync_bytes_sent_total", 50 * 18),
                                  (third, "natxdp_sync_flows_received_total", 50)):
        wait_until(lambda: fleet.nodes[letter].metrics()[metric] >= before[letter][metric] + least,
                   f"{metric} of nat-{letter} counts the new flows", 30)
    FAILURES["crash"].undo(fleet, "a")
    fleet.go_home("a")


def test_tables_of_another_size_are_replicated_on(fleet: Fleet) -> None:
    """Two nodes get new tables while they run, one larger and one smaller, and then one dies."""
    since = time.time()
    for letter, max_flows in (("a", 200_000), ("b", 60_000)):
        node = fleet.nodes[letter]
        node.nat["max-flows"] = max_flows
        node.load()
        assert node.json("status")["flows"]["max"] == max_flows
    fleet.wait_ready()
    assert not trace.moves(fleet, since), fleet.explain()  # an upgrade is no failure
    kept = [flow for flow in fleet.nodes["b"].flows("--proto", "tcp")
            if flow["external"]["address"] == B.slot(A)]
    assert len(kept) >= CONNECTIONS // len(fleet.clients), "b has copies of the flows of a"
    result = scenario.run(fleet, "crash", lambda: fleet.nodes["a"].crash(), "a",
                          traffic=fleet.traffic)
    check(fleet, result, True)
    for letter in "ab":
        fleet.nodes[letter].nat["max-flows"] = 131_072
    FAILURES["crash"].undo(fleet, "a")
    fleet.nodes["b"].load()
    fleet.go_home("a")


def test_a_slow_and_throttling_api(fleet: Fleet) -> None:
    faults = fleet.cloud.standin.faults
    faults.add(action="ReplaceRoute", error="RequestLimitExceeded", status=503, times=2)
    faults.add(action="AssociateAddress", delay=1.0, times=1)
    try:
        result = scenario.run(fleet, "slow AWS", lambda: fleet.nodes["a"].crash(), "a",
                              traffic=fleet.traffic)
        check(fleet, result, True)
    finally:
        faults.clear()
    FAILURES["crash"].undo(fleet, "a")
    fleet.go_home("a")


CUTS = {
    "a from b": lambda vpc: vpc.partition("a", "b"),
    "b does not hear a": lambda vpc: vpc.partition("a", "b", both=False),
    "a from aws": lambda vpc: vpc.partition("a", "aws"),
    "all from all": lambda vpc: [vpc.partition(*pair) for pair in ("ab", "ac", "bc")],
    "all from aws": lambda vpc: [vpc.partition(node, "aws") for node in "abc"],
    "a from its peers and aws": lambda vpc: (cut_off_from_peers(vpc, "a"),
                                             vpc.partition("a", "aws")),
}


def is_at_one(vpc: Fleet) -> bool:
    leases = trace.leases(vpc)
    vpc.cloud.settle()
    return all(route == eip != "" and leases[zone]["owner"] == f"nat-{route}"
               for zone, (route, eip) in vpc.holders().items())


@pytest.mark.parametrize("name", CUTS)
def test_no_split_brain(fleet: Fleet, name: str) -> None:
    """The clients reach all nodes all the time: nothing may be lost, whoever holds what."""
    since = time.time()
    start = {zone: holders[0] for zone, holders in fleet.holders().items()}
    fleet.traffic.mark()
    CUTS[name](fleet)
    time.sleep(8 if LONG else 3)
    try:
        # a zone may be on its way at this moment
        wait_until(lambda: is_at_one(fleet), "each zone is with whom its lease names", 30)
    except TimeoutError as error:
        raise AssertionError(f"{error}\n{fleet.explain()}") from None
    assert not trace.flip_flops(fleet, since, start), fleet.explain()
    for outcome in fleet.traffic.settle(60).values():
        assert outcome.survived, (outcome, fleet.explain())
    fleet.heal()
    for zone in "abc":
        fleet.go_home(zone)
    fleet.wait_ready()


def test_a_zone_is_lost_with_two_nodes() -> None:
    with Fleet(plans.weighted(plans.Plan(nodes="ab")), nodes="ab") as vpc:
        vpc.cloud.api, vpc.cloud.propagation = API, PROPAGATION
        vpc.power_on()
        failure = FAILURES["az-loss"]
        result = scenario.run(vpc, failure.name, lambda: failure.strike(vpc, "a"), "a",
                              connections=300)
        check(vpc, result, True)
        vpc.assert_no_leak()
        wait_until(lambda: vpc.cloud.world.listeners[plans.LISTENER]["weights"] == {
            A.target_group: 0, B.target_group: 100}, "the load balancer gives zone a nothing", 30)
