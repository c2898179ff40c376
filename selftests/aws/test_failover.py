# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""The functions that move zones: nat-route-failover, eip-recover."""

import json
import re
import time

import account
import fleet
import pytest
from function import Failed

A, B = account.INSTANCES["a"], account.INSTANCES["b"]
ENI = account.INTERFACES
ZA, ZB = fleet.ZONE["a"], fleet.ZONE["b"]


SINCE = "2026-01-01T00:00:00Z"  # long ago


def now():
    """As agents write it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def calls(standin, action):
    return [entry.params for entry in standin.calls(action) if not entry.code]


def route(standin, zone="a"):
    return standin.world.route_tables[account.TABLES[zone]]["routes"]["0.0.0.0/0"]["NetworkInterfaceId"]


def address(standin, zone="a"):
    found = standin.world.addresses[account.ADDRESSES[zone]]
    return found.get("interface"), found.get("private_address")


def lease(standin, zone=ZA, **changes):
    """Reads the lease of a zone as {name: value}, or writes it."""
    items = standin.world.tables["egress-lease"]["items"]
    if changes:
        items[:] = [item for item in items if item["az"]["S"] != zone] + [{
            "az": {"S": zone}, **{name: {"BOOL": value} if isinstance(value, bool) else
                                  {"N": str(value)} if isinstance(value, int) else {"S": value}
                                  for name, value in changes.items()}}]
    for item in items:
        if item["az"]["S"] == zone:
            return {name: next(iter(value.values())) for name, value in item.items()}
    return {}


def dies(standin, zone="a", state="stopped"):
    standin.world.instances[account.INSTANCES[zone]]["state"] = state
    standin.world.target_groups[account.GROUPS[zone]]["targets"] = {
        f"{account.INSTANCES[zone]}:8080": "unhealthy"}


# ---- nat-route-failover


@pytest.mark.parametrize("event", [fleet.alarm("a"), fleet.alarm_by_sns("a")], ids=["eventbridge", "sns"])
def test_an_alarm_moves_the_zone_of_a_dead_node_once(function, standin, event):
    dies(standin)
    lease(standin, owner=ZA, epoch=7, since=SINCE, reason="first", witness=3)
    run = function("nat-route-failover")
    answer = run(event)
    assert (answer["decision"], answer["target"], answer["moved"]) == ("claim", ZB, 2)
    assert route(standin) == ENI["b"] and address(standin) == (ENI["b"], "10.0.1.11")
    assert route(standin, "b") == ENI["b"] and address(standin, "b") == (ENI["b"], "10.0.1.12")
    claimed = lease(standin)
    assert (claimed["owner"], claimed["epoch"], claimed["reason"]) == (ZB, "8", "failover")
    # an agent reads it: the new owner has not counted up yet
    assert claimed["witness"] == "0" and SINCE < claimed["since"] <= now()
    assert standin.world.listeners[account.LISTENER]["weights"] == {
        account.GROUPS["a"]: 0, account.GROUPS["b"]: 100}
    assert run.metric("FailoverCount", AvailabilityZone=ZA) == [1]
    assert run.metric("RouteFailoverCount", AvailabilityZone=ZA) == [1]
    assert 0 < run.metric("FailoverDurationMs", AvailabilityZone=ZA)[0] < 20000
    assert run.logged(action="ReplaceRoute", before=ENI["a"], after=ENI["b"])
    state = json.loads(standin.world.parameters["/natxdp/egress/routing"]["value"])
    assert state["zones"][ZA]["owner"] == ZB and state["zones"][ZA]["epoch"] == 8
    standin.forget()
    again = run(event)
    assert (again["decision"], again["moved"]) == ("complete", 0)
    assert not calls(standin, "ReplaceRoute") and not calls(standin, "AssociateAddress")
    assert lease(standin)["epoch"] == "8"


def test_the_first_failover_makes_the_lease(function, standin):
    dies(standin)
    assert function("nat-route-failover")(fleet.alarm("a"))["decision"] == "claim"
    assert (lease(standin)["owner"], lease(standin)["epoch"]) == (ZB, "1")


@pytest.mark.parametrize("event", [fleet.alarm("a", "OK"), fleet.alarm("a", "INSUFFICIENT_DATA")])
def test_an_alarm_that_is_over_moves_nothing(function, standin, event):
    dies(standin)
    function("nat-route-failover")(event)
    assert route(standin) == ENI["a"]


def test_no_agent_lives(function, standin, nodes):
    """Nobody answers the load balancer; the node that reaches its targets takes the zone."""
    for zone in "ab":
        standin.world.target_groups[account.GROUPS[zone]]["targets"] = {
            f"{account.INSTANCES[zone]}:8080": "unhealthy"}
    nodes.silent = {A}
    lease(standin, owner=ZA, epoch=7, since=SINCE, reason="first", witness=3)
    assert function("nat-route-failover")(fleet.alarm("a"))["target"] == ZB
    assert route(standin) == ENI["b"] and address(standin) == (ENI["b"], "10.0.1.11")


@pytest.mark.parametrize("wrong", ["silent", "cut off", "translates nothing"])
def test_no_agent_lives_and_nobody_is_proven(function, standin, nodes, wrong):
    for zone in "ab":
        standin.world.target_groups[account.GROUPS[zone]]["targets"] = {
            f"{account.INSTANCES[zone]}:8080": "unhealthy"}
    nodes.silent = {A} | ({B} if wrong == "silent" else set())
    nodes.reached = {B: 1} if wrong == "cut off" else {}
    nodes.exits[("verify", B)] = 10 if wrong == "translates nothing" else 0
    with pytest.raises(Failed, match="no other node"):
        function("nat-route-failover")(fleet.alarm("a"), deadline=3)
    assert route(standin) == ENI["a"] and not lease(standin)


def test_an_owner_that_reaches_its_targets_again_stays(function, standin, nodes):
    standin.world.target_groups[account.GROUPS["a"]]["targets"] = {f"{A}:8080": "unhealthy"}
    lease(standin, owner=ZA, epoch=7, since=SINCE, reason="first")
    assert function("nat-route-failover")(fleet.alarm("a"))["why"] == "the owner reaches its targets"
    assert route(standin) == ENI["a"] and lease(standin)["epoch"] == "7"


def test_a_living_agent_sees_to_itself(function, standin):
    """EC2 and the load balancer call the owner well, and its witness moves."""
    lease(standin, owner=ZA, epoch=7, since=SINCE, reason="first", witness=3)
    witness = iter(range(100, 200))
    standin.world.hooks["GetItem"].append(
        lambda params, result: lease(standin, owner=ZA, epoch=7, since=SINCE, reason="first",
                                     witness=next(witness)))
    assert function("nat-route-failover")(fleet.alarm("a"))["decision"] == "nothing"
    assert route(standin) == ENI["a"] and lease(standin)["epoch"] == "7"


def test_nobody_is_left(function, standin):
    dies(standin)
    dies(standin, "b")
    with pytest.raises(Failed, match="no other node"):  # so that the service tries it again
        function("nat-route-failover")(fleet.alarm("a"), deadline=3)
    assert route(standin) == ENI["a"] and not lease(standin)


def test_a_node_that_is_well_a_moment_later_takes_the_zone(function, standin):
    """The alarm comes once: who finds no node looks again."""
    dies(standin)
    standin.world.instances[B]["status"] = {"system": "impaired", "instance": "ok"}
    run = function("nat-route-failover")

    def mend(params, result):
        standin.world.instances[B]["status"] = {"system": "ok", "instance": "ok"}

    standin.world.hooks["DescribeInstanceStatus"].append(mend)
    answer = run(fleet.alarm("a"))
    assert (answer["decision"], answer["target"]) == ("claim", ZB)
    assert len(run.logged(decision="nothing")) == 1
    assert route(standin) == ENI["b"]


def test_a_node_that_ec2_calls_impaired_takes_nothing(function, standin):
    dies(standin)
    standin.world.instances[B]["status"] = {"system": "impaired", "instance": "ok"}
    with pytest.raises(Failed, match="no other node"):
        function("nat-route-failover")(fleet.alarm("a"), deadline=3)
    assert route(standin) == ENI["a"]


def test_a_dry_run_changes_nothing(function, standin):
    dies(standin)
    answer = function("nat-route-failover")({**fleet.alarm("a"), "dry_run": True})
    assert (answer["decision"], answer["moved"]) == ("claim", 2)
    assert [step["after"] for step in answer["steps"]] == [ENI["b"], ENI["b"]]
    assert route(standin) == ENI["a"] and not lease(standin)
    assert not {entry.action for entry in standin.calls()} & {
        "ReplaceRoute", "AssociateAddress", "UpdateItem", "PutParameter", "ModifyListener"}


def test_held_zones_stay_until_released(function, standin):
    """A hold stands in the lease, where agents read it, too, and nowhere else."""
    dies(standin)
    lease(standin, owner=ZA, epoch=7, since=SINCE, reason="first", witness=3)
    run = function("nat-route-failover")
    assert run({"action": "hold", "zone": ZA, "dry_run": True})["leases"][ZA]["hold"] is False
    assert run({"action": "hold", "zone": ZA})["leases"] == {ZA: {
        "owner": ZA, "epoch": 7, "reason": "first", "since": 1767225600, "hold": True}}
    assert lease(standin)["hold"] == "nat-route-failover" and lease(standin)["epoch"] == "7"
    assert not standin.calls("PutParameter")
    assert run(fleet.alarm("a"))["decision"] == "nothing"
    assert route(standin) == ENI["a"]
    assert run({"action": "release", "zone": ZA})["leases"][ZA]["hold"] is False
    assert "hold" not in lease(standin)
    assert run(fleet.alarm("a"))["decision"] == "claim"
    assert route(standin) == ENI["b"]


@pytest.mark.parametrize("action", ("hold", "release"))
def test_what_nobody_owns_cannot_be_held(function, standin, action):
    with pytest.raises(Failed, match="nobody owns the zone"):
        function("nat-route-failover")({"action": action, "zone": ZA})
    assert not lease(standin)


def test_a_lease_that_an_operator_holds_is_not_taken(function, standin):
    """But by a person: as with natxdp failover."""
    dies(standin)
    lease(standin, owner=ZA, epoch=7, since=SINCE, reason="first", hold=ZB)  # as an agent writes it
    run = function("nat-route-failover")
    assert run(fleet.alarm("a"))["decision"] == "nothing"
    assert route(standin) == ENI["a"] and lease(standin)["epoch"] == "7"
    assert run({"action": "status"})["leases"][ZA]["hold"] is True
    assert run({"zone": ZA})["target"] == ZB
    # and stays held where it is now
    assert route(standin) == ENI["b"] and (lease(standin)["epoch"], lease(standin)["hold"]) == ("8", ZB)


def test_a_hold_that_comes_meanwhile_is_kept(function, standin):
    """Read before, and claimed after, somebody has held the zone."""
    dies(standin)
    lease(standin, owner=ZA, epoch=7, since=SINCE, reason="first")

    def perform(service, action, params, plain=standin.world.perform):
        if action == "UpdateItem":
            lease(standin, owner=ZA, epoch=7, since=SINCE, reason="first", hold=ZB)
        return plain(service, action, params)

    standin.world.perform = perform
    with pytest.raises(Failed, match="held where it is"):
        function("nat-route-failover")(fleet.alarm("a"))
    assert route(standin) == ENI["a"] and lease(standin)["epoch"] == "7"


def test_a_zone_rests_after_agents_have_moved_it(function, standin, nodes):
    """The owner's target is not healthy yet, and it has not answered: a minute is given to it."""
    nodes.silent = {A}
    lease(standin, owner=ZA, epoch=7, since=now(), reason="failback")
    answer = function("nat-route-failover")(fleet.alarm("a"))
    assert (answer["decision"], answer["why"]) == ("complete", "the zone changed hands a moment ago")
    assert lease(standin)["epoch"] == "7"


