# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""Pinned BPF maps by the system call: a change is there when the call returns."""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
from pathlib import Path

SYSCALL = {"x86_64": 321, "aarch64": 280}[platform.machine()]
LOOKUP, UPDATE, DELETE, NEXT_KEY, OBJ_GET = 1, 2, 3, 4, 7
libc = ctypes.CDLL(None, use_errno=True)


def bpf(command: int, attributes: bytes) -> int:
    result = libc.syscall(SYSCALL, command, attributes, len(attributes))
    if result < 0:
        raise OSError(ctypes.get_errno(), f"bpf command {command}")
    return result


def address_of(buffer) -> int:
    return ctypes.cast(buffer, ctypes.c_void_p).value


class BpfMap:
    """Keys and values are bytes."""

    def __init__(self, path: Path, key_size: int, value_size: int) -> None:
        self.key_size, self.value_size = key_size, value_size
        name = ctypes.create_string_buffer(str(path).encode())
        self.fd = bpf(OBJ_GET, struct.pack("=QII", address_of(name), 0, 0))

    def close(self) -> None:
        os.close(self.fd)

    def call(self, command: int, key: bytes | None, value=None) -> None:
        buffer = ctypes.create_string_buffer(key, self.key_size) if key is not None else None
        at = address_of(buffer) if buffer else 0
        bpf(command, struct.pack("=IIQQQ", self.fd, 0, at, address_of(value) if value else 0, 0))

    def get(self, key: bytes) -> bytes:
        value = ctypes.create_string_buffer(self.value_size)
        self.call(LOOKUP, key, value)
        return value.raw

    def set(self, key: bytes, value: bytes) -> None:
        self.call(UPDATE, key, ctypes.create_string_buffer(value, self.value_size))

    def delete(self, key: bytes) -> None:
        try:
            self.call(DELETE, key)
        except OSError as error:
            if error.errno != errno.ENOENT:
                raise

    def keys(self) -> list[bytes]:
        keys: list[bytes] = []
        following = ctypes.create_string_buffer(self.key_size)
        try:
            while True:
                self.call(NEXT_KEY, keys[-1] if keys else None, following)
                keys.append(following.raw)
        except OSError as error:
            if error.errno != errno.ENOENT:
                raise
        return keys
