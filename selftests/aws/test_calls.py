# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""Each call of the client, as it should be: what arrives, what it does, what comes back."""

import math
import time

import account
import botocore.loaders
import pytest
from account import ADDRESSES, GROUPS, INSTANCES, INTERFACES, LISTENER, RULE, SPARE, SUBNETS, TABLES
from standin import shapes

ACTIONS = sorted(account.requests())
NAMES = {"CLOUDWATCH": "cloudwatch", "LOGS": "logs", "EC2": "ec2", "ELB": "elbv2",
         "AUTOSCALING": "autoscaling", "SSM": "ssm", "DYNAMODB": "dynamodb"}


def test_table(start):
    """Each row agrees with AWS's own description of the service."""
    driver = start()
    rows = driver.wait(driver.send(table=True))["rows"]
    assert sorted(row["action"] for row in rows) == ACTIONS
    for row in rows:
        service = shapes.model(row["prefix"])
        assert shapes.MODELS[row["prefix"]] == NAMES[row["service"]]
        assert row["action"] in service.operation_names
        meta = service.metadata
        if meta["protocol"] == "json":
            assert row["protocol"] == "json " + meta["jsonVersion"]
            assert row["version"] == meta["targetPrefix"]
        else:
            assert (row["protocol"], row["version"]) == (meta["protocol"], meta["apiVersion"])
        assert meta.get("signingName", meta["endpointPrefix"]) == row["prefix"]
        # IAM names services as their signatures are named, but for CloudWatch
        prefix = "cloudwatch" if row["service"] == "CLOUDWATCH" else row["prefix"]
        assert row["iam"] == f"{prefix}:{row['action']}"


@pytest.mark.parametrize("action", ACTIONS)
def test_good(standin, start, action):
    driver = start()
    result = driver.call(action, account.requests()[action])
    assert (result["fault"], result["attempts"], result["status"]) == ("ok", 1, 200), result
    assert result["message"] == "" and result["code"] == "" and not result["maybe_done"]
    assert [entry.action for entry in standin.calls()] == [action]


def world_after(standin, driver, action, **changes):
    driver.ok(action, {**account.requests()[action], **changes})
    return standin.world


def test_routes(standin, start):
    driver = start()
    world_after(standin, driver, "ReplaceRoute")
    world_after(standin, driver, "CreateRoute")
    world_after(standin, driver, "ReplaceRoute", cidr="::/0", kind=2, target="igw-1")
    world_after(standin, driver, "CreateRoute", cidr="192.0.2.0/24", kind=4, target="vpce-1")
    assert standin.world.route_tables[TABLES["a"]]["routes"] == {
        "10.0.0.0/16": {"GatewayId": "local"}, "0.0.0.0/0": {"NetworkInterfaceId": INTERFACES["b"]},
        "::/0": {"GatewayId": "igw-1"}, "198.51.100.0/24": {"NetworkInterfaceId": INTERFACES["b"]},
        "192.0.2.0/24": {"VpcEndpointId": "vpce-1"}}
    standin.world.interfaces[INTERFACES["b"]]["instance"] = None
    tables = driver.ok("DescribeRouteTables", {"filters": {"tag:az": ["a", "x"]}})["items"]
    assert len(tables) == 1
    assert (tables[0]["id"], tables[0]["subnets"], tables[0]["tags"]) == \
        (TABLES["a"], [SUBNETS["a"]], {"az": "a"})
    routes = {route["destination"]: route for route in tables[0]["routes"]}
    assert routes["0.0.0.0/0"] == {"destination": "0.0.0.0/0", "interface": INTERFACES["b"],
                                   "gateway": "", "state": "blackhole"}
    assert routes["::/0"]["gateway"] == "igw-1" and routes["::/0"]["state"] == "active"
    assert routes["192.0.2.0/24"]["gateway"] == "vpce-1"


def test_addresses(standin, start):
    driver = start()
    first = driver.ok("AssociateAddress", account.requests()["AssociateAddress"])
    again = driver.ok("AssociateAddress", account.requests()["AssociateAddress"])
    assert first == again  # as if made once
    kept = driver.call("AssociateAddress", {"allocation": ADDRESSES["b"], "keep": True,
                                            "interface": INTERFACES["b"], "address": "10.0.1.11"})
    assert (kept["fault"], kept["code"]) == ("refused", "Resource.AlreadyAssociated")
    assert driver.ok("DescribeAddresses", {"ids": [ADDRESSES["a"]]})["items"] == [{
        "allocation": ADDRESSES["a"], "public_ip": "203.0.113.1", "association": first["id"],
        "interface": INTERFACES["b"], "instance": INSTANCES["b"], "private_address": "10.0.1.11",
        "tags": {}}]
    driver.ok("DisassociateAddress", {"association": first["id"]})
    assert driver.ok("DescribeAddresses", {"ids": [ADDRESSES["a"]]})["items"][0]["association"] == ""


