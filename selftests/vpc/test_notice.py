# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""A node is to go, say EC2 or systemd: it hands over, and Auto Scaling is told to go on."""

from __future__ import annotations

import signal

import plan as plans
import trace
from conftest import served
from fleet import Fleet
from lab import wait_until
from load import Load

HOOK = "terminate"


def test_a_node_that_is_to_go() -> None:
    """First a spot notice; Auto Scaling waits much later, and does not answer at first."""
    with Fleet({"lifecycle_hook": HOOK, "group": plans.GROUP, "target_group": plans.TARGET_GROUP},
               nodes="ab", per_zone=1) as vpc:
        vpc.power_on()
        node, world = vpc.nodes["a"], vpc.cloud.world
        target = f"{node.zone.instance}:{plans.HEALTH_PORT}"
        vpc.cloud.standin.faults.add(action="CompleteLifecycleAction", status=503, times=5)
        vpc.cloud.standin.faults.add(action="DeregisterTargets", status=503, times=5)
        node.imds.imds.set("spot/instance-action",
                           '{"action": "terminate", "time": "2036-01-01T00:00:00Z"}')
        wait_until(lambda: vpc.holders()["a"] == ("b", "b"), "nat-b has zone a", 60)
        wait_until(lambda: vpc.failover("a", "status")["drained"], "nat-a is drained", 60)
        assert world.lifecycle_actions == [], "nobody waits yet"
        node.imds.imds.set("autoscaling/target-lifecycle-state", "Terminated")
        wait_until(lambda: world.lifecycle_actions, "the lifecycle action is completed", 60)
        assert world.lifecycle_actions == [
            (HOOK, plans.GROUP, node.zone.instance, "CONTINUE")], vpc.explain()
        wait_until(lambda: any(
            entry.status == 200 for entry in vpc.cloud.standin.calls("DeregisterTargets")),
            f"{target} leaves its target group", 60)
        # what is completed is not completed again
        assert len(world.lifecycle_actions) == 1
        assert vpc.holders() == {"a": ("b", "b"), "b": ("b", "b")}
        vpc.assert_no_leak()


def test_a_node_that_is_told_to_stop_and_one_that_may_be_interrupted() -> None:
    """ha_stop = hand-over: SIGTERM ends an agent when its zones are away. Then EC2 recommends a rebalance."""
    with Fleet({"stop": "hand-over"}, nodes="ab", per_zone=1) as vpc:
        vpc.power_on()
        served(vpc)
        a, b = vpc.nodes["a"], vpc.nodes["b"]
        loads = [Load(vpc.clients[f"{letter}1"], vpc.echo.address, interval=100) for letter in "ab"]
        for load in loads:
            assert load.open(50).open == 50
        for node, peer in (a, b), (b, a):
            wait_until(lambda: len([flow for flow in peer.flows("--proto", "tcp")
                                    if flow["external"]["address"] == peer.zone.slot(node.zone)]) >= 50,
                       f"{peer.name} has the connections of {node.name}", 30)
        b.signal_agent(signal.SIGTERM)
        wait_until(lambda: b.agent.poll() is not None, "the agent of nat-b has ended", 60)
        assert b.agent.returncode == 0, vpc.explain()
        assert vpc.holders() == {"a": ("a", "a"), "b": ("a", "a")}, vpc.explain()
        assert trace.leases(vpc)["b"]["owner"] == "nat-a"
        assert trace.leases(vpc)["b"]["reason"] == "drain"
        b.end_agent()
        b.start_agent()
        vpc.wait_ready(home=False)
        a.imds.imds.set("events/recommendations/rebalance", {"noticeTime": "2026-01-01T00:00:00Z"})
        wait_until(lambda: vpc.holders() == {"a": ("b", "b"), "b": ("b", "b")}, "nat-b has both", 60)
        wait_until(lambda: vpc.failover("a", "status")["drained"], "nat-a is drained", 60)
        assert {zone: lease["reason"] for zone, lease in trace.leases(vpc).items()} == {
            "a": "drain", "b": "drain"}
        for load in loads:
            load.check()
            outcome = load.settle(30)
            assert outcome.survived and len(outcome.public) == 1, (outcome, vpc.explain())
        vpc.assert_no_leak()
