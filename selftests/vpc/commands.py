# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""What a person can do with a running VPC: `vpc COMMAND`, see help().

A command returns text to print, or the command that the caller has to run in
the caller's own terminal.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field
from datetime import datetime

import plan as plans
import trace
from load import TCP_PORTS, Echo, Load
from vpc import AWS, INTERNET, Vpc

KEYS = {"AWS_ACCESS_KEY_ID": "AKIDSTANDIN", "AWS_SECRET_ACCESS_KEY": "secret/standin+key"}
CALLS = 15


class Mistake(Exception):
    """Of the person."""


@dataclass
class Run:
    """To be run by the caller."""

    words: list[str]
    environment: dict[str, str] = field(default_factory=dict)


def table(rows: list[list[object]]) -> str:
    widths = [max(len(str(row[column])) for row in rows) for column in range(len(rows[0]))]
    return "\n".join("  ".join(f"{cell!s:{width}}" for cell, width in zip(row, widths)).rstrip()
                     for row in rows)


class Commands:
    def __init__(self, vpc: Vpc) -> None:
        self.vpc = vpc
        self.loads: dict[str, Load] = {}

    def call(self, words: list[str]) -> str | Run:
        name, *arguments = words or ["help"]
        function = getattr(self, "do_" + name.replace("-", "_"), None)
        if name in ("help", "-h", "--help"):
            return self.help()
        if not function:
            raise Mistake(f"there is no command {name}; `vpc help` lists them")
        try:
            inspect.signature(function).bind(*arguments)
        except TypeError:
            raise Mistake(f"usage: {self.usage(function)}") from None
        return function(*arguments)

    @staticmethod
    def usage(function) -> str:
        words = ["vpc", function.__name__[3:].replace("_", "-")]
        for parameter in inspect.signature(function).parameters.values():
            name = parameter.name.upper()
            if parameter.kind is parameter.VAR_POSITIONAL:
                words.append(f"[{name}...]")
            else:
                words.append(name if parameter.default is parameter.empty else f"[{name}]")
        return " ".join(words)

    def help(self) -> str:
        rows = [[self.usage(function), (function.__doc__ or "").strip().split("\n")[0]]
                for name, function in inspect.getmembers(self) if name.startswith("do_")]
        return table(rows) + "\nNODE is a, b or c; HOST is a node, a client (a1, a2, b1, ...) or a " \
                             "server (s1, s2)."

    def node(self, name: str, on: bool | None = True):
        node = self.vpc.node_named(name)
        if not node:
            raise Mistake(f"there is no node {name}; there are {', '.join(self.vpc.nodes)}")
        if on is not None and node.on != on:
            raise Mistake(f"node {name} is {'on' if node.on else 'off'}")
        return node

    # ---- looking

    def do_topology(self) -> str:
        """the drawing"""
        return plans.__doc__.split("\n\n")[1]

    def do_status(self) -> str:
        """who holds what, and how the nodes are"""
        zones = [["zone", "route table", "leads to", "elastic IP", "is with", "lease"]]
        leases = trace.leases(self.vpc)
        for zone in self.vpc.plan.nat_zones:
            route, eip = self.vpc.holders()[zone.letter]
            zones.append([zone.letter, zone.table, self.named(route), zone.public_ip,
                          self.named(eip), self.lease_text(leases.get(zone.letter))])
        nodes = [["node", "primary", "power", "agent", "health check", "flows"]]
        targets = self.vpc.cloud.world.target_groups[plans.TARGET_GROUP]["targets"]
        for node in self.vpc.nodes.values():
            agent = node.agent and node.agent.poll() is None
            flows = node.json("status")["flows"]["now"] if node.on else "-"
            nodes.append([node.name, node.zone.primary, "on" if node.on else "off",
                          "runs" if agent else "-",
                          targets[f"{node.zone.instance}:{plans.HEALTH_PORT}"], flows])
        counts = self.vpc.igw.counts()
        gateway = ", ".join(f"{name} {value}" for name, value in counts.items() if value)
        return "\n\n".join([table(zones), table(nodes), f"internet gateway, packets: {gateway}",
                            *self.cut_lines()])

    @staticmethod
    def named(letter: str) -> str:
        return f"nat-{letter}" if letter else "nobody"

    @staticmethod
    def lease_text(lease: dict | None) -> str:
        return f"{lease['owner']}, epoch {lease['epoch']}, {lease['reason']}" if lease else "-"

    def cut_lines(self) -> list[str]:
        cuts = self.vpc.cut_names
        return [f"partitions: {', '.join(cuts)}"] if cuts else []

    def do_flows(self, node: str, *filters: str) -> str:
        """the flows of a node; filters as `natxdp flows --help` has them"""
        return self.node(node).natxdp("flows", *filters).stdout

    def do_log(self, node: str) -> str:
        """what the agent of a node has said"""
        return self.node(node, None).messages()

    def do_api(self) -> str:
        """the last API calls that change something"""
        calls = [entry for entry in self.vpc.cloud.standin.calls()
                 if not entry.action.startswith(("Describe", "Get", "PutMetric"))]
        rows = [["time", "caller", "call", "answer", "parameters"]]
        rows += [[datetime.fromtimestamp(entry.time).strftime("%H:%M:%S.%f")[:-3], entry.key,
                  entry.action, entry.code or entry.status,
                  ", ".join(f"{name} {value}" for name, value in entry.params.items())[:100]]
                 for entry in calls[-CALLS:]]
        return table(rows)

    # ---- traffic

    def do_traffic(self, connections: str = "") -> str:
        """opens so many connections a zone and keeps them busy (100); again: how they are"""
        if self.loads and not connections:
            return self.traffic_report()
        if not self.vpc.echo:
            self.vpc.echo = Echo(self.vpc.servers["s1"], plans.SERVERS[0])
        for zone in self.vpc.plan.zones:
            name = f"{zone.letter}1"
            if name not in self.loads:
                self.loads[name] = Load(self.vpc.clients[name], plans.SERVERS[0])
            self.loads[name].ask(f"open {int(connections or 100)}")
        return (f"opening, to {plans.SERVERS[0]}:{TCP_PORTS[0]}-{TCP_PORTS[-1]}; "
                "`vpc traffic` tells how they are")

    def traffic_report(self) -> str:
        rows = [["client", "open", "waiting", "failed", "lost", "longest gap", "seen as"]]
        for name, load in self.loads.items():
            now = load.report()
            rows.append([name, now.open, now.raw["waiting"], now.failed, now.lost,
                         f"{now.gap_ms.get('max', 0):.0f} ms",
                         ", ".join(f"{ip} {count}" for ip, count in now.public.items())])
        return table(rows)

    def do_mark(self) -> str:
        """the longest gap of the traffic is counted from now on"""
        for load in self.loads.values():
            load.mark()
        return ""

    # ---- what goes wrong

    def do_kill(self, node: str) -> str:
        """as a crash: kill -9 of the agent, and the link is down"""
        self.node(node).crash()
        return ""

    def do_kill_agent(self, node: str) -> str:
        """kill -9 of the agent alone"""
        if not self.node(node).agent:
            raise Mistake(f"no agent runs on node {node}")
        self.node(node).kill_agent()
        return ""

    def do_start_agent(self, node: str) -> str:
        """again, after kill-agent"""
        if self.node(node).agent:
            raise Mistake(f"the agent of node {node} runs")
        self.node(node).start_agent()
        return ""

    def do_off(self, node: str) -> str:
        """the node is gone, and EC2 knows it"""
        self.vpc.power_off(self.node(node).name)
        return ""

    def do_on(self, node: str) -> str:
        """starts a node that is off, with an empty flow table"""
        self.node(node, on=False)
        self.vpc.power_on_again(node)
        return ""

    def do_reboot(self, node: str) -> str:
        """off and on"""
        self.vpc.power_off(self.node(node).name)
        self.vpc.power_on_again(node)
        return ""

    def do_wedge(self, node: str) -> str:
        """detaches the XDP program, and nothing puts it back"""
        self.node(node).wedge()
        return ""

    def do_partition(self, one: str, other: str, way: str = "both") -> str:
        """between two nodes, a node and aws or internet; WAY: both or one"""
        places = (AWS, INTERNET)
        names = [name for name in (one, other) if name not in places]
        for name in names:
            self.node(name, None)
        if not names or way not in ("both", "one"):
            raise Mistake("usage: vpc partition NODE NODE|aws|internet [both|one]")
        self.vpc.partition(one, other, way == "both")
        return ""

    def do_isolate(self, node: str) -> str:
        """from the other nodes, AWS and the internet"""
        self.vpc.isolate(self.node(node, None).name)
        return ""

    def do_heal(self) -> str:
        """ends all partitions"""
        self.vpc.heal()
        return ""

    def do_latency(self, api: str, propagation: str) -> str:
        """seconds until an API call is answered, and until it acts"""
        self.vpc.cloud.api, self.vpc.cloud.propagation = float(api), float(propagation)
        return ""

    # ---- by other programs

    def do_natxdp(self, node: str, *arguments: str) -> Run:
        """natxdp on a node"""
        found = self.node(node)
        return Run(found.ns.command(*found.natxdp_command(*arguments)))

    def do_natxdpd(self, node: str, *arguments: str) -> Run:
        """natxdpd with the configuration of a node: drain, failover, ..."""
        found = self.node(node)
        return Run(found.ns.command(*found.natxdpd_command(*arguments)))

    def do_sh(self, host: str, *command: str) -> Run:
        """a shell on a host, or a command there"""
        node = self.vpc.node_named(host)
        name = node.name if node else host
        if name not in self.vpc.lab.ns or (node and not node.on):
            raise Mistake(f"there is no host {host}")
        return Run(self.vpc.lab[name].command(*(command or ("bash",))))

    def do_aws(self, *arguments: str) -> Run:
        """awscli against this VPC"""
        return Run(["aws", "--endpoint-url", self.vpc.cloud.local.url, *arguments],
                   self.environment())

    def do_env(self) -> str:
        """the endpoint and the names, as a shell takes them: eval "$(vpc env)" """
        return "\n".join(f"export {name}={value}" for name, value in self.environment().items())

    def environment(self) -> dict[str, str]:
        plan = self.vpc.plan
        return {
            "AWS_ENDPOINT_URL": self.vpc.cloud.local.url, **KEYS,
            "AWS_DEFAULT_REGION": plans.REGION, "AWS_REGION": plans.REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "NATXDP_NODES": f"'{' '.join(zone.instance for zone in plan.nat_zones)}'",
            "NATXDP_PROBES": f"'{' '.join(client.instance for client in plan.clients)}'",
            "NATXDP_ROUTE_TABLES": f"'{' '.join(zone.table for zone in plan.nat_zones)}'",
            "NATXDP_ELASTIC_IPS": f"'{' '.join(zone.public_ip for zone in plan.nat_zones)}'",
            "NATXDP_LEASES": plans.LEASES, "NATXDP_GROUP": plans.GROUP,
            "NATXDP_TARGET_GROUP": plans.TARGET_GROUP,
            "NATXDP_CONTROL": self.vpc.cloud.control.url,
        }
