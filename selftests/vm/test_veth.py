# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""natxdp on Linux 6.1: a client, a NAT and a server in namespaces of one guest.

client 10.77.0.2 -- veth -- 10.77.0.1 eth1 [ nat ] eth0 203.0.113.1 -- veth -- server 203.0.113.2
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
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


@pytest.fixture(scope="module")
def nat(guest: Guest) -> Iterator[Guest]:
    for name in ("client", "nat", "server"):
        guest.run(f"ip netns add {name} && ip -n {name} link set lo up")
    cable(guest, "client", "10.77.0.2/24", "eth1", "10.77.0.1/24")
    cable(guest, "server", f"{SERVER}/24", "eth0", f"{EXTERNAL}/24")
    guest.run(f"{IN_NAT} ethtool -K eth0 tx off && {IN_NAT} ethtool -K eth1 tx off")
    guest.run("ip -n client route add default via 10.77.0.1")
    guest.run(f"ip netns exec server setsid talk serve {PORT} {LOG} </dev/null >/dev/null 2>&1 &")
    guest.wait_until(f"grep -q ready {LOG}")
    guest.run(f"{IN_NAT} natxdp load eth0 --inside eth1")
    yield guest
    guest.run(f"{IN_NAT} natxdp unload --all")


def seen(guest: Guest, proto: str) -> list[tuple[str, int]]:
    """Whom the server has seen, as (address, port); forgotten then."""
    lines = [line.split() for line in guest.run(f"cat {LOG}; : >{LOG}").output.splitlines()]
    addresses = {address for kind, address, _ in lines if kind != "ready"}
    assert addresses <= {EXTERNAL}, "left the NAT untranslated"
    return [(address, int(port)) for kind, address, port in lines if kind == proto]


def natxdp(guest: Guest, arguments: str):
    return json.loads(guest.run(f"{IN_NAT} natxdp {arguments} --json").output)


def test_loads_native(nat: Guest) -> None:
    status = natxdp(nat, "status")
    assert (status["active"], status["mode"], status["xdp_mode"]) == (True, "two-armed", "native")
    assert nat.run("uname -r").output.startswith("6.1.")


def test_tcp(nat: Guest) -> None:
    seen(nat, "tcp")
    own = int(nat.run(f"ip netns exec client talk tcp {SERVER} {PORT} 1000000").output.split()[1])
    [(address, port)] = seen(nat, "tcp")
    assert address == EXTERNAL
    [flow] = natxdp(nat, "flows --proto tcp")
    assert flow["inside"] == {"address": "10.77.0.2", "port": own}
    assert flow["external"] == {"address": EXTERNAL, "port": port}
    assert flow["destination"] == {"address": SERVER, "port": PORT}
    assert flow["out"]["bytes"] > 1000000 and flow["in"]["bytes"] > 1000000


def test_udp(nat: Guest) -> None:
    seen(nat, "udp")
    nat.run(f"ip netns exec client talk udp {SERVER} {PORT} 20")
    peers = seen(nat, "udp")
    assert len(peers) == 20 and {address for address, _ in peers} == {EXTERNAL}
    flows = natxdp(nat, "flows --proto udp")
    assert sorted(flow["external"]["port"] for flow in flows) == sorted(port for _, port in peers)


def test_icmp(nat: Guest) -> None:
    seen(nat, "icmp")
    output = nat.run(f"ip netns exec client busybox ping -c 3 -W 10 {SERVER}").output
    assert "3 packets received" in output
    peers = seen(nat, "icmp")
    assert len(peers) == 3 and {address for address, _ in peers} == {EXTERNAL}
    [flow] = natxdp(nat, "flows --proto icmp")
    assert flow["external"] == {"address": EXTERNAL, "identifier": peers[0][1]}
    assert (flow["out"]["packets"], flow["in"]["packets"]) == (3, 3)


def test_the_flow_iterator(nat: Guest) -> None:
    lines = nat.run("cat /sys/fs/bpf/natxdp/flows").output
    assert "10.77.0.2" in lines and EXTERNAL in lines


def test_reload_keeps_flows(nat: Guest) -> None:
    before = natxdp(nat, "flows --proto udp")
    program = natxdp(nat, "status")["interfaces"][0]["program_id"]
    nat.run(f"{IN_NAT} natxdp load eth0 --inside eth1")
    assert natxdp(nat, "status")["interfaces"][0]["program_id"] != program
    after = natxdp(nat, "flows --proto udp")
    assert {flow["external"]["port"] for flow in after} == {flow["external"]["port"] for flow in before}
    nat.run(f"ip netns exec client talk tcp {SERVER} {PORT} 50000")
