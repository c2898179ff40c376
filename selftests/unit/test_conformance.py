# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""Does docs/conformance.md name tests that exist, and what net/conformance asks?"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]
PAGE = TOP / "docs" / "conformance.md"
QUESTIONS = TOP / "selftests" / "net" / "test_conformance.py"
TEST = re.compile(r"\b(unit|prog|net)/(\w+)|\btest_\w+")
WITHOUT_TEST = ("by absence", "no", "deviates")


def rows() -> list[dict[str, str]]:
    """Of the tables that have a column for the test."""
    found, names = [], []
    for line in PAGE.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not line.startswith("|"):
            names = []
        elif not names:
            names = cells
        elif "test" in names and set(line) - set("|-"):
            found.append(dict(zip(names, cells, strict=True)))
    return found


def source_of(ring: str, name: str) -> str:
    [path] = (TOP / "selftests" / ring).glob(f"test_{name}.*")
    return path.read_text()


ROWS = rows()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: next(iter(row.values()))[:40])
def test_every_named_test_exists(row: dict[str, str]) -> None:
    source = ""
    for found in TEST.finditer(row["test"]):
        if found[1]:
            source = source_of(found[1], found[2])
        else:
            assert f"{found[0]}(" in source, f"no {found[0]}"
    if not source:
        assert any(reason in row["status"] for reason in WITHOUT_TEST), "yes without a test"


def test_every_question_is_in_the_page_and_measured() -> None:
    asked = set(re.findall(r'^    "(\w+)": (?:Question|all_alike)\(', QUESTIONS.read_text(), re.M))
    named = set()
    for row in ROWS:
        here = re.findall(r"net/conformance (\w+)", row["test"])
        assert bool(here) == (row["nft"] != "—"), row
        named.update(here)
    assert asked and named == asked


def test_the_page_was_read() -> None:
    assert len(ROWS) > 50
