# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""natxdp on veth under Linux 6.1; the network is in inner.py.

test-timeout: 600
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import inner
import pytest
from guest import Guest
from inner import EXTERNAL, IN_NAT, PORT, SERVER, natxdp, seen


@pytest.fixture(scope="module")
def nat(guest: Guest) -> Iterator[Guest]:
    inner.build(guest)
    guest.run(f"{IN_NAT} natxdp load eth0 --inside eth1")
    yield guest
    guest.run(f"{IN_NAT} natxdp unload --all")


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


def test_upgrade_to_another_size_keeps_flows(nat: Guest) -> None:
    """New tables, the gate and its timer, and bpffs that exchanges two directories."""
    before, began = natxdp(nat, "flows"), time.monotonic()
    nat.run(f"ip netns exec client busybox ping -c 100 -i 0.2 -W 10 {SERVER} >/tmp/ping 2>&1 &")
    # the verifier, emulated, sees the programs twice
    nat.run(f"{IN_NAT} natxdp load eth0 --inside eth1 --max-flows 20000", timeout=240)
    assert natxdp(nat, "status")["flows"]["max"] == 20000
    after = natxdp(nat, "flows")
    keys = ("proto", "inside", "external", "destination")
    # what was closed may be over by now
    lasting = [f for f in before if f["expires_in_seconds"] > time.monotonic() - began + 5]
    assert lasting
    assert {str([f[k] for k in keys]) for f in lasting} <= {str([f[k] for k in keys]) for f in after}
    assert nat.run("ls /sys/fs/bpf/natxdp").output.split() == ["flows", "insert", "links", "maps"]
    nat.run(f"ip netns exec client talk tcp {SERVER} {PORT} 50000")
    nat.wait_until("grep -q 'packet loss' /tmp/ping")
    assert " 0% packet loss" in nat.run("cat /tmp/ping").output
