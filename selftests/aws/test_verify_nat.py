# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
# test-timeout: 600
"""scripts/verify_nat.sh with Debian's awscli against the stand-in: a NAT that works, and each way to be wrong."""

import json
import os
import re
import subprocess
import time
from pathlib import Path

import pytest
from account import ADDRESSES, GROUPS, INSTANCES, INTERFACES, TABLES, ZONES
from driver import STATIC

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "verify_nat.sh"
PROBES = {zone: f"i-00000000000000b0{zone}" for zone in ZONES}
AZ = {zone: f"eu-central-1{zone}" for zone in ZONES}
SEEN = {PROBES[zone]: f"203.0.113.{index + 1}" for index, zone in enumerate(ZONES)}
METRICS = {"ActiveConnectionCount": 7.0, "BytesOutToDestination": 12345.0, "ErrorPortAllocation": 0.0}

# `terraform output -json` of an environment, as terraform/envs/test has it.
OUTPUTS = {
    "region": {"value": "eu-central-1"},
    "nat": {"value": {
        "name": "egress", "mode": "eni",
        "autoscaling_groups": {"all": "nat"},
        "network_interface_ids": {AZ[zone]: INTERFACES[zone] for zone in ZONES},
        "route_tables": {TABLES[zone]: AZ[zone] for zone in ZONES},
        "public_ips": {AZ[zone]: [SEEN[PROBES[zone]]] for zone in ZONES},
        "target_groups": {AZ[zone]: GROUPS[zone] for zone in ZONES},
        "probes": {AZ[zone]: PROBES[zone] for zone in ZONES},
    }},
}  # fmt: skip


def on_instance(instance, lines):
    """What is there when a command comes by Systems Manager: (exit status, output, errors)."""
    [line] = lines
    if line == "natxdp verify --json":
        return 0, '{"result":"ok","checks":[]}\n', ""
    assert line.startswith("curl ") and instance in SEEN, line
    return 0, SEEN[instance] + "\n", ""


@pytest.fixture
def world(standin):
    world = standin.world
    for zone in ZONES:
        world.interfaces[INTERFACES[zone]]["source_dest_check"] = False
        world.instances[PROBES[zone]] = {**world.instances[INSTANCES[zone]], "tags": {}}
        for name, value in METRICS.items():
            put(world, name, zone, value)
    world.run_command = on_instance
    return world


def put(world, name, zone, value):
    world.metrics.append({
        "Namespace": "NATXDP", "MetricName": name, "Value": value, "Timestamp": time.time() - 60,
        "Dimensions": [{"Name": "NatId", "Value": "egress"}, {"Name": "AvailabilityZone", "Value": AZ[zone]}],
    })  # fmt: skip


@pytest.fixture
def verify(standin, world, tmp_path):
    def run(outputs=OUTPUTS, status=None):
        (tmp_path / "outputs").write_text(json.dumps(outputs))
        environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        environment |= {**STATIC, "HOME": str(tmp_path), "AWS": "/usr/bin/aws", "AWS_ENDPOINT_URL": standin.url,
                        "NAT_OUTPUTS": str(tmp_path / "outputs"), "AWS_MAX_ATTEMPTS": "1", "PATIENCE": "20"}  # fmt: skip
        done = subprocess.run([SCRIPT, "test"], env=environment, capture_output=True, text=True, timeout=280, check=False)
        wrong = re.findall(r"^WRONG  (.*)$", done.stdout, re.M)
        assert done.returncode == (1 if wrong else 0), done.stdout + done.stderr
        assert done.stdout.endswith(f", {len(wrong)} wrong\n"), done.stdout + done.stderr
        return wrong, done.stdout

    return run


def test_a_nat_that_works(verify):
    wrong, said = verify()
    assert wrong == [], said
    assert said.startswith("NAT egress, mode eni, eu-central-1\n")
    assert "ok     group nat                          2 of 2 nodes in service" in said
    assert f"to node {AZ['a']}, {INTERFACES['a']}" in said
    assert "ok ActiveConnectionCount (eu-central-1b) 7" in re.sub(" +", " ", said)
    assert re.search(r"egress from eu-central-1a +seen as 203.0.113.1, expected 203.0.113.1", said)
    assert said.endswith("\n19 checks, 0 wrong\n")


def test_a_failover_is_said_and_is_not_wrong(verify, world):
    world.route_tables[TABLES["a"]]["routes"]["0.0.0.0/0"] = {"NetworkInterfaceId": INTERFACES["b"]}
    world.addresses[ADDRESSES["a"]]["interface"] = INTERFACES["b"]
    nat = {**OUTPUTS["nat"]["value"], "probes": {}}
    wrong, said = verify({**OUTPUTS, "nat": {"value": nat}})
    assert len(wrong) == 1 and "there are no probes" in wrong[0]
    assert re.search(rf"^moved  route of {TABLES['a']} .* to node {AZ['b']}, {INTERFACES['b']}: a failover$", said, re.M)


def test_everything_that_is_wrong_is_said(verify, world):
    """One run, with something wrong in every part."""
    world.groups["nat"]["instances"][INSTANCES["b"]]["health"] = "Unhealthy"
    world.route_tables[TABLES["a"]]["routes"]["0.0.0.0/0"] = {"NetworkInterfaceId": "eni-0000000000000000f"}
    world.route_tables[TABLES["b"]]["routes"]["0.0.0.0/0"] = {"GatewayId": "igw-00000000000000001"}
    world.interfaces[INTERFACES["b"]]["source_dest_check"] = True
    for name in ("interface", "private_address", "association"):
        del world.addresses[ADDRESSES["a"]][name]
    world.target_groups[GROUPS["b"]]["targets"] = {f"{INSTANCES['b']}:8080": "unhealthy"}
    world.metrics[:] = [datum for datum in world.metrics if datum["MetricName"] != "BytesOutToDestination"]
    put(world, "ErrorPortAllocation", "b", 3.0)

    def run_command(instance, lines):
        if "natxdp" in lines[0] and instance == INSTANCES["a"]:
            return 10, '{"result":"broken"}\n', "natxdp: the NAT does not translate\n"
        return (0, "198.51.100.9\n", "") if instance == PROBES["b"] else on_instance(instance, lines)

    world.run_command = run_command
    wrong, said = verify()
    expected = [
        "group nat ", f"route of {TABLES['a']} ({AZ['a']}) to eni-0000000000000000f, blackhole",
        f"route of {TABLES['b']} ({AZ['b']}) to igw-00000000000000001, which is no node of this NAT",
        f"interface of {AZ['b']} ", f"address 203.0.113.1 ({AZ['a']}) at nothing", f"target group {AZ['b']} ",
        f"BytesOutToDestination ({AZ['a']}) no value in 15 minutes", f"BytesOutToDestination ({AZ['b']}) no value",
        f"ErrorPortAllocation ({AZ['b']}) 3", f"a packet through {INSTANCES['a']} broken", f"egress from {AZ['b']} ",
    ]  # fmt: skip
    assert len(wrong) == len(expected), said
    for line, start in zip(wrong, expected):
        assert line.startswith(start), said
    assert "seen as 198.51.100.9, expected 203.0.113.2" in said


def test_usage(tmp_path):
    for words, says in ((["nowhere"], "there is no terraform/envs/nowhere"), ([], "verify_nat.sh ENV"), (["-h"], "verify_nat.sh ENV")):
        done = subprocess.run([SCRIPT, *words], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 2 and says in done.stderr and done.stdout == ""
