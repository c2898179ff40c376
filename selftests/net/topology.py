# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""The two networks in which a NAT is tried.

two_armed                      inside bridge            outside bridge
    c1 10.77.0.11 ------------+                          +------------ s1 203.0.113.2
    c2 10.77.0.12 ------------+                          +------------ s2 203.0.113.3
    ...                       +-- eth1 [ nat ] eth0 -----+
    inrouter 10.77.0.254 -----+  10.77.0.1  203.0.113.1  +-- outrouter 203.0.113.254
        |  10.78.0.1                                               |  198.51.100.1
    far 10.78.0.2                                              s3 198.51.100.2

one_armed, as in a VPC: the router sends what comes from the clients and goes
to the internet to the NAT, which sends it back to the router.

    c1 10.0.1.11 --+                                     +-- s1 198.51.100.2
    c2 10.0.1.12 --+-- 10.0.1.1 [ router ] 198.51.100.1 -+
    ...                          10.0.0.1                +-- s2 198.51.100.3
                                     |
                             eth0 10.0.0.10 [ nat ]

The bridge ports are named after the hosts at their other ends, so `nat` in
insw and outsw, or in the router, is where one sees what the NAT sends.
"""

from __future__ import annotations

from audit import Wire, watch_queue
from box import make_box
from capture import Capture
from lab import HELPERS, Lab, Namespace

# What must never leave: the sources of the inside.
INSIDE_LEAK = "ip and (src net 10.0.0.0/8 or src net 172.16.0.0/12 or src net 192.168.0.0/16)"
# The NAT itself, and what it leaves alone on purpose, may speak to the router.
ONE_ARMED_LEAK = "ip and src net 10.0.0.0/8 and not src host 10.0.0.10 and not dst net 10.0.0.0/8"


def two_armed(clients: int = 2, box: str = "natxdp") -> Lab:
    lab = Lab()
    try:
        build_two_armed(lab, clients)
        wires = cables(lab, ("eth0", "outsw"), ("eth1", "insw"))
        lab.box = make_box(box, lab, lab["nat"], outside="eth0", inside="eth1", wires=wires)
        lab.leaks = Capture(lab["outsw"], "nat", INSIDE_LEAK, outgoing=False)
    except BaseException:
        lab.close()
        raise
    return lab


def one_armed(clients: int = 2, box: str = "natxdp") -> Lab:
    lab = Lab()
    try:
        build_one_armed(lab, clients)
        wires = cables(lab, ("eth0", "router"))
        lab.box = make_box(box, lab, lab["nat"], outside="eth0", inside="", wires=wires)
        lab.leaks = Capture(lab["router"], "nat", ONE_ARMED_LEAK, outgoing=False)
    except BaseException:
        lab.close()
        raise
    return lab


def cables(lab: Lab, *ends: tuple[str, str]) -> list[Wire]:
    """Those of the NAT: its device, and the host at the other end."""
    for dev, _ in ends:
        watch_queue(lab["nat"], dev)
    return [Wire(lab["nat"], dev, lab[peer], "nat") for dev, peer in ends]


def notice_xdp(ns: Namespace, dev: str) -> None:
    """What comes by XDP_TX over a veth is noticed only by a device with a program of its own."""
    ns.run(HELPERS / "xdp_pass", dev)


def build_two_armed(lab: Lab, clients: int) -> None:
    insw, outsw, nat = lab.host("insw"), lab.host("outsw"), lab.host("nat")
    inrouter, outrouter = lab.router("inrouter"), lab.router("outrouter")
    lab.bridge(insw, "br0")
    lab.bridge(outsw, "br0")
    lab.plug(nat, "eth1", "10.77.0.1/24", insw, "br0")
    lab.plug(nat, "eth0", "203.0.113.1/24", outsw, "br0")
    notice_xdp(insw, "nat")
    notice_xdp(outsw, "nat")
    lab.plug(inrouter, "eth0", "10.77.0.254/24", insw, "br0")
    lab.plug(outrouter, "eth0", "203.0.113.254/24", outsw, "br0")
    for number in range(1, clients + 1):
        client = lab.host(f"c{number}")
        lab.plug(client, "eth0", f"10.77.0.{10 + number}/24", insw, "br0")
        client.ip("route add default via 10.77.0.1")
    for number in (1, 2):
        lab.plug(lab.host(f"s{number}"), "eth0", f"203.0.113.{1 + number}/24", outsw, "br0")
    far, s3 = lab.host("far"), lab.host("s3")
    lab.cable(far, "eth0", "10.78.0.2/24", inrouter, "far")
    inrouter.ip("addr add 10.78.0.1/24 dev far")
    far.ip("route add default via 10.78.0.1")
    lab.cable(s3, "eth0", "198.51.100.2/24", outrouter, "s3")
    outrouter.ip("addr add 198.51.100.1/24 dev s3")
    s3.ip("route add default via 198.51.100.1")
    inrouter.ip("route add default via 10.77.0.1")
    nat.ip("route add 10.78.0.0/24 via 10.77.0.254")
    nat.ip("route add default via 203.0.113.254")
    lab.external = "203.0.113.1"
    lab.server = "203.0.113.2"
    lab.hops = 1  # that take one off the TTL between a client and s1


def build_one_armed(lab: Lab, clients: int) -> None:
    router, nat = lab.router("router"), lab.host("nat")
    lab.cable(nat, "eth0", "10.0.0.10/24", router, "nat")
    router.ip("addr add 10.0.0.1/24 dev nat")
    notice_xdp(router, "nat")
    nat.ip("route add default via 10.0.0.1")
    lab.bridge(router, "lan", "10.0.1.1/24")
    lab.bridge(router, "wan", "198.51.100.1/24")
    for number in range(1, clients + 1):
        client = lab.host(f"c{number}")
        lab.plug(client, "eth0", f"10.0.1.{10 + number}/24", router, "lan")
        client.ip("route add default via 10.0.1.1")
    for number in (1, 2):
        server = lab.host(f"s{number}")
        lab.plug(server, "eth0", f"198.51.100.{1 + number}/24", router, "wan")
        server.ip("route add default via 198.51.100.1")
    router.ip("route add default via 10.0.0.10 table 100")
    router.ip("rule add iif lan to 10.0.0.0/8 lookup main priority 90")
    router.ip("rule add iif lan lookup 100 priority 100")
    lab.external = "10.0.0.10"
    lab.server = "198.51.100.2"
    lab.hops = 3
