# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""IP fragments through the NAT, in order and out of order (RFC 4787, REQ-14).

What comes before the first fragment of its datagram is held by the watcher and
sent through the program again. The receivers are kernels that reassemble: what
a socket gets is the whole datagram or nothing.
"""

from __future__ import annotations

import contextlib
import random
import re
import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from capture import Capture
from fragments import PIECE, Cutter, ipv4
from lab import Lab, Namespace, wait_until
from probes import UdpServer, echoed, udp_client

PORT = 9000
SOURCE = 7000
DATAGRAMS = 1000
PACE = 0.002  # seconds between two of them
FLOOD = 100000
LOST_FRAGMENTS = "icmp[0] = 11 and icmp[1] = 1"


def payload_of(fragments: int, piece: int = PIECE) -> bytes:
    return random.randbytes(piece * fragments - 8 - random.randrange(piece // 2))


def client_address(lab: Lab, role: str = "c1") -> str:
    return lab[role].ip("-4 -o addr show dev eth0").split()[3].split("/")[0]


def outbound(lab: Lab, role: str = "c1") -> Cutter:
    return Cutter(lab[role], client_address(lab, role), SOURCE, lab.server, PORT)


def inbound(lab: Lab, server: UdpServer, client: socket.socket) -> Cutter:
    """From the server to a client that has just been answered."""
    assert echoed(client)
    _, port, _ = server.seen[-1]
    return Cutter(lab["s1"], lab.server, PORT, lab.external, port)


def drops(lab: Lab) -> dict[str, int]:
    reasons = lab.box.stats()["reasons"]
    return {n: r["packets"] for n, r in reasons.items() if r["verdict"] == "drop" and r["packets"]}


def held(lab: Lab) -> dict[str, int]:
    return lab.box.status()["watcher"]["fragments"]


def all_sent_on(lab: Lab) -> dict[str, int]:
    """The counters, when nothing waits any more: the datagram may be there before they are."""

    def settled() -> dict[str, int] | None:
        counted = held(lab)
        return counted if counted["sent_on"] == counted["held"] else None

    return wait_until(settled, "what was held is sent on")


def orders(count: int) -> list[list[int]]:
    shuffled = [random.sample(range(count), count) for _ in range(5)]
    return [list(range(count - 1, -1, -1)), *shuffled]


def too_early(order: list[int]) -> int:
    """How many come before the first one."""
    return order.index(0)


@pytest.mark.any_box
def test_ping_in_fragments(any_lab: Lab) -> None:
    done = any_lab["c1"].run("ping", "-c", 20, "-i", 0.01, "-s", 4000, any_lab.server)
    assert " 0% packet loss" in done.stdout


@pytest.mark.any_box
def test_udp_echo_in_fragments(any_lab: Lab) -> None:
    UdpServer(any_lab["s1"], PORT)
    sock = udp_client(any_lab["c1"], any_lab.server, PORT)
    for size in (1473, 4000, 4001, 60000):
        assert echoed(sock, random.randbytes(size))


@pytest.mark.parametrize("count", [2, 6])
def test_out_of_order_to_the_outside(any_lab: Lab, count: int) -> None:
    server = UdpServer(any_lab["s1"], PORT, lambda data: data[:1])
    cutter = outbound(any_lab)
    early = 0
    for number, order in enumerate(orders(count), 1):
        payload = payload_of(count)
        fragments = cutter.cut(payload)
        cutter.send([fragments[i] for i in order])
        early += too_early(order)
        wait_until(lambda: len(server.seen) >= number, f"order {order}")
        assert server.seen[-1][2] == payload
    assert server.peers() == {any_lab.external}
    counted = all_sent_on(any_lab)
    assert counted["held"] - counted["returned"] <= early <= counted["held"]
    assert drops(any_lab) == {"held_fragment": counted["held"]}


@pytest.mark.parametrize("count", [2, 6])
def test_out_of_order_to_the_inside(any_lab: Lab, count: int) -> None:
    server = UdpServer(any_lab["s1"], PORT)
    client = udp_client(any_lab["c1"], any_lab.server, PORT)
    cutter = inbound(any_lab, server, client)
    early = 0
    for order in orders(count):
        payload = payload_of(count)
        fragments = cutter.cut(payload)
        cutter.send([fragments[i] for i in order])
        early += too_early(order)
        assert client.recv(65535) == payload
    counted = all_sent_on(any_lab)
    assert counted["held"] - counted["returned"] <= early <= counted["held"]
    assert drops(any_lab) == {"held_fragment": counted["held"]}


def test_smallest_fragments(any_lab: Lab) -> None:
    """8 bytes each: shorter than the shortest Ethernet frame."""
    server = UdpServer(any_lab["s1"], PORT, lambda data: data[:1])
    cutter = outbound(any_lab)
    cutter.send(cutter.cut(b"x" * 40, 8)[::-1])
    wait_until(lambda: server.seen, "the datagram arrives")
    assert server.seen[0][2] == b"x" * 40


def test_out_of_order_to_the_host_itself(lab: Lab) -> None:
    server = UdpServer(lab["nat"], PORT)
    payload = payload_of(3)
    cutter = Cutter(lab["c1"], client_address(lab), SOURCE, "10.77.0.1", PORT)
    cutter.send(cutter.cut(payload)[::-1])
    wait_until(lambda: server.seen, "the datagram arrives")
    assert server.seen[0][2] == payload


def allow_disorder(ns: Namespace) -> None:
    """A receiver gives up a datagram when 64 other fragments come between its own."""
    ns.sysctl("net.ipv4.ipfrag_max_dist", 0)


def test_many_out_of_order(any_lab: Lab) -> None:
    allow_disorder(any_lab["s1"])
    server = UdpServer(any_lab["s1"], PORT, lambda data: data[:1])
    cutter = outbound(any_lab)
    due = time.monotonic()
    for number in range(DATAGRAMS):
        cutter.send(cutter.cut(struct.pack("!I", number) + payload_of(2))[::-1])
        due += PACE
        wait_until(lambda: time.monotonic() >= due, "it is time for the next one")
    wait_until(lambda: len(server.seen) == DATAGRAMS, "all of them arrive")
    assert {data[:4] for _, _, data in server.seen} == {
        struct.pack("!I", number) for number in range(DATAGRAMS)
    }
    counted = held(any_lab)
    assert counted["refused"] == counted["given_up"] == counted["lost"] == 0


@contextlib.contextmanager
def told_of_lost_fragments(lab: Lab) -> Iterator[None]:
    """The server, whose kernel soon misses the rest of a datagram, says so to the client.

    Its ICMP would come after 30 s otherwise, and be dropped by the NAT of a later test.
    """
    before = lab["s1"].sysctl("net.ipv4.ipfrag_time")
    told = Capture(lab["c1"], "eth0", LOST_FRAGMENTS)
    lab["s1"].sysctl("net.ipv4.ipfrag_time", 1)
    try:
        yield
        wait_until(told.frames, "the client hears that the rest is missing", 10)
    finally:
        lab["s1"].sysctl("net.ipv4.ipfrag_time", before)


def test_held_until_patience_ends(any_lab: Lab) -> None:
    server = UdpServer(any_lab["s1"], PORT, lambda data: data[:1])
    cutter = outbound(any_lab)
    first, second = cutter.cut(payload_of(2))
    cutter.send([second])
    wait_until(lambda: held(any_lab)["given_up"] == 1, "the second fragment is given up")
    with told_of_lost_fragments(any_lab):
        cutter.send([first])
    assert drops(any_lab) == {"held_fragment": 1}
    whole = payload_of(2)
    cutter.send(cutter.cut(whole)[::-1])
    wait_until(lambda: server.seen, "the next datagram arrives")
    assert [data for _, _, data in server.seen] == [whole]


@pytest.mark.load("--no-watch")
def test_without_watcher_they_are_dropped_and_counted(any_lab: Lab) -> None:
    server = UdpServer(any_lab["s1"], PORT, lambda data: data[:1])
    cutter = outbound(any_lab)
    with told_of_lost_fragments(any_lab):
        cutter.send(cutter.cut(payload_of(6))[::-1])
    whole = payload_of(6)
    cutter.send(cutter.cut(whole))
    wait_until(lambda: server.seen, "the one in order arrives")
    assert [data for _, _, data in server.seen] == [whole]
    assert drops(any_lab) == {"drop_fragment": 5}


def test_upgraded_program_takes_them(any_lab: Lab) -> None:
    server = UdpServer(any_lab["s1"], PORT, lambda data: data[:1])
    cutter = outbound(any_lab)
    pids = set()
    for number in (1, 2):
        pid = any_lab.box.status()["watcher"]["pid"]
        pids.add(pid)
        cutter.send(cutter.cut(payload_of(2))[::-1])
        wait_until(lambda: len(server.seen) == number, f"datagram {number} arrives")
        loaded = {link["program_id"] for link in any_lab.box.status()["interfaces"]}
        # at TC it sends frames to the interface, by a program that lets them pass
        assert any_lab.box.hook == "tc" or programs_of(pid) == loaded
        any_lab.box.load("--no-watch")  # but a watcher that runs is followed by another
    assert len(pids) == 2
    assert held(any_lab)["sent_on"] == 2, "the second watcher goes on counting"


def programs_of(pid: int) -> set[int]:
    """The BPF programs that a process has open."""
    texts = [path.read_text() for path in Path("/proc", str(pid), "fdinfo").iterdir()]
    return {int(number) for text in texts for number in re.findall(r"prog_id:\s+(\d+)", text)}


def resident(pid: int) -> int:
    """KiB of its own memory."""
    status = Path("/proc", str(pid), "status").read_text()
    return int(re.search(r"RssAnon:\s+(\d+)", status).group(1))


def holds_nothing(lab: Lab) -> bool:
    now = held(lab)
    return now["held"] == now["sent_on"] + now["given_up"] + now["refused"]


def test_flood_of_fragments_stops_nobody_else(any_lab: Lab) -> None:
    """RFC 4787, REQ-14a: 100,000 fragments of datagrams that never begin."""
    allow_disorder(any_lab["s1"])
    server = UdpServer(any_lab["s1"], PORT, lambda data: data[:1])
    # of datagrams of the tests before, whose flows are not there any more
    late = Capture(any_lab["s1"], "eth0", LOST_FRAGMENTS)
    pid = any_lab.box.status()["watcher"]["pid"]
    flooder = outbound(any_lab, "c2")
    source, _, target, _ = flooder.ends
    flood = [ipv4(source, target, i, PIECE, False, bytes(400)) for i in range(0x10000)]
    cutter = outbound(any_lab)
    before, sent = resident(pid), 0
    for number in range(FLOOD):
        flooder.sock.sendto(flood[number % len(flood)], (target, 0))
        if number % 1000 == 999:
            cutter.send(cutter.cut(payload_of(2))[::-1])
            sent += 1
    # now and then both hosts share one budget
    wait_until(lambda: len(server.seen) >= sent * 0.95, "the datagrams of the other host arrive")
    assert resident(pid) - before < 2048
    wait_until(lambda: holds_nothing(any_lab), "what is held goes")
    counted = held(any_lab)
    dropped = drops(any_lab)
    assert dropped.pop("held_fragment") == counted["held"] + counted["lost"]
    assert dropped.pop("drop_icmp", 0) <= len(late.frames())
    assert dropped == {"drop_fragment": FLOOD + sent - counted["held"] - counted["lost"]}
