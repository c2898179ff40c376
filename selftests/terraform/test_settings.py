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


def outputs(root):
    return set(re.findall(r'^output "([^"]+)"', (SOURCE / root / "outputs.tf").read_text(), re.M))


def test_outputs_that_people_are_told_of_are_there():
    """Runbooks and scripts read them by name from the output nat, which is all that module stack says."""
    texts = [*(TOP / "docs").rglob("*.md"), *(TOP / "scripts").glob("*.sh"), TOP / "README.md"]
    asked = set()
    for path in texts:
        text = path.read_text()
        for words in re.findall(r"output -json nat \| jq (?:-\w )?('[^']*'|\S+?)[`)\n]", text) + re.findall(r"\bnat ['\"](\.[^'\"]*)", text):
            asked |= set(re.findall(r"(?:^|[' ,])\.([a-z_]+)", words))
    assert {"slots", "public_ips", "autoscaling_groups", "dashboard"} <= asked
    assert asked <= outputs("modules/stack"), asked - outputs("modules/stack")


def test_the_diagram_shows_what_is_deployed():
    text = (TOP / "docs/architecture-diagram.mmd").read_text()
    functions = set(re.findall(r'X\("([a-z-]+)", fn_\w+\)', (TOP / "agent/lambda/functions.h").read_text()))
    assert len(functions) == 8 and functions == set(re.findall(r'\["([a-z]+(?:-[a-z]+)+)"\]', text))
    modules = set(re.findall(r"module ([a-z]+)", text))
    assert modules <= {path.name for path in (SOURCE / "modules").iterdir()}, modules
    assert all(f"mode {mode}" in text or f"{mode}:" in text for mode in ("eni", "eip", "gwlb"))
    # every arrow begins and ends at something that is there
    nodes = set(re.findall(r"^\s*(?:subgraph )?([a-z0-9_]+)[\[({]", text, re.M))
    for line in re.findall(r"^\t(.* (?:-->|-\.->|\.->|<-->).*)$", text, re.M):
        bare = re.sub(r'"[^"]*"|(?<=-\. )[A-Za-z]+(?= \.->)|(?<=-- )[A-Z]+(?= -->)', "", line)
        assert set(re.findall(r"[a-z_0-9]+", bare)) <= nodes, line


# Those that have a value by themselves
BY_DEFAULT = {"NATXDP_PROBE_INTERVAL", "NATXDP_WITNESS_MS", "NATXDP_HEARTBEAT"}


def test_the_environment_of_the_functions():
    """Each name that the code asks for is set, and none that it does not know."""
    asked = set(re.findall(r'"(NATXDP_[A-Z_]+)"', (TOP / "agent/lambda/setup.c").read_text()))
    given = set(re.findall(r"^    (NATXDP_[A-Z_]+)\s+= ", (SOURCE / "modules/lambda/main.tf").read_text(), re.M))
    assert given == asked - BY_DEFAULT
