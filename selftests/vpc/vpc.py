# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""A VPC in network namespaces: see plan.py for who is who in it.

    with Vpc() as vpc:
        vpc.power_on()
        vpc.nodes["a"].crash()

Everything ends with it, whatever happened.
"""

from __future__ import annotations

import subprocess
import secrets
import sys
import threading
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "net"))

import plan as plans  # noqa: E402
from capture import Capture  # noqa: E402
from cloud import Cloud  # noqa: E402
from gateway import PRIVATE, InternetGateway  # noqa: E402
from lab import Lab, Namespace  # noqa: E402
from node import Node  # noqa: E402
from router import Router  # noqa: E402

CLIENT_MTU = LINK_MTU = 9001
CLIENT_SOURCES = "ip and ({})"
AWS, INTERNET = "aws", "internet"


class Vpc:
    def __init__(self, plan: plans.Plan | None = None, **options: object) -> None:
        """options: those of Plan, e.g. nodes="ab"."""
        self.plan = plan or plans.Plan(**options)
        self.echo = None  # load.Echo, where somebody wants to talk to it
        self.cut_names: list[str] = []
        self.lab = Lab()
        try:
            self.build()
        except BaseException:
            self.lab.close()
            raise

    def build(self) -> None:
        self.router = Router(self.lab)
        self.igw = InternetGateway(self.lab)
        self.igw.connect(self.router.ns, LINK_MTU)
        self.servers = self.igw.servers
        self.cloud = Cloud(self.lab, self.plan, self)
        self.key_file = self.lab.scratch / "ha-key"
        self.key_file.write_text(secrets.token_hex(32) + "\n")
        self.key_file.chmod(0o600)
        self.clients: dict[str, Namespace] = {}
        for client in self.plan.clients:
            ns = self.clients[client.name] = self.lab.host(client.name)
            self.router.attach(ns, client.addresses, client.zone.private_gateway,
                               self.plan.home(client.zone).table, CLIENT_MTU)
            self.router.check(client.name, True)
        self.nodes = {zone.letter: Node(self, zone) for zone in self.plan.nat_zones}
        self.cloud.realize()
        subnets = " or ".join(f"src net 10.0.{10 + zone.index}.0/24" for zone in self.plan.zones)
        self.untranslated = Capture(self.igw.ns, "eth0", CLIENT_SOURCES.format(subnets),
                                    outgoing=False, snap=128)
        self.leaks = Capture(self.igw.ns, "wan", PRIVATE, snap=128)
        self.health = Health(self)
        self.lab.stack.callback(self.health.stop)

    def power_on(self, agents: bool = True) -> None:
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda node: node.power_on(agents), self.nodes.values()))

    def close(self) -> None:
        self.lab.close()

    def __enter__(self) -> Vpc:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def host(self, name: str) -> Namespace:
        """A client, a server, or a node that is on."""
        return self.lab[name]

    # ---- what the account asks for

    def node_named(self, name: str) -> Node | None:
        return next((node for node in self.nodes.values() if name in
                     (node.name, node.zone.letter, node.zone.instance)), None)

    def power_off(self, name: str) -> None:
        """As EC2 knows of it at once: the instance has been stopped or terminated."""
        node = self.node_named(name)
        node.power_off()
        with self.cloud.world.lock:
            self.cloud.world.instances[node.zone.instance]["state"] = "stopped"

    def power_on_again(self, name: str, agent: bool = True) -> None:
        node = self.node_named(name)
        with self.cloud.world.lock:
            self.cloud.world.instances[node.zone.instance]["state"] = "running"
        node.power_on(agent)

    def apply_checks(self, checks: dict[str, bool]) -> None:
        for name, on in checks.items():
            if name in self.router.interfaces:
                self.router.check(name, on)

    def apply_addresses(self, owned: dict[str, list[str]]) -> None:
        for name, addresses in owned.items():
            interface = self.router.interfaces.get(name)
            if interface and interface.addresses != addresses:
                self.router.own(name, addresses)

    def run_command(self, instance: str, lines: list[str]) -> tuple[int, str, str]:
        """SSM's RunShellScript, on a node or a client."""
        with self.cloud.world.lock:
            name = self.cloud.world.instances[instance]["tags"]["Name"]
        node = self.node_named(name)
        if node and not node.on:
            return -1, "", "Undeliverable"
        try:
            done = self.lab[name].run("bash", "-c", "\n".join(lines), check=False, timeout=60)
        except subprocess.TimeoutExpired:
            return -1, "", "Execution Timed Out"
        return done.returncode, done.stdout, done.stderr

    # ---- who holds what, in the namespaces and not in the account

    def holder_of_route(self, letter: str) -> str:
        """Letter of the node that the traffic of a zone goes to."""
        zone = next(zone for zone in self.plan.zones if zone.letter == letter)
        return self.router.way(self.plan.home(zone).table)[-1:]

    def holder_of_eip(self, letter: str) -> str:
        """Letter of the node that has the elastic IP of a zone."""
        zone = next(zone for zone in self.plan.zones if zone.letter == letter)
        private = self.igw.associations().get(zone.public_ip)
        return next((other.letter for other in self.plan.nat_zones
                     if private == other.slot(zone)), "")

    def holders(self) -> dict[str, tuple[str, str]]:
        """zone -> (of its route, of its elastic IP)"""
        return {zone.letter: (self.holder_of_route(zone.letter), self.holder_of_eip(zone.letter))
                for zone in self.plan.nat_zones}

    # ---- partitions

    def addresses(self, name: str) -> list[str]:
        if name == AWS:
            return [plans.API]
        node = self.node_named(name)
        return self.cloud.world.interfaces[node.zone.interface]["addresses"]

    def partition(self, one: str, other: str, both: bool = True) -> None:
        """Between two nodes, a node and "aws", or a node and the "internet"."""
        self.cut_names.append(f"{one} {'<->' if both else '->'} {other}")
        if INTERNET in (one, other):
            self.router.cut_internet(self.addresses(other if one == INTERNET else one))
            return
        self.router.cut(self.addresses(one), self.addresses(other))
        if both:
            self.router.cut(self.addresses(other), self.addresses(one))

    def isolate(self, name: str) -> None:
        """From all other nodes, AWS, and the internet; its clients still reach it."""
        for node in self.nodes.values():
            if node.name != self.node_named(name).name:
                self.partition(name, node.name)
        self.partition(name, AWS)
        self.partition(name, INTERNET)

    def heal(self) -> None:
        self.cut_names.clear()
        self.router.heal()

    def restore(self) -> None:
        """The account and the network as at the start; what is off stays off."""
        self.cloud.api = self.cloud.propagation = 0
        self.cloud.standin.faults.clear()
        self.heal()
        self.cloud.settle()
        self.cloud.world.load(self.plan.world())
        self.cloud.realize()
        for node in self.nodes.values():
            self.router.check(node.name, False)

    # ---- invariants

    def assert_no_leak(self) -> None:
        """Nothing private has left, and no packet of a client has come untranslated."""
        leaked = self.leaks.forget()
        assert not leaked, f"left the internet gateway with a private source: {leaked[:5]}"
        untranslated = self.untranslated.forget()
        assert not untranslated, f"left a NAT untranslated: {untranslated[:5]}"