def test_there_and_back_by_hand(function, standin):
    run = function("nat-route-failover")
    assert run({"zone": ZA, "to": ZB})["target"] == ZB
    assert route(standin) == ENI["b"] and lease(standin)["reason"] == "manual"
    assert run.metric("RouteFailoverCount", AvailabilityZone=ZA) == [1]
    assert run.metric("FailoverCount", AvailabilityZone=ZA) == []
    assert run({"zone": ZA, "action": "restore"})["target"] == ZA
    assert route(standin) == ENI["a"] and address(standin) == (ENI["a"], "10.0.0.11")
    assert lease(standin)["epoch"] == "2"
    assert standin.world.listeners[account.LISTENER]["weights"] == {
        account.GROUPS["a"]: 100, account.GROUPS["b"]: 100}


def test_weights_follow_the_leases_of_all_zones(function, standin):
    """Not what the function has done before: b's zone has been with a for long, and both nodes serve."""
    other = account.GROUPS["a"].replace("nat-a", "other")
    standin.world.target_groups[other] = {"port": 8080, "targets": {}}
    weights = standin.world.listeners[account.LISTENER]["weights"]
    weights.clear()
    weights.update({account.GROUPS["a"]: 100, account.GROUPS["b"]: 0, other: 7})
    lease(standin, owner=ZA, epoch=7, since=SINCE, reason="first")
    lease(standin, ZB, owner=ZA, epoch=4, since=SINCE, reason="failover")
    run = function("nat-route-failover")
    run({"zone": ZA, "to": ZB})
    assert standin.world.listeners[account.LISTENER]["weights"] == {
        account.GROUPS["a"]: 100, account.GROUPS["b"]: 100, other: 7}
    assert [(line["zone"], line["before"], line["after"]) for line in run.logged(
        action="ModifyListener")] == [(ZB, 0, 100)]
    lease(standin, ZB, owner=f"{ZB}-standby", epoch=5, since=SINCE, reason="failback")
    run({"zone": ZA, "to": ZB})
    assert standin.world.listeners[account.LISTENER]["weights"] == {
        account.GROUPS["a"]: 0, account.GROUPS["b"]: 100, other: 7}


