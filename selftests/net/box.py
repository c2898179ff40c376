# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""The NAT under test: natxdp, or the kernel's own to compare the network with."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass

from audit import Audit, Wire
from lab import BUILD, Lab, Namespace

NATXDP = BUILD / "natxdp"
INSIDE = "10.0.0.0/8"


@dataclass(frozen=True)
class Settings:
    """What any NAT can be told, so that the same probe fits all."""

    ports: str = ""  # external ones: "2000-2009"
    idle: int = 0  # seconds after which UDP, echo and established TCP flows go
    inside: str = ""  # a network that is inside beside 10.0.0.0/8


class Natxdp:
    """natxdp in the namespace of the NAT, with the pins of this run."""

    def __init__(
        self, lab: Lab, ns: Namespace, outside: str, inside: str, wires: list[Wire]
    ) -> None:
        self.ns = ns
        self.pin_dir = lab.pin_dir
        self.outside = outside
        self.inside = inside
        self.wires = wires
        self.audit: Audit | None = None
        self.hook = os.environ.get("NATXDP_TEST_HOOK", "xdp")
        lab.stack.callback(self.run, "unload", "--all", check=False)

    def command(self, *arguments: object) -> list[str]:
        return [str(NATXDP), *map(str, arguments), "--pin-dir", str(self.pin_dir)]

    def run(self, *arguments: object, check: bool = True) -> subprocess.CompletedProcess:
        # after an unload there is nothing to audit; what verify sends comes by no cable
        if arguments[0] in ("unload", "verify"):
            self.audit = None
        return self.ns.run(*self.command(*arguments), check=check)

    def json(self, *arguments: object):
        return json.loads(self.run(*arguments, "--json").stdout)

    def load_arguments(self, *options: object) -> list[object]:
        inside = ["--inside", self.inside] if self.inside else []
        hook = ["--hook", self.hook] if self.hook != "xdp" else []
        return ["load", self.outside, *inside, *hook, *options]

    def load(
        self, *options: object, check: bool = True, audit: bool = True
    ) -> subprocess.CompletedProcess:
        """audit: whether the counters have to add up when the NAT is unloaded."""
        done = self.run(*self.load_arguments(*options), check=check)
        # the audit is of what veth counts where it runs XDP
        if audit and not self.audit and self.hook == "xdp":
            self.audit = Audit(self, self.wires)
        return done

    def load_as(self, profile: str, settings: Settings) -> None:
        options: list[object] = ["--profile", profile]
        if settings.ports:
            options += ["--port-range", settings.ports]
        if settings.inside:
            options += ["--inside-prefixes", f"{INSIDE},{settings.inside}", "--no-nat", "none"]
        for what in ("udp", "icmp", "tcp-established") if settings.idle else ():
            options += [f"--{what}-timeout", settings.idle]
        self.load(*options)

    def unload(self) -> None:
        audit, self.audit = self.audit, None
        try:
            if audit:
                audit.close()
        finally:
            self.run("unload", "--all")

    def end(self) -> None:
        """Whatever is loaded, or half loaded."""
        if self.audit:
            self.unload()
        self.run("unload", "--all", check=False)

    def status(self) -> dict:
        return self.json("status")

    def flows(self, *filters: object) -> list[dict]:
        return self.json("flows", *filters)

    def flow(self, *filters: object) -> dict:
        """The only one that matches."""
        [flow] = self.flows(*filters)
        return flow

    def stats(self) -> dict[str, dict]:
        return self.json("stats")

    def packets(self, reason: str) -> int:
        return self.stats()["reasons"][reason]["packets"]


class Masquerade:
    """nftables, with no rule but the one that masquerades. It shows no flows and counters."""

    TIMEOUTS = ("udp_timeout", "udp_timeout_stream", "icmp_timeout", "tcp_timeout_established")

    def __init__(
        self, lab: Lab, ns: Namespace, outside: str, inside: str, wires: list[Wire]
    ) -> None:
        self.ns = ns
        self.outside = outside
        self.defaults: dict[str, str] = {}

    def load(self) -> None:
        self.load_as("", Settings())

    def load_as(self, profile: str, settings: Settings) -> None:
        inside = ", ".join(net for net in (INSIDE, settings.inside) if net)
        ports = f"meta l4proto {{ tcp, udp, icmp }} masquerade to :{settings.ports}"
        self.ns.sysctl("net.ipv4.ip_forward", 1)
        rules = f"""table ip nat {{
            chain post {{
                type nat hook postrouting priority 100;
                oifname "{self.outside}" ip saddr {{ {inside} }} ip daddr != {INSIDE} {
                    ports if settings.ports else "masquerade"}
            }}
        }}"""
        self.ns.run("nft", rules)
        for name in self.TIMEOUTS if settings.idle else ():
            self.defaults[name] = self.ns.sysctl(f"net.netfilter.nf_conntrack_{name}")
            self.ns.sysctl(f"net.netfilter.nf_conntrack_{name}", settings.idle)

    def unload(self) -> None:
        self.ns.run("nft", "delete table ip nat", check=False)
        while self.defaults:
            name, value = self.defaults.popitem()
            self.ns.sysctl(f"net.netfilter.nf_conntrack_{name}", value)


def make_box(
    kind: str, lab: Lab, ns: Namespace, outside: str, inside: str, wires: list[Wire]
) -> Natxdp | Masquerade:
    return {"natxdp": Natxdp, "nft": Masquerade}[kind](lab, ns, outside, inside, wires)