class Health:
    """The health checks of the load balancer: GET /healthz from the zones' own network."""

    INTERVAL, THRESHOLD = 1.0, 2

    def __init__(self, vpc: Vpc) -> None:
        self.vpc = vpc
        self.in_a_row: dict[str, tuple[bool, int]] = {}
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self) -> None:
        checks = [threading.Thread(target=self.watch, args=(zone,), daemon=True)
                  for zone in self.vpc.plan.nat_zones]
        for check in checks:
            check.start()
        for check in checks:
            check.join()

    def watch(self, zone: plans.Zone) -> None:
        with self.vpc.cloud.ns.entered():
            while not self.ended.is_set():
                start = time.monotonic()
                self.count(zone, self.is_healthy(zone))
                self.ended.wait(max(0, start + self.INTERVAL - time.monotonic()))

    def is_healthy(self, zone: plans.Zone) -> bool:
        url = f"http://{zone.primary}:{plans.HEALTH_PORT}/healthz"
        try:
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(
                    url, timeout=self.INTERVAL) as answer:
                return answer.status == 200
        except (OSError, urllib.error.URLError):
            return False

    def count(self, zone: plans.Zone, healthy: bool) -> None:
        before, times = self.in_a_row.get(zone.letter, (healthy, 0))
        times = times + 1 if healthy == before else 1
        self.in_a_row[zone.letter] = (healthy, times)
        if times < self.THRESHOLD:
            return
        world = self.vpc.cloud.world
        with world.lock:
            targets = world.target_groups[plans.TARGET_GROUP]["targets"]
            targets[f"{zone.instance}:{plans.HEALTH_PORT}"] = (
                "healthy" if healthy else "unhealthy")

    def stop(self) -> None:
        self.ended.set()
        self.thread.join(10)
