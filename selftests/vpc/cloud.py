# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""The control plane: the stand-in for AWS, whose calls become real in the namespaces.

A call takes `api` seconds until its answer; what it changes acts `propagation`
seconds after it was made. Changes of the same kind act in the order of the calls.
"""

from __future__ import annotations

import heapq
import itertools
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import plan as plans

sys.path.append(str(Path(__file__).resolve().parents[1] / "aws"))

from lab import Lab, Namespace  # noqa: E402
from standin import StandIn  # noqa: E402
from standin.imds import Imds  # noqa: E402
from standin.web import Listener  # noqa: E402

IMDS = ("169.254.169.254", 80)
ROUTES = ("ReplaceRoute", "CreateRoute")
EIPS = ("AssociateAddress", "DisassociateAddress", "ReleaseAddress")
CHECKS = ("ModifyInstanceAttribute", "ModifyNetworkInterfaceAttribute")


@dataclass
class Change:
    """Something that an API call made real."""

    what: str  # "route" or "eips"
    called: float  # of time.time()
    acted: float
    detail: dict


class Scheduler:
    """Runs functions at their time, in one thread, those of one kind in order."""

    def __init__(self) -> None:
        self.condition = threading.Condition()
        self.queue: list = []
        self.number = itertools.count()
        self.last: dict[str, float] = {}
        self.problems: list[str] = []
        self.stopped = False
        self.busy = False
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def at(self, kind: str, delay: float, function: Callable[[], None]) -> None:
        with self.condition:
            due = max(time.monotonic() + delay, self.last.get(kind, 0))
            self.last[kind] = due
            heapq.heappush(self.queue, (due, next(self.number), function))
            self.condition.notify_all()

    def run(self) -> None:
        while True:
            with self.condition:
                self.busy = False
                self.condition.notify_all()
                while not self.stopped and (
                        not self.queue or self.queue[0][0] > time.monotonic()):
                    left = self.queue[0][0] - time.monotonic() if self.queue else None
                    self.condition.wait(left)
                if self.stopped:
                    return
                function = heapq.heappop(self.queue)[2]
                self.busy = True
            try:
                function()
            except Exception as error:  # a mistake of ours, which the test must see
                self.problems.append(repr(error))

    def settle(self) -> None:
        """Waits until all that was called acts."""
        with self.condition:
            self.condition.wait_for(lambda: not self.queue and not self.busy)

    def stop(self) -> None:
        with self.condition:
            self.stopped = True
            self.condition.notify_all()
        self.thread.join(10)


class Cloud:
    """The API is at 10.0.250.10 in the VPC and, for people, on loopback of this machine."""

    def __init__(self, lab: Lab, plan: plans.Plan, vpc) -> None:
        self.plan, self.vpc = plan, vpc
        self.api = self.propagation = 0.0
        self.ns: Namespace = lab.host("aws")
        vpc.router.attach(self.ns, [plans.API], plans.API_GATEWAY, "endpoints", 1500)
        self.standin = StandIn(plans.REGION, address=(plans.API, 80))
        self.standin.latency = lambda service, action: self.api
        self.world = self.standin.world
        with self.ns.entered():
            self.standin.start()
        self.local = Listener(self.standin.serve)
        self.control = Listener(self.standin.control)
        self.scheduler = Scheduler()
        self.changes: list[Change] = []
        lab.stack.callback(self.stop)
        self.world.load(plan.world())
        self.world.run_command = vpc.run_command
        for names, hook in ((ROUTES, self.on_route), (EIPS, self.on_eips),
                            (CHECKS, self.on_check),
                            (("AssignPrivateIpAddresses",), self.on_assign),
                            (("TerminateInstances",), self.on_terminate)):
            for name in names:
                self.world.hooks[name].append(hook)

    @property
    def url(self) -> str:
        return f"http://{plans.API}"

    def stop(self) -> None:
        self.scheduler.stop()
        for listener in (self.local, self.control):
            listener.stop()
        self.standin.stop()
        problems = self.scheduler.problems + self.standin.problems
        if problems:
            raise AssertionError(f"the stand-in made mistakes: {problems}")

    def settle(self) -> None:
        self.scheduler.settle()

    # ---- from the account to the namespaces

    def realize(self) -> None:
        """All of it at once, as it stands."""
        with self.world.lock:
            tables = {name: dict(item["routes"]) for name, item in self.world.route_tables.items()}
        for table, routes in tables.items():
            for cidr, route in routes.items():
                if route.get("GatewayId") != "local":
                    self.vpc.router.route(table, cidr, self.target(route))
        self.vpc.igw.associate(self.associations())

    def host_of(self, interface: str) -> str:
        with self.world.lock:
            item = self.world.interfaces.get(interface, {})
            instance = self.world.instances.get(item.get("instance", ""), {})
        return instance.get("tags", {}).get("Name", "")

    def target(self, route: dict) -> dict[str, str]:
        if route.get("GatewayId") == plans.INTERNET_GATEWAY:
            return {"gateway": "igw"}
        interface = route.get("NetworkInterfaceId") or next(
            (name for name, item in self.world.interfaces.items()
             if item.get("instance") == route.get("InstanceId")), "")
        return {"host": self.host_of(interface)}

    def associations(self) -> dict[str, str]:
        with self.world.lock:
            return {item["public_ip"]: item["private_address"]
                    for item in self.world.addresses.values() if item.get("association")}

    def later(self, what: str, function: Callable[[], None], **detail: object) -> None:
        called = time.time()

        def act() -> None:
            function()
            self.changes.append(Change(what, called, time.time(), detail))

        self.scheduler.at(what, self.propagation, act)

    # ---- hooks

    def on_route(self, params: dict, result: dict) -> None:
        table, cidr = params["RouteTableId"], params["DestinationCidrBlock"]
        with self.world.lock:
            target = self.target(self.world.route_tables[table]["routes"][cidr])
        self.later("route", lambda: self.vpc.router.route(table, cidr, target),
                   table=table, target=target)

    def on_eips(self, params: dict, result: dict) -> None:
        wanted = self.associations()
        self.later("eips", lambda: self.vpc.igw.associate(wanted), associations=wanted)

    def on_check(self, params: dict, result: dict) -> None:
        with self.world.lock:
            checks = {self.host_of(name): item.get("source_dest_check", True)
                      for name, item in self.world.interfaces.items()}
        self.later("check", lambda: self.vpc.apply_checks(checks))

    def on_assign(self, params: dict, result: dict) -> None:
        with self.world.lock:
            owned = {self.host_of(name): list(item["addresses"])
                     for name, item in self.world.interfaces.items()}
        self.later("addresses", lambda: self.vpc.apply_addresses(owned))

    def on_terminate(self, params: dict, result: dict) -> None:
        names = [self.world.instances[name]["tags"]["Name"] for name in params["InstanceIds"]]
        self.later("terminate", lambda: [self.vpc.power_off(name) for name in names])


class NodeImds:
    """The metadata service of one node: at its usual address in the node's namespace."""

    def __init__(self, cloud: Cloud, zone: plans.Zone, ns: Namespace) -> None:
        self.imds = Imds(cloud.standin, zone.instance, key=f"ASIANODE{zone.letter.upper()}")
        mac = f"network/interfaces/macs/{zone.mac}/"
        for path, text in {
            "placement/availability-zone": zone.name,
            "mac": zone.mac,
            "local-ipv4": zone.primary,
            f"{mac}interface-id": zone.interface,
            f"{mac}subnet-id": zone.public_subnet,
            f"{mac}local-ipv4s": "\n".join(
                cloud.world.interfaces[zone.interface]["addresses"]),
        }.items():
            self.imds.set(path, text)
        ns.ip(f"addr replace {IMDS[0]}/32 dev lo")
        with ns.entered():
            self.listener = Listener(self.imds.serve, IMDS)

    def stop(self) -> None:
        # also closes its socket, which would keep the namespace alive
        self.listener.stop()