def test_instances(standin, start):
    driver = start()
    world = standin.world
    world_after(standin, driver, "CreateTags")
    world_after(standin, driver, "ModifyInstanceAttribute")
    world_after(standin, driver, "AssignPrivateIpAddresses")
    page = driver.ok("DescribeInstances", {"filters": {"instance-state-name": ["running"]},
                                           "page_size": 1})
    assert page["next_token"]
    item = page["items"][0]
    assert (item["id"], item["state"], item["zone"]) == (INSTANCES["a"], "running", "eu-central-1a")
    assert item["tags"] == {"Name": "nat-a", "note": "<&>\"' ü", "state": "drained & gone"}
    assert item["launch_time"].startswith("2026-01-01T00:00:00")
    interface = item["interfaces"][0]
    assert interface["source_dest_check"] is False
    assert [(a["address"], a["primary"], a["public_ip"]) for a in interface["addresses"]] == [
        ("10.0.0.10", True, "203.0.113.1"), ("10.0.0.11", False, ""), ("10.0.0.12", False, "")]
    rest = driver.ok("DescribeInstances", {"next_token": page["next_token"], "page_size": 1})
    assert [item["id"] for item in rest["items"]] == [INSTANCES["b"]] and not rest["next_token"]
    world_after(standin, driver, "TerminateInstances")
    assert world.instances[INSTANCES["b"]]["state"] == "shutting-down"
    world.instances[INSTANCES["a"]].update(
        status={"system": "impaired"}, events=["[Completed] reboot", "reboot"])
    assert driver.ok("DescribeInstanceStatus")["items"] == [{
        "id": INSTANCES["a"], "state": "running", "system": "impaired", "instance": "ok",
        "events": 1}]


def test_interfaces(standin, start):
    driver = start()
    world_after(standin, driver, "ModifyNetworkInterfaceAttribute")
    items = driver.ok("DescribeNetworkInterfaces", {"filters": {"status": ["available"]}})["items"]
    assert [(item["id"], item["instance"], item["source_dest_check"], item["status"])
            for item in items] == [(SPARE, "", False, "available")]
    used = driver.call("DeleteNetworkInterface", {"interface": INTERFACES["a"]})
    assert (used["fault"], used["code"]) == ("refused", "InvalidNetworkInterface.InUse")
    world_after(standin, driver, "DeleteNetworkInterface")
    assert SPARE not in standin.world.interfaces
    gone = driver.call("DescribeNetworkInterfaces", {"ids": [SPARE]})
    assert gone["code"] == "InvalidNetworkInterfaceID.NotFound" and SPARE in gone["message"]


def test_load_balancing(standin, start):
    driver = start()
    world_after(standin, driver, "RegisterTargets")
    world_after(standin, driver, "DeregisterTargets")
    states = driver.ok("DescribeTargetHealth", {"group": GROUPS["a"]})["items"]
    assert states == [
        {"id": INSTANCES["a"], "port": 8080, "state": "draining",
         "reason": "Target.DeregistrationInProgress"},
        {"id": INSTANCES["b"], "port": 8080, "state": "initial",
         "reason": "Elb.RegistrationInProgress"}]
    [listener] = driver.ok("DescribeListeners", {"listener": LISTENER})["items"]
    assert listener == {"arn": LISTENER, "forwards": True,
                        "weights": {GROUPS["a"]: 100, GROUPS["b"]: 100}}
    world_after(standin, driver, "ModifyListener")
    world_after(standin, driver, "ModifyRule")
    assert standin.world.listeners[LISTENER]["weights"] == {GROUPS["a"]: 0, GROUPS["b"]: 100}
    assert standin.world.rules[RULE]["weights"] == {GROUPS["a"]: 1, GROUPS["b"]: 999}


def test_auto_scaling(standin, start):
    driver = start()
    world_after(standin, driver, "RecordLifecycleActionHeartbeat")
    world_after(standin, driver, "CompleteLifecycleAction")
    world_after(standin, driver, "CompleteLifecycleAction", go_on=False, instance=None, token="t" * 36)
    assert standin.world.lifecycle_actions == [
        ("launch", "nat", INSTANCES["a"], "heartbeat"), ("launch", "nat", INSTANCES["a"], "CONTINUE"),
        ("launch", "nat", "t" * 36, "ABANDON")]
    world_after(standin, driver, "SetInstanceHealth")
    group = driver.ok("DescribeAutoScalingGroups")["items"][0]
    assert (group["name"], group["minimum"], group["maximum"], group["desired"], group["tags"]) == \
        ("nat", 2, 4, 2, {"team": "net"})
    assert [(i["id"], i["lifecycle_state"], i["health"]) for i in group["instances"]] == [
        (INSTANCES["a"], "InService", "Unhealthy"), (INSTANCES["b"], "InService", "Healthy")]


