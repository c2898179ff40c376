# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""A VPC whose nodes replicate their flows and take over from each other."""

from __future__ import annotations

import subprocess

from lab import wait_until
from node import Node
from vpc import Vpc

READY_LIMIT = 60


class Fleet(Vpc):
    """ha: keys of natxdpd.conf without ha_ that are not the defaults."""

    def __init__(self, ha: dict[str, object] | None = None, **options: object) -> None:
        super().__init__(**options)
        for node in self.nodes.values():
            node.conf |= {f"ha_{name}": value for name, value in (ha or {}).items()}

    def power_on(self, agents: bool = True) -> None:
        super().power_on(agents)
        if not agents:
            return
        # who starts long before the others takes their zones, as nobody has them
        for letter in self.nodes:
            self.go_home(letter)
        self.wait_ready()

    def go_home(self, letter: str, timeout: float = READY_LIMIT) -> None:
        """The zone of a node goes back to it, planned, when the node is in sync."""
        self.wait_ready(home=False, timeout=timeout)
        node = self.nodes[letter]
        if self.failover(letter, "status")["zones"][node.zone.index]["owner"] == node.name:
            return
        try:
            # a move that is under way is waited for, as the command says
            wait_until(lambda: self.is_moved(node), f"zone {letter} goes home", timeout)
        except (TimeoutError, subprocess.TimeoutExpired) as error:
            raise AssertionError(f"{error}\n{self.explain()}") from None

    @staticmethod
    def is_moved(node: Node) -> bool:
        done = node.natxdp("failover", "to", node.name, node.zone.name, check=False)
        assert not done.returncode or "being moved just now" in done.stderr, done
        return not done.returncode

    def failover(self, letter: str, *arguments: object) -> dict:
        """`natxdp failover`, asked of a node."""
        return self.nodes[letter].json("failover", *arguments)

    def drain(self, letter: str, *arguments: object, timeout: float = 60):
        node = self.nodes[letter]
        return subprocess.run(node.ns.command(*node.natxdpd_command("drain", *arguments)),
                              capture_output=True, text=True, timeout=timeout)

    def is_ready(self, home: bool = True) -> bool:
        """All nodes that are on hear and have the flows of each other, and own (home) zones."""
        letters = [letter for letter, node in self.nodes.items() if node.on]
        for letter in letters:
            state = self.failover(letter, "status")
            peers = [node for node in state["nodes"]
                     if not node["self"] and node["node"][-1] in letters]
            if not all(peer["alive"] and peer["healthy"] and peer["synced"] for peer in peers):
                return False
            if any(zone["state"] == "unknown" for zone in state["zones"]):
                return False
            if home and not any(zone["zone"][-1] == letter and zone["state"] == "owner"
                                and zone["owner"] == self.nodes[letter].name
                                for zone in state["zones"]):
                return False
        return not home or self.holders() == {letter: (letter, letter) for letter in self.nodes}

    def wait_ready(self, home: bool = True, timeout: float = READY_LIMIT) -> None:
        try:
            wait_until(lambda: self.is_ready(home), "all nodes are in sync and own their zones",
                       timeout)
        except TimeoutError as error:
            raise AssertionError(f"{error}\n{self.explain()}") from None

    def explain(self) -> str:
        """What a failed test has to say: the holders, and the nodes' own words."""
        said = [f"route and elastic IP of each zone: {self.holders()}"]
        for node in self.nodes.values():
            said.append(f"--- {node.name}\n{node.messages()[-3000:]}")
            if node.on:
                said.append(node.natxdp("failover", "status", check=False).stdout)
        return "\n".join(said)
