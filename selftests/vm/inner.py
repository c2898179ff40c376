# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""A client, a NAT and a server in namespaces of one guest.

client 10.77.0.2 -- veth -- 10.77.0.1 eth1 [ nat ] eth0 203.0.113.1 -- veth -- server 203.0.113.2
"""

from __future__ import annotations

import json

from guest import Guest

PORT = 9000
SERVER = "203.0.113.2"
EXTERNAL = "203.0.113.1"
LOG = "/tmp/seen"
# `ip netns exec` would hide the bpf file system
IN_NAT = "nsenter --net=/run/netns/nat"


def cable(guest: Guest, ns: str, address: str, dev: str, nat_address: str) -> None:
    guest.run(f"ip link add eth0 netns {ns} type veth peer name {dev} netns nat")
    guest.run(f"ip -n {ns} addr add {address} dev eth0 && ip -n {ns} link set eth0 up")
    guest.run(f"ip -n nat addr add {nat_address} dev {dev} && ip -n nat link set {dev} up")
    guest.run(f"nsenter --net=/run/netns/{ns} ethtool -K eth0 tx off gro on")
    # what comes by XDP over a veth is noticed only by a device with a program of its own
    guest.run(f"nsenter --net=/run/netns/{ns} xdp_pass eth0")


def build(guest: Guest) -> None:
    """The network, and the server; no NAT yet."""
    for name in ("client", "nat", "server"):
        guest.run(f"ip netns add {name} && ip -n {name} link set lo up")
    cable(guest, "client", "10.77.0.2/24", "eth1", "10.77.0.1/24")
    cable(guest, "server", f"{SERVER}/24", "eth0", f"{EXTERNAL}/24")
    guest.run(f"{IN_NAT} ethtool -K eth0 tx off && {IN_NAT} ethtool -K eth1 tx off")
    guest.run("ip -n client route add default via 10.77.0.1")
    guest.run(f"ip netns exec server setsid talk serve {PORT} {LOG} </dev/null >/dev/null 2>&1 &")
    guest.wait_until(f"grep -q ready {LOG}")


def seen(guest: Guest, proto: str) -> list[tuple[str, int]]:
    """Whom the server has seen, as (address, port); forgotten then."""
    lines = [line.split() for line in guest.run(f"cat {LOG}; : >{LOG}").output.splitlines()]
    addresses = {address for kind, address, _ in lines if kind != "ready"}
    assert addresses <= {EXTERNAL}, "left the NAT untranslated"
    return [(address, int(port)) for kind, address, port in lines if kind == proto]


def natxdp(guest: Guest, arguments: str):
    return json.loads(guest.run(f"{IN_NAT} natxdp {arguments} --json").output)
