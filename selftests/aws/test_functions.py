# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""The Lambda functions as shipped: over the runtime protocol, against the stand-in."""

import json
import re
import time

import account
import fleet
import pytest
from function import Failed
from standin.web import Listener, Response

A, B = account.INSTANCES["a"], account.INSTANCES["b"]
REST = ["nat-health-probe", "nat-route-failover", "asg-lifecycle-handler", "eip-recover",
        "config-guard", "nat-probe-runner", "nat-janitor", "nat-isolate"]


@pytest.fixture
def agents():
    """Health pages of the two nodes, on one port: their answers by zone, and the port."""
    status = {"a": 200, "b": 200}
    first = Listener(lambda request: Response(status["a"], b"ok"), ("127.77.0.1", 0))
    port = first.server_address[1]
    second = Listener(lambda request: Response(status["b"], b"ok"), ("127.77.0.2", port))
    yield status, str(port)
    first.stop()
    second.stop()


def calls(standin, action):
    return [entry.params for entry in standin.calls(action) if not entry.code]


# ---- the runtime


@pytest.mark.parametrize("name", REST)
def test_bad_events_are_refused_and_the_next_one_is_served(function, standin, name):
    run = function(name)
    for event in b"", b"[]", b"{", b"null", b'"\xff"':
        with pytest.raises(Failed, match="no JSON object") as failed:
            run(event)
        assert failed.value.kind == "BadEvent"
    assert standin.calls() == []
    assert len(run.logged(level="error")) == 5
    assert run.metric("FunctionErrorCount", AvailabilityZone=fleet.ZONE["a"]) == [1] * 5


@pytest.mark.parametrize("changes, says", [
    ({"NATXDP_NAT": ""}, "NATXDP_NAT is not set"),
    ({"NATXDP_SLOTS": "{"}, "NATXDP_SLOTS is no JSON object"),
    ({"NATXDP_ROUTE_TABLES": "[]"}, "NATXDP_ROUTE_TABLES is no JSON object"),
    ({"NATXDP_AGENT_PORT": "70000"}, "NATXDP_AGENT_PORT = 70000"),
    ({"NATXDP_MODE": "nlb"}, "NATXDP_MODE = nlb"),
    ({"_HANDLER": "nat-nothing"}, "nat-nothing: there is no such function"),
])
def test_a_wrong_environment_is_said_before_the_first_event(function, changes, says):
    error = function("nat-janitor", **changes).wait_init_error()
    assert error["errorType"] == "BadConfiguration"
    assert says in error["errorMessage"]


def test_begins_quickly(function, standin):
    """From exec to the first call, the median of seven starts; 50 ms is what a start may cost."""
    times = []
    for _ in range(7):
        run = function("nat-janitor")
        run({})
        first = standin.calls()[0].time
        times.append(first - time.time() + time.monotonic() - run.started)
        standin.forget()
    assert sorted(times)[3] < 0.05, times  # 4 ms where nothing else runs


# ---- nat-health-probe


def test_probe_of_a_fleet_that_is_well(function, standin, agents):
    _, port = agents
    run = function("nat-health-probe", NATXDP_AGENT_PORT=port)
    answer = run(fleet.schedule())
    assert [(node["instance"], node["decision"], node["reached"]) for node in answer["nodes"]] == [
        (A, "reaches", 3), (B, "reaches", 3)]
    for zone, instance in ("a", A), ("b", B):
        assert run.metric("NATReachability", AvailabilityZone=fleet.ZONE[zone]) == [100]
        assert run.metric("NATReachability", AvailabilityZone=fleet.ZONE[zone], InstanceId=instance) == [100]
        assert run.metric("Latency", AvailabilityZone=fleet.ZONE[zone]) == [pytest.approx(20)]
    assert calls(standin, "SendCommand")[0]["Parameters"] == {
        "targets": ["198.51.100.1:443 198.51.100.2:53 example.com:443"]}


def test_probe_of_a_node_whose_agent_alone_is_dead(function, standin, nodes, agents):
    """Its kernel refuses the connection, and Systems Manager says nothing: no reason to move anything."""
    nodes.silent = {A}
    standin.world.target_groups[account.GROUPS["a"]]["targets"] = {f"{A}:8080": "unhealthy"}
    run = function("nat-health-probe", NATXDP_AGENT_PORT="1")
    assert run(fleet.schedule())["nodes"][0]["decision"] == "unknown"
    assert run.metric("NATReachability", AvailabilityZone=fleet.ZONE["a"]) == []


