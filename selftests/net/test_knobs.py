# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""Keys of natxdp.conf as they show in packets: each test fails if its key is ignored."""

import time

import pytest
from capture import Capture
from lab import Lab, wait_until
from probes import UdpServer, echoed, inject, udp_client
from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import Ether
from scapy.packet import Raw

PORT = 9000
EXTERNALS = "203.0.113.1:2000-2999,203.0.113.9:3000-3999"


@pytest.fixture
def second_address(two_armed_lab: Lab):
    two_armed_lab["nat"].ip("addr add 203.0.113.9/32 dev eth0")
    yield
    two_armed_lab["nat"].ip("addr del 203.0.113.9/32 dev eth0")


@pytest.mark.parametrize(
    "addresses",
    [
        pytest.param(1, marks=pytest.mark.load("--external", EXTERNALS)),
        pytest.param(2, marks=pytest.mark.load("--external", EXTERNALS, "--pooling", "arbitrary")),
    ],
)
def test_pooling(second_address: None, lab: Lab, addresses: int) -> None:
    """40 flows of a host that may have two addresses: one chance in 2^39 that they have one."""
    server = UdpServer(lab["s1"], PORT)
    for _ in range(40):
        assert echoed(udp_client(lab["c1"], lab.server, PORT))
    assert len(server.peers()) == addresses


@pytest.mark.parametrize(
    "keeps",
    [
        pytest.param(True, marks=pytest.mark.load("--udp-timeout", 1)),
        pytest.param(
            False, marks=pytest.mark.load("--udp-timeout", 1, "--inbound-refresh", "off")
        ),
    ],
)
def test_inbound_refresh(lab: Lab, keeps: bool) -> None:
    server = UdpServer(lab["s1"], PORT)
    assert echoed(udp_client(lab["c1"], lab.server, PORT))
    [(address, port, _)] = server.seen
    end = time.monotonic() + 6
    while time.monotonic() < end and lab.box.flows():
        server.sock.sendto(b"answer", (address, port))
        time.sleep(0.1)
    assert bool(lab.box.flows()) == keeps


def tunnel(lab: Lab) -> None:
    frame = Ether(src=lab["c1"].mac("eth0"), dst=lab["nat"].mac("eth1"))
    inject(lab["c1"], "eth0", frame / IP(src="10.77.0.11", dst=lab.server, proto=47) / Raw(b"x" * 40))


@pytest.mark.load("--other-protocols", "translate", "--other-timeout", 1)
def test_other_protocols_and_their_timeout(lab: Lab) -> None:
    outside = Capture(lab["outsw"], "nat", "ip proto 47", outgoing=False)
    UdpServer(lab["s1"], PORT)
    assert echoed(udp_client(lab["c1"], lab.server, PORT))
    tunnel(lab)
    [frame] = outside.first()
    assert frame.src == lab.external
    assert len(lab.box.flows()) == 2
    wait_until(lambda: len(lab.box.flows()) == 1, "the tunnel expires", 6)
    assert lab.box.flow()["proto"] == "udp"


def test_other_protocols_are_dropped(lab: Lab) -> None:
    tunnel(lab)
    wait_until(lambda: lab.box.packets("drop_protocol") == 1, "it is counted")


@pytest.mark.parametrize(
    "reason",
    [
        pytest.param("reply_rst", marks=pytest.mark.load("--tcp-midstream", "reset")),
        pytest.param("out_forwarded", marks=pytest.mark.load("--tcp-midstream", "adopt")),
        pytest.param("drop_midstream", marks=pytest.mark.load("--tcp-midstream", "drop")),
    ],
)
def test_tcp_midstream(lab: Lab, reason: str) -> None:
    frame = Ether(src=lab["c1"].mac("eth0"), dst=lab["nat"].mac("eth1"))
    segment = TCP(sport=4000, dport=PORT, flags="A", seq=7, ack=9)
    inject(lab["c1"], "eth0", frame / IP(src="10.77.0.11", dst=lab.server) / segment)
    wait_until(lambda: lab.box.packets(reason) == 1, f"{reason} is counted")
    others = {"reply_rst", "out_forwarded", "drop_midstream"} - {reason}
    assert not any(lab.box.packets(other) for other in others)


@pytest.mark.load("--limit-flows", 3)
def test_limit_flows(lab: Lab) -> None:
    UdpServer(lab["s1"], PORT)
    socks = [udp_client(lab["c1"], lab.server, PORT) for _ in range(5)]
    assert [echoed(sock) for sock in socks[:3]] == [True] * 3
    for sock in socks[3:]:
        sock.settimeout(0.2)
        assert not echoed(sock)
    assert lab.box.packets("drop_limit") == 2
    assert echoed(udp_client(lab["c2"], lab.server, PORT))


@pytest.mark.load("--limit-rate", 5)
def test_limit_rate(lab: Lab) -> None:
    UdpServer(lab["s1"], PORT)
    start = time.monotonic()
    for _ in range(60):
        udp_client(lab["c1"], lab.server, PORT).send(b"new")
    took = time.monotonic() - start
    wait_until(
        lambda: lab.box.packets("drop_rate") + lab.box.stats()["events"]["flows_opened"] == 60,
        "all are counted",
    )
    assert 5 <= lab.box.stats()["events"]["flows_opened"] <= 6 + 5 * (took + 0.1)
    assert echoed(udp_client(lab["c2"], lab.server, PORT))
