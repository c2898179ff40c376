# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""What a NAT does with UDP, asked from outside (RFC 4787). Each question returns a word or two."""

from __future__ import annotations

import errno
import itertools
import random
import socket
import time
from collections.abc import Callable

from capture import Capture
from fragments import PIECE, Cutter
from lab import Lab, Namespace, wait_until
from probes import echoed, udp_client

End = tuple[str, int]

S1, S2, S3 = "203.0.113.2", "203.0.113.3", "198.51.100.2"
YES, NO = "yes", "no"
INDEPENDENT = "endpoint-independent"
ADDRESS = "address-dependent"
DEPENDENT = "address and port-dependent"
A_MOMENT = 0.5  # seconds in which what is to come has come
PATIENCE = 5

# What the NAT remembers of one question must not be the answer to the next one.
ports = itertools.count(random.randrange(20000, 30000))


def yes(is_so: bool) -> str:
    return YES if is_so else NO


def udp_socket(ns: Namespace, port: int = 0, address: str = "") -> socket.socket:
    sock = ns.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((address, port))
    sock.settimeout(PATIENCE)
    return sock


def external_of(sock: socket.socket, server: socket.socket, to: End) -> End:
    """How the server sees the socket."""
    mark = random.randbytes(8)
    sock.sendto(mark, to)
    while True:
        data, seen = server.recvfrom(100)
        if data == mark:
            return seen


def arrives(sender: socket.socket, to: End, receiver: socket.socket) -> End | None:
    """From where a datagram comes, if it does."""
    mark = random.randbytes(8)
    sender.sendto(mark, to)
    receiver.settimeout(A_MOMENT)
    try:
        while True:
            data, seen = receiver.recvfrom(100)
            if data == mark:
                return seen
    except (TimeoutError, ConnectionRefusedError):
        return None
    finally:
        receiver.settimeout(PATIENCE)


def dependence(same_address: bool, other_address: bool) -> str:
    """same_address: whether what holds for one port of an address holds for the next one."""
    if same_address and other_address:
        return INDEPENDENT
    return ADDRESS if same_address else DEPENDENT


def mapping(lab: Lab) -> str:
    """Another host has the same port, and has had it translated: nothing can just be kept."""
    one, two, source = next(ports), next(ports), next(ports)
    servers = [
        (udp_socket(lab["s1"], one), (S1, one)),
        (udp_socket(lab["s1"], two), (S1, two)),
        (udp_socket(lab["s2"], one), (S2, one)),
    ]
    external_of(udp_socket(lab["c2"], source), *servers[0])
    sock = udp_socket(lab["c1"], source)
    first, same, other = (external_of(sock, *server) for server in servers)
    return dependence(first == same, first == other)


def no_overloading(lab: Lab) -> str:
    """Two hosts, one port, one destination."""
    port, source = next(ports), next(ports)
    server = udp_socket(lab["s1"], port)
    socks = [udp_socket(lab[name], source) for name in ("c1", "c2")]
    ends = [external_of(sock, server, (S1, port)) for sock in socks]
    back = [arrives(server, end, sock) for end, sock in zip(ends, socks)]
    return yes(ends[0] != ends[1] and back == [(S1, port)] * 2)


def port_choice(lab: Lab) -> str:
    port = next(ports)
    server = udp_socket(lab["s1"], port)
    kept = parity = 0
    for _ in range(20):
        sock = udp_socket(lab["c1"])
        inside, outside = sock.getsockname()[1], external_of(sock, server, (S1, port))[1]
        kept += inside == outside
        parity += inside % 2 == outside % 2
    if kept == 20:
        return "kept"
    return "parity kept" if parity == 20 else "random"


def filtering(lab: Lab) -> str:
    one, two = next(ports), next(ports)
    server, other_port = udp_socket(lab["s1"], one), udp_socket(lab["s1"], two)
    other = udp_socket(lab["s2"], one)
    sock = udp_socket(lab["c1"])
    external = external_of(sock, server, (S1, one))
    assert arrives(server, external, sock) == (S1, one)
    return dependence(
        arrives(other_port, external, sock) == (S1, two),
        arrives(other, external, sock) == (S2, one),
    )


def keeps_alive(lab: Lab, outbound: bool) -> str:
    """Packets of one direction only, for longer than the flow may be idle (2 seconds)."""
    port = next(ports)
    server, sock = udp_socket(lab["s1"], port), udp_socket(lab["c1"])
    external = external_of(sock, server, (S1, port))
    assert arrives(server, external, sock)
    end = time.monotonic() + 5
    while time.monotonic() < end:
        if outbound:
            sock.sendto(b"on", (S1, port))
        else:
            server.sendto(b"on", external)
        time.sleep(0.25)
    return yes(arrives(server, external, sock) is not None)


def outbound_refresh(lab: Lab) -> str:
    return keeps_alive(lab, outbound=True)


def inbound_refresh(lab: Lab) -> str:
    return keeps_alive(lab, outbound=False)


