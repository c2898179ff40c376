# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""The NAT under test: natxdp, or the kernel's own to compare the network with."""

from __future__ import annotations

import json
import subprocess

from lab import BUILD, Lab, Namespace

NATXDP = BUILD / "natxdp"


class Natxdp:
    """natxdp in the namespace of the NAT, with the pins of this run."""

    def __init__(self, lab: Lab, ns: Namespace, outside: str, inside: str) -> None:
        self.ns = ns
        self.pin_dir = lab.pin_dir
        self.outside = outside
        self.inside = inside
        lab.stack.callback(self.run, "unload", "--all", check=False)

    def command(self, *arguments: object) -> list[str]:
        return [str(NATXDP), *map(str, arguments), "--pin-dir", str(self.pin_dir)]

    def run(self, *arguments: object, check: bool = True) -> subprocess.CompletedProcess:
        return self.ns.run(*self.command(*arguments), check=check)

    def json(self, *arguments: object):
        return json.loads(self.run(*arguments, "--json").stdout)

    def load_arguments(self, *options: object) -> list[object]:
        inside = ["--inside", self.inside] if self.inside else []
        return ["load", self.outside, *inside, *options]

    def load(self, *options: object, check: bool = True) -> subprocess.CompletedProcess:
        return self.run(*self.load_arguments(*options), check=check)

    def unload(self) -> None:
        self.run("unload", "--all")

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
    """nftables. It knows of no flows and counters; for tests of the network itself."""

    def __init__(self, lab: Lab, ns: Namespace, outside: str, inside: str) -> None:
        self.ns = ns
        self.outside = outside

    def load(self) -> None:
        self.ns.sysctl("net.ipv4.ip_forward", 1)
        rules = f"""table ip nat {{
            chain post {{
                type nat hook postrouting priority 100;
                oifname "{self.outside}" ip saddr 10.0.0.0/8 ip daddr != 10.0.0.0/8 masquerade
            }}
        }}"""
        self.ns.run("nft", rules)

    def unload(self) -> None:
        self.ns.run("nft", "delete table ip nat", check=False)


def make_box(kind: str, lab: Lab, ns: Namespace, outside: str, inside: str) -> Natxdp | Masquerade:
    return {"natxdp": Natxdp, "nft": Masquerade}[kind](lab, ns, outside, inside)
