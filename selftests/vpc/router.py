# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""The VPC router: a cable to each interface, a route table for each subnet.

It forwards by the destination alone, as a VPC does: inside the VPC to the
interface that has the address, whatever a route table says; else by the route
table of the subnet that the packet comes from. What has no way is dropped
without a word, and so is what comes from or goes to an interface with the
source/destination check on and does not carry its address. Neighbours are
permanent: whether a host answers ARP changes no route.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

import plan as plans
from lab import HELPERS, Lab, Namespace, run

FIRST_TABLE = 1000
LOCAL_RULE, TABLE_RULE = 100, 200
RULES = """table ip vpc {
    set checked { type ifname; }
    set owned { type ifname . ipv4_addr; }
    set cut { type ipv4_addr . ipv4_addr; }
    set cut_off { type ipv4_addr; }
    set lossy { type ipv4_addr . ipv4_addr; }
    chain forward {
        type filter hook forward priority 0;
        ip saddr . ip daddr @cut counter drop
        oifname "igw" ip saddr @cut_off counter drop
        iifname "igw" ip daddr @cut_off counter drop
        ip saddr . ip daddr @lossy numgen random mod 100 < LOSS counter drop
        iifname @checked iifname . ip saddr != @owned counter drop
        oifname @checked oifname . ip daddr != @owned counter drop
    }
}
"""


@dataclass
class Interface:
    """An ENI: the cable is named after the host at its other end."""

    host: str
    addresses: list[str] = field(default_factory=list)


