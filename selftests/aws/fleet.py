# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""A NAT of two nodes for the functions: world, environment, events."""

import json
import time

import account

NAT = "egress"
DOCUMENTS = {use: f"egress-{use}" for use in ("verify", "reach", "repair", "drain", "block")}
PROBE_DOCUMENTS = {"web": "egress-probe-web", "throughput": "egress-probe-throughput"}
PROBES = {zone: f"i-1000000000000000{zone}" for zone in account.ZONES}
ZONE = {zone: f"eu-central-1{zone}" for zone in account.ZONES}


def world():
    state = account.world()
    for number, zone in enumerate(account.ZONES):
        state["instances"][account.INSTANCES[zone]]["tags"] = {
            "natxdp:nat": NAT, "natxdp:module": "nat", "natxdp:node": ZONE[zone],
            "natxdp:az": ZONE[zone]}
        interface = state["interfaces"][account.INTERFACES[zone]]
        # the agents' health pages are on loopback
        interface["addresses"] = [f"127.77.0.{number + 1}", f"10.0.{number}.11", f"10.0.{number}.12"]
        interface["source_dest_check"] = False
        state["instances"][PROBES[zone]] = {
            "zone": ZONE[zone], "subnet": account.SUBNETS[zone],
            "tags": {"natxdp:nat": NAT, "natxdp:module": "probes", "natxdp:az": ZONE[zone]}}
        address = state["addresses"][account.ADDRESSES[zone]]
        address["private_address"] = interface["addresses"][number + 1]
        address["tags"] = {"natxdp:nat": NAT, "natxdp:use": "flows", "natxdp:az": ZONE[zone],
                           "natxdp:slot": "0"}
    state["instances"]["i-20000000000000000"] = {  # somebody else's
        "zone": ZONE["a"], "subnet": account.SUBNETS["a"], "tags": {"natxdp:nat": "other"}}
    state["tables"] = {"egress-lease": {"key": ["az"], "items": []}}
    state["parameters"] = {"/natxdp/egress/routing": {"value": "{}", "version": 1},
                           "/natxdp/egress/blocked": {"value": "[]", "version": 1}}
    state["groups"] = {f"egress-{ZONE[zone]}": {
        "minimum": 1, "maximum": 1, "desired": 1, "hooks": ["launch", "terminate"], "tags": {},
        "instances": {account.INSTANCES[zone]: {"zone": ZONE[zone], "state": "InService",
                                                "health": "Healthy"}}} for zone in account.ZONES}
    return state


def environment(**changes):
    variables = {
        "NATXDP_NAT": NAT, "NATXDP_MODE": "eni",
        "NATXDP_ROUTE_TABLES": json.dumps({account.TABLES[zone]: ZONE[zone] for zone in account.ZONES}),
        "NATXDP_TARGET_GROUPS": json.dumps({ZONE[zone]: account.GROUPS[zone] for zone in account.ZONES}),
        "NATXDP_DOCUMENTS": json.dumps({**DOCUMENTS, **PROBE_DOCUMENTS}),
        "NATXDP_INTERFACES": json.dumps({ZONE[zone]: account.INTERFACES[zone] for zone in account.ZONES}),
        "NATXDP_SLOTS": json.dumps({
            f"{ZONE[zone]}/0": {
                "allocation": account.ADDRESSES[zone],
                "addresses": {ZONE[node]: f"10.0.{place}.{11 + number}"
                              for place, node in enumerate(account.ZONES)}}
            for number, zone in enumerate(account.ZONES)}),
        "NATXDP_LEASE_TABLE": "egress-lease", "NATXDP_LISTENER": account.LISTENER,
        "NATXDP_ROUTING_PARAMETER": "/natxdp/egress/routing",
        "NATXDP_BLOCKED_PARAMETER": "/natxdp/egress/blocked",
        "NATXDP_PROBE_TARGETS": "198.51.100.1:443,198.51.100.2:53,example.com:443",
        "NATXDP_AGENT_PORT": "9469", "NATXDP_PROBE_INTERVAL": "0", "NATXDP_WITNESS_MS": "200",
        "NATXDP_DRY_RUN": "false", "NATXDP_LOG_LEVEL": "debug",
    }
    return {**variables, **changes}


