# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""What a NAT does with TCP, asked from outside (RFC 5382, RFC 7857)."""

from __future__ import annotations

import contextlib
import socket
import time

from ask_udp import A_MOMENT, NO, PATIENCE, S1, S2, YES, dependence, ports, yes
from capture import Capture
from lab import Lab, Namespace
from probes import inject, listener, tcp_pair
from rawhost import RawHost
from scapy.layers.inet import IP, TCP, fragment
from scapy.packet import Raw

RAW_CLIENT, RAW_SERVER = "10.77.0.50", "203.0.113.50"
RST = 4


def tcp_socket(ns: Namespace, port: int) -> socket.socket:
    sock = ns.socket(socket.AF_INET, socket.SOCK_STREAM)
    for option in (socket.SO_REUSEADDR, socket.SO_REUSEPORT):
        sock.setsockopt(socket.SOL_SOCKET, option, 1)
    sock.bind(("", port))
    sock.settimeout(PATIENCE)
    return sock


def external_of(ns: Namespace, source: int, listening: socket.socket, to: tuple[str, int]):
    """A connection: the client's end, the server's, and how the server sees the client."""
    near = tcp_socket(ns, source)
    near.connect(to)
    far, seen = listening.accept()
    return near, far, seen


def mapping(lab: Lab) -> str:
    one, two, source = next(ports), next(ports), next(ports)
    servers = [
        (listener(lab["s1"], one), (S1, one)),
        (listener(lab["s1"], two), (S1, two)),
        (listener(lab["s2"], one), (S2, one)),
    ]
    other = external_of(lab["c2"], source, *servers[0])
    found = [external_of(lab["c1"], source, *server) for server in servers]
    first, same, elsewhere = (seen for _, _, seen in found)
    assert other[2] != first
    return dependence(first == same, first == elsewhere)


def no_overloading(lab: Lab) -> str:
    port, source = next(ports), next(ports)
    listening = listener(lab["s1"], port)
    found = [external_of(lab[name], source, listening, (S1, port)) for name in ("c1", "c2")]
    whole = True
    for number, (near, far, _) in enumerate(found):
        near.sendall(b"%d" % number)
        whole &= far.recv(1) == b"%d" % number
        far.sendall(b"%d" % (number + 5))
        whole &= near.recv(1) == b"%d" % (number + 5)
    return yes(whole and found[0][2] != found[1][2])


def may_connect(ns: Namespace, source: int, to: tuple[str, int]) -> bool:
    sock = tcp_socket(ns, source)
    sock.settimeout(A_MOMENT)
    try:
        sock.connect(to)
        return True
    except OSError:
        return False


def filtering(lab: Lab) -> str:
    """The client listens on the port from which it has connected."""
    port, source = next(ports), next(ports)
    listening = listener(lab["s1"], port)
    waiting = tcp_socket(lab["c1"], source)
    found = external_of(lab["c1"], source, listening, (S1, port))
    waiting.listen()
    return dependence(
        may_connect(lab["s1"], next(ports), found[2]), may_connect(lab["s2"], port, found[2])
    )


def hairpin(lab: Lab) -> str:
    port, source = next(ports), next(ports)
    listening = listener(lab["s1"], port)
    waiting = tcp_socket(lab["c2"], source)
    found = external_of(lab["c2"], source, listening, (S1, port))
    own = external_of(lab["c1"], source, listening, (S1, port))
    waiting.listen()
    near = tcp_socket(lab["c1"], source)
    near.settimeout(A_MOMENT)
    try:
        near.connect(found[2])
    except OSError:
        return NO
    return yes(waiting.accept()[1] == own[2])


def raw_hosts(lab: Lab) -> tuple[RawHost, RawHost]:
    return RawHost(lab, "c1", RAW_CLIENT), RawHost(lab, "s1", RAW_SERVER)


