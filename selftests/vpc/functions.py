# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""The control plane in the VPC: the shipped functions, what starts them, and what they start.

EventBridge's schedule, Systems Manager and the alarm are played here, as terraform/modules
sets them up: the document is that of module lambda, the alarm that of module observability.
"""

from __future__ import annotations

import json
import os
import re
import threading
import time

import plan as plans
from cloud import Cloud  # noqa: F401, it knows where the stand-in and function.py are
from function import Failed, Function
from lab import TOP
from load import TCP_PORTS
from node import NATXDP, Node
from vpc import Vpc

NAT = "egress"
ROUTING = f"/natxdp/{NAT}/routing"
DOCUMENTS = TOP / "terraform/modules/lambda/documents.tf"
ALARMS = TOP / "terraform/modules/observability/main.tf"


def commands_of(use: str) -> list[str]:
    """The lines of a document, without Terraform's escapes."""
    block = re.search(rf"^    {use} = {{\n(.*?)^    }}", DOCUMENTS.read_text(), re.M | re.S)[1]
    lines = re.search(r"commands = \[\n(.*?)^      \]", block, re.M | re.S)[1]
    return [json.loads(text).replace("$${", "${").replace("%%{", "%{")
            for text in re.findall(r'^\s*("(?:\\.|[^"\\])*"),$', lines, re.M)]


class Reach:
    """Systems Manager and the document reach: whom it does not reach never answers."""

    def __init__(self, vpc: Vpc) -> None:
        self.vpc = vpc
        self.lines = commands_of("reach")
        for node in vpc.nodes.values():
            program = node.dir / "bin" / "natxdp"
            program.parent.mkdir(parents=True, exist_ok=True)
            program.write_text(f'#!/bin/sh\nexec {NATXDP} "$@" --pin-dir {node.pin_dir}\n')
            program.chmod(0o755)

    def __call__(self, instance: str, parameters: dict):
        node = next(node for node in self.vpc.nodes.values() if node.zone.instance == instance)
        script = "\n".join(self.lines).replace("{{ targets }}", parameters["targets"])
        return lambda: self.run(node, script)

    def run(self, node: Node, script: str) -> tuple[int, str, str] | None:
        # both ways: an instance that is cut off from AWS is not told anything
        if not node.on or node.ns.run("ping", "-c1", "-W1", plans.API, check=False).returncode:
            return None
        done = node.ns.run("env", f"PATH={node.dir / 'bin'}:{os.environ['PATH']}", "sh", "-c",
                           script, check=False)
        return done.returncode, done.stdout, done.stderr


class Alarm:
    """CloudWatch's, of NATReachability of a zone, over the values that a function has published.

    It looks at the end of each period, at the newest values that there are: `missing`.
    """

    def __init__(self, run: Function, zone: str, period: float, go_off) -> None:
        line = re.search(r"reachability = {(.*)}", ALARMS.read_text())[1]
        assert 'metric = "NATReachability", stat = "Minimum", op = "LessThanThreshold"' in line
        self.periods = int(re.search(r"periods = (\d+)", line)[1])
        self.limit = 50
        self.run, self.zone, self.period, self.go_off = run, zone, period, go_off
        self.values: dict[int, float] = {}  # lowest of each period
        self.seen = 0
        self.ringing = False
        self.rang: list[float] = []  # times
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.watch, daemon=True)
        self.thread.start()

    def take(self) -> None:
        new = self.run.metrics[self.seen:]
        self.seen += len(new)
        number = int(time.time() / self.period)
        for name, value, by in new:
            if name == "NATReachability" and by.get("AvailabilityZone") == self.zone and len(by) == 2:
                self.values[number] = min(value, self.values.get(number, value))

    def evaluate(self, number: int) -> None:
        """Of the period before."""
        newest = [self.values[n] for n in range(number - 1, number - 2 - 2 * self.periods, -1)
                  if n in self.values][:self.periods]
        if len(newest) < self.periods:
            return
        before, self.ringing = self.ringing, all(value < self.limit for value in newest)
        if self.ringing and not before:
            self.rang.append(time.time())
            threading.Thread(target=self.go_off, args=(self.zone,), daemon=True).start()

    def watch(self) -> None:
        last = int(time.time() / self.period)
        while not self.ended.wait(0.02):
            number = int(time.time() / self.period)
            if number != last:
                self.evaluate(number)
                last = number
            self.take()


