# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""Looking at the wire: packet sockets with filters, and checksums from zero."""

from __future__ import annotations

import ctypes
import errno
import socket
import struct
from functools import lru_cache

from lab import Namespace, run, wait_until

ETH_P_ALL = 3
PACKET_OUTGOING = 4
SO_ATTACH_FILTER = 26
SO_RCVBUFFORCE = 33
SOL_PACKET = 263
PACKET_STATISTICS = 6
PACKET_IGNORE_OUTGOING = 23
TCP, UDP, ICMP = 6, 17, 1


@lru_cache(maxsize=None)
def compiled(expression: str) -> bytes:
    """The filter program for an Ethernet device, by tcpdump's compiler."""
    lines = run("tcpdump", "-y", "EN10MB", "-ddd", expression).stdout.split("\n")[1:]
    return b"".join(struct.pack("HBBI", *map(int, line.split())) for line in lines if line)


class Frame:
    """An IPv4 packet as captured, with the fields that the tests ask for."""

    def __init__(self, frame: bytes, outgoing: bool) -> None:
        self.outgoing = outgoing
        self.eth_dst, self.eth_src = frame[0:6].hex(":"), frame[6:12].hex(":")
        self.ethertype = struct.unpack("!H", frame[12:14])[0]
        self.ip = b""
        if self.ethertype != 0x0800 or len(frame) < 34:
            return
        self.len = struct.unpack("!H", frame[16:18])[0]
        self.ip = ip = frame[14 : 14 + self.len]
        self.ttl, self.proto = ip[8], ip[9]
        self.src, self.dst = socket.inet_ntoa(ip[12:16]), socket.inet_ntoa(ip[16:20])
        self.l4 = ip[(ip[0] & 15) * 4 :]
        self.sport = self.dport = 0
        if self.proto in (TCP, UDP):
            self.sport, self.dport = struct.unpack("!HH", self.l4[:4])

    @property
    def payload(self) -> bytes:
        header = {TCP: lambda: (self.l4[12] >> 4) * 4, UDP: lambda: 8, ICMP: lambda: 8}
        return self.l4[header[self.proto]() :]

    @property
    def tcp_flags(self) -> int:
        return self.l4[13]

    @property
    def l4_checksum(self) -> int:
        at = {TCP: 16, UDP: 6, ICMP: 2}[self.proto]
        return struct.unpack("!H", self.l4[at : at + 2])[0]

    def __repr__(self) -> str:
        if not self.ip:
            return f"<ethertype {self.ethertype:04x} {self.eth_src}>"
        way = "out" if self.outgoing else "in"
        ports = f"{self.src}:{self.sport} > {self.dst}:{self.dport}"
        return f"<{way} {self.proto} {ports} ttl {self.ttl} len {self.len}>"


class Capture:
    """What passes a device from now on. snap: bytes kept of each frame."""

    def __init__(
        self, ns: Namespace, dev: str, expression: str, outgoing: bool = True, snap: int = 65535
    ) -> None:
        self.snap = snap
        self.kept: list[Frame] = []
        program = compiled(expression)
        code = ctypes.create_string_buffer(program)
        with ns.entered():
            self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        ns.lab.stack.callback(self.sock.close)
        fprog = struct.pack("HL", len(program) // 8, ctypes.addressof(code))
        self.sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, fprog)
        self.sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 256 << 20)
        # in the kernel, so that they do not fill the buffer
        self.sock.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, not outgoing)
        self.sock.setblocking(False)
        self.sock.bind((dev, ETH_P_ALL))

    def frames(self) -> list[Frame]:
        """All so far."""
        while True:
            try:
                data, address = self.sock.recvfrom(self.snap)
            except BlockingIOError:
                break
            except OSError as problem:
                if problem.errno != errno.ENETDOWN:
                    raise
                continue  # said once when the interface goes down; it goes on when that is up
            self.kept.append(Frame(data, address[2] == PACKET_OUTGOING))
        dropped = struct.unpack("II", self.sock.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))[1]
        assert not dropped, f"the capture itself lost {dropped} frames"
        return self.kept

    def first(self, count: int = 1, timeout: float = 5) -> list[Frame]:
        """Waits for so many frames."""
        what = f"{count} captured frames"
        wait_until(lambda: len(self.frames()) >= count, what, timeout)
        return self.kept[:count]

    def forget(self) -> list[Frame]:
        frames = self.frames()
        self.kept = []
        return frames


def ones_complement(data: bytes) -> int:
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def assert_checksums(frame: Frame) -> None:
    """Sums both headers from zero: a right checksum makes the sum all ones."""
    header = (frame.ip[0] & 15) * 4
    assert ones_complement(frame.ip[:header]) == 0xFFFF, f"IPv4 checksum of {frame}"
    if frame.proto == UDP and frame.l4_checksum == 0:
        return
    pseudo = frame.ip[12:20] + struct.pack("!BBH", 0, frame.proto, len(frame.l4))
    covered = frame.l4 if frame.proto == ICMP else pseudo + frame.l4
    assert ones_complement(covered) == 0xFFFF, f"checksum of {frame}"