@pytest.mark.parametrize("event, says", [
    ({}, "no text in zone"),
    ({"zone": ""}, "no text in zone"),
    ({"zone": "eu-central-1a", "action": "move"}, "action move:"),
    ({"zone": "eu-central-1a", "action": "restore", "to": "x"}, '"to" does not go with restore'),
    ({"zone": "eu-central-1a", "to": 7}, "to of the event is no text"),
    ({"Records": []}, "no text in Sns.Message"),
    ({"Records": [{"Sns": {"Message": "hello"}}]}, "the SNS message is no JSON"),
    ({"detail-type": "CloudWatch Alarm State Change", "detail": {}}, "no text in detail.alarmName"),
    ({"detail-type": "CloudWatch Alarm State Change", "detail": {
        "alarmName": "egress-reachability-eu-central-1c", "state": {"value": "ALARM"}}},
     "does not end with a zone that has a route table"),
])
def test_failover_refuses(function, standin, event, says):
    with pytest.raises(Failed, match=re.escape(says)) as failed:
        function("nat-route-failover")(event)
    assert failed.value.kind == "BadEvent"
    assert standin.calls() == []


def test_who_is_faster_has_it(function, standin):
    """Somebody raises the epoch between the reading and the claim."""
    dies(standin)
    lease(standin, owner=ZA, epoch=7, since=SINCE, reason="first")
    seen = []

    def steal(params, result):
        seen.append(1)
        if len(seen) == 4:  # of both zones, of this one, and of its witness
            lease(standin, owner="eu-central-1c", epoch=8, since=now(), reason="failover")

    standin.world.hooks["GetItem"].append(steal)
    with pytest.raises(Failed, match="taken by eu-central-1c meanwhile"):
        function("nat-route-failover")(fleet.alarm("a"))
    assert route(standin) == ENI["a"] and lease(standin)["epoch"] == "8"


