# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
# test-timeout: 1500
"""Each of the mistakes is caught, by the check that is there for it."""

import re

import pytest
from mistakes import MISTAKES
from tree import tf


def test_there_are_thirty_and_all_differ():
    assert len(MISTAKES) >= 30
    assert len({mistake.name for mistake in MISTAKES}) == len(MISTAKES)


@pytest.mark.parametrize("mistake", MISTAKES, ids=[mistake.name.replace(" ", "_") for mistake in MISTAKES])
def test_caught(tree, mistake):
    file = tree.terraform / mistake.file
    right = file.read_text()
    assert mistake.old in right, f"{mistake.file} has changed: {mistake.old!r} is not in it"
    kind, *where = mistake.check.split()
    if where:
        tree.prepare(where[0])
    file.write_text(right.replace(mistake.old, mistake.new))
    try:
        status, output = CHECKS[kind](tree, *where)
    finally:
        file.write_text(right)
    assert status != 0, "nothing noticed it"
    assert re.sub(r"\s+", " ", mistake.says) in output, output[-3000:]


def check_format(tree):
    return tf(tree.command, "fmt", "-check", "-recursive", "-no-color", str(tree.terraform))


def check_validate(tree, root):
    return tree.run(root, "validate", "-no-color")


def check_plan(tree, root):
    return tree.run(root, "plan", "-no-color")


def check_test(tree, root, file, run):
    """Runs one run of a suite, alone: the others would only take time."""
    suite = (tree.path(root) / f"tests/{file}.tftest.hcl").read_text()
    found = re.search(rf'^run "{run}" \{{\n.*?^\}}\n', suite, re.M | re.S)
    assert found, f"{file} has no run {run}"
    alone = tree.path(root) / "tests/alone.tftest.hcl"
    alone.write_text(suite[:suite.index('\nrun "')] + "\n" + found.group(0))
    try:
        return tree.run(root, "test", "-no-color", "-filter=tests/alone.tftest.hcl")
    finally:
        alone.unlink()


CHECKS = {"format": check_format, "validate": check_validate, "plan": check_plan, "test": check_test}
