# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""What a NAT does with ICMP and with other protocols, asked from outside (RFC 5508)."""

from __future__ import annotations

import contextlib
import re
import socket
import struct
import time

from ask_tcp import RAW_CLIENT, RAW_SERVER
from ask_udp import (
    A_MOMENT, DEPENDENT, INDEPENDENT, NO, S1, S2, arrives, external_of, ports, udp_socket, yes,
)  # fmt: skip
from capture import Capture, Frame, assert_checksums, ones_complement
from lab import Lab
from probes import inject, tcp_pair, udp_client
from rawhost import RawHost
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.packet import Raw

ROUTER = "203.0.113.60"  # outside, somewhere on the way



def ping(lab: Lab, role: str, address: str, *options: object) -> bool:
    done = lab[role].run(
        "ping", "-n", "-q", "-c", 1, "-W", A_MOMENT, *options, address, check=False
    )
    return re.search(r" 0% packet loss", done.stdout) is not None


def identifiers(lab: Lab, *asked: tuple[str, str, str]) -> list[int]:
    """External identifiers of echo requests with one identifier: (from, server, its address)."""
    inside, seen = next(ports), []
    for client, server, address in asked:
        requests = Capture(lab[server], "eth0", "icmp[icmptype] == icmp-echo", outgoing=False)
        assert ping(lab, client, address, "-e", inside)
        seen.append(struct.unpack("!H", requests.first(1)[0].l4[4:6])[0])
    return seen


def echo(lab: Lab) -> str:
    return yes(ping(lab, "c1", S1))


def mapping(lab: Lab) -> str:
    _, first, second = identifiers(lab, ("c2", "s1", S1), ("c1", "s1", S1), ("c1", "s2", S2))
    return INDEPENDENT if first == second else DEPENDENT


def no_overloading(lab: Lab) -> str:
    first, second = identifiers(lab, ("c1", "s1", S1), ("c2", "s1", S1))
    return yes(first != second)


def other_queries(lab: Lab) -> str:
    """A timestamp request, which the server's kernel answers."""
    client = RawHost(lab, "c1", RAW_CLIENT)
    client.send(S1, ICMP(type=13, id=next(ports)))
    with contextlib.suppress(TimeoutError):
        return yes(client.heard.first(1, timeout=A_MOMENT)[0].l4[0] == 14)
    return NO


