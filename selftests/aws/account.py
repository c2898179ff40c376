# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""The world that tests start with, and one good request of each action."""

import time

ZONES = "ab"
SUBNETS = {zone: f"subnet-0000000000000000{zone}" for zone in ZONES}
INSTANCES = {zone: f"i-0000000000000000{zone}" for zone in ZONES}
INTERFACES = {zone: f"eni-0000000000000000{zone}" for zone in ZONES}
TABLES = {zone: f"rtb-0000000000000000{zone}" for zone in ZONES}
ADDRESSES = {zone: f"eipalloc-0000000000000000{zone}" for zone in ZONES}
ELB = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:"
GROUPS = {zone: f"{ELB}targetgroup/nat-{zone}/000000000000000{zone}" for zone in ZONES}
LISTENER = f"{ELB}listener/net/nat/0000000000000001/0000000000000002"
RULE = f"{ELB}listener-rule/app/nat/0000000000000001/0000000000000002/0000000000000003"
SPARE = "eni-0000000000000000f"  # of no instance
SPARE_ADDRESS = "eipalloc-0000000000000000f"
COMMAND = "00000001-0000-4000-8000-000000000001"
FORWARD = {"NetworkInterfaceId": INTERFACES["a"]}


def world():
    return {
        "instances": {INSTANCES[zone]: {
            "zone": f"eu-central-1{zone}", "subnet": SUBNETS[zone],
            "tags": {"Name": f"nat-{zone}", "note": "<&>\"' ü"}} for zone in ZONES},
        "interfaces": {
            **{INTERFACES[zone]: {
                "zone": f"eu-central-1{zone}", "subnet": SUBNETS[zone],
                "instance": INSTANCES[zone], "tags": {},
                "addresses": [f"10.0.{index}.10", f"10.0.{index}.11"]}
               for index, zone in enumerate(ZONES)},
            SPARE: {"zone": "eu-central-1a", "subnet": SUBNETS["a"], "addresses": ["10.0.0.99"]}},
        "route_tables": {TABLES[zone]: {
            "subnets": [SUBNETS[zone]], "tags": {"az": zone},
            "routes": {"10.0.0.0/16": {"GatewayId": "local"},
                       "0.0.0.0/0": {"NetworkInterfaceId": INTERFACES[zone]},
                       "::/0": {"GatewayId": "igw-00000000000000001"}}} for zone in ZONES},
        "addresses": {
            **{ADDRESSES[zone]: {
                "public_ip": f"203.0.113.{index + 1}", "interface": INTERFACES[zone],
                "private_address": f"10.0.{index}.10", "tags": {},
                "association": f"eipassoc-0000000000000000{zone}"}
               for index, zone in enumerate(ZONES)},
            SPARE_ADDRESS: {"public_ip": "203.0.113.99"}},
        "target_groups": {GROUPS[zone]: {"port": 8080, "targets": {f"{INSTANCES[zone]}:8080": "healthy"}}
                          for zone in ZONES},
        "listeners": {LISTENER: {"weights": {GROUPS[zone]: 100 for zone in ZONES}}},
        "rules": {RULE: {"weights": {}}},
        "groups": {"nat": {
            "minimum": 2, "maximum": 4, "desired": 2, "hooks": ["launch"], "tags": {"team": "net"},
            "instances": {INSTANCES[zone]: {"zone": f"eu-central-1{zone}", "state": "InService",
                                            "health": "Healthy"} for zone in ZONES}}},
        "log_groups": {"natxdp": {"flows": []}},
        "parameters": {"/natxdp/state": {"value": "{\"a\": 1}", "version": 3}},
        "commands": {COMMAND: {INSTANCES["a"]: {"status": "Success", "exit_code": 0,
                                                "output": "fine\n", "errors": ""}}},
        "tables": {"lease": {"key": ["zone"], "items": [
            {"zone": {"S": "a"}, "owner": {"S": "node-1"}, "epoch": {"N": "7"},
             "held": {"BOOL": True}, "peers": {"L": []}}]}},
    }