class ControlPlane:
    """interval: seconds between the rounds of nat-health-probe, and a period of the alarm."""

    def __init__(self, vpc: Vpc, interval: int, witness_ms: int) -> None:
        self.vpc, self.interval = vpc, interval
        self.answers: list[dict] = []
        self.prepare()
        with vpc.cloud.ns.entered():
            self.probe = Function("nat-health-probe", vpc.cloud.standin,
                                  self.environment(interval, witness_ms))
            self.failover = Function("nat-route-failover", vpc.cloud.standin,
                                     self.environment(interval, witness_ms))
        threading.Thread(target=self.schedule, daemon=True).start()
        self.alarms = {zone.letter: Alarm(self.probe, zone.name, interval, self.go_off)
                       for zone in vpc.plan.nat_zones}
        vpc.lab.stack.callback(self.stop)

    def prepare(self) -> None:
        """What Terraform makes beside the nodes: tags, a parameter, an address for each host."""
        world = self.vpc.cloud.world
        with world.lock:
            world.documents[f"{NAT}-reach"] = Reach(self.vpc)
            world.parameters[ROUTING] = {"value": "{}", "version": 1}
            for zone in self.vpc.plan.nat_zones:
                world.instances[zone.instance]["tags"] |= {
                    "natxdp:nat": NAT, "natxdp:module": "nat", "natxdp:node": zone.node}
                world.addresses[f"{zone.allocation}f"] = {
                    "public_ip": f"203.0.113.{101 + zone.index}", "interface": zone.interface,
                    "private_address": zone.primary, "association": f"eipassoc-{zone.letter}",
                    "tags": {"natxdp:use": "management"}}
        self.vpc.cloud.realize()

    def environment(self, interval: int, witness_ms: int) -> dict[str, str]:
        zones = self.vpc.plan.nat_zones
        server = self.vpc.echo.address
        return {
            "NATXDP_NAT": NAT, "NATXDP_MODE": "eip", "NATXDP_LEASE_TABLE": plans.LEASES,
            "NATXDP_ROUTE_TABLES": json.dumps({zone.table: zone.name for zone in zones}),
            "NATXDP_TARGET_GROUPS": json.dumps({"all": plans.TARGET_GROUP}),
            "NATXDP_DOCUMENTS": json.dumps({"reach": f"{NAT}-reach"}),
            "NATXDP_INTERFACES": json.dumps({zone.node: zone.interface for zone in zones}),
            "NATXDP_SLOTS": json.dumps({f"{zone.name}/0": {
                "allocation": zone.allocation,
                "addresses": {on.node: on.slot(zone) for on in zones}} for zone in zones}),
            "NATXDP_ROUTING_PARAMETER": ROUTING,
            "NATXDP_PROBE_TARGETS": ",".join(f"{server}:{port}" for port in TCP_PORTS[:3]),
            "NATXDP_AGENT_PORT": str(plans.HEALTH_PORT),
            "NATXDP_PROBE_INTERVAL": str(interval), "NATXDP_WITNESS_MS": str(witness_ms),
        }

    def schedule(self) -> None:
        """rate(1 minute)"""
        event = {"detail-type": "Scheduled Event", "source": "aws.events", "detail": {}}
        while not self.probe.runtime.closed:
            began = time.monotonic()
            self.probe(event, deadline=60)
            time.sleep(max(0, began + 60 - time.monotonic()))

    def go_off(self, zone: str) -> None:
        """Lambda calls one that has failed again, twice: after one minute and after two more."""
        event = {
            "detail-type": "CloudWatch Alarm State Change", "source": "aws.cloudwatch",
            "detail": {"alarmName": f"{NAT}-reachability-{zone}", "state": {"value": "ALARM"},
                       "previousState": {"value": "OK"}}}
        for minutes in (1, 2, 0):
            try:
                self.answers.append(self.failover(event, deadline=60))
                return
            except Failed:
                if not minutes:
                    raise
            # a minute has six intervals where there is an alarm each ten seconds
            time.sleep(6 * minutes * self.interval)

    def reachability(self, letter: str) -> list[float]:
        zone = next(zone for zone in self.vpc.plan.nat_zones if zone.letter == letter)
        return self.probe.metric("NATReachability", AvailabilityZone=zone.name)

    def explain(self) -> str:
        """What a failed test has to say."""
        said = [f"alarm of {letter}: {alarm.values}, went off at {alarm.rang}"
                for letter, alarm in self.alarms.items()]
        for run in self.probe, self.failover:
            said += [run.errors, *(json.dumps(line) for line in run.lines[-12:])]
        return "\n".join(said)

    def stop(self) -> None:
        for alarm in self.alarms.values():
            alarm.ended.set()
        for run in self.probe, self.failover:
            run.close()
