# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""A network in network namespaces: hosts, switches, cables, and their end.

Everything carries the name of the run, and all of it goes when the Lab is
closed, whatever happened. What a killed run has left goes when the next one
starts. The topologies are in topology.py, the NAT boxes in box.py.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

TOP = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("NATXDP_BUILD", TOP / "build"))
HELPERS = Path(os.environ.get("NATXDP_NET_HELPERS", BUILD / "selftests" / "net"))
BPFFS = Path("/sys/fs/bpf")
RUN_DIR = Path("/run/natxdp")
PREFIX = "nxt"
CLONE_NEWNET = 0x40000000

libc = ctypes.CDLL(None, use_errno=True)
T = TypeVar("T")


def wait_until(condition: Callable[[], T], what: str, timeout: float = 5) -> T:
    """Polls until the condition is true, and returns what it returned."""
    deadline = time.monotonic() + timeout
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {timeout:g} s in vain: {what}; last: {result!r}")
        time.sleep(0.01)


def run(*command: str, check: bool = True, timeout: float = 60) -> subprocess.CompletedProcess:
    done = subprocess.run(
        [str(word) for word in command],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
    )
    if check and done.returncode:
        raise AssertionError(
            f"{' '.join(done.args)}: exit status {done.returncode}\n{done.stdout}{done.stderr}"
        )
    return done


class Namespace:
    """One host: a network namespace and what runs in it."""

    def __init__(self, lab: Lab, role: str) -> None:
        self.lab = lab
        self.role = role
        self.name = f"{lab.run}-{role}"
        self.path = f"/run/netns/{self.name}"
        run("ip", "netns", "add", self.name)
        lab.stack.callback(self.remove)
        self.ip("link set lo up")
        # neither router solicitations nor duplicate address detection
        self.sysctl("net.ipv6.conf.default.disable_ipv6", 1)
        # as a fresh Debian has it
        self.sysctl("net.ipv4.conf.all.rp_filter", 0)
        self.sysctl("net.ipv4.conf.default.rp_filter", 2)

    def remove(self) -> None:
        pids = run("ip", "netns", "pids", self.name, check=False).stdout.split()
        for pid in pids:
            if int(pid) != os.getpid():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)
        run("ip", "netns", "del", self.name, check=False)

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """The calling thread is in the namespace. Sockets it opens stay there."""
        with open("/proc/thread-self/ns/net") as here, open(self.path) as there:
            if libc.setns(there.fileno(), CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), f"setns {self.name}")
            try:
                yield
            finally:
                libc.setns(here.fileno(), CLONE_NEWNET)

    def socket(self, *args: int) -> socket.socket:
        with self.entered():
            sock = socket.socket(*args)
        self.lab.stack.callback(sock.close)
        return sock

    def command(self, *command: str) -> list[str]:
        # not `ip netns exec`, which hides bpffs
        return ["nsenter", f"--net={self.path}", *map(str, command)]

    def run(self, *command: str, check: bool = True, timeout: float = 60):
        return run(*self.command(*command), check=check, timeout=timeout)

    def spawn(self, *command: str, **options) -> subprocess.Popen:
        options = {
            "stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT,
            "text": True,
        } | options  # fmt: skip
        process = subprocess.Popen(self.command(*command), start_new_session=True, **options)
        self.lab.stack.callback(reap, process)
        return process

    def ip(self, arguments: str, check: bool = True) -> str:
        return run("ip", "-n", self.name, *arguments.split(), check=check).stdout

    def sysctl(self, name: str, value: object = None) -> str:
        """Reads a value, or sets it."""
        path = Path("/proc/sys", *name.split("."))
        with self.entered():
            if value is not None:
                path.write_text(str(value))
            return path.read_text().strip()

    def mac(self, dev: str) -> str:
        with self.entered():
            return next(
                line.split()[1]
                for line in run("ip", "link", "show", "dev", dev).stdout.splitlines()
                if "link/ether" in line
            )

    def ifindex(self, dev: str) -> int:
        with self.entered():
            return socket.if_nametoindex(dev)

    def listens(self, port: int, kind: str) -> bool:
        """kind: t for TCP, u for UDP"""
        return bool(self.run("ss", f"-Hln{kind}", f"sport = :{port}").stdout.strip())


