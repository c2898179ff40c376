# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""ICMP echo through the NAT, and what the NAT itself answers."""

import re
import socket
import struct

import pytest
from capture import Capture, assert_checksums
from lab import Lab, Namespace
from probes import udp_client


def ping(ns: Namespace, address: str, *options: object) -> float:
    """Returns the loss in percent."""
    done = ns.run("ping", "-n", "-q", "-W", 2, *options, address, check=False)
    return float(re.search(r"([\d.]+)% packet loss", done.stdout).group(1))


@pytest.mark.any_box
@pytest.mark.parametrize("size", [0, 1, 56, 1400, 1472])
def test_ping(any_lab: Lab, size: int) -> None:
    at_server = Capture(any_lab["s1"], "eth0", "icmp[icmptype] == icmp-echo", outgoing=False)
    at_client = Capture(any_lab["c1"], "eth0", "icmp[icmptype] == icmp-echoreply")
    assert ping(any_lab["c1"], any_lab.server, "-c", 3, "-i", 0.01, "-s", size) == 0
    for capture in (at_server, at_client):
        for frame in capture.first(3):
            assert frame.ttl == 64 - any_lab.hops
            assert_checksums(frame)
    assert {frame.src for frame in at_server.kept} == {any_lab.external}


@pytest.mark.any_box
def test_many_pings_at_once(any_lab: Lab) -> None:
    command = ("ping", "-n", "-q", "-W", "2", "-c", "5", "-i", "0.02", any_lab.server)
    pings = [any_lab[name].spawn(*command) for name in ("c1", "c2") for _ in range(10)]
    assert [process.wait(20) for process in pings] == [0] * len(pings)


def test_counters_are_exact(any_lab: Lab) -> None:
    assert ping(any_lab["c1"], any_lab.server, "-c", 4, "-i", 0.01, "-s", 100) == 0
    flow = any_lab.box.flow("--proto", "icmp")
    for way in ("out", "in"):
        assert flow[way] == {"packets": 4, "bytes": 4 * 128}
    assert flow["state"] == "replied"


def test_same_identifier_from_two_hosts(any_lab: Lab) -> None:
    """Two hosts that chose the same identifier get different ones outside."""
    names = ("c1", "c2")
    for name in names:
        assert ping(any_lab[name], any_lab.server, "-c", 1, "-e", 4711) == 0
    flows = any_lab.box.flows("--proto", "icmp")
    assert [flow["inside"]["identifier"] for flow in flows] == [4711, 4711]
    assert len({flow["external"]["identifier"] for flow in flows}) == len(names)


def box_address(lab: Lab) -> str:
    return "10.77.0.1" if lab.hops == 1 else lab.external


@pytest.mark.any_box
def test_traceroute_sees_the_box(any_lab: Lab) -> None:
    """A datagram that runs out of TTL at the NAT is answered by the NAT."""
    way_to_box = (any_lab.hops + 1) // 2
    answers = Capture(any_lab["c1"], "eth0", "icmp[icmptype] == icmp-timxceed", outgoing=False)
    sock = udp_client(any_lab["c1"], any_lab.server, 33434)
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, way_to_box)
    sock.send(b"how far?")
    [frame] = answers.first(1)
    assert frame.src == box_address(any_lab)
    assert_checksums(frame)
    quoted = frame.payload
    assert struct.unpack("!H", quoted[20:22])[0] == sock.getsockname()[1]


@pytest.mark.any_box
def test_ping_the_box_from_inside(any_lab: Lab) -> None:
    assert ping(any_lab["c1"], box_address(any_lab), "-c", 2, "-i", 0.01) == 0
