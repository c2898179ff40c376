# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""IP packets cut by hand, to be sent in any order."""

from __future__ import annotations

import random
import socket
import struct

from capture import ones_complement
from lab import Namespace

PIECE = 1480


def ipv4(source: str, target: str, identifier: int, offset: int, more: bool, data: bytes) -> bytes:
    """A fragment; offset in bytes."""
    head = struct.pack(
        "!BBHHHBBH4s4s", 0x45, 0, 20 + len(data), identifier, more << 13 | offset // 8,
        64, socket.IPPROTO_UDP, 0, socket.inet_aton(source), socket.inet_aton(target),
    )  # fmt: skip
    checksum = ones_complement(head) ^ 0xFFFF
    return head[:10] + struct.pack("!H", checksum) + head[12:] + data


def udp(source: str, sport: int, target: str, dport: int, payload: bytes) -> bytes:
    head = struct.pack("!HHHH", sport, dport, 8 + len(payload), 0)
    pseudo = socket.inet_aton(source) + socket.inet_aton(target)
    pseudo += struct.pack("!HH", socket.IPPROTO_UDP, 8 + len(payload))
    checksum = ones_complement(pseudo + head + payload) ^ 0xFFFF or 0xFFFF
    return head[:6] + struct.pack("!H", checksum) + payload


class Cutter:
    """Sends datagrams from ns in fragments of its own making."""

    def __init__(self, ns: Namespace, source: str, sport: int, target: str, dport: int) -> None:
        self.sock = ns.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
        self.ends = source, sport, target, dport
        self.identifier = random.randrange(1, 0x8000)

    def cut(self, payload: bytes, piece: int = PIECE) -> list[bytes]:
        source, _, target, _ = self.ends
        data = udp(*self.ends, payload)
        self.identifier = self.identifier % 0xFFFF + 1
        return [
            ipv4(source, target, self.identifier, at, at + piece < len(data), data[at : at + piece])
            for at in range(0, len(data), piece)
        ]

    def send(self, fragments: list[bytes]) -> None:
        for fragment in fragments:
            self.sock.sendto(fragment, (self.ends[2], 0))