def reap(process: subprocess.Popen) -> None:
    """Ends a process and its children."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdout:
        process.stdout.close()


class Lab:
    """Makes namespaces and cables, and removes them when it is closed."""

    def __init__(self) -> None:
        sweep_dead_runs()
        self.run = f"{PREFIX}{os.getpid()}x{random.randrange(16**4):04x}"
        self.pin_dir = BPFFS / f"natxdp-{self.run}"
        self.stack = contextlib.ExitStack()
        self.ns: dict[str, Namespace] = {}
        self.scratch = Path(tempfile.mkdtemp(prefix=f"natxdp-{self.run}-"))
        self.stack.callback(shutil.rmtree, self.scratch, ignore_errors=True)

    def __enter__(self) -> Lab:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __getitem__(self, role: str) -> Namespace:
        return self.ns[role]

    def close(self) -> None:
        self.stack.close()
        remove_traces(f"natxdp-{self.run}")

    @contextlib.contextmanager
    def scope(self) -> Iterator[None]:
        """What is opened, started or made in the scope ends with it."""
        outer = self.stack
        with contextlib.ExitStack() as self.stack:
            try:
                yield
            finally:
                self.stack, inner = outer, self.stack
                inner.close()

    def host(self, role: str) -> Namespace:
        self.ns[role] = Namespace(self, role)
        return self.ns[role]

    def bridge(self, ns: Namespace, name: str, address: str = "") -> None:
        ns.ip(f"link add {name} type bridge mcast_snooping 0 forward_delay 0")
        ns.ip(f"link set {name} up")
        if address:
            ns.ip(f"addr add {address} dev {name}")

    def cable(self, ns: Namespace, dev: str, address: str, peer: Namespace, peer_dev: str) -> None:
        """A veth pair. The end in ns gets the address; the peer end is left bare."""
        run("ip", "link", "add", dev, "netns", ns.name, "type", "veth",
            "peer", "name", peer_dev, "netns", peer.name)  # fmt: skip
        ends = (ns, dev), (peer, peer_dev)
        for end, name in ends:
            end.ip(f"link set {name} up")
        for end, name in ends:
            # tx off: what enters XDP carries whole checksums, as from a wire.
            # gro on: gives veth a NAPI, which takes what XDP sends to it. Only
            # where both ends are up does the other end hear of it.
            end.run("ethtool", "-K", name, "tx", "off", "gro", "on")
        if address:
            ns.ip(f"addr add {address} dev {dev}")

    def plug(self, ns: Namespace, dev: str, address: str, switch: Namespace, bridge: str) -> None:
        """Connects a host to a bridge; the port is named after the host."""
        self.cable(ns, dev, address, switch, ns.role)
        switch.ip(f"link set {ns.role} master {bridge}")

    def router(self, role: str) -> Namespace:
        """A host that forwards; to be made before its interfaces."""
        ns = self.host(role)
        ns.sysctl("net.ipv4.ip_forward", 1)
        ns.sysctl("net.ipv4.conf.all.send_redirects", 0)
        ns.sysctl("net.ipv4.conf.default.send_redirects", 0)
        return ns


def remove_traces(name: str) -> None:
    """Pins, and the files that natxdp keeps beside them."""
    for pin in BPFFS.glob(f"{name}*"):
        shutil.rmtree(pin, ignore_errors=True)
    for file in RUN_DIR.glob(f"{name}*"):
        file.unlink(missing_ok=True)


def sweep_dead_runs() -> None:
    """Removes what runs have left whose process is gone."""
    left = [Path("/run/netns"), BPFFS, RUN_DIR]
    for entry in [entry for where in left if where.exists() for entry in where.iterdir()]:
        named = re.match(rf"(?:natxdp-)?{PREFIX}(\d+)x[0-9a-f]{{4}}", entry.name)
        if not named or Path("/proc", named.group(1)).exists():
            continue
        if entry.parent == left[0]:
            run("ip", "netns", "del", entry.name, check=False)
        else:
            remove_traces(named.group())
