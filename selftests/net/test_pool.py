# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""External addresses and their ports, and what is not translated at all."""

import pytest
from capture import Capture
from lab import Lab, wait_until
from probes import HttpServer, UdpServer, connect, curl, echoed, listener, udp_client

PORT = 9000
POOL = {"203.0.113.1": range(2000, 3000), "203.0.113.9": range(3000, 4000)}
EXTERNAL = ",".join(f"{addr}:{ports[0]}-{ports[-1]}" for addr, ports in POOL.items())
FAR_NET = "198.51.100.0/24"


@pytest.fixture
def second_address(two_armed_lab: Lab):
    two_armed_lab["nat"].ip("addr add 203.0.113.9/32 dev eth0")
    yield
    two_armed_lab["nat"].ip("addr del 203.0.113.9/32 dev eth0")


@pytest.mark.load("--external", EXTERNAL)
def test_ports_stay_in_their_ranges(second_address: None, lab: Lab) -> None:
    server = UdpServer(lab["s1"], PORT)
    by_client: dict[str, set[str]] = {}
    # as many addresses as the pool may spread over
    for number in range(20, 40):
        lab["c3"].ip(f"addr add 10.77.0.{number}/24 dev eth0")
    try:
        for number in range(20, 40):
            for _ in range(10):
                sock = lab["c3"].socket(2, 2)
                sock.bind((f"10.77.0.{number}", 0))
                sock.settimeout(5)
                sock.connect((lab.server, PORT))
                assert echoed(sock)
                address, port, _ = server.seen[-1]
                assert port in POOL[address]
                by_client.setdefault(f"10.77.0.{number}", set()).add(address)
    finally:
        for number in range(20, 40):
            lab["c3"].ip(f"addr del 10.77.0.{number}/24 dev eth0")
    assert all(len(addresses) == 1 for addresses in by_client.values()), by_client
    assert set.union(*by_client.values()) == set(POOL)
    external = lab.box.status()["external"]
    assert [(e["address"], e["port_min"], e["port_max"]) for e in external] == [
        (address, ports[0], ports[-1]) for address, ports in POOL.items()
    ]


@pytest.mark.load("--external", "203.0.113.1:2000-2009", "--udp-timeout", 1)
def test_last_port_is_found_and_then_none(lab: Lab) -> None:
    """Ten ports serve ten flows to one server, and ten more to another."""
    servers = {"203.0.113.2": UdpServer(lab["s1"], PORT), "203.0.113.3": UdpServer(lab["s2"], PORT)}
    for address, server in servers.items():
        socks = [udp_client(lab["c1"], address, PORT) for _ in range(10)]
        assert all(echoed(sock, b"%d" % number) for number, sock in enumerate(socks))
        assert {port for _, port, _ in server.seen} == set(range(2000, 2010))
        before = lab.box.packets("reply_no_port")
        eleventh = udp_client(lab["c1"], address, PORT)
        eleventh.settimeout(0.2)
        assert not echoed(eleventh)
        assert lab.box.packets("reply_no_port") == before + 1
    wait_until(lambda: echoed(eleventh), "a port is free after the timeout", 10)


@pytest.mark.load("--no-nat", f"{FAR_NET},10.0.0.0/8")
def test_no_nat_destination_is_routed(lab: Lab) -> None:
    lab["outrouter"].ip("route add 10.77.0.0/24 via 203.0.113.1")
    try:
        arriving = Capture(lab["outsw"], "nat", f"dst net {FAR_NET}", outgoing=False)
        lab["c1"].run("ping", "-n", "-c", 2, "-i", "0.01", "-W", 2, "198.51.100.2", check=False)
        assert {frame.src for frame in arriving.first(2)} == {"10.77.0.11"}
        assert {frame.ttl for frame in arriving.kept} == {63}
        assert lab.box.packets("pass_no_nat") >= 2
        assert not lab.box.flows()
        # the rest is translated as ever
        server = UdpServer(lab["s1"], PORT)
        assert echoed(udp_client(lab["c1"], lab.server, PORT))
        assert server.peers() == {lab.external}
    finally:
        lab["outrouter"].ip("route del 10.77.0.0/24 via 203.0.113.1")
        # on purpose, and no others
        assert {frame.dst for frame in lab.leaks.forget()} == {"198.51.100.2"}


@pytest.mark.load("--no-nat", f"{FAR_NET},10.0.0.0/8")
def test_no_nat_one_armed(one_arm: Lab) -> None:
    """The box sends it back to the router with the source of the client."""
    server = UdpServer(one_arm["s1"], PORT)
    assert echoed(udp_client(one_arm["c1"], one_arm.server, PORT))
    assert server.peers() == {"10.0.1.11"}
    assert one_arm.box.packets("pass_no_nat") >= 1
    assert not one_arm.box.flows()
    assert {frame.src for frame in one_arm.leaks.forget()} == {"10.0.1.11"}


def test_inside_hosts_reach_each_other(lab: Lab) -> None:
    """From a host on the link to one behind the inside router, by way of the NAT."""
    server = UdpServer(lab["far"], PORT)
    assert echoed(udp_client(lab["c1"], "10.78.0.2", PORT))
    assert server.peers() == {"10.77.0.11"}
    assert not lab.box.flows()


def test_inside_hosts_reach_the_box(lab: Lab) -> None:
    with listener(lab["nat"], 22):
        for name in ("c1", "far"):
            for address in ("10.77.0.1", "203.0.113.1"):
                connect(lab[name], address, 22).close()
    HttpServer(lab["nat"], 61234, b"of the box")
    assert curl(lab["c1"], "http://10.77.0.1:61234/") == b"of the box"
    assert not lab.box.flows()


@pytest.mark.load("--inside-prefixes", "10.77.0.0/24")
def test_only_the_inside_prefixes_are_translated(lab: Lab) -> None:
    UdpServer(lab["s1"], PORT)
    assert echoed(udp_client(lab["c1"], lab.server, PORT))
    sock = udp_client(lab["far"], lab.server, PORT)
    sock.settimeout(0.2)
    assert not echoed(sock)
    assert lab.box.packets("drop_source") == 1


@pytest.mark.load("--host-ports", "none")
def test_without_host_ports_only_open_sockets_are_reached(lab: Lab) -> None:
    with listener(lab["nat"], 22), connect(lab["s1"], lab.external, 22):
        assert lab.box.packets("drop_unsolicited") == 0
    sock = lab["s1"].socket(2, 1)
    sock.settimeout(0.3)
    with pytest.raises(TimeoutError):
        sock.connect((lab.external, 22))
    assert lab.box.packets("drop_unsolicited") >= 1