def test_stops_when_it_loses_the_lease_half_way(function, standin):
    dies(standin)
    lease(standin, owner=ZA, epoch=7, since=SINCE, reason="first")

    def steal(params, result):
        lease(standin, owner="eu-central-1c", epoch=9, since=now(), reason="manual")

    standin.world.hooks["DescribeRouteTables"].append(steal)
    with pytest.raises(Failed, match="another owner meanwhile"):
        function("nat-route-failover")(fleet.alarm("a"))
    assert route(standin) == ENI["a"] and address(standin)[0] == ENI["a"]


def test_half_an_action_is_completed_by_the_next_event(function, standin):
    dies(standin)
    lease(standin, owner=ZA, epoch=7, since=SINCE, reason="first")
    standin.faults.add(action="AssociateAddress", error="AuthFailure", status=403)
    run = function("nat-route-failover")
    with pytest.raises(Failed, match="AuthFailure"):
        run(fleet.alarm("a"))
    assert route(standin) == ENI["b"] and address(standin)[0] == ENI["a"]
    standin.faults.clear()
    answer = run(fleet.alarm("a"))
    assert (answer["decision"], answer["moved"]) == ("complete", 1)
    assert address(standin) == (ENI["b"], "10.0.1.11") and lease(standin)["epoch"] == "8"


