# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""Fixtures: a lab for each test file, a fresh NAT for each test.

NATXDP_TEST_BOX=nft puts the kernel's own NAT in the place of natxdp; what
asks natxdp for flows or counters is skipped then.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "aws")]

import topology  # noqa: E402
from lab import Lab  # noqa: E402

if TYPE_CHECKING:
    from standin import StandIn

BOX = os.environ.get("NATXDP_TEST_BOX", "natxdp")


@pytest.fixture(scope="module")
def two_armed_lab() -> Iterator[Lab]:
    with topology.two_armed(clients=4, box=BOX) as lab:
        yield lab


@pytest.fixture(scope="module")
def one_armed_lab() -> Iterator[Lab]:
    with topology.one_armed(clients=2, box=BOX) as lab:
        yield lab


def nat_in(lab: Lab, request: pytest.FixtureRequest) -> Iterator[Lab]:
    """A loaded NAT. No packet with a source of the inside may have left at the end."""
    marker = request.node.get_closest_marker("load")
    if BOX != "natxdp" and (marker or not request.node.get_closest_marker("any_box")):
        pytest.skip(f"needs natxdp, not {BOX}")
    with lab.scope():
        lab.leaks.forget()
        lab.box.load(*(marker.args if marker else ()))
        yield lab
    # after the scope: what the test has started has ended, and the counters rest
    lab.box.unload()
    leaked = lab.leaks.forget()
    assert not leaked, f"left the NAT untranslated: {leaked[:5]}"


@pytest.fixture
def lab(two_armed_lab: Lab, request: pytest.FixtureRequest) -> Iterator[Lab]:
    yield from nat_in(two_armed_lab, request)


@pytest.fixture
def one_arm(one_armed_lab: Lab, request: pytest.FixtureRequest) -> Iterator[Lab]:
    yield from nat_in(one_armed_lab, request)


@pytest.fixture
def cloud(lab: Lab) -> Iterator[StandIn]:
    """AWS, on loopback of the NAT."""
    from standin import StandIn  # most tests do without, and it takes a while

    server = StandIn()
    with lab["nat"].entered():
        server.start()
    yield server
    server.stop()
    assert server.problems == []


@pytest.fixture(params=["two-armed", "one-armed"])
def any_lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    """The same test in both networks."""
    name = request.param.replace("-", "_") + "_lab"
    yield from nat_in(request.getfixturevalue(name), request)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "load(*options): how natxdp load is called for the test")
    config.addinivalue_line("markers", "any_box: asks only the endpoints, so any NAT will do")