def test_systems_manager(standin, start):
    standin.world.run_command = lambda instance, lines: (3, f"{instance}: {lines[0]}", "no <path>")
    driver = start()
    command = driver.ok("SendCommand", account.requests()["SendCommand"])
    where = {"command": command["id"], "instance": INSTANCES["a"]}
    assert driver.ok("GetCommandInvocation", where) == {
        "status": "Failed", "exit_code": 3, "errors": "no <path>",
        "output": f"{INSTANCES['a']}: natxdp verify --json"}
    early = driver.call("GetCommandInvocation", {**where, "instance": INSTANCES["b"]})
    assert (early["fault"], early["code"]) == ("refused", "InvocationDoesNotExist")
    assert driver.ok("PutParameter", account.requests()["PutParameter"]) == {"version": 4}
    assert driver.ok("GetParameter", {"name": "/natxdp/state"}) == {
        "name": "/natxdp/state", "value": "é\"\n", "version": 4}
    assert driver.call("GetParameter", {"name": "/none"})["code"] == "ParameterNotFound"
    assert driver.call("PutParameter", {"name": "/natxdp/state", "value": "x"})["code"] == \
        "ParameterAlreadyExists"


def test_lease(standin, start):
    driver = start()
    taken = driver.ok("UpdateItem", account.requests()["UpdateItem"])
    assert taken == {"zone": ["S", "a"], "owner": ["S", "node-2"], "epoch": ["N", "8"],
                     "held": ["BOOL", "true"]}
    late = driver.call("UpdateItem", account.requests()["UpdateItem"])
    assert (late["fault"], late["code"], late["attempts"]) == \
        ("refused", "ConditionalCheckFailedException", 1)
    assert driver.ok("GetItem", {"table": "lease", "map": {"zone": "a"}}) == taken
    assert driver.ok("GetItem", {"table": "lease", "map": {"zone": "z"}}) == {}
    assert standin.calls("GetItem")[0].params["ConsistentRead"] is True
    driver.ok("PutItem", account.requests()["PutItem"])
    again = driver.call("PutItem", account.requests()["PutItem"])
    assert again["code"] == "ConditionalCheckFailedException"
    assert standin.world.tables["lease"]["items"][1] == {
        "zone": {"S": "b"}, "epoch": {"N": "1"}, "held": {"BOOL": False}}


def test_metrics(standin, start):
    now = int(time.time())
    tricky = [0, 1, -1.5, 0.1, 1e15, 123456789012345678, 1e300 * 0, 2.0 ** 60, 1 / 3, 5e-9]
    driver = start()
    driver.ok("PutMetricData", {"namespace": "NATXDP/é&=+", "metrics": [
        {"name": "one", "unit": "Count/Second", "timestamp": now, "value": 0.1, "resolution": 1,
         "dimensions": {"NatId": "nat a&b=c", "AZ": "x"}},
        {"name": "two", "unit": "Bytes", "timestamp": now - 60, "samples": 3, "sum": 6.5,
         "minimum": 1, "maximum": 4},
        {"name": "three", "timestamp": now, "values": tricky, "counts": [1] * 9 + [4]}]})
    one, two, three = standin.world.metrics
    assert one == {"Namespace": "NATXDP/é&=+", "MetricName": "one", "Unit": "Count/Second",
                   "Timestamp": now, "StorageResolution": 1, "Value": 0.1, "Dimensions": [
                       {"Name": "NatId", "Value": "nat a&b=c"}, {"Name": "AZ", "Value": "x"}]}
    assert two["StatisticValues"] == {"SampleCount": 3, "Sum": 6.5, "Minimum": 1, "Maximum": 4}
    assert three["Values"] == [float(value) for value in tricky]
    assert three["Counts"] == [1] * 9 + [4] and math.isclose(three["Values"][8], 1 / 3, rel_tol=0)
    driver.ok("PutMetricData", account.requests()["PutMetricData"])
    assert "content-encoding" not in standin.calls()[1].headers  # not worth it


def test_metrics_compressed(standin, start):
    metric = {**account.requests()["PutMetricData"]["metrics"][0], "values": [1.5] * 8}
    driver = start()
    driver.ok("PutMetricData", {"namespace": "NATXDP", "metrics": [metric], "repeat": 1000})
    entry = standin.calls()[0]
    assert len(standin.world.metrics) == 1000
    assert entry.headers["content-encoding"] == "gzip" and entry.length < 100_000
    full = driver.call("PutMetricData", {"namespace": "NATXDP", "metrics": [metric], "repeat": 1001})
    assert full["error"] == -28  # ENOSPC


