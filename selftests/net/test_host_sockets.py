# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""Sockets of the box itself on the external address, on ports that flows may have."""

import random
import socket
from subprocess import PIPE

import pytest
from lab import Lab, wait_until
from probes import UdpServer, connect, echoed, listener, tcp_pair, udp_client
from programs import start_sshd

PORT = 9000
FLOW_PORTS = range(1024, 61000)


def test_ssh_session_from_before_the_load(any_lab: Lab) -> None:
    """Who loads the NAT over ssh must not lose the session, whatever port sshd has."""
    nat, client = any_lab["nat"], any_lab["s1"]
    any_lab.box.unload()
    login = [*start_sshd(nat, 2222), any_lab.external, "cat"]
    session = client.spawn(*login, stdin=PIPE, stdout=PIPE, text=True, bufsize=1)
    for line in ("before", "after"):
        session.stdin.write(line + "\n")
        assert session.stdout.readline() == line + "\n"
        if line == "before":
            any_lab.box.load()
    session.stdin.close()
    assert session.wait(10) == 0
    assert any_lab.box.packets("drop_unsolicited") == 0
    assert any_lab.box.packets("pass_host") > 0


@pytest.mark.parametrize("when", ["before", "after"])
def test_clients_of_the_box_from_any_port(any_lab: Lab, when: str) -> None:
    """Resolvers choose their own ports, for a socket that is connected or one that is not."""
    nat = any_lab["nat"]
    UdpServer(any_lab["s1"], PORT)
    ports = random.sample(FLOW_PORTS, 9)
    if when == "before":
        any_lab.box.unload()
    connected = [udp_client(nat, any_lab.server, PORT, port) for port in ports[:4]]
    loose = []
    for port in ports[4:8]:
        loose.append(nat.socket(socket.AF_INET, socket.SOCK_DGRAM))
        loose[-1].bind(("", port))
        loose[-1].settimeout(5)
    with tcp_pair(nat, any_lab["s1"], any_lab.server, PORT) as (near, far):
        if when == "before":
            any_lab.box.load()
        assert all(echoed(sock) for sock in connected)
        for sock in loose:
            sock.sendto(b"query", (any_lab.server, PORT))
            assert sock.recv(100) == b"query"
        far.sendall(b"from the server")
        assert near.recv(100) == b"from the server"
    with connect_from(any_lab, ports[8]) as near:
        assert near.getsockname()[1] == ports[8]
    assert not any_lab.box.flows()


def connect_from(lab: Lab, port: int) -> socket.socket:
    listener(lab["s1"], PORT + 1)
    return connect(lab["nat"], lab.server, PORT + 1, port)


@pytest.mark.load("--port-range", "8020-8023")
def test_listener_is_heard_and_its_port_not_given_out(any_lab: Lab) -> None:
    """8022 is nowhere in host_ports; the ports beside it stay closed."""
    nat, server = any_lab["nat"], any_lab["s1"]
    with listener(nat, 8022) as listening:
        for port in (PORT, PORT + 1):
            with listener(server, port) as at_server:
                given = []
                for _ in range(3):
                    connect(any_lab["c1"], any_lab.server, port)
                    given.append(at_server.accept()[1][1])
                assert sorted(given) == [8020, 8021, 8023]
        with connect(server, any_lab.external, 8022) as near:
            far, _ = listening.accept()
            far.sendall(b"hello")
            assert near.recv(100) == b"hello"
            far.close()
    before = any_lab.box.packets("drop_unsolicited")
    for port in (8021, 8022):  # of flows with others, and closed again
        sock = server.socket(socket.AF_INET, socket.SOCK_STREAM)
        sock.settimeout(0.3)
        with pytest.raises(TimeoutError):
            sock.connect((any_lab.external, port))
    wait_until(lambda: any_lab.box.packets("drop_unsolicited") >= before + 2, "both are counted")
