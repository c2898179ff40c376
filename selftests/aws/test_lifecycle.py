# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""asg-lifecycle-handler: nodes come and go."""

import json
import time

import account
import fleet
import pytest
from function import Failed
from test_failover import ENI, ZA, A, address, calls


def results(standin):
    return [entry[3] for entry in standin.world.lifecycle_actions]


def test_a_launch_that_proves_itself_goes_on(function, standin, nodes):
    standin.world.interfaces[ENI["a"]]["source_dest_check"] = True
    standin.world.parameters["/natxdp/egress/blocked"]["value"] = '[{"address": "10.0.3.4"}]'
    del standin.world.target_groups[account.GROUPS["a"]]["targets"][f"{A}:8080"]
    tries = iter([10, 10, 0])
    nodes.exits[("verify", A)] = lambda: next(tries)
    run = function("asg-lifecycle-handler")
    assert run(fleet.lifecycle("launch", "a"), deadline=60)["result"] == "CONTINUE"
    assert standin.world.interfaces[ENI["a"]]["source_dest_check"] is False
    assert f"{A}:8080" in standin.world.target_groups[account.GROUPS["a"]]["targets"]
    assert nodes.runs("block") == [("block", A, {"verb": "add", "address": "10.0.3.4"})]
    assert results(standin) == ["CONTINUE"]
    assert run.logged(action="CompleteLifecycleAction", after="CONTINUE")


def test_a_launch_that_stays_broken_is_abandoned(function, standin, nodes):
    nodes.exits[("verify", A)] = 10
    run = function("asg-lifecycle-handler")
    assert run(fleet.lifecycle("launch", "a"), deadline=12)["result"] == "ABANDON"
    assert results(standin) == ["ABANDON"]
    assert run.metric("LifecycleFailureCount", AvailabilityZone=ZA) == [1]


def test_a_launch_that_does_not_answer_yet_is_tried_again(function, standin, nodes):
    nodes.silent = {A}
    run = function("asg-lifecycle-handler")
    with pytest.raises(Failed, match="does not answer by Systems Manager yet"):
        run(fleet.lifecycle("launch", "a"), deadline=12)
    assert results(standin) == []
    nodes.silent = set()
    assert run(fleet.lifecycle("launch", "a"))["result"] == "CONTINUE"


def test_an_instance_that_is_gone_is_abandoned(function, standin):
    del standin.world.instances[A]
    assert function("asg-lifecycle-handler")(fleet.lifecycle("launch", "a"))["result"] == "ABANDON"


def test_a_node_of_a_fleet_gets_a_free_address_of_its_zone(function, standin):
    standin.world.addresses[account.ADDRESSES["a"]].update(interface=None, association=None,
                                                           private_address=None)
    changes = {"NATXDP_MODE": "gwlb", "NATXDP_TARGET_GROUPS": json.dumps({"all": account.GROUPS["a"]})}
    run = function("asg-lifecycle-handler", **changes)
    for _ in range(2):
        assert run(fleet.lifecycle("launch", "a"))["result"] == "CONTINUE"
    assert address(standin) == (ENI["a"], "127.77.0.1")
    assert len(calls(standin, "AssociateAddress")) == 1


def test_a_terminating_node_hands_over_first(function, standin, nodes):
    run = function("asg-lifecycle-handler")
    assert run(fleet.lifecycle("terminate", "a"))["result"] == "CONTINUE"
    assert [entry[:2] for entry in nodes.ran] == [("drain", A)]
    assert standin.world.target_groups[account.GROUPS["a"]]["targets"][f"{A}:8080"] == "draining"
    order = [entry.action for entry in standin.calls()]
    assert order.index("SendCommand") < order.index("DeregisterTargets") < order.index("CompleteLifecycleAction")


def test_a_hand_over_that_takes_long_is_told_to_the_group(function, standin, nodes):
    nodes.exits[("drain", A)] = lambda: time.sleep(2.5) or 0
    nodes.slow = True
    run = function("asg-lifecycle-handler", NATXDP_HEARTBEAT="1")
    assert run(fleet.lifecycle("terminate", "a"), deadline=60)["result"] == "CONTINUE"
    assert results(standin)[:2] == ["heartbeat"] * 2 and results(standin)[-1] == "CONTINUE"
    assert run.logged(action="drain", after="handed over")


@pytest.mark.parametrize("gone", [False, True])
def test_a_terminating_node_that_cannot_hand_over_goes_all_the_same(function, standin, nodes, gone):
    nodes.silent = {A}
    if gone:
        del standin.world.instances[A]
    assert function("asg-lifecycle-handler")(fleet.lifecycle("terminate", "a"))["result"] == "CONTINUE"


def test_the_same_event_twice_does_no_harm(function, standin):
    run = function("asg-lifecycle-handler")
    run(fleet.lifecycle("terminate", "a"))
    standin.faults.add(action="CompleteLifecycleAction", error="ValidationError",
                       message="No active Lifecycle Action found with token 1")
    assert run(fleet.lifecycle("terminate", "a"))["result"] == "CONTINUE"


@pytest.mark.parametrize("broken", ["EC2InstanceId", "LifecycleHookName", "AutoScalingGroupName",
                                    "LifecycleActionToken", "LifecycleTransition"])
def test_lifecycle_says_what_is_missing(function, standin, broken):
    event = fleet.lifecycle("launch", "a")
    del event["detail"][broken]
    with pytest.raises(Failed, match=f"no text in detail.{broken}") as failed:
        function("asg-lifecycle-handler")(event)
    assert failed.value.kind == "BadEvent" and standin.calls() == []