def overlap(lab: Lab) -> str:
    """An inside host has the address of an outside one: s2's, which is on the NAT's own link."""
    port = next(ports)
    lab["far"].ip(f"addr add {S2}/32 dev eth0")
    lab["inrouter"].ip(f"route add {S2}/32 via 10.78.0.2")
    lab.stack.callback(lab["inrouter"].ip, f"route del {S2}/32")
    lab.stack.callback(lab["far"].ip, f"addr del {S2}/32 dev eth0")
    results = []
    for name, to in (("s1", (S1, port)), ("s3", (S3, port))):
        server = udp_socket(lab[name], port)
        sock = udp_socket(lab["far"], 0, S2)
        try:
            server.settimeout(A_MOMENT)
            external = external_of(sock, server, to)
            results.append(external[0] == lab.external and arrives(server, external, sock) == to)
        except TimeoutError:
            results.append(False)
    # and the outside host of that address is still reached by others
    twin, sock = udp_socket(lab["s2"], port), udp_socket(lab["c1"])
    results.append(arrives(twin, external_of(sock, twin, (S2, port)), sock) == (S2, port))
    return yes(all(results))


def hairpin(lab: Lab) -> str:
    """Two inside hosts by their external ends; the receiver has to see the sender's."""
    port = next(ports)
    server = udp_socket(lab["s1"], port)
    socks = [udp_socket(lab[name]) for name in ("c1", "c2")]
    ends = [external_of(sock, server, (S1, port)) for sock in socks]
    seen = arrives(socks[0], ends[1], socks[1])
    if not seen:
        return NO
    return YES if seen == ends[0] else "with the internal source"


def too_big(lab: Lab, df: bool) -> socket.socket:
    """A client of a server whose datagrams of 1400 bytes do not fit a way out of 1300."""
    sock = udp_client(lab["c1"], S1, next(ports))
    lab.stack.callback(lab["c1"].ip, "route flush cache")
    sock.setsockopt(socket.IPPROTO_IP, 10, 2 if df else 0)  # IP_MTU_DISCOVER
    return sock


def too_big_df(lab: Lab) -> str:
    sock = too_big(lab, df=True)
    sock.send(bytes(1400))
    try:
        # IP_MTU
        wait_until(lambda: sock.getsockopt(socket.IPPROTO_IP, 14) == 1300, "the MTU", A_MOMENT)
    except TimeoutError:
        return NO
    return yes(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.EMSGSIZE)


def too_big_cut(lab: Lab) -> str:
    sock = too_big(lab, df=False)
    server = udp_socket(lab["s1"], sock.getpeername()[1])
    cut = Capture(lab["s1"], "eth0", "ip[6:2] & 0x3fff != 0", outgoing=False)
    body = random.randbytes(1400)
    sock.send(body)
    return yes(server.recv(2000) == body and len(cut.first(2)) == 2)


def fragments(lab: Lab, order: Callable[[list], list]) -> str:
    """In both directions."""
    port, source = next(ports), next(ports)
    server, sock = udp_socket(lab["s1"], port), udp_socket(lab["c1"], source)
    external = external_of(sock, server, (S1, port))
    client = lab["c1"].ip("-4 -o addr show dev eth0").split()[3].split("/")[0]
    out = Cutter(lab["c1"], client, source, S1, port), server
    back = Cutter(lab["s1"], S1, port, *external), sock
    for cutter, receiver in (out, back):
        body = random.randbytes(3 * PIECE)
        cutter.send(order(cutter.cut(body)))
        receiver.settimeout(PATIENCE)
        try:
            if receiver.recv(65535) != body:
                return "damaged"
        except TimeoutError:
            return NO
    return YES


def fragments_in_order(lab: Lab) -> str:
    return fragments(lab, lambda pieces: pieces)


def fragments_out_of_order(lab: Lab) -> str:
    return fragments(lab, lambda pieces: pieces[::-1])


def exhausted(lab: Lab) -> str:
    """The external ports are 2000 to 2009: what does the eleventh flow of a destination hear?"""
    port = next(ports)
    server = udp_socket(lab["s1"], port)
    socks = [udp_socket(lab["c1"]) for _ in range(10)]
    ends = [external_of(sock, server, (S1, port)) for sock in socks]
    assert {end[1] for end in ends} == set(range(2000, 2010))
    errors = Capture(lab["c1"], "eth0", "icmp[0] == 3 and icmp[1] == 13", outgoing=False)
    late = udp_client(lab["c1"], S1, port)
    late.settimeout(A_MOMENT)
    assert not echoed(late)
    back = [arrives(server, end, sock) for end, sock in zip(ends, socks)]
    if back != [(S1, port)] * 10:
        return "an old flow is lost"
    return "ICMP 3/13" if errors.frames() else "silence"


def port_rests(lab: Lab) -> str:
    """There is one external port. The flow of one host ends (idle: 1 second), another begins."""
    port = next(ports)
    server = udp_socket(lab["s1"], port)
    assert external_of(udp_socket(lab["c1"]), server, (S1, port))[1] == 2000
    other = udp_client(lab["c2"], S1, port)
    server.settimeout(0.1)

    def gets_through() -> bool:
        try:
            other.send(b"now?")
            return server.recvfrom(100)[1][1] == 2000
        except (TimeoutError, OSError):
            return False

    wait_until(gets_through, "the port is used again", 10)
    return NO
