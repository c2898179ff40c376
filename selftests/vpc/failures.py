# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""What can happen to a node, and how it is undone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fleet import Fleet


@dataclass(frozen=True)
class Failure:
    """moves: its zone has to go to another node. planned: nothing may be felt of it."""

    name: str
    what: str
    strike: Callable[[Fleet, str], None]
    undo: Callable[[Fleet, str], None]
    moves: bool = True
    planned: bool = False
    nodes: str = "abc"


def hand_over(vpc: Fleet, letter: str) -> None:
    done = vpc.drain(letter)
    assert done.returncode == 0, done.stdout + done.stderr


def take_back(vpc: Fleet, letter: str) -> None:
    done = vpc.drain(letter, "--undo")
    assert done.returncode == 0, done.stdout + done.stderr


def cut_off_from_peers(vpc: Fleet, letter: str) -> None:
    for other in vpc.nodes:
        if other != letter:
            vpc.partition(letter, other)


FAILURES = {failure.name: failure for failure in (
    Failure("crash", "kill -9 of the agent, and the link is down",
            lambda vpc, letter: vpc.nodes[letter].crash(),
            lambda vpc, letter: vpc.nodes[letter].recover()),
    Failure("power-off", "the namespace is gone, EC2 does not know yet",
            lambda vpc, letter: vpc.nodes[letter].power_off(),
            lambda vpc, letter: vpc.nodes[letter].power_on()),
    Failure("partition", "no way to the peers, AWS and the internet",
            lambda vpc, letter: vpc.isolate(letter), lambda vpc, letter: vpc.heal()),
    Failure("wedged", "the program is detached, its watcher killed",
            lambda vpc, letter: vpc.nodes[letter].wedge(),
            lambda vpc, letter: vpc.nodes[letter].recover()),
    Failure("az-loss", "power-off in a VPC with two nodes",
            lambda vpc, letter: vpc.nodes[letter].power_off(),
            lambda vpc, letter: vpc.nodes[letter].power_on(), nodes="ab"),
    Failure("hand-over", "natxdpd drain", hand_over, take_back, planned=True),
    Failure("agent-death", "kill -9 of the agent alone",
            lambda vpc, letter: vpc.nodes[letter].kill_agent(),
            lambda vpc, letter: vpc.nodes[letter].start_agent(), moves=False),
    Failure("cut-off", "no way to the peers; AWS and the internet are there",
            cut_off_from_peers, lambda vpc, letter: vpc.heal(), moves=False),
)}
