# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""Idle flows leave the table by themselves, and others stay."""

import socket
import time

import pytest
from lab import Lab, wait_until
from probes import UdpServer, connect, echoed, listener, tcp_pair, udp_client

PORT = 9000
LATE = 5  # seconds after its timeout in which a flow has to be gone


@pytest.mark.load("--no-watch", "--udp-timeout", 2)
def test_idle_flow_goes_and_active_one_stays(lab: Lab) -> None:
    """No process of natxdp is alive meanwhile."""
    assert not lab.box.status()["watcher"]["running"]
    UdpServer(lab["s1"], PORT)
    idle, active = (udp_client(lab["c1"], lab.server, PORT) for _ in range(2))
    assert echoed(idle) and echoed(active)
    start = time.monotonic()

    def only_active_is_left() -> bool:
        assert echoed(active)
        return len(lab.box.flows()) == 1

    wait_until(only_active_is_left, "the idle flow is gone", 2 + LATE)
    assert time.monotonic() - start > 1.9
    while time.monotonic() - start < 5:  # more than twice the timeout
        assert only_active_is_left()
    assert lab.box.flow()["inside"]["port"] == active.getsockname()[1]
    assert lab.box.stats()["events"]["flows_expired"] == 1


@pytest.mark.load("--udp-timeout", 1)
def test_expired_flow_comes_back_with_the_next_packet(lab: Lab) -> None:
    UdpServer(lab["s1"], PORT)
    sock = udp_client(lab["c1"], lab.server, PORT)
    assert echoed(sock)
    wait_until(lambda: not lab.box.flows(), "the flow is gone", 1 + LATE)
    assert echoed(sock, b"here again")
    assert lab.box.flow()["out"]["packets"] == 1


@pytest.mark.load("--udp-timeout", 1)
def test_late_answer_is_dropped(lab: Lab) -> None:
    """Nobody outside may use a mapping that has expired."""
    server = UdpServer(lab["s1"], PORT)
    sock = udp_client(lab["c1"], lab.server, PORT)
    assert echoed(sock)
    wait_until(lambda: not lab.box.flows(), "the flow is gone", 1 + LATE)
    before = lab.box.packets("drop_unsolicited")
    server.sock.sendto(b"too late", server.seen[0][:2])
    wait_until(lambda: lab.box.packets("drop_unsolicited") == before + 1, "it is dropped")


@pytest.mark.load("--icmp-timeout", 1, "--udp-timeout", 350)
def test_icmp_has_its_own_timeout(lab: Lab) -> None:
    UdpServer(lab["s1"], PORT)
    assert echoed(udp_client(lab["c1"], lab.server, PORT))
    lab["c1"].run("ping", "-n", "-c", 1, lab.server)
    assert len(lab.box.flows()) == 2
    wait_until(lambda: len(lab.box.flows()) == 1, "the echo is gone", 1 + LATE)
    assert lab.box.flow()["proto"] == "udp"


@pytest.mark.load("--tcp-established-timeout", 1)
def test_established_timeout_shorter_than_opening(lab: Lab) -> None:
    with tcp_pair(lab["c1"], lab["s1"], lab.server, PORT):
        wait_until(lambda: lab.box.flows("--state", "established"), "the flow is established")
        wait_until(lambda: not lab.box.flows(), "the idle connection is gone", 1 + LATE)


@pytest.mark.load(
    "--tcp-opening-timeout", 4, "--tcp-established-timeout", 4, "--tcp-closing-timeout", 1
)
def test_tcp_timeout_follows_the_state(lab: Lab) -> None:
    """A closed connection goes by the shorter timeout, an idle one by its own, with a RST."""
    with tcp_pair(lab["c2"], lab["s1"], lab.server, PORT + 1) as (idle, _):
        with listener(lab["s1"], PORT) as listening:
            near = connect(lab["c1"], lab.server, PORT)
            far, _ = listening.accept()
            near.close()
            far.close()
        start = time.monotonic()
        wait_until(lambda: len(lab.box.flows()) == 1, "the closed connection is gone", 1 + LATE)
        assert lab.box.flow()["state"] == "established"
        wait_until(lambda: not lab.box.flows(), "the idle connection is gone", 4 + LATE)
        assert time.monotonic() - start > 3.5
        idle.sendall(b"still there?")
        with pytest.raises(ConnectionResetError):
            idle.recv(1)


@pytest.mark.load("--tcp-opening-timeout", 1)
def test_unanswered_syn_goes_soon(lab: Lab) -> None:
    sock = lab["c1"].socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.setblocking(False)
    sock.connect_ex(("198.51.100.99", 80))  # nobody there
    wait_until(lambda: lab.box.flows("--state", "opening"), "the flow is opening")
    sock.close()
    wait_until(lambda: not lab.box.flows(), "the flow is gone", 1 + LATE)


@pytest.mark.load("--udp-timeout", 350)
def test_reload_makes_a_timeout_shorter(lab: Lab) -> None:
    UdpServer(lab["s1"], PORT)
    assert echoed(udp_client(lab["c1"], lab.server, PORT))
    lab.box.load("--udp-timeout", 1)
    # the sweeper looks at a flow when it was due: what is new counts from its next packet on
    assert echoed(udp_client(lab["c2"], lab.server, PORT))
    wait_until(lambda: len(lab.box.flows()) == 1, "the new flow is gone", 1 + LATE)
