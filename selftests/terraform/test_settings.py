# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""What nodes are configured with are keys that natxdp and natxdpd know."""

import re

import pytest
from tree import SOURCE, TOP

NODES = (SOURCE / "modules/nat/nodes.tf").read_text()


def written(name):
    """The keys that a node's configuration file is written with."""
    body = re.search(rf"^  {name} = \{{\n(.*?)^  \}}", NODES, re.M | re.S).group(1)
    keys = set(re.findall(r"^          ([a-z_]+)\s+= ", body, re.M)) | set(re.findall(r"\{ ([a-z_]+) = \"", body))
    assert len(keys) > 5, keys
    return keys


def test_natxdp_conf():
    example = (TOP / "loader/natxdp.conf.example").read_text()
    known = set(re.findall(r"^#?([a-z_]+) = ", example, re.M))
    # The key of the GENEVE wrapper; only gwlb mode writes it.
    assert written("natxdp_conf") - {"mode"} <= known


def test_natxdpd_conf():
    source = TOP / "agent/conf.c"
    if not source.exists():
        pytest.skip("agent/conf.c is not in the tree yet")
    known = set(re.findall(r'^\t\{ "([a-z_]+)", &kind', source.read_text(), re.M))
    assert written("natxdpd_conf") <= known
