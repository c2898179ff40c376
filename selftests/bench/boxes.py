# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""The NATs that are measured, each in its own network namespace.

`ends` is both ends of all cables: there frames are made and counted.

    ends: g-NAME 10.0.0.2 -- in0 10.0.0.1 [ NAME ] out0 203.0.113.1 -- s-NAME 203.0.113.254

The inside hosts, 10.77.0.0/16, are behind 10.0.0.2. Neighbours are permanent:
the ends answer nothing.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "net"))

from lab import BUILD, HELPERS, Lab, Namespace, run  # noqa: E402

NATXDP = BUILD / "natxdp"
PROGRAMS = BUILD / "selftests" / "bench"
INSIDE_END, INSIDE, OUTSIDE, OUTSIDE_END = (f"02:00:00:00:00:{n:02x}" for n in range(1, 5))
EXTERNAL = "203.0.113.1"
LONG = "18000"  # seconds: nothing expires while it is measured


def bench(ns: Namespace | None, program: str, *arguments: object, timeout: float = 300):
    """Runs a program of this directory, in a namespace. Returns what it printed."""
    command = [str(PROGRAMS / program), *map(str, arguments)]
    done = ns.run(*command, timeout=timeout) if ns else run(*command, timeout=timeout)
    return json.loads(done.stdout)


