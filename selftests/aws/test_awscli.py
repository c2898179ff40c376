# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""Debian's awscli against the stand-in: a client that is not ours reads what we answer."""

import json
import os
import subprocess

import account
import pytest
from account import ADDRESSES, GROUPS, INSTANCES, INTERFACES, TABLES
from driver import STATIC


@pytest.fixture
def aws(standin, tmp_path):
    def run(*arguments, environment=None):
        clean = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        done = subprocess.run(
            ["/usr/bin/aws", "--endpoint-url", standin.url, "--region", standin.region,
             "--output", "json", *arguments], capture_output=True, text=True, timeout=60,
            env={**clean, **(environment or STATIC), "HOME": str(tmp_path), "AWS_MAX_ATTEMPTS": "3"})
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout.strip() else {}
    return run


def test_compute(aws, standin, start):
    aws("ec2", "replace-route", "--route-table-id", TABLES["a"], "--destination-cidr-block",
        "0.0.0.0/0", "--network-interface-id", INTERFACES["b"])
    tables = aws("ec2", "describe-route-tables", "--route-table-ids", TABLES["a"])["RouteTables"]
    route = next(route for route in tables[0]["Routes"]
                 if route.get("DestinationCidrBlock") == "0.0.0.0/0")
    assert route == {"DestinationCidrBlock": "0.0.0.0/0", "NetworkInterfaceId": INTERFACES["b"],
                     "Origin": "CreateRoute", "State": "active"}
    done = aws("ec2", "associate-address", "--allocation-id", ADDRESSES["a"],
               "--network-interface-id", INTERFACES["b"], "--private-ip-address", "10.0.1.11")
    ours = start().ok("DescribeAddresses", {"ids": [ADDRESSES["a"]]})["items"][0]
    assert ours["association"] == done["AssociationId"]
    instances = aws("ec2", "describe-instances", "--filters", "Name=tag:Name,Values=nat-*")
    assert [item["Instances"][0]["InstanceId"] for item in instances["Reservations"]] == \
        list(INSTANCES.values())
    assert instances["Reservations"][0]["Instances"][0]["Tags"][1]["Value"] == "<&>\"' ü"


def test_services(aws, standin):
    aws("cloudwatch", "put-metric-data", "--namespace", "N", "--metric-name", "m", "--value", "1.5",
        "--unit", "Bytes", "--dimensions", "a=b")
    assert standin.world.metrics[0]["Value"] == 1.5
    aws("logs", "create-log-group", "--log-group-name", "g")
    assert "g" in standin.world.log_groups
    health = aws("elbv2", "describe-target-health", "--target-group-arn", GROUPS["a"])
    assert health["TargetHealthDescriptions"][0]["TargetHealth"]["State"] == "healthy"
    groups = aws("autoscaling", "describe-auto-scaling-groups")["AutoScalingGroups"]
    assert [item["InstanceId"] for item in groups[0]["Instances"]] == list(INSTANCES.values())
    assert aws("ssm", "get-parameter", "--name", "/natxdp/state")["Parameter"]["Version"] == 3
    item = aws("dynamodb", "get-item", "--table-name", "lease", "--key", '{"zone": {"S": "a"}}')
    assert item["Item"] == account.world()["tables"]["lease"]["items"][0]


def test_role_from_imds(aws, standin):
    aws("ec2", "describe-addresses",
        environment={"AWS_EC2_METADATA_SERVICE_ENDPOINT": standin.imds_url + "/"})
    assert standin.calls()[0].key == "ASIAROLE0001"


def test_retries(aws, standin):
    standin.faults.add(error="Throttling", times=2)
    aws("autoscaling", "describe-auto-scaling-groups")
    assert [entry.status for entry in standin.calls()] == [400, 400, 200]


@pytest.mark.parametrize("change, code", [
    ({"table": "x"}, "InvalidRouteTableID.NotFound"),
    ({"target": "eni-0"}, "InvalidNetworkInterfaceID.NotFound")])
def test_errors_read_alike(aws, standin, start, change, code):
    args = {**account.requests()["ReplaceRoute"], **change}
    ours = start().call("ReplaceRoute", args)
    with pytest.raises(AssertionError, match=rf"\({code}\)") as theirs:
        aws("ec2", "replace-route", "--route-table-id", args["table"], "--destination-cidr-block",
            args["cidr"], "--network-interface-id", args["target"])
    assert ours["code"] == code and ours["message"] in str(theirs.value)
