# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""What one inside host may have, the block list, and new settings for a NAT that works."""

import socket
import time

import pytest
from capture import Capture
from lab import Lab, wait_until
from probes import UdpServer, echoed, tcp_pair, udp_client

PORT = 9000
LATE = 5  # seconds after its timeout in which a flow has to be gone


def clients(lab: Lab, role: str, count: int) -> list[socket.socket]:
    socks = [udp_client(lab[role], lab.server, PORT) for _ in range(count)]
    for sock in socks:
        sock.settimeout(0.3)
    return socks


def is_refused(lab: Lab, sock: socket.socket, reason: str, times: int = 1) -> bool:
    """So many packets more are counted under the reason, and no answer comes."""
    before = lab.box.packets(reason)
    return not echoed(sock) and lab.box.packets(reason) == before + times


@pytest.mark.load("--limit-flows", 20, "--udp-timeout", 2)
def test_flow_limit_of_a_host(any_lab: Lab) -> None:
    server = UdpServer(any_lab["s1"], PORT)
    socks = clients(any_lab, "c1", 20)
    assert all(echoed(sock) for sock in socks)
    [late] = clients(any_lab, "c1", 1)
    assert is_refused(any_lab, late, "drop_limit")
    assert all(echoed(sock, b"live on") for sock in socks)
    assert all(echoed(sock) for sock in clients(any_lab, "c2", 20)), "the other host has its own"
    assert len(server.peers()) == 1
    wait_until(lambda: not any_lab.box.flows(), "all are idle", 2 + LATE)
    again = clients(any_lab, "c1", 20)
    assert all(echoed(sock) for sock in again), "what has gone does not count"
    assert is_refused(any_lab, late, "drop_limit")


@pytest.mark.load("--limit-rate", 10)
def test_rate_limit_of_a_host(any_lab: Lab) -> None:
    UdpServer(any_lab["s1"], PORT)
    burst = clients(any_lab, "c1", 60)
    start = time.monotonic()
    for sock in burst:
        sock.send(b"new")
    took = time.monotonic() - start
    stats = any_lab.box.stats
    wait_until(
        lambda: stats()["events"]["flows_opened"] + any_lab.box.packets("drop_rate") == 60,
        "all are counted",
    )
    opened = stats()["events"]["flows_opened"]
    assert 10 <= opened <= 11 + 10 * took
    assert all(echoed(sock) for sock in clients(any_lab, "c2", 10)), "the other host has its own"
    established = [sock for sock in burst if was_answered(sock)]
    assert len(established) == opened
    for sock in established:
        sock.settimeout(1)
    assert all(echoed(sock) for sock in established), "what was opened goes on at any rate"
    fresh = clients(any_lab, "c1", 5)
    wait_until(lambda: all(echoed(sock) for sock in fresh), "new ones open a moment later", 5)


def was_answered(sock: socket.socket) -> bool:
    """With what was sent before."""
    sock.settimeout(0.05)
    try:
        return sock.recv(100) == b"new"
    except (TimeoutError, OSError):
        return False


def test_limits_come_and_go_with_a_reload(lab: Lab) -> None:
    """natxdp.conf(5): flows from before a limit do not count, and a limit ends none."""
    UdpServer(lab["s1"], PORT)
    old = clients(lab, "c1", 10)
    assert all(echoed(sock) for sock in old)
    lab.box.load("--limit-flows", 3)
    new = clients(lab, "c1", 4)
    assert all(echoed(sock) for sock in new[:3])
    assert is_refused(lab, new[3], "drop_limit")
    assert all(echoed(sock) for sock in old)
    assert lab.box.status()["behaviour"]["limit_flows"] == 3
    lab.box.load()
    assert echoed(new[3])
    assert all(echoed(sock) for sock in old + new)


@pytest.mark.load("--udp-timeout", 350)
def test_shorter_timeout_holds_for_flows_that_exist(lab: Lab) -> None:
    UdpServer(lab["s1"], PORT)
    [old] = clients(lab, "c1", 1)
    assert echoed(old)
    lab.box.load("--udp-timeout", 1)
    wait_until(lambda: not lab.box.flows(), "the flow is gone", 1 + LATE)


@pytest.mark.load("--udp-timeout", 2)
def test_longer_timeout_holds_for_flows_that_exist(lab: Lab) -> None:
    UdpServer(lab["s1"], PORT)
    [old] = clients(lab, "c1", 1)
    assert echoed(old)
    start = time.monotonic()
    lab.box.load("--udp-timeout", 350)
    wait_until(lambda: time.monotonic() > start + 4, "twice the old timeout has passed", 6)
    assert len(lab.box.flows()) == 1
    assert echoed(old)
    assert lab.box.flow()["out"]["packets"] == 2


def test_block_list(any_lab: Lab) -> None:
    """At once, in both directions, and for one host only."""
    server = UdpServer(any_lab["s1"], PORT)
    bad, good = clients(any_lab, "c1", 1) + clients(any_lab, "c2", 1)
    assert echoed(bad) and echoed(good)
    address = bad.getsockname()[0]
    [external] = [(end, port) for end, port, _ in server.seen[:1]]
    with tcp_pair(any_lab["c1"], any_lab["s1"], any_lab.server, PORT) as (near, far):
        done = any_lab.box.json("block", "add", address)
        assert (done["address"], done["blocked"], done["flows_ended"]) == (address, True, 2)
        assert not any_lab.box.flows("--inside", address)
        arriving = Capture(any_lab["s1"], "eth0", f"port {PORT}", outgoing=False)
        back = Capture(any_lab["c1"], "eth0", f"src host {any_lab.server}", outgoing=False)
        bad.send(b"out")
        near.sendall(b"out")
        wait_until(lambda: any_lab.box.packets("drop_blocked") >= 2, "both are counted")
        server.sock.sendto(b"in", external)
        far.sendall(b"in")
        wait_until(lambda: any_lab.box.packets("drop_unsolicited") >= 2, "both are counted")
        assert not arriving.frames() and not back.frames()
    assert echoed(good, b"untouched")
    assert [item["address"] for item in any_lab.box.json("block", "list")] == [address]
    assert address in any_lab.box.run("block", "list").stdout
    any_lab.box.load()  # the list outlives a reload
    assert not echoed(bad)  # near's retransmissions are counted as well, so no exact number here
    any_lab.box.run("block", "del", address)
    assert any_lab.box.json("block", "list") == []
    assert echoed(bad, b"again")


@pytest.mark.load("--profile", "rfc")
def test_blocked_host_is_not_reached_by_its_mapping(lab: Lab) -> None:
    """Anybody may send to an endpoint-independent mapping: not when its host is blocked."""
    server = UdpServer(lab["s1"], PORT)
    sock = udp_client(lab["c1"], lab.server, PORT)
    assert echoed(sock)
    external = server.seen[0][:2]
    other = lab["s2"].socket(socket.AF_INET, socket.SOCK_DGRAM)
    back = Capture(lab["c1"], "eth0", "udp", outgoing=False)
    other.sendto(b"hello", external)
    back.first(1)
    lab.box.run("block", "add", sock.getsockname()[0])
    refused = ("drop_blocked", "drop_unsolicited")
    before = sum(lab.box.packets(reason) for reason in refused)
    other.sendto(b"hello", external)
    wait_until(lambda: sum(map(lab.box.packets, refused)) == before + 1, "it is counted")
    assert len(back.frames()) == 1