class Box:
    """One NAT. kind: natxdp, bare (nothing but a redirect), nft, iptables, forward.

    name: where there are several of a kind.
    """

    def __init__(self, lab: Lab, kind: str, arms: int = 2, name: str = "") -> None:
        name = name or kind
        self.lab = lab
        self.kind = kind
        self.arms = arms
        self.ns = lab.router(name)
        self.pin_dir = lab.pin_dir.with_name(f"{lab.pin_dir.name}-{name}")
        ends = lab.ns.get("ends") or lab.host("ends")
        self.cable("in0", "10.0.0.1/30", INSIDE, ends, f"g-{name}", INSIDE_END)
        self.ns.ip(f"neigh add 10.0.0.2 lladdr {INSIDE_END} dev in0 nud permanent")
        self.ns.ip("route add 10.77.0.0/16 via 10.0.0.2")
        out, way = ("out0", "203.0.113.254") if arms == 2 else ("in0", "10.0.0.2")
        if arms == 2:
            self.cable("out0", f"{EXTERNAL}/24", OUTSIDE, ends, f"s-{name}", OUTSIDE_END)
            self.ns.ip(f"neigh add {way} lladdr {OUTSIDE_END} dev out0 nud permanent")
        else:
            self.ns.ip(f"addr add {EXTERNAL}/32 dev in0")
        self.ns.ip(f"route add default via {way}")
        self.outside = out

    def cable(self, dev: str, address: str, mac: str, ends: Namespace, end: str, end_mac: str):
        self.ns.ip(f"link add {dev} address {mac} type veth peer name {end}")
        self.ns.ip(f"link set {end} address {end_mac} netns {ends.name}")
        ends.ip(f"link set {end} up")
        self.ns.ip(f"addr add {address} dev {dev}")
        self.ns.ip(f"link set {dev} up")
        # a NAPI, which takes what XDP sends here; checksums made by the senders
        self.ns.run("ethtool", "-K", dev, "tx", "off", "gro", "on")
        ends.run("ethtool", "-K", end, "tx", "off", "gro", "off")

    def start(self, max_flows: int, *options: object) -> None:
        """Loads what makes it a NAT, with room for max_flows."""
        if self.kind == "natxdp":
            self.load(max_flows, *options)
        elif self.kind in ("nft", "iptables"):
            self.load_masquerade()

    def load(self, max_flows: int, *options: object, cpu: int | None = None) -> None:
        inside = ["--inside", "in0"] if self.arms == 2 else []
        timeouts = [
            word
            for name in ("udp", "tcp-opening", "tcp-established", "tcp-closing")
            for word in (f"--{name}-timeout", LONG)
        ]
        self.lab.stack.callback(self.natxdp, "unload", "--all", check=False)
        self.natxdp("load", self.outside, *inside, "--max-flows", max_flows, *timeouts,
                    "--external", f"{EXTERNAL}:1024-65535", "--host-ports", "none",
                    "--tcp-midstream", "adopt", "--no-watch", *options, cpu=cpu)  # fmt: skip

    def add_gwlb(self, max_flows: int) -> list[object]:
        """Another natxdp beside, in mode gwlb. Returns what `established` is told of it."""
        ends, pin_dir = self.lab["ends"], self.pin_dir.with_name(f"{self.pin_dir.name}-gwlb")
        self.cable("gw0", "10.0.9.1/30", "02:00:00:00:09:02", ends, "g-gwlb", "02:00:00:00:09:01")
        self.ns.ip("neigh add 10.0.9.2 lladdr 02:00:00:00:09:01 dev gw0 nud permanent")
        # the one-armed NAT asks no route
        self.ns.ip("route replace default via 10.0.9.2")
        pinned = ["--pin-dir", pin_dir]
        self.lab.stack.callback(self.ns.run, NATXDP, "unload", "--all", *pinned, check=False)
        self.ns.run(NATXDP, "load", "gw0", "--mode", "gwlb", "--gwlb-sources", "10.0.9.2/32",
                    "--max-flows", max_flows, "--external", "10.0.9.1:1024-65535",
                    "--host-ports", "none", "--tcp-midstream", "adopt", "--no-watch",
                    "--udp-timeout", LONG, "--tcp-opening-timeout", LONG, *pinned)  # fmt: skip
        return ["--gwlb-pin-dir", pin_dir, "--gwlb-iface", "gw0", "--gwlb-lb", "10.0.9.2",
                "--gwlb-own", "10.0.9.1"]  # fmt: skip

    def natxdp(self, *arguments: object, check: bool = True, cpu: int | None = None):
        pinned = ["taskset", "-c", str(cpu)] if cpu is not None else []
        return self.ns.run(
            *pinned, NATXDP, *map(str, arguments), "--pin-dir", str(self.pin_dir), check=check
        )

    def load_masquerade(self) -> None:
        self.ns.sysctl("net.netfilter.nf_conntrack_udp_timeout", LONG)
        self.ns.sysctl("net.netfilter.nf_conntrack_udp_timeout_stream", LONG)
        source = "10.77.0.0/16"
        if self.kind == "iptables":
            self.ns.run("iptables", "-t", "nat", "-A", "POSTROUTING", "-o", self.outside,
                        "-s", source, "-j", "MASQUERADE")  # fmt: skip
            return
        self.ns.run(
            "nft",
            f"""table ip nat {{
                chain post {{
                    type nat hook postrouting priority 100;
                    oifname "{self.outside}" ip saddr {source} masquerade
                }}
            }}""",
        )

    def program_arguments(self) -> list[str]:
        """For a program that runs the shipped program itself."""
        return ["--pin-dir", str(self.pin_dir), "--iface", self.outside]


class Conntrack:
    """Room in the kernel's table for what is measured, and what was there before afterwards."""

    BUCKETS = Path("/proc/sys/net/netfilter/nf_conntrack_buckets")
    MAX = Path("/proc/sys/net/netfilter/nf_conntrack_max")

    def __init__(self, flows: int) -> None:
        self.flows = flows
        self.before: dict[Path, str] = {}

    def __enter__(self) -> Conntrack:
        # a bucket for each direction of each connection: as good as it gets
        for file, value in ((self.BUCKETS, 2 * self.flows), (self.MAX, 4 * self.flows)):
            self.before[file] = file.read_text()
            if int(self.before[file]) < value:
                file.write_text(str(value))
        return self

    def __exit__(self, *_: object) -> None:
        for file, value in self.before.items():
            file.write_text(value)
