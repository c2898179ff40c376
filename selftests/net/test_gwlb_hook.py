# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""Behind a Gateway Load Balancer, at the TC hook: what test_gwlb.py asks of XDP, and what only TC
meets: packets that the sender's TCP has not cut, and checksums that it has not completed."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import pytest
import test_gwlb
from capture import Capture
from gwlb import GENEVE_PORT, Fleet, Flow, build, checksum, flow_key
from lab import HELPERS, Lab, wait_until
from probes import HttpServer, curl, sha256
from test_gwlb import ENDPOINTS, PATIENCE, connect, serving, talk

CLIENTS = 10
WEB = 8080
BULK = 4_000_000
NODE = "10.0.0.11"


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    with Lab() as lab:
        fleet = build(lab, ENDPOINTS, nodes=2)
        # what was not cut for the wire is cut by a node's kernel, at the latest
        for name in ("n1", "n2"):
            lab["vpc"].run(HELPERS / "xdp_pass", name)
        yield fleet


@pytest.fixture(autouse=True)
def at_tc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NATXDP_TEST_HOOK", "tc")


test_the_same_packets_behind_all_endpoints = test_gwlb.test_the_same_packets_behind_all_endpoints


def test_moves_with_its_flows(fleet: Fleet) -> None:
    """Two nodes, and one of them goes to XDP, other tables and back, under connections that go on."""
    with serving(fleet, 2) as (echo, nodes):
        clients, box = connect(fleet, CLIENTS), nodes[0].box
        assert talk(clients, "at tc") == {}
        assert echo.peers == set(fleet.nodes)
        assert {node.box.status()["hook"] for node in nodes} == {"tc"}
        for hook, flows in (("xdp", 5000), ("tc", 5000)):
            box.hook = hook
            done = box.load(*nodes[0].options, "--max-flows", flows, audit=False)
            assert "flows kept" in done.stdout
            assert box.status()["hook"] == hook
            assert talk(clients, f"at {hook}") == {}
        assert box.run("verify").returncode == 0


@pytest.fixture
def whole_frames(fleet: Fleet) -> Iterator[Fleet]:
    """Nobody before the node cuts a frame or completes a checksum."""
    lab = fleet.lab
    ends = [(lab["s1"], "eth0"), (lab["router"], "s1"), (lab["router"], "eth0"), (lab["lb"], "eth0"),
            (lab["vpc"], "router"), (lab["vpc"], "lb"), (lab["vpc"], "n1")]  # fmt: skip
    for ns, dev in ends:
        ns.run("ethtool", "-K", dev, "tx", "on", "tso", "on", "gso", "on")
    yield fleet
    for ns, dev in ends:
        ns.run("ethtool", "-K", dev, "tx", "off")


def test_bulk_with_offloads(whole_frames: Fleet) -> None:
    """64 KB in one piece go into the tunnel as so many packets as they are, each of them right."""
    fleet = whole_frames
    with serving(fleet, 1) as (_, [node]):
        large = Capture(fleet.nodes[NODE], "eth0", f"tcp src port {WEB} and greater 4000", snap=80)
        body = os.urandom(BULK)
        HttpServer(fleet.lab["s1"], WEB, body)
        got = curl(fleet.tenants[1], f"http://{fleet.server}:{WEB}/")
        assert sha256(got) == sha256(body)
        assert large.frames(), "nothing was larger than a packet of the wire"
        [tunnel] = node.box.stats()["tunnels"]
        assert tunnel["in"]["packets"] >= BULK // 1460
        assert tunnel["in"]["bytes"] >= BULK + tunnel["in"]["packets"] * 40
        stats = node.box.stats()["reasons"]["in_forwarded"]
        assert (stats["packets"], stats["bytes"]) == tuple(tunnel["in"].values())


def wrapped(fleet: Fleet, packet: bytes, port: int) -> bytes:
    """GENEVE with the packet in it; the answers of its flow are expected by the load balancer."""
    endpoint = fleet.gwlb.endpoints[0]
    flow = Flow(NODE, 0x4242, port)
    endpoint.flows[flow_key(packet)] = flow
    return fleet.gwlb.header(endpoint, flow) + packet


def udp_packet(client: str, server: str, port: int, data: bytes) -> bytes:
    header = bytes([0x45, 0]) + (28 + len(data)).to_bytes(2, "big") + bytes([0, 1, 0, 0, 64, 17, 0, 0])
    header += socket.inet_aton(client) + socket.inet_aton(server)
    check = checksum(header).to_bytes(2, "big")
    udp = b"".join(number.to_bytes(2, "big") for number in (5000, port, 8 + len(data), 0))
    return header[:10] + check + header[12:] + udp + data


def test_what_a_socket_of_this_machine_sends(whole_frames: Fleet) -> None:
    """Half a checksum outside does not matter; several packets in one frame nobody can part."""
    fleet = whole_frames
    udp_segment = 103  # linux/udp.h
    port = 50123
    with fleet.lab.scope():
        node, echo = test_gwlb.Node(fleet, NODE), test_gwlb.Echo(fleet.lab["s1"])
        fleet.gwlb.faults.clear()
        seen = Capture(fleet.lab["s1"], "eth0", "udp dst port 7000", outgoing=False)
        # nobody has this address, so that no host answers the echo
        data = wrapped(fleet, udp_packet("10.0.2.77", fleet.server, 7000, b"half"), port)
        sock = fleet.lab["lb"].socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind(("10.0.0.5", port))
        sock.sendto(data, (NODE, GENEVE_PORT))
        [frame] = wait_until(seen.frames, "the server gets it", PATIENCE)
        assert frame.payload == b"half" and frame.src == NODE
        flows = fleet.gwlb.endpoints[0].flows
        wait_until(lambda: sum(flow.back for flow in flows.values()), "the echo comes back", PATIENCE)
        assert echo.peers == {NODE} and not fleet.gwlb.faults
        sock.setsockopt(socket.IPPROTO_UDP, udp_segment, len(data))
        sock.sendto(data * 3, (NODE, GENEVE_PORT))
        wait_until(lambda: node.box.packets("drop_merged"), "it is counted", PATIENCE)
        assert node.box.packets("out_forwarded") == 1
