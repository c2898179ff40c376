# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
# test-timeout: 1500
"""Format, validity and the .tftest.hcl suites of every module, environment and example."""

import re

import pytest
from tree import ENVS, MODULES, ROOTS, tf


def test_format(tree):
    status, output = tf(tree.command, "fmt", "-check", "-recursive", "-no-color", str(tree.terraform))
    assert status == 0, f"terraform fmt mends {output}"


@pytest.mark.parametrize("root", ROOTS)
def test_validate(tree, root):
    tree.prepare(root)
    status, output = tree.run(root, "validate", "-no-color")
    assert status == 0, output


@pytest.mark.parametrize("root", MODULES + ENVS)
def test_suite(tree, root):
    tree.prepare(root)
    status, output = tree.run(root, "test", "-no-color")
    assert status == 0, output
    counted = re.search(r"Success! (\d+) passed, 0 failed", output)
    assert counted and int(counted.group(1)) > 0, f"{root} has no test: {output[-300:]}"


@pytest.mark.parametrize("root", ROOTS)
def test_variables_are_typed_described_and_used(tree, root):
    """A variable that nothing uses is a promise that nobody keeps."""
    files = {path.name: path.read_text() for path in tree.path(root).glob("*.tf")}
    text = "".join(files.values())
    for block in re.findall(r'^variable "([^"]+)" \{\n(.*?)^\}', text, re.M | re.S):
        name, body = block
        assert re.search(r"^  type\s+= ", body, re.M), f"{root}: variable {name} has no type"
        assert re.search(r"^  description\s+= ", body, re.M), f"{root}: variable {name} has no description"
        others = text.replace(body, "")
        assert re.search(rf"\bvar\.{re.escape(name)}\b", others), f"{root}: variable {name} is used by nothing"
    for name, body in re.findall(r'^output "([^"]+)" \{\n(.*?)^\}', text, re.M | re.S):
        assert re.search(r"^  description\s+= ", body, re.M), f"{root}: output {name} has no description"


@pytest.mark.parametrize("root", ROOTS)
def test_only_the_aws_provider(tree, root):
    text = "".join(path.read_text() for path in tree.path(root).glob("*.tf"))
    sources = set(re.findall(r'^\s+source\s+= "([^"./][^"]*/[^"]*)"', text, re.M))
    assert sources <= {"hashicorp/aws"}, sources
    kinds = set(re.findall(r'^(?:resource|data) "([a-z0-9]+)_', text, re.M))
    assert kinds <= {"aws", "terraform"}, kinds


def test_the_minimal_example_is_short(tree):
    lines = (tree.path("examples/minimal") / "main.tf").read_text().splitlines()
    code = [line for line in lines if line.strip() and not line.startswith("#")]
    assert len(code) <= 15, f"{len(code)} lines"
