# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""Fixtures of guests; a test that fails shows the end of its guest's console."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "net")]

import image  # noqa: E402
from guest import Guest  # noqa: E402
from lab import Lab  # noqa: E402

guests: list[Guest] = []  # that run now


def boot(**options) -> Guest:
    programs = {
        "usr/sbin/natxdp": image.BUILD / "natxdp",
        "usr/sbin/talk": image.BUILD / "selftests" / "vm" / "talk",
        "usr/sbin/xdp_pass": image.BUILD / "selftests" / "net" / "xdp_pass",
    } | image.xdp_tools()
    try:
        return Guest(programs, **options)
    except image.Unavailable as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="module")
def guest() -> Iterator[Guest]:
    with boot() as guest:
        guests.append(guest)
        yield guest
        guests.remove(guest)


@pytest.fixture(scope="module")
def host_lab() -> Iterator[Lab]:
    with Lab() as lab:
        yield lab


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        report.sections += [("guest console", guest.tail()) for guest in guests]