@pytest.mark.parametrize("reached, percent, decision", [(2, 66.7, "reaches"), (1, 33.3, "cut off"), (0, 0, "cut off")])
def test_probe_wants_most_of_the_targets(function, nodes, agents, reached, percent, decision):
    nodes.reached[A] = reached
    run = function("nat-health-probe", NATXDP_AGENT_PORT=agents[1])
    assert run(fleet.schedule())["nodes"][0]["decision"] == decision
    assert run.metric("NATReachability", AvailabilityZone=fleet.ZONE["a"]) == [pytest.approx(percent, abs=0.1)]
    assert run.metric("NATReachability", AvailabilityZone=fleet.ZONE["b"]) == [100]


def test_probe_of_a_silent_node_asks_the_others(function, standin, nodes, agents):
    """Only where the agent does not answer either is it cut off."""
    nodes.silent = {A, B}
    agents[0]["b"] = 503
    standin.world.target_groups[account.GROUPS["b"]]["targets"] = {f"{B}:8080": "unhealthy"}
    run = function("nat-health-probe", NATXDP_AGENT_PORT=agents[1])
    assert [node["decision"] for node in run(fleet.schedule())["nodes"]] == ["unknown", "cut off"]
    assert run.metric("NATReachability", AvailabilityZone=fleet.ZONE["a"]) == []
    assert run.metric("NATReachability", AvailabilityZone=fleet.ZONE["b"]) == [0]


def test_probe_of_a_node_that_translates_nothing(function, nodes, agents):
    """What it sends itself arrives, and nobody is there to say that the rest does not."""
    nodes.exits[("verify", A)] = 10
    agents[0]["a"] = 503
    run = function("nat-health-probe", NATXDP_AGENT_PORT=agents[1])
    assert [node["decision"] for node in run(fleet.schedule())["nodes"]] == ["cut off", "reaches"]
    assert run.metric("NATReachability", AvailabilityZone=fleet.ZONE["a"]) == [0]


def test_probe_ends_its_rounds_with_the_clock(function, nodes, agents):
    """An alarm looks when a whole interval of the clock is over; the last value is young then."""
    run = function("nat-health-probe", NATXDP_AGENT_PORT=agents[1], NATXDP_PROBE_INTERVAL="3")
    began, times = time.time(), []

    def note():
        times.append(time.time())
        return 0

    nodes.exits[("verify", A)] = note
    answer = run(fleet.schedule(), deadline=12)
    assert answer["rounds"] == len(times) >= 3
    assert times[0] - began < 2  # at once
    for at in times[1:]:
        assert (at + 6.5) % 3 < 1.5, times


def test_probe_of_a_zone_without_a_node(function, standin, agents):
    standin.world.instances[B]["state"] = "stopped"
    run = function("nat-health-probe", NATXDP_AGENT_PORT=agents[1])
    run(fleet.schedule())
    assert run.metric("NATReachability", AvailabilityZone=fleet.ZONE["b"]) == [0]


def test_probe_goes_on_while_its_time_lasts(function, agents):
    run = function("nat-health-probe", NATXDP_AGENT_PORT=agents[1], NATXDP_PROBE_INTERVAL="1")
    began = time.monotonic()
    answer = run(fleet.schedule(), deadline=6)
    assert answer["rounds"] >= 3
    assert time.monotonic() - began < 6


# ---- config-guard


def test_guard_of_a_fleet_that_is_fine(function, standin, nodes):
    run = function("config-guard")
    assert run(fleet.schedule()) == {"drifted": 0, "fine": 2, "quarantined": 0}
    assert not nodes.runs("repair")
    assert run.metric("ConfigDriftCount", AvailabilityZone=fleet.ZONE["a"]) == [0]


def test_guard_repairs(function, standin, nodes):
    nodes.exits[("verify", A)] = 9
    run = function("config-guard")
    assert run(fleet.schedule()) == {"drifted": 1, "fine": 2, "quarantined": 0}
    assert [entry[1] for entry in nodes.runs("repair")] == [A]
    assert calls(standin, "SetInstanceHealth") == []


def test_guard_quarantines_who_does_not_converge(function, standin, nodes):
    nodes.exits.update({("verify", A): 10, ("repair", A): 10})
    run = function("config-guard")
    assert run(fleet.schedule()) == {"drifted": 1, "fine": 1, "quarantined": 1}
    assert [call["InstanceId"] for call in calls(standin, "SetInstanceHealth")] == [A]
    assert standin.world.groups["egress-eu-central-1a"]["instances"][A]["health"] == "Unhealthy"
    assert run.metric("ConfigDriftCount", AvailabilityZone=fleet.ZONE["a"]) == [1]
    assert run.logged(action="SetInstanceHealth", before="Healthy", after="Unhealthy")