class Router:
    def __init__(self, lab: Lab, loss: int = 20) -> None:
        """loss: of a lossy pair, in percent."""
        self.lab = lab
        self.ns: Namespace = lab.router("router")
        self.ns.sysctl("net.ipv4.conf.default.rp_filter", 0)
        self.ns.sysctl("net.ipv4.conf.default.proxy_arp", 1)
        self.ns.ip(f"rule add lookup main priority {LOCAL_RULE}")
        self.ns.ip(f"route add blackhole {plans.VPC_CIDR}")
        rules = lab.scratch / "router.nft"
        rules.write_text(RULES.replace("LOSS", str(loss)))
        self.ns.run("nft", "-f", rules)
        self.interfaces: dict[str, Interface] = {}
        self.tables: dict[str, int] = {}
        self.routes: dict[tuple[str, str], dict[str, str]] = {}
        self.cuts: set[tuple[str, str]] = set()
        # nodes are powered on and off side by side: who looks at an interface to write a
        # route must have written it before the interface changes
        self.lock = threading.RLock()

    def table(self, name: str) -> int:
        """The kernel's number of a route table; a new one drops everything."""
        with self.lock:
            if name not in self.tables:
                number = self.tables[name] = FIRST_TABLE + len(self.tables)
                self.ns.ip(f"route add blackhole default metric 9999 table {number}")
            return self.tables[name]

    # ---- interfaces

    def attach(self, host: Namespace, addresses: list[str], gateway: str, table: str,
               mtu: int, xdp: bool = False, mac: str = "") -> None:
        """Gives a host its eth0. xdp: it answers by XDP_TX."""
        name = host.role
        self.lab.cable(host, "eth0", "", self.ns, name)
        for ns, dev in (host, "eth0"), (self.ns, name):
            ns.ip(f"link set {dev} mtu {mtu}")
        if mac:
            host.ip(f"link set eth0 address {mac}")
        for index, address in enumerate(addresses):
            host.ip(f"addr add {address}/{24 if index == 0 else 32} dev eth0")
        self.ns.sysctl(f"net.ipv4.neigh.{name}.proxy_delay", 0)
        if xdp:
            self.ns.run(HELPERS / "xdp_pass", name)
        self.ns.ip(f"addr add {gateway}/32 dev {name}")
        self.ns.ip(f"rule add iif {name} lookup {self.table(table)} priority {TABLE_RULE}")
        host.ip(f"route add default via {gateway}")
        self.interfaces[name] = Interface(name)
        self.own(name, addresses, host.mac("eth0"))

    def own(self, name: str, addresses: list[str], mac: str = "") -> None:
        """The addresses of an interface, all of them."""
        with self.lock:
            interface = self.interfaces[name]
            mac = mac or self.mac_behind(name)
            for address in set(interface.addresses) - set(addresses):
                self.ns.ip(f"route del {address}/32 dev {name}", check=False)
                self.elements("delete", "owned", f'"{name}" . {address}')
            for address in set(addresses) - set(interface.addresses):
                self.ns.ip(f"neigh replace {address} lladdr {mac} dev {name} nud permanent")
                self.ns.ip(f"route replace {address}/32 dev {name} src {self.gateway_at(name)}")
                self.elements("add", "owned", f'"{name}" . {address}')
            interface.addresses = list(addresses)
            self.apply_routes()

    def gateway_at(self, name: str) -> str:
        return self.ns.ip(f"-4 -br addr show dev {name}").split()[2].split("/")[0]

    def mac_behind(self, name: str) -> str:
        return self.lab[name].mac("eth0")

    def detach(self, name: str) -> None:
        """The interface is gone: routes to it stay, and lead nowhere."""
        with self.lock:
            interface = self.interfaces.pop(name)
            for address in interface.addresses:
                self.elements("delete", "owned", f'"{name}" . {address}')
            self.check(name, False)
            self.ns.ip(f"rule del iif {name} priority {TABLE_RULE}", check=False)
            self.ns.ip(f"link del {name}", check=False)

    def check(self, name: str, on: bool) -> None:
        """The source/destination check of an interface."""
        self.elements("delete", "checked", f'"{name}"')
        if on:
            self.elements("add", "checked", f'"{name}"')

    # ---- routes

    def route(self, table: str, cidr: str, target: dict[str, str]) -> None:
        """target: {"host": NAME}, {"gateway": "igw"} or {}, which drops."""
        with self.lock:
            self.routes[table, cidr] = target
            self.apply_route(table, cidr)

    def apply_routes(self) -> None:
        """Once more, for those whose interface was not there."""
        for table, cidr in self.routes:
            self.apply_route(table, cidr)

    def apply_route(self, table: str, cidr: str) -> None:
        target = self.routes[table, cidr]
        number = self.table(table)
        interface = self.interfaces.get(target.get("host", ""))
        way = "blackhole"
        if target.get("gateway") == "igw":
            self.ns.ip(f"route replace {cidr} via 100.64.0.2 dev igw table {number}")
            return
        if interface and interface.addresses:
            way = f"via {interface.addresses[0]} dev {interface.host} onlink"
            self.ns.ip(f"route replace {cidr} {way} table {number}")
            return
        self.ns.ip(f"route replace blackhole {cidr} table {number}")

    def way(self, table: str, cidr: str = "default") -> str:
        """The host, igw or "" that the kernel's table leads to."""
        found = self.ns.ip(f"route show table {self.table(table)} {cidr}").split()
        return found[found.index("dev") + 1] if "dev" in found else ""

    # ---- what goes wrong

    def elements(self, verb: str, name: str, *elements: str) -> None:
        # deleting what is not there is no mistake here
        for some in [elements] if verb == "add" else [[element] for element in elements]:
            if some:
                self.ns.run("nft", f"{verb} element ip vpc {name} {{ {', '.join(some)} }}",
                            check=verb == "add")

    def cut(self, sources: list[str], destinations: list[str]) -> None:
        """Drops what goes from one to the other: one direction."""
        for pair in {(a, b) for a in sources for b in destinations} - self.cuts:
            self.elements("add", "cut", f"{pair[0]} . {pair[1]}")
            self.cuts.add(pair)

    def cut_internet(self, addresses: list[str]) -> None:
        for address in addresses:
            self.elements("add", "cut_off", address)

    def lose(self, sources: list[str], destinations: list[str]) -> None:
        """Drops a part of what goes from one to the other."""
        for source in sources:
            for destination in destinations:
                self.elements("add", "lossy", f"{source} . {destination}")

    def heal(self) -> None:
        for name in ("cut", "cut_off", "lossy"):
            self.ns.run("nft", f"flush set ip vpc {name}")
        self.cuts.clear()

    def neighbours(self) -> str:
        return run("ip", "-n", self.ns.name, "neigh").stdout