def requests():
    """action -> arguments for driver_calls.c of a request that goes well in world()."""
    now = time.time()
    lifecycle = {"hook": "launch", "group": "nat", "instance": INSTANCES["a"]}
    return {
        "PutMetricData": {"namespace": "NATXDP", "metrics": [
            {"name": "BytesIn", "unit": "Bytes", "timestamp": int(now), "value": 12,
             "dimensions": {"NatId": "nat-a"}}]},
        "CreateLogGroup": {"group": "new"},
        "CreateLogStream": {"group": "natxdp", "stream": "new"},
        "PutLogEvents": {"group": "natxdp", "stream": "flows", "events": [
            {"time": int(now * 1000), "message": "one"}]},
        "DescribeInstances": {"ids": [INSTANCES["a"]]},
        "DescribeInstanceStatus": {"ids": [INSTANCES["a"]]},
        "DescribeRouteTables": {"ids": [TABLES["a"]]},
        "ReplaceRoute": {"table": TABLES["a"], "cidr": "0.0.0.0/0", "kind": 0,
                         "target": INTERFACES["b"]},
        "CreateRoute": {"table": TABLES["a"], "cidr": "198.51.100.0/24", "kind": 0,
                        "target": INTERFACES["b"]},
        "DescribeAddresses": {"ids": [ADDRESSES["a"]]},
        "AssociateAddress": {"allocation": ADDRESSES["a"], "interface": INTERFACES["b"],
                             "address": "10.0.1.11"},
        "DisassociateAddress": {"association": "eipassoc-0000000000000000a"},
        "ReleaseAddress": {"allocation": SPARE_ADDRESS},
        "DescribeNetworkInterfaces": {"ids": [INTERFACES["a"]]},
        "DeleteNetworkInterface": {"interface": SPARE},
        "AssignPrivateIpAddresses": {"interface": INTERFACES["a"], "addresses": ["10.0.0.12"]},
        "ModifyInstanceAttribute": {"instance": INSTANCES["a"], "on": False},
        "ModifyNetworkInterfaceAttribute": {"interface": SPARE, "on": False},
        "CreateTags": {"resource": INSTANCES["a"], "tags": {"state": "drained & gone"}},
        "TerminateInstances": {"instance": INSTANCES["b"]},
        "RegisterTargets": {"group": GROUPS["a"], "targets": {INSTANCES["b"]: 0}},
        "DeregisterTargets": {"group": GROUPS["a"], "targets": {INSTANCES["a"]: 8080}},
        "DescribeTargetHealth": {"group": GROUPS["a"]},
        "DescribeListeners": {"listener": LISTENER},
        "ModifyListener": {"listener": LISTENER, "weights": {GROUPS["a"]: 0, GROUPS["b"]: 100}},
        "ModifyRule": {"rule": RULE, "weights": {GROUPS["a"]: 1, GROUPS["b"]: 999}},
        "CompleteLifecycleAction": {**lifecycle, "go_on": True},
        "RecordLifecycleActionHeartbeat": lifecycle,
        "DescribeAutoScalingGroups": {"names": ["nat"]},
        "SetInstanceHealth": {"instance": INSTANCES["a"], "healthy": False, "grace": False},
        "SendCommand": {"instances": [INSTANCES["a"]], "lines": ["natxdp verify --json"],
                        "timeout": 60},
        "GetCommandInvocation": {"command": COMMAND, "instance": INSTANCES["a"]},
        "GetParameter": {"name": "/natxdp/state"},
        "PutParameter": {"name": "/natxdp/state", "value": "é\"\n", "overwrite": True},
        "GetItem": {"table": "lease", "map": {"zone": "a"}},
        "PutItem": {"table": "lease", "map": {"zone": "b", "epoch": 1, "held": False},
                    "condition": "attribute_not_exists(#z)", "names": {"#z": "zone"}},
        "UpdateItem": {"table": "lease", "map": {"zone": "a"},
                       "condition": "#e = :old AND #o = :node",
                       "update": "SET #e = #e + :one, #o = :me",
                       "names": {"#e": "epoch", "#o": "owner"},
                       "values": {":old": 7, ":one": 1, ":me": "node-2", ":node": "node-1"}},
    }