def test_log_events(standin, start):
    now = int(time.time() * 1000)
    messages = ["one", "{\"a\": \"\\\\\"}", "\x01\x1f\t\n", "ü € 😀", "x" * 200_000]
    driver = start()
    where = {"group": "natxdp", "stream": "flows"}
    events = [{"time": now + index, "message": text} for index, text in enumerate(messages)]
    assert driver.ok("PutLogEvents", {**where, "events": events}) == {
        "taken_from": 0, "taken_to": 2 ** 32 - 1}
    assert standin.world.log_groups["natxdp"]["flows"] == [
        (event["time"], event["message"]) for event in events]
    old = [{"time": now - 14 * 86400_000 - 60_000, "message": "old"}, {"time": now - 14 * 86400_000 + 60_000,
                                                             "message": "fine"}]
    assert driver.ok("PutLogEvents", {**where, "events": old})["taken_from"] == 1
    missing = driver.call("PutLogEvents", {**where, "stream": "none", "events": events[:1]})
    assert (missing["fault"], missing["code"]) == ("refused", "ResourceNotFoundException")
    there = driver.call("CreateLogStream", where)
    assert there["code"] == "ResourceAlreadyExistsException"


def test_many_log_events(standin, start):
    now = int(time.time() * 1000)
    driver = start()
    driver.ok("PutLogEvents", {"group": "natxdp", "stream": "flows", "events": [
        {"time": now, "message": "flow record"} for _ in range(10000)]})
    assert len(standin.world.log_groups["natxdp"]["flows"]) == 10000


ENOSPC, EINVAL = -28, -22
DAY = 86400_000
EVENT = 256 * 1024 - 26


@pytest.mark.parametrize("messages, times, error", [
    (["x" * EVENT], [0], 0),
    (["x" * (EVENT + 1)], [0], EINVAL),
    (["ü" * (EVENT // 2)], [0], 0),
    (["ü" * (EVENT // 2 + 1)], [0], EINVAL),
    ([""], [0], EINVAL),
    (["x"] * 10000, [0], 0),
    (["x"] * 10001, [0], ENOSPC),
    (["x" * EVENT] * 3, [0], 0),
    (["x" * EVENT] * 4, [0], ENOSPC),
    (["\x01" * 30_000] * 5, [0], 0),  # six bytes each, as JSON has it
    (["\x01" * 30_000] * 6, [0], ENOSPC),
    (["a", "b"], [0, -1], ENOSPC),
    (["a", "b"], [1 - DAY, 0], 0),
    (["a", "b"], [-DAY, 0], ENOSPC),
], ids=["event", "event_too_long", "bytes", "bytes_too_many", "empty", "events", "events_too_many",
        "batch", "batch_too_large", "escapes", "escapes_too_many", "order", "day", "over_a_day"])
def test_limits_of_a_log_batch(standin, start, messages, times, error):
    """What is within them is taken, and what is not is never sent."""
    now = int(time.time() * 1000)
    times = times * (len(messages) // len(times))
    got = start().call("PutLogEvents", {"group": "natxdp", "stream": "flows", "events": [
        {"time": now + at, "message": text} for at, text in zip(times, messages)]})
    assert got.get("error", 0) == error, got
    assert len(standin.world.log_groups["natxdp"]["flows"]) == (0 if error else len(messages))


def test_log_events_out_of_time(standin, start):
    """Those that are too old, and too far in the future, are told from those that were taken."""
    now = int(time.time() * 1000)
    where = {"group": "natxdp", "stream": "flows"}
    late = [{"time": now + at, "message": "m"} for at in (0, 7100_000, 7300_000, 7300_000)]
    assert start().ok("PutLogEvents", {**where, "events": late}) == {
        "taken_from": 0, "taken_to": 2}
    assert len(standin.world.log_groups["natxdp"]["flows"]) == 2


def test_endpoints(start):
    """The same URLs as botocore's rules, for each service and kind of region."""
    from botocore.endpoint_provider import EndpointProvider
    loader = botocore.loaders.Loader()
    partitions = loader.load_data("partitions")
    driver = start()
    for ours, theirs in NAMES.items():
        rules = EndpointProvider(loader.load_service_model(theirs, "endpoint-rule-set-1"), partitions)
        for partition in partitions["partitions"]:
            if partition["id"] not in ("aws", "aws-cn", "aws-us-gov"):
                continue
            for region in partition["regions"]:
                if region.endswith("-global"):
                    continue
                for fips, dual in ((False, False), (True, False), (False, True), (True, True)):
                    expected = rules.resolve_endpoint(Region=region, UseFIPS=fips, UseDualStack=dual)
                    got = driver.wait(driver.send(endpoint=ours, region=region, fips=fips,
                                                  dualstack=dual))
                    assert got["url"] == expected.url + "/"
                    assert got["partition"] == partition["id"]