def test_a_throttled_api_is_tried_again(function, standin):
    dies(standin)
    standin.faults.add(action="ReplaceRoute", error="RequestLimitExceeded", status=503, times=2)
    standin.faults.add(action="DescribeInstances", error="Throttling", times=1)
    assert function("nat-route-failover")(fleet.alarm("a"))["moved"] == 2
    assert route(standin) == ENI["b"]


def test_says_so_before_its_time_is_up(function, standin):
    dies(standin)
    standin.faults.add(action="DescribeRouteTables", delay=30)
    began = time.monotonic()
    with pytest.raises(Failed, match="route tables cannot be read"):
        function("nat-route-failover")(fleet.alarm("a"), deadline=6)
    assert time.monotonic() - began < 6


# ---- eip-recover


def test_an_address_that_is_nowhere_comes_back(function, standin):
    standin.world.addresses[account.ADDRESSES["a"]].update(interface=None, association=None,
                                                           private_address=None)
    run = function("eip-recover")
    assert [zone["moved"] for zone in run(fleet.schedule())["zones"]] == [1, 0]
    assert address(standin) == (ENI["a"], "10.0.0.11")
    assert run.metric("EipRecoverCount", AvailabilityZone=ZA) == [1]
    standin.forget()
    assert [zone["moved"] for zone in run(fleet.schedule())["zones"]] == [0, 0]
    assert not calls(standin, "AssociateAddress")


def test_an_address_follows_the_lease(function, standin):
    lease(standin, owner=ZB, epoch=3, since=SINCE, reason="failover")
    run = function("eip-recover")
    run({**fleet.schedule(), "dry_run": True})
    assert address(standin)[0] == ENI["a"]
    run(fleet.schedule())
    assert address(standin) == (ENI["b"], "10.0.1.11") and route(standin) == ENI["a"]


def test_the_zone_of_a_dead_owner_is_left_to_the_failover(function, standin):
    dies(standin)
    standin.world.addresses[account.ADDRESSES["b"]].update(interface=None, association=None,
                                                           private_address=None)
    answer = function("eip-recover")(fleet.schedule())
    assert [zone["zone"] for zone in answer["zones"]] == [ZB]
    assert address(standin)[0] == ENI["a"] and address(standin, "b")[0] == ENI["b"]


def test_one_zone_that_fails_keeps_no_other(function, standin):
    for zone in "ab":
        standin.world.addresses[account.ADDRESSES[zone]].update(interface=None, association=None,
                                                                private_address=None)
    standin.faults.add(action="AssociateAddress", error="AuthFailure", status=403, times=1)
    with pytest.raises(Failed, match="AuthFailure"):
        function("eip-recover")(fleet.schedule())
    assert address(standin, "b")[0] == ENI["b"]
