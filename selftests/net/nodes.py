# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""Two NAT nodes that stand by for each other, behind a router that is VPC and internet gateway.

    c1 10.0.1.11 --+                                       +-- s1 198.51.100.2
    c2 10.0.1.12 --+-- 10.0.1.1 [ router ] 198.51.100.1 ---+
                              10.0.2.1  10.0.3.1
                                  |        |
                            [ nata ]      [ natb ]
     agents      10.0.2.10         10.0.3.10
     slot 0      10.0.2.20         10.0.3.20       203.0.113.1
     slot 1      10.0.2.21         10.0.3.21       203.0.113.2

As in a VPC each node has a private address of its own for each public one, and
the router maps the one to the other, without a state, for the node that has
the public address: move() is AssociateAddress and ReplaceRoute.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from box import NATXDP
from lab import HELPERS, Lab, Namespace, wait_until
from topology import notice_xdp

PUBLIC = ("203.0.113.1", "203.0.113.2")
NETS = {"nata": "10.0.2", "natb": "10.0.3"}
SERVER = "198.51.100.2"
PORT = 9470
KEY = "00112233445566778899aabbccddeeff" * 2


def private(role: str, slot: int) -> str:
    return f"{NETS[role]}.{20 + slot}"


class Node:
    """One NAT: natxdp loaded, and replication beside it."""

    def __init__(self, lab: Lab, role: str) -> None:
        self.lab, self.role = lab, role
        self.ns = lab.host(role)
        self.pin_dir = Path(f"{lab.pin_dir}-{role}")
        net = NETS[role]
        lab.cable(self.ns, "eth0", f"{net}.10/24", lab["router"], role)
        for slot in range(len(PUBLIC)):
            self.ns.ip(f"addr add {private(role, slot)}/32 dev eth0")
        lab["router"].ip(f"addr add {net}.1/24 dev {role}")
        notice_xdp(lab["router"], role)
        self.ns.ip(f"route add default via {net}.1")
        self.process: subprocess.Popen | None = None

    def natxdp(self, *arguments: object, check: bool = True) -> subprocess.CompletedProcess:
        return self.ns.run(NATXDP, *arguments, "--pin-dir", self.pin_dir, check=check)

    def external(self) -> list[int]:
        """The slots in the order of the external addresses: not alike on both nodes."""
        return list(range(len(PUBLIC)))[::1 if self.role == "nata" else -1]

    def load(self, *options: object) -> None:
        addresses = ",".join(private(self.role, slot) for slot in self.external())
        self.natxdp("load", "eth0", "--config", "/dev/null", "--external", addresses, *options)

    def unload(self) -> None:
        self.natxdp("unload", "--all", check=False)

    def start(self, own: int, peer: str) -> None:
        key = self.lab.scratch / "key"
        key.write_text(KEY)
        key.chmod(0o640)
        slots = ",".join(private(self.role, slot) for slot in range(len(PUBLIC)))
        self.process = self.ns.spawn(
            HELPERS / "sync_node", self.pin_dir, f"{NETS[self.role]}.10:{PORT}", key, slots,
            f"{NETS[peer]}.10:{PORT}", stdin=subprocess.PIPE, stderr=None)
        assert self.answer() == {"result": 0}
        self.own(own)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def answer(self) -> dict:
        line = self.process.stdout.readline()
        assert line, f"sync_node on {self.role} has ended: {self.process.wait(5)}"
        return json.loads(line)

    def ask(self, *words: object) -> dict:
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()
        return self.answer()

    def own(self, slots: int) -> None:
        """Bits; the others are standing by."""
        assert self.ask("own", slots) == {"result": 0}
        standby = sum(1 << index for index, slot in enumerate(self.external())
                      if not slots >> slot & 1)
        assert self.ask("standby", standby) == {"result": 0}

    def state(self) -> dict:
        return self.ask("state", 0)

    def flush(self) -> None:
        assert self.ask("flush", 0) == {"result": 0}

    def flows(self) -> list[dict]:
        return json.loads(self.natxdp("flows", "--json").stdout)

    def mappings(self) -> list[dict]:
        return json.loads(self.natxdp("flows", "--mappings", "--json").stdout)

    def stats(self, event: str) -> int:
        return json.loads(self.natxdp("stats", "--json").stdout)["events"][event]

    def told(self, slot: int | None = None) -> set[tuple]:
        """What is replicated of each flow, by slot, so that both nodes can be compared."""
        slots = {private(self.role, number): number for number in range(len(PUBLIC))}
        ends = ((flow["proto"], slots[flow["external"]["address"]], *flow["inside"].values(),
                 *list(flow["external"].values())[1:], *flow["destination"].values())
                for flow in self.flows())
        return {end for end in ends if slot is None or end[1] == slot}


def build(clients: int = 2) -> Lab:
    lab = Lab()
    try:
        router = lab.router("router")
        router.sysctl("net.ipv4.conf.default.rp_filter", 0)  # it has no way to its public addresses
        lab.nodes = {role: Node(lab, role) for role in NETS}
        lab.bridge(router, "lan", "10.0.1.1/24")
        lab.bridge(router, "wan", "198.51.100.1/24")
        for number in range(1, clients + 1):
            client = lab.host(f"c{number}")
            lab.plug(client, "eth0", f"10.0.1.{10 + number}/24", router, "lan")
            client.ip("route add default via 10.0.1.1")
        server = lab.host("s1")
        lab.plug(server, "eth0", f"{SERVER}/24", router, "wan")
        server.ip("route add default via 198.51.100.1")
        router.ip("rule add iif lan to 10.0.0.0/8 lookup main priority 90")
        router.ip("rule add iif lan lookup 100 priority 100")
        router.ip("route add blackhole default metric 9999 table 100")  # never past the NAT
        move(lab, "nata")
    except BaseException:
        lab.close()
        raise
    return lab


def move(lab: Lab, role: str) -> None:
    """The public addresses, and the way of the clients to the internet, to one node."""
    rules = "\n".join(
        f"iifname {role} ip saddr {private(role, slot)} ip saddr set {public}\n"
        f"ip daddr {public} ip daddr set {private(role, slot)}"
        for slot, public in enumerate(PUBLIC))
    lab["router"].run("nft", f"""
        table ip gateway {{}}
        flush table ip gateway
        table ip gateway {{
            chain addresses {{
                type filter hook prerouting priority -300;
                {rules}
            }}
        }}""")
    lab["router"].ip(f"route replace default via {NETS[role]}.10 table 100")