class Errors:
    """ICMP errors from a router about what a flow has sent, and what the client hears of them."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.router = RawHost(lab, "s2", ROUTER)
        self.port = next(ports)
        self.server, self.sock = udp_socket(lab["s1"], self.port), udp_socket(lab["c1"])
        self.external = external_of(self.sock, self.server, (S1, self.port))
        self.heard = Capture(lab["c1"], "eth0", "icmp[0] == 3", outgoing=False)

    def quoted(self) -> IP:
        ends = UDP(sport=self.external[1], dport=self.port, len=100, chksum=1)
        return IP(src=self.external[0], dst=S1, len=120) / ends

    def send(self, quoted: object, **fields: int) -> None:
        self.router.send(self.external[0], ICMP(type=3, code=1, **fields) / quoted)

    def flow_lives(self) -> bool:
        return arrives(self.server, self.external, self.sock) == (S1, self.port)

    def is_right(self, frame: Frame) -> bool:
        """The client must find its own packet in it."""
        assert_checksums(frame)
        inner = frame.payload
        ends = struct.unpack("!4s4sHH", inner[12:24])
        own = self.sock.getsockname()[1], self.port
        return (
            frame.src == ROUTER
            and ones_complement(inner[:20]) == 0xFFFF
            and ends == (socket.inet_aton(frame.dst), socket.inet_aton(S1), *own)
        )


def error_inbound(lab: Lab) -> str:
    """It arrives with its quote translated, and the flow lives on."""
    errors = Errors(lab)
    errors.send(errors.quoted())
    try:
        [frame] = errors.heard.first(1, timeout=A_MOMENT)
    except TimeoutError:
        return NO
    return yes(errors.is_right(frame) and errors.flow_lives())


def refuses_bad_checksum(lab: Lab) -> str:
    errors = Errors(lab)
    errors.send(errors.quoted(), chksum=0x1234)
    flow_lives = errors.flow_lives()  # a packet on the same way, behind the error
    return yes(not errors.heard.frames() and flow_lives)


def refuses_bad_quote(lab: Lab) -> str:
    errors = Errors(lab)
    broken = errors.quoted()
    broken.chksum = 0x1234
    errors.send(broken)
    flow_lives = errors.flow_lives()
    return yes(not errors.heard.frames() and flow_lives)


def error_for_tcp(lab: Lab) -> str:
    """Port unreachable, about an established connection: it must go on."""
    with tcp_pair(lab["c1"], lab["s1"], S1, next(ports)) as (near, far):
        heard = Capture(lab["c1"], "eth0", "icmp[0] == 3", outgoing=False)
        external, port = far.getpeername(), far.getsockname()[1]
        router = RawHost(lab, "s2", ROUTER)
        quoted = IP(src=external[0], dst=S1, len=60) / TCP(sport=external[1], dport=port)
        router.send(external[0], ICMP(type=3, code=1) / quoted)
        with contextlib.suppress(TimeoutError):
            heard.first(1, timeout=A_MOMENT)
            near.sendall(b"on")
            far.sendall(b"and on")
            return yes(far.recv(2) == b"on" and near.recv(6) == b"and on")
    return NO


def errors_refresh_nothing(lab: Lab) -> str:
    """A flow may be idle for 2 seconds here, and hears nothing but errors."""
    errors = Errors(lab)
    end = time.monotonic() + 5
    while time.monotonic() < end:
        errors.send(errors.quoted())
        time.sleep(0.25)
    return yes(not errors.flow_lives())


def error_outbound(lab: Lab) -> str:
    """The client's kernel refuses what comes to a socket that has been closed."""
    port = next(ports)
    server, sock = udp_socket(lab["s1"], port), udp_socket(lab["c1"])
    external = external_of(sock, server, (S1, port))
    sock.close()
    heard = Capture(lab["s1"], "eth0", "icmp[0] == 3", outgoing=False)
    server.sendto(b"anybody?", external)
    try:
        [frame] = heard.first(1, timeout=A_MOMENT)
    except TimeoutError:
        return NO
    assert_checksums(frame)
    inner = frame.payload
    quoted = socket.inet_ntoa(inner[16:20]), struct.unpack("!H", inner[22:24])[0]
    return yes(frame.src == external[0] and quoted == external)


def error_hairpinned(lab: Lab) -> str:
    """The same between two inside hosts: the inside address of the other must not show."""
    port = next(ports)
    server = udp_socket(lab["s1"], port)
    socks = [udp_socket(lab[name]) for name in ("c1", "c2")]
    ends = [external_of(sock, server, (S1, port)) for sock in socks]
    socks[1].close()
    reached = Capture(lab["c2"], "eth0", "udp", outgoing=False)
    heard = Capture(lab["c1"], "eth0", "icmp[0] == 3", outgoing=False)
    socks[0].sendto(b"anybody?", ends[1])
    try:
        [frame] = heard.first(1, timeout=A_MOMENT)
    except TimeoutError:
        return NO
    assert_checksums(frame)
    inner = frame.payload
    quoted = socket.inet_ntoa(inner[16:20]), struct.unpack("!H", inner[22:24])[0]
    # else it is the box that has refused
    return yes(bool(reached.frames()) and frame.src == lab.external and quoted == ends[1])


def time_exceeded(lab: Lab) -> str:
    """From the box itself, and from a router behind it."""
    heard = Capture(lab["c1"], "eth0", "icmp[0] == 11", outgoing=False)
    for ttl in (1, 2):
        sock = udp_client(lab["c1"], "198.51.100.2", next(ports))
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, ttl)
        sock.send(b"how far?")
        with contextlib.suppress(TimeoutError):
            heard.first(ttl, timeout=A_MOMENT)
    return yes([frame.src for frame in heard.frames()] == ["10.77.0.1", "203.0.113.254"])


def ping_from_outside(lab: Lab) -> str:
    return "answered" if ping(lab, "s1", lab.external) else "silence"


def gre(lab: Lab) -> str:
    """Neither TCP nor UDP nor ICMP."""
    client, server = RawHost(lab, "c1", RAW_CLIENT), RawHost(lab, "s1", RAW_SERVER)
    packet = IP(src=RAW_CLIENT, dst=RAW_SERVER, proto=47) / Raw(bytes(20))
    inject(client.ns, "eth0", client.frame / packet)
    with contextlib.suppress(TimeoutError):
        [frame] = server.heard.first(1, timeout=A_MOMENT)
        return "translated" if frame.src == lab.external else "as it is"
    return "dropped"
