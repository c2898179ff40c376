# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""Fixtures of the ring vpc."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "net")]

import plan as plans  # noqa: E402
from load import Echo  # noqa: E402
from vpc import Vpc  # noqa: E402

LONG = os.environ.get("NATXDP_TEST_LONG") == "1"


def served(vpc: Vpc) -> Vpc:
    vpc.echo = Echo(vpc.servers["s1"], plans.SERVERS[0])
    return vpc


@pytest.fixture(scope="module")
def bare() -> Iterator[Vpc]:
    """A VPC with natxdp on three nodes, without agents; no test leaves it changed."""
    with Vpc() as vpc:
        vpc.power_on(agents=False)
        yield served(vpc)
        vpc.assert_no_leak()


@pytest.fixture
def vpc(bare: Vpc) -> Iterator[Vpc]:
    """What a test changes is put back."""
    with bare.lab.scope():
        yield bare
        bare.restore()
    # not before: what is made in the scope ends with it
    for node in bare.nodes.values():
        if node.on and Path(node.ns.path).exists():
            node.rest_foreign_slots()
        else:
            node.power_off()
            bare.power_on_again(node.name, agent=False)
