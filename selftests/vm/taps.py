# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""NICs of a guest whose other ends are tap devices in namespaces of this host.

qemu's socket networking has one queue only, tap devices have as many as one opens.
"""

from __future__ import annotations

import fcntl
import os
import struct

from lab import Namespace

QUEUES = 4  # one for each CPU of the guest, and as many more for what XDP sends
TUNSETIFF = 0x400454CA
IFF_TAP, IFF_NO_PI, IFF_MULTI_QUEUE, IFF_VNET_HDR = 0x2, 0x1000, 0x100, 0x4000


def tap(ns: Namespace, name: str, address: str) -> list[int]:
    """Makes a tap device in a namespace. Returns a descriptor for each of its queues."""
    fds = []
    flags = IFF_TAP | IFF_NO_PI | IFF_MULTI_QUEUE | IFF_VNET_HDR
    with ns.entered():
        for _ in range(QUEUES):
            fd = os.open("/dev/net/tun", os.O_RDWR)
            ns.lab.stack.callback(os.close, fd)
            fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH14x", name.encode(), flags))
            fds.append(fd)
    ns.ip(f"addr add {address} dev {name}")
    ns.ip(f"link set {name} up")
    return fds


def nic(number: int, fds: list[int]) -> list[str]:
    queues = ":".join(map(str, fds))
    return [
        "-netdev", f"tap,id=net{number},fds={queues},vhost=off",
        "-device", f"virtio-net-pci,netdev=net{number},mq=on,vectors={2 * QUEUES + 2},"
                   f"mac=02:00:00:00:00:0{number}",
    ]  # fmt: skip
