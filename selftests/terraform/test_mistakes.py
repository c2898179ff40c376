# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
# test-timeout: 1500
"""Each of the mistakes is caught, by the check that is there for it.

A run of terraform takes a second whatever it checks, so mistakes that do not hide each other are
made together: of each the check has to say its own sentence. One that is hidden all the same is
made once more, alone.
"""

import re

import pytest
from mistakes import MISTAKES
from tree import SOURCE, tf


def run_of(root, file, run):
    """One run of a suite."""
    suite = (SOURCE / root / f"tests/{file}.tftest.hcl").read_text()
    found = re.search(rf'^run "{run}" \{{\n.*?^\}}\n', suite, re.M | re.S)
    assert found, f"{file} has no run {run}"
    return found.group(0)


def sentence_of(mistake):
    """What tells this mistake from others of its group: the whole message of an assertion."""
    kind, *where = mistake.check.split()
    if kind != "test":
        return mistake.says
    found = [text for text in re.findall(r'error_message = "(.*)"$', run_of(*where), re.M) if mistake.says in text]
    assert len(found) == 1, f"{mistake.name}: {mistake.says!r} is in {len(found)} messages of the run"
    return found[0]


class Group:
    """Mistakes that one check looks for at once, and the files with all of them."""

    def __init__(self, check):
        self.check = check
        self.files, self.sentences, self.runs = {}, set(), {}

    def add(self, mistake):
        """Whether it is one of them now."""
        right = self.files.get(mistake.file) or (SOURCE / mistake.file).read_text()
        sentence = sentence_of(mistake)
        if mistake.old not in right or sentence in self.sentences:
            return False
        self.files[mistake.file] = right.replace(mistake.old, mistake.new)
        self.sentences.add(sentence)
        kind, *where = mistake.check.split()
        if kind == "test":
            self.runs[where[2]] = run_of(*where)
        return True

    def verdict(self, tree):
        """The exit status and the output of the check; it runs once."""
        if not hasattr(self, "found"):
            kind, *where = self.check
            if where:
                tree.prepare(where[0])
            for name, text in self.files.items():
                (tree.terraform / name).write_text(text)
            try:
                self.found = CHECKS[kind](tree, self, *where)
            finally:
                for name in self.files:
                    (tree.terraform / name).write_text((SOURCE / name).read_text())
        return self.found


def grouped():
    """By name of the mistake, its group."""
    groups, found = [], {}
    for mistake in MISTAKES:
        for group in groups:
            if group.check == check_of(mistake) != ("plan", "examples/minimal") and group.add(mistake):
                break
        else:
            group = alone(mistake)
            groups.append(group)
        found[mistake.name] = group
    return found


def check_of(mistake):
    return tuple(mistake.check.split()[:3])


def alone(mistake):
    group = Group(check_of(mistake))
    assert group.add(mistake), f"{mistake.file} has changed: {mistake.old!r} is not in it"
    return group


def is_named(mistake, output):
    """Does the check name this mistake, and in the run that is there for it?"""
    kind, *where = mistake.check.split()
    run = f'run "{where[2]}"... fail' if kind == "test" else ""
    return re.sub(r"\s+", " ", mistake.says) in output and run in output


def test_there_are_thirty_and_all_differ():
    assert len(MISTAKES) >= 30
    assert len({mistake.name for mistake in MISTAKES}) == len(MISTAKES)


@pytest.fixture(scope="module")
def groups():
    return grouped()


@pytest.mark.parametrize("mistake", MISTAKES, ids=[mistake.name.replace(" ", "_") for mistake in MISTAKES])
def test_caught(tree, groups, mistake):
    group = groups[mistake.name]
    status, output = group.verdict(tree)
    if not is_named(mistake, output) and len(group.sentences) > 1:
        status, output = alone(mistake).verdict(tree)
    assert status != 0, "nothing noticed it"
    assert is_named(mistake, output), output[-3000:]


def check_format(tree, _):
    return tf(tree.command, "fmt", "-check", "-recursive", "-no-color", str(tree.terraform))


def check_validate(tree, _, root):
    return tree.run(root, "validate", "-no-color")


def check_plan(tree, _, root):
    return tree.run(root, "plan", "-no-color")


def check_test(tree, group, root, file):
    """The runs of the suite that look for these mistakes: the others would only take time."""
    suite = (SOURCE / root / f"tests/{file}.tftest.hcl").read_text()
    some = tree.path(root) / "tests/some.tftest.hcl"
    some.write_text(suite[:suite.index('\nrun "')] + "\n" + "\n".join(group.runs.values()))
    try:
        return tree.run(root, "test", "-no-color", "-filter=tests/some.tftest.hcl")
    finally:
        some.unlink()


CHECKS = {"format": check_format, "validate": check_validate, "plan": check_plan, "test": check_test}
