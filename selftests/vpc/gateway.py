# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""The internet gateway of the VPC (igw.bpf.c), and the internet behind it."""

from __future__ import annotations

import socket
import struct

import plan as plans
from bpfmap import BpfMap
from lab import BUILD, Lab, run

OBJECT = BUILD / "selftests" / "vpc" / "igw.bpf.o"
INSIDE, ROUTER = "100.64.0.2", "100.64.0.1"
COUNTS = ("out", "in", "out_unassociated", "in_unassociated", "too_big", "malformed")
PRIVATE = "ip and (src net 10.0.0.0/8 or src net 100.64.0.0/10)"


class InternetGateway:
    """eth0 leads to the VPC router, wan to the servers."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.ns = lab.router("igw")
        self.ns.sysctl("net.ipv4.conf.default.rp_filter", 0)
        self.pins = lab.pin_dir.with_name(f"{lab.pin_dir.name}-igw")
        lab.bridge(self.ns, "wan", f"{plans.SERVER_GATEWAY}/24")
        lab.stack.callback(self.close)
        self.maps: list[BpfMap] = []
        self.servers = {}
        for number, address in enumerate(plans.SERVERS, 1):
            server = lab.host(f"s{number}")
            lab.plug(server, "eth0", f"{address}/24", self.ns, "wan")
            server.ip(f"route add default via {plans.SERVER_GATEWAY}")
            self.servers[server.role] = server

    def connect(self, router, mtu: int) -> None:
        """The link to the VPC router, and the programs on both ways in."""
        self.lab.cable(self.ns, "eth0", f"{INSIDE}/30", router, "igw")
        router.ip(f"addr add {ROUTER}/30 dev igw")
        for ns, dev in (self.ns, "eth0"), (router, "igw"):
            ns.ip(f"link set {dev} mtu {mtu}")
        self.ns.ip(f"route add {plans.VPC_CIDR} via {ROUTER}")
        run("bpftool", "prog", "loadall", OBJECT, self.pins, "pinmaps", self.pins)
        for dev, program in ("eth0", "igw_out"), ("wan", "igw_in"):
            # not tc -n, which hides bpffs
            self.ns.run("tc", "qdisc", "add", "dev", dev, "clsact")
            self.ns.run("tc", "filter", "add", "dev", dev, "ingress", "bpf", "direct-action",
                        "pinned", self.pins / program)
        self.maps = [BpfMap(self.pins / name, 4, size)
                     for name, size in (("public_of", 4), ("private_of", 4), ("counts", 8))]
        self.public_of, self.private_of, self.counters = self.maps

    def close(self) -> None:
        for entry in self.maps:
            entry.close()

    def associate(self, wanted: dict[str, str]) -> None:
        """Makes public -> private address the whole truth, what goes first."""
        have = self.associations()
        for public, private in have.items():
            if wanted.get(public) != private:
                self.public_of.delete(socket.inet_aton(private))
                if public not in wanted:
                    self.private_of.delete(socket.inet_aton(public))
        for public, private in wanted.items():
            if have.get(public) != private:
                self.private_of.set(socket.inet_aton(public), socket.inet_aton(private))
                self.public_of.set(socket.inet_aton(private), socket.inet_aton(public))

    def associations(self) -> dict[str, str]:
        """Those that act: public -> private address."""
        return {socket.inet_ntoa(key): socket.inet_ntoa(self.private_of.get(key))
                for key in self.private_of.keys()}

    def counts(self) -> dict[str, int]:
        return {name: struct.unpack("=Q", self.counters.get(struct.pack("=I", index)))[0]
                for index, name in enumerate(COUNTS)}