class Nodes:
    """What the documents do on the instances; the world calls it, tests set it.

    exits    (use, instance) -> exit status; absent 0
    silent   instances that Systems Manager does not reach
    reached  instance -> how many of three targets are reached; absent 3
    slow     whether commands run beside the calls, and not within SendCommand
    ran      [(use, instance, parameters)]
    """

    def __init__(self, standin):
        self.world = standin.world
        self.exits, self.silent, self.reached, self.outputs = {}, set(), {}, {}
        self.slow = False
        self.ran = []
        for use, name in {**DOCUMENTS, **PROBE_DOCUMENTS}.items():
            standin.world.documents[name] = self._runner(use)

    def _runner(self, use):
        def run(instance, parameters):
            from standin.world import ApiError
            if instance in self.silent:
                raise ApiError("InvalidInstanceId", f"{instance} is not in a valid state")
            self.ran.append((use, instance, parameters))
            end = lambda: self._end(use, instance, parameters)  # noqa: E731
            return end if self.slow else end()
        return run

    def _end(self, use, instance, parameters):
        status = self.exits.get((use, instance), 0)
        if callable(status):
            status = status()
        return status, self.outputs.get((use, instance), self._output(use, instance, parameters)), ""

    def _output(self, use, instance, parameters):
        if use == "reach":
            targets = parameters["targets"].split()
            reached = self.reached.get(instance, len(targets))
            path = self.exits.get(("verify", instance), 0)
            return f"natxdp {path() if callable(path) else path}\n" + "".join(
                f"{target} {0.010 * (i + 1) if i < reached else 0:f}\n"
                for i, target in enumerate(targets))
        if use == "web":
            return "https://example.com 200 0.010 0.050\nhttps://example.org 200 0.020 0.150\n"
        if use == "throughput":
            return "".join(json.dumps({"end": {"sum_received": {"bits_per_second": rate}}}) + "\n"
                           for rate in (2e9, 1e9))
        return json.dumps({"ok": True}) if use == "verify" else ""

    def runs(self, use, instance=None):
        return [entry for entry in self.ran if entry[0] == use and instance in (None, entry[1])]


def schedule():
    return {"version": "0", "id": "1", "detail-type": "Scheduled Event", "source": "aws.events",
            "account": "123456789012", "time": "2026-11-28T12:00:00Z", "region": "eu-central-1",
            "resources": ["arn:aws:events:eu-central-1:123456789012:rule/egress"], "detail": {}}


def alarm(zone, state="ALARM"):
    return {"version": "0", "id": "2", "detail-type": "CloudWatch Alarm State Change",
            "source": "aws.cloudwatch", "account": "123456789012", "time": "2026-11-28T12:00:00Z",
            "region": "eu-central-1", "resources": [],
            "detail": {"alarmName": f"egress-reachability-{ZONE[zone]}",
                       "state": {"value": state, "reason": "Threshold Crossed"},
                       "previousState": {"value": "OK"}}}


def alarm_by_sns(zone, state="ALARM"):
    message = {"AlarmName": f"egress-reachability-{ZONE[zone]}", "NewStateValue": state,
               "OldStateValue": "OK", "Trigger": {"Namespace": "NATXDP"}}
    return {"Records": [{"EventSource": "aws:sns", "EventVersion": "1.0",
                         "Sns": {"Type": "Notification", "Message": json.dumps(message)}}]}


def lifecycle(transition, zone, token="00000000-0000-4000-8000-000000000001"):
    return {"version": "0", "id": "3", "detail-type": f"EC2 Instance-{transition} Lifecycle Action",
            "source": "aws.autoscaling", "account": "123456789012", "region": "eu-central-1",
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "resources": [],
            "detail": {"LifecycleActionToken": token, "EC2InstanceId": account.INSTANCES[zone],
                       "AutoScalingGroupName": f"egress-{ZONE[zone]}", "LifecycleHookName": transition,
                       "LifecycleTransition": "autoscaling:EC2_INSTANCE_"
                       + {"launch": "LAUNCHING", "terminate": "TERMINATING"}[transition]}}


def finding(address="10.0.3.4", instance="i-30000000000000000", severity=8):
    return {"version": "0", "id": "4", "detail-type": "GuardDuty Finding", "source": "aws.guardduty",
            "account": "123456789012", "time": "2026-11-28T12:00:00Z", "region": "eu-central-1",
            "resources": [],
            "detail": {"id": "f1", "severity": severity, "type": "CryptoCurrency:EC2/BitcoinTool.B!DNS",
                       "resource": {"resourceType": "Instance", "instanceDetails": {
                           "instanceId": instance,
                           "networkInterfaces": [{"privateIpAddress": address}]}}}}
