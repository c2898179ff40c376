# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""What Terraform writes into configuration files is what natxdp and natxdpd know: see test_apply, too."""

import re

from tree import SOURCE, TOP

NODES = (SOURCE / "modules/nat/nodes.tf").read_text()


def known(source):
    """The keys of a table of settings."""
    keys = set(re.findall(r'^\t\{ "([a-z_]+)", &kind', (TOP / source).read_text(), re.M))
    assert len(keys) > 20
    return keys


def written(name):
    """The keys that a node's configuration file is written with."""
    body = re.search(rf"^  {name} = \{{\n(.*?)^  \}}", NODES, re.M | re.S).group(1)
    keys = set(re.findall(r"^          ([a-z_]+)\s+= ", body, re.M)) | set(re.findall(r"\{ ([a-z_]+) = \"", body))
    assert len(keys) > 5, keys
    return keys


def test_natxdp_conf():
    assert written("natxdp_conf") <= known("loader/settings.c")


def test_natxdpd_conf():
    assert written("natxdpd_conf") <= known("agent/conf.c")


# Those that have a value by themselves
BY_DEFAULT = {"NATXDP_PROBE_INTERVAL", "NATXDP_WITNESS_MS", "NATXDP_HEARTBEAT"}


def test_the_environment_of_the_functions():
    """Each name that the code asks for is set, and none that it does not know."""
    asked = set(re.findall(r'"(NATXDP_[A-Z_]+)"', (TOP / "agent/lambda/setup.c").read_text()))
    given = set(re.findall(r"^    (NATXDP_[A-Z_]+)\s+= ", (SOURCE / "modules/lambda/main.tf").read_text(), re.M))
    assert given == asked - BY_DEFAULT
