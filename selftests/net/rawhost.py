# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""A host without a kernel: it answers nothing that the test does not send."""

from __future__ import annotations

from capture import Capture, Frame
from lab import Lab
from probes import inject
from scapy.layers.inet import IP
from scapy.layers.l2 import Ether

SIDES = {"c": "eth1", "s": "eth0"}  # by the first letter of the role: the NAT's device


class RawHost:
    """An address of its own on the cable of another host, known to the NAT and to nobody else."""

    def __init__(self, lab: Lab, role: str, address: str) -> None:
        self.ns, self.address = lab[role], address
        dev = SIDES[role[0]]
        mac = lab[role].mac("eth0")
        self.frame = Ether(src=mac, dst=lab["nat"].mac(dev))
        lab["nat"].ip(f"neigh replace {address} lladdr {mac} dev {dev} nud permanent")
        lab.stack.callback(lab["nat"].ip, f"neigh del {address} dev {dev}", check=False)
        self.heard = Capture(lab[role], "eth0", f"ip and dst host {address}", outgoing=False)

    def send(self, target: str, packet: object) -> None:
        inject(self.ns, "eth0", self.frame / IP(src=self.address, dst=target) / packet)

    def hears(self, count: int = 1) -> list[Frame]:
        """So many packets more than those that were asked for before."""
        frames = self.heard.first(count)
        self.heard.kept = self.heard.kept[count:]
        return frames