def simultaneous_open(lab: Lab) -> str:
    """Both ends send a SYN before they have heard of the other (RFC 9293, section 3.5)."""
    client, server = raw_hosts(lab)
    source, port = next(ports), next(ports)
    near, far = 1000, 5000

    def out(flags: str, seq: int, ack: int = 0, data: bytes = b"") -> int:
        head = TCP(sport=source, dport=port, flags=flags, seq=seq, ack=ack)
        client.send(RAW_SERVER, head / Raw(data))
        return server.hears()[0].sport

    external = out("S", near)

    def back(flags: str, seq: int, ack: int = 0, data: bytes = b"") -> bytes:
        head = TCP(sport=port, dport=external, flags=flags, seq=seq, ack=ack)
        server.send(lab.external, head / Raw(data))
        return client.hears()[0].payload

    try:
        back("S", far)
        out("SA", near, far + 1)
        back("SA", far, near + 1)
        out("A", near + 1, far + 1, b"to the outside")
        return yes(back("PA", far + 1, near + 15, b"to the inside") == b"to the inside")
    except TimeoutError:
        return NO


def half_close(lab: Lab) -> str:
    """One direction is closed, the other goes on."""
    with tcp_pair(lab["c1"], lab["s1"], S1, next(ports)) as (near, far):
        near.shutdown(socket.SHUT_WR)
        assert far.recv(1) == b""
        body = bytes(500_000)
        far.sendall(body)
        far.close()
        got = b""
        while part := near.recv(65536):
            got += part
    return yes(got == body)


def unsolicited_syn(lab: Lab) -> str:
    """To a port of the external address that nobody uses."""
    server = RawHost(lab, "s1", RAW_SERVER)
    server.send(lab.external, TCP(sport=next(ports), dport=next(ports), flags="S"))
    with contextlib.suppress(TimeoutError):
        [frame] = server.heard.first(1, timeout=1)
        return "RST" if frame.proto == 6 and frame.tcp_flags & RST else "an answer"
    return "silence"


def idle_connection(lab: Lab) -> str:
    """An established connection that was idle for longer than it may be (2 seconds), and goes on."""
    with tcp_pair(lab["c1"], lab["s1"], S1, next(ports)) as (near, far):
        near.sendall(b"x")
        assert far.recv(1) == b"x"
        time.sleep(5)
        arriving = Capture(lab["s1"], "eth0", f"tcp port {far.getsockname()[1]}", outgoing=False)
        near.settimeout(1)
        try:
            near.sendall(b"still there?")
            near.recv(1)
        except ConnectionResetError:
            return "RST to the inside"
        except TimeoutError:
            pass
        return "silence" if not arriving.frames() else "goes on"


def forged_reset(lab: Lab) -> str:
    """A RST with a sequence number that the client ignores must not end the connection."""
    with tcp_pair(lab["c1"], lab["s1"], S1, next(ports)) as (near, far):
        source, port = far.getpeername()[1], far.getsockname()[1]
        forger = RawHost(lab, "s2", RAW_SERVER)
        forger.address = S1
        forger.send(lab.external, TCP(sport=port, dport=source, flags="R", seq=1))
        try:
            for number in range(10):
                near.sendall(b"%d" % number)
                assert far.recv(1) == b"%d" % number
                far.sendall(b"%d" % number)
                assert near.recv(1) == b"%d" % number
        except (TimeoutError, ConnectionResetError):
            return NO
    return YES


def fragments(lab: Lab) -> str:
    """A segment in two fragments."""
    client, server = raw_hosts(lab)
    source, port = next(ports), next(ports)
    client.send(RAW_SERVER, TCP(sport=source, dport=port, flags="S"))
    server.hears()
    segment = TCP(sport=source, dport=port, flags="PA", seq=1, ack=1) / Raw(bytes(2000))
    for piece in fragment(IP(src=RAW_CLIENT, dst=RAW_SERVER, id=4711) / segment, 1000):
        inject(client.ns, "eth0", client.frame / piece)
    try:
        return yes(sum(frame.len - 20 for frame in server.hears(3)) == 2020)
    except TimeoutError:
        return NO
