# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""EC2 says that an instance is to go: its node hands over, and Auto Scaling is told to go on."""

from __future__ import annotations

import plan as plans
from fleet import Fleet
from lab import wait_until

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
