# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""UDP through the NAT, one-armed and two-armed (see topology.py)."""

import json
import os
import shutil
import socket
from pathlib import Path

import pytest
from capture import Capture, assert_checksums
from lab import Lab, Namespace, wait_until
from probes import SO_NO_CHECK, UdpServer, echoed, udp_client

PORT = 9000
SIZES = [1, 2, 17, 548, 1399, 1472]  # odd ones too, for the checksums


@pytest.mark.any_box
def test_echo_comes_back_to_the_sender(any_lab: Lab) -> None:
    server = UdpServer(any_lab["s1"], PORT)
    for client in ("c1", "c2"):
        sock = udp_client(any_lab[client], any_lab.server, PORT)
        for size in SIZES:
            assert echoed(sock, os.urandom(size))
    assert server.peers() == {any_lab.external}
    assert len({port for _, port, _ in server.seen}) == 2


@pytest.mark.any_box
def test_ttl_and_checksums(any_lab: Lab) -> None:
    UdpServer(any_lab["s1"], PORT)
    at_server = Capture(any_lab["s1"], "eth0", f"udp port {PORT}", outgoing=False)
    at_client = Capture(any_lab["c1"], "eth0", f"udp port {PORT}", outgoing=False)
    sock = udp_client(any_lab["c1"], any_lab.server, PORT)
    for size in SIZES:
        assert echoed(sock, os.urandom(size))
    for capture in (at_server, at_client):
        for frame in capture.first(len(SIZES)):
            assert frame.ttl == 64 - any_lab.hops
            assert_checksums(frame)
            assert frame.l4_checksum != 0


@pytest.mark.any_box
def test_checksum_zero_stays_zero(any_lab: Lab) -> None:
    server = UdpServer(any_lab["s1"], PORT)
    server.sock.setsockopt(socket.SOL_SOCKET, SO_NO_CHECK, 1)
    at_server = Capture(any_lab["s1"], "eth0", f"udp dst port {PORT}")
    at_client = Capture(any_lab["c1"], "eth0", f"udp src port {PORT}")
    sock = udp_client(any_lab["c1"], any_lab.server, PORT)
    sock.setsockopt(socket.SOL_SOCKET, SO_NO_CHECK, 1)
    assert echoed(sock, b"no checksum")
    for capture in (at_server, at_client):
        [frame] = capture.first(1)
        assert frame.l4_checksum == 0
        assert_checksums(frame)


def test_counters_are_exact(any_lab: Lab) -> None:
    UdpServer(any_lab["s1"], PORT)
    before = any_lab.box.stats()["reasons"]
    sock = udp_client(any_lab["c1"], any_lab.server, PORT)
    for size in SIZES:
        assert echoed(sock, os.urandom(size))
    ip_bytes = sum(SIZES) + len(SIZES) * 28
    flow = any_lab.box.flow("--proto", "udp")
    assert (flow["out"]["packets"], flow["out"]["bytes"]) == (len(SIZES), ip_bytes)
    assert (flow["in"]["packets"], flow["in"]["bytes"]) == (len(SIZES), ip_bytes)
    assert flow["state"] == "replied"
    after = any_lab.box.stats()["reasons"]
    for way in ("out", "in"):
        kinds = (f"{way}_forwarded", f"{way}_via_kernel")
        assert sum(after[k]["packets"] - before[k]["packets"] for k in kinds) == len(SIZES)
        assert sum(after[k]["bytes"] - before[k]["bytes"] for k in kinds) == ip_bytes


def test_flow_names_what_the_endpoints_saw(any_lab: Lab) -> None:
    server = UdpServer(any_lab["s1"], PORT)
    sock = udp_client(any_lab["c1"], any_lab.server, PORT)
    assert echoed(sock)
    flow = any_lab.box.flow("--proto", "udp")
    inside = sock.getsockname()
    assert (flow["inside"]["address"], flow["inside"]["port"]) == inside
    assert (flow["external"]["address"], flow["external"]["port"]) == server.seen[0][:2]
    assert (flow["destination"]["address"], flow["destination"]["port"]) == (any_lab.server, PORT)


@pytest.mark.any_box
def test_one_source_port_to_two_servers(any_lab: Lab) -> None:
    servers = [UdpServer(any_lab[name], PORT) for name in ("s1", "s2")]
    addresses = [any_lab.server, any_lab.server[:-1] + str(int(any_lab.server[-1]) + 1)]
    sock = any_lab["c1"].socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("", 0))
    sock.settimeout(5)
    for address in addresses:
        sock.sendto(address.encode(), (address, PORT))
        assert sock.recvfrom(100) == (address.encode(), (address, PORT))
    assert [server.peers() for server in servers] == [{any_lab.external}] * 2


@pytest.mark.any_box
def test_iperf3_loses_nothing(any_lab: Lab) -> None:
    server = any_lab["s1"].spawn("iperf3", "-s", "-1")
    wait_until(lambda: any_lab["s1"].listens(5201, "t"), "iperf3 listens")
    report = json.loads(
        any_lab["c1"].run("iperf3", "-J", "-c", any_lab.server, "-u", "-b", "40M", "-l", 1200,
                          "-t", 2).stdout
    )  # fmt: skip
    assert server.wait(5) == 0
    assert report["end"]["sum"]["packets"] > 5000
    # a server that had to wait for a CPU has no room for what came meanwhile
    assert report["end"]["sum"]["lost_packets"] == receive_errors(any_lab["s1"])


def receive_errors(host: Namespace) -> int:
    """Datagrams that arrived and found the buffer of their socket full."""
    with host.entered():
        rows = [line.split()[1:] for line in Path("/proc/thread-self/net/snmp").read_text().splitlines()
                if line.startswith("Udp:")]  # fmt: skip
    return int(dict(zip(*rows))["RcvbufErrors"])


@pytest.mark.any_box
@pytest.mark.skipif(not shutil.which("dig"), reason="dig is not installed")
def test_dig(any_lab: Lab) -> None:
    from scapy.layers.dns import DNS, DNSRR

    def answer(data: bytes) -> bytes:
        query = DNS(data)
        record = DNSRR(rrname=query.qd.qname, rdata="192.0.2.7", ttl=5)
        return bytes(DNS(id=query.id, qr=1, rd=1, ra=1, qd=query.qd, an=record))

    UdpServer(any_lab["s1"], 53, answer)
    done = any_lab["c1"].run("dig", "+short", "+tries=1", f"@{any_lab.server}", "example.com")
    assert done.stdout.split() == ["192.0.2.7"]


def test_burst_of_flows_keeps_them_apart(any_lab: Lab) -> None:
    """Each of 200 sockets gets its own datagram back, and each has its own flow."""
    UdpServer(any_lab["s1"], PORT)
    socks = [udp_client(any_lab["c1"], any_lab.server, PORT) for _ in range(200)]
    for number, sock in enumerate(socks):
        sock.send(b"%d" % number)
    for number, sock in enumerate(socks):
        assert sock.recv(100) == b"%d" % number
    flows = any_lab.box.flows("--proto", "udp")
    assert len({flow["external"]["port"] for flow in flows}) == len(socks)
    assert {flow["inside"]["port"] for flow in flows} == {s.getsockname()[1] for s in socks}
    assert all(flow["out"]["packets"] == flow["in"]["packets"] == 1 for flow in flows)
