# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""Hosts on the link and behind routers, neighbours that come and change."""

import random

import pytest
from capture import Capture
from lab import Lab, Namespace, wait_until
from probes import UdpServer, connect, echoed, listener, udp_client

PORT = 9000
FAR_SERVER = "198.51.100.2"


@pytest.mark.any_box
@pytest.mark.parametrize("server,address", [("s1", "203.0.113.2"), ("s3", FAR_SERVER)])
@pytest.mark.parametrize("client", ["c1", "far"])
def test_every_pair_of_hosts(lab: Lab, client: str, server: str, address: str) -> None:
    udp = UdpServer(lab[server], PORT)
    sock = udp_client(lab[client], address, PORT)
    assert all(echoed(sock, b"%d" % number) for number in range(10))
    assert udp.peers() == {lab.external}
    with listener(lab[server], PORT) as listening, connect(lab[client], address, PORT) as near:
        far_end, peer = listening.accept()
        with far_end:
            near.sendall(b"ping")
            assert far_end.recv(4) == b"ping"
            assert peer[0] == lab.external


def forget_neighbours(lab: Lab) -> None:
    for dev in ("eth0", "eth1"):
        lab["nat"].ip(f"neigh flush dev {dev}")


@pytest.mark.any_box
@pytest.mark.parametrize("address,server", [("203.0.113.2", "s1"), (FAR_SERVER, "s3")])
@pytest.mark.parametrize("rp_filter", [0, 1, 2])
def test_first_packet_is_not_lost(lab: Lab, address: str, server: str, rp_filter: int) -> None:
    """Nobody on either side is known to the NAT: the first datagram waits for ARP."""
    before = lab["nat"].sysctl("net.ipv4.conf.eth1.rp_filter")
    for dev in ("eth0", "eth1"):
        lab["nat"].sysctl(f"net.ipv4.conf.{dev}.rp_filter", rp_filter)
    lab.box.load()  # has to see to what the filter would drop
    try:
        udp = UdpServer(lab[server], PORT)
        forget_neighbours(lab)
        sock = udp_client(lab["c1"], address, PORT)
        assert echoed(sock, b"first")
        assert [data for _, _, data in udp.seen] == [b"first"]
        assert udp.peers() == {lab.external}
    finally:
        for dev in ("eth0", "eth1"):
            lab["nat"].sysctl(f"net.ipv4.conf.{dev}.rp_filter", before)


def test_first_packet_by_the_kernel_loses_one_ttl(lab: Lab) -> None:
    UdpServer(lab["s1"], PORT)
    forget_neighbours(lab)
    at_server = Capture(lab["s1"], "eth0", f"udp dst port {PORT}", outgoing=False)
    before = lab.box.packets("out_via_kernel")
    assert echoed(udp_client(lab["c1"], lab.server, PORT))
    assert lab.box.packets("out_via_kernel") == before + 1
    [frame] = at_server.first(1)
    assert frame.ttl == 64 - lab.hops


def test_many_first_packets(lab: Lab) -> None:
    """From all hosts at once, with no neighbour known."""
    UdpServer(lab["s1"], PORT)
    UdpServer(lab["s2"], PORT)
    forget_neighbours(lab)
    socks = [
        udp_client(lab[client], server, PORT)
        for client in ("c1", "c2", "c3", "c4", "far")
        for server in ("203.0.113.2", "203.0.113.3")
    ]
    for number, sock in enumerate(socks):
        sock.send(b"%d" % number)
    assert [sock.recv(100) for sock in socks] == [b"%d" % n for n in range(len(socks))]


def change_mac(ns: Namespace) -> str:
    """The host becomes another machine with the same address, and says so."""
    mac = "02:" + ":".join(f"{random.randrange(256):02x}" for _ in range(5))
    ns.sysctl("net.ipv4.conf.eth0.arp_notify", 1)
    ns.ip(f"link set eth0 address {mac}")
    return mac


@pytest.mark.any_box
@pytest.mark.parametrize("who", ["s1", "c1"])
def test_flow_follows_a_new_mac_address(lab: Lab, who: str) -> None:
    UdpServer(lab["s1"], PORT)
    sock = udp_client(lab["c1"], lab.server, PORT)
    assert echoed(sock)
    sock.settimeout(0.1)
    change_mac(lab[who])
    wait_until(lambda: echoed(sock, b"again"), f"the flow follows {who}", 5)


def test_flow_follows_a_new_route(lab: Lab) -> None:
    """The server behind the router moves to another gateway."""
    UdpServer(lab["s3"], PORT)
    sock = udp_client(lab["c1"], FAR_SERVER, PORT)
    assert echoed(sock)
    at_other = Capture(lab["s2"], "eth0", f"udp dst port {PORT}", outgoing=False)
    lab["nat"].ip(f"route add {FAR_SERVER} via 203.0.113.3")
    try:
        sock.settimeout(0.1)
        wait_until(
            lambda: sock.send(b"to the other") and at_other.frames(), "flow takes the route", 5
        )
        assert at_other.kept[0].src == lab.external
    finally:
        lab["nat"].ip(f"route del {FAR_SERVER}")
    wait_until(lambda: echoed(sock, b"and back"), "flow goes back", 5)


def test_flow_survives_without_watcher(lab: Lab) -> None:
    """What is known stays known: established flows need no process."""
    lab.box.unload()
    lab.box.load("--no-watch")
    assert lab.box.status()["watcher"]["running"] is False
    UdpServer(lab["s1"], PORT)
    sock = udp_client(lab["c1"], lab.server, PORT)
    assert all(echoed(sock, b"%d" % number) for number in range(100))