def test_guard_never_takes_the_last_one(function, standin, nodes):
    nodes.exits.update({(use, node): 10 for use in ("verify", "repair") for node in (A, B)})
    run = function("config-guard")
    assert run(fleet.schedule())["quarantined"] == 0
    assert calls(standin, "SetInstanceHealth") == []
    assert len(run.logged(decision="keep")) == 2


def test_guard_only_looks_in_a_dry_run(function, standin, nodes):
    nodes.exits.update({("verify", A): 10, ("repair", A): 10})
    assert function("config-guard")({"dry_run": True})["drifted"] == 1
    assert not nodes.runs("repair") and not calls(standin, "SetInstanceHealth")


# ---- nat-isolate


def blocked(standin):
    return [item["address"] for item in
            json.loads(standin.world.parameters["/natxdp/egress/blocked"]["value"])]


def test_isolate_a_finding_twice_and_release(function, standin, nodes):
    standin.world.instances["i-30000000000000000"] = {"zone": fleet.ZONE["a"], "subnet": "subnet-1",
                                                      "tags": {}}
    run = function("nat-isolate")
    for _ in range(2):
        answer = run(fleet.finding())
        assert [item["address"] for item in answer["blocked"]] == ["10.0.3.4"]
    assert sorted(entry[1] for entry in nodes.runs("block")) == [A, A, B, B]
    assert all(entry[2] == {"verb": "add", "address": "10.0.3.4"} for entry in nodes.runs("block"))
    assert standin.world.instances["i-30000000000000000"]["tags"]["natxdp:isolated"].startswith("Crypto")
    assert len(calls(standin, "PutParameter")) == 1
    assert run.metric("IsolatedAddressCount", AvailabilityZone=fleet.ZONE["a"]) == [1, 1]
    assert run.metric("IsolatedAddressCount", AvailabilityZone=fleet.ZONE["b"]) == [1, 1]
    assert run({"action": "release", "address": "10.0.3.4"})["blocked"] == []
    assert [entry[2]["verb"] for entry in nodes.ran[-2:]] == ["del", "del"]
    assert blocked(standin) == []


def test_isolate_says_which_node_was_not_reached_and_keeps_the_address(function, standin, nodes):
    nodes.silent = {B}
    with pytest.raises(Failed, match=B):
        function("nat-isolate")({"action": "block", "address": "10.0.3.4"})
    assert blocked(standin) == ["10.0.3.4"]
    assert [entry[1] for entry in nodes.runs("block")] == [A]


@pytest.mark.parametrize("event, says", [
    ({}, "no text in action"),
    ({"action": "isolate", "address": "10.0.3.4"}, "action isolate: block, release or list"),
    ({"action": "block"}, "no text in address"),
    ({"action": "block", "address": "10.0.3"}, "10.0.3 is no IPv4 address"),
    ({"action": "block", "address": "fd00::1"}, "fd00::1 is no IPv4 address"),
    (fleet.finding(address="10.0.3.4; reboot"), "is no IPv4 address"),
])
def test_isolate_refuses(function, standin, nodes, event, says):
    with pytest.raises(Failed, match=re.escape(says)) as failed:
        function("nat-isolate")(event)
    assert failed.value.kind == "BadEvent"
    assert not nodes.ran and not standin.calls()


def test_isolate_does_not_overwrite_a_list_that_it_cannot_read(function, standin):
    standin.world.parameters["/natxdp/egress/blocked"]["value"] = "{broken"
    with pytest.raises(Failed, match="/natxdp/egress/blocked is no list"):
        function("nat-isolate")({"action": "block", "address": "10.0.3.4"})
    assert standin.world.parameters["/natxdp/egress/blocked"]["value"] == "{broken"


# ---- nat-probe-runner


def test_probes_run_and_are_published(function, standin):
    run = function("nat-probe-runner", NATXDP_RESULTS_BUCKET="results")
    answer = run(fleet.schedule())
    assert len(answer["probes"]) == 4
    for zone in "ab":
        where = {"AvailabilityZone": fleet.ZONE[zone]}
        assert run.metric("ProbeSuccess", **where) == [100, 100]
        assert run.metric("ProbeLatency", **where)[0] == pytest.approx(100)
        assert run.metric("ProbeThroughput", **where) == [1e9]
    assert {(call["DocumentName"], call["OutputS3BucketName"], call["OutputS3KeyPrefix"])
            for call in calls(standin, "SendCommand")} == {
        ("egress-probe-web", "results", "web"), ("egress-probe-throughput", "results", "throughput")}


def test_a_probe_that_fails_counts(function, nodes):
    nodes.outputs[("web", fleet.PROBES["a"])] = "https://example.com 000 0.000 5.000\nhttps://example.org 200 0.01 0.05\n"
    run = function("nat-probe-runner")
    run({"document": "web"})
    assert run.metric("ProbeSuccess", AvailabilityZone=fleet.ZONE["a"]) == [50]
    assert not nodes.runs("throughput")


def test_no_answer_of_any_probe_is_a_failure(function, nodes):
    nodes.silent = set(fleet.PROBES.values())
    with pytest.raises(Failed, match="no probe answered"):
        function("nat-probe-runner")(fleet.schedule())


# ---- nat-janitor


def leave_things(world):
    old, new = str(int(time.time()) - 100000), str(int(time.time()) - 10)
    mine = {"natxdp:nat": fleet.NAT, "natxdp:ephemeral": "true"}
    world.instances["i-old"] = {"zone": "z", "subnet": "s", "tags": mine}
    world.instances["i-other"] = {"zone": "z", "subnet": "s", "tags": {**mine, "natxdp:nat": "other"}}
    for name, tags, instance in (("eni-old", {**mine, "natxdp:created": old}, None),
                                 ("eni-new", {**mine, "natxdp:created": new}, None),
                                 ("eni-ageless", mine, None),
                                 ("eni-used", {**mine, "natxdp:created": old}, "i-old"),
                                 ("eni-kept", {"natxdp:nat": fleet.NAT, "natxdp:created": old}, None)):
        world.interfaces[name] = {"zone": "z", "subnet": "s", "addresses": ["10.9.9.9"], "tags": tags,
                                  "instance": instance}
    world.addresses["eipalloc-old"] = {"public_ip": "203.0.113.77", "tags": {**mine, "natxdp:created": old}}
    world.target_groups[account.GROUPS["a"]]["targets"]["i-gone:8080"] = "unhealthy"


def test_janitor_removes_what_is_old_and_ours(function, standin):
    leave_things(standin.world)
    run = function("nat-janitor")
    answer = run(fleet.schedule())
    assert {(left["kind"], left["id"]) for left in answer["left"]} == {
        ("instance", "i-old"), ("interface", "eni-old"), ("address", "eipalloc-old"), ("target", "i-gone")}
    assert answer["withoutAge"] == 1
    assert [call["InstanceIds"] for call in calls(standin, "TerminateInstances")] == [["i-old"]]
    assert [call["NetworkInterfaceId"] for call in calls(standin, "DeleteNetworkInterface")] == ["eni-old"]
    assert [call["AllocationId"] for call in calls(standin, "ReleaseAddress")] == ["eipalloc-old"]
    assert len(calls(standin, "DeregisterTargets")) == 1
    assert run.metric("JanitorRemovedCount", AvailabilityZone=fleet.ZONE["b"]) == [4]
    again = run(fleet.schedule())
    assert not {left["kind"] for left in again["left"]} & {"interface", "address", "target"}


def test_janitor_changes_nothing_in_a_dry_run(function, standin):
    leave_things(standin.world)
    run = function("nat-janitor", NATXDP_DRY_RUN="true")
    assert len(run(fleet.schedule())["left"]) == 4
    assert {entry.action for entry in standin.calls()} <= {
        "DescribeInstances", "DescribeAddresses", "DescribeNetworkInterfaces", "DescribeTargetHealth"}
    assert len(run.logged(dryRun=True)) == 4


def test_janitor_goes_on_after_one_refusal_and_says_so(function, standin):
    leave_things(standin.world)
    standin.faults.add(action="DeleteNetworkInterface", error="OperationNotPermitted", status=400)
    with pytest.raises(Failed, match="OperationNotPermitted"):
        function("nat-janitor")(fleet.schedule())
    assert len(calls(standin, "ReleaseAddress")) == 1
    assert len(calls(standin, "TerminateInstances")) == 1


def test_janitor_reads_the_event(function, standin):
    leave_things(standin.world)
    run = function("nat-janitor")
    with pytest.raises(Failed, match="max_age_s"):
        run({"max_age_s": "all"})
    with pytest.raises(Failed, match="dry_run of the event is not true or false"):
        run({"dry_run": "no"})
    assert standin.calls() == []
    assert len(run({"max_age_s": 200000, "dry_run": True})["left"]) == 2  # the instance and the target
