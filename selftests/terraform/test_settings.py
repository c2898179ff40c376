# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""What is written into configuration files is what natxdp and natxdpd take: they read it here."""

import base64
import json
import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml
from tree import SOURCE, TOP, resources

BUILD = Path(os.environ.get("NATXDP_BUILD", TOP / "build"))
NODES = (SOURCE / "modules/nat/nodes.tf").read_text()

# More than fits into a line of a configuration file, which inih limits.
LONG = """module "nat" {
  private_cidrs = [for i in range(60) : "10.${i}.0.0/16"]
  no_nat_cidrs  = [for i in range(60) : "172.16.${i}.0/24"]
}
"""


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


def read_by(program, content, tmp_path):
    """What a program understood of its file."""
    file = tmp_path / program
    file.write_text(content)
    words = {"natxdp": ["load", "--print-config", "--config"], "natxdpd": ["-n", "-c"]}[program]
    done = subprocess.run([BUILD / program, *words, file], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, f"{done.stderr}\n{content}"
    # long lists go on in the next line there, too
    return dict(line.split(" = ", 1) for line in re.sub(r"\n\s+", " ", done.stdout).splitlines())


@pytest.mark.parametrize("root", ["examples/minimal", "examples/complete", "examples/gwlb"])
def test_the_programs_take_them(tree, root, tmp_path):
    """Those of every node of a plan, by the programs themselves."""
    tree.make_local(root)
    override = tree.path(root) / "long_override.tf"
    if root == "examples/minimal":
        override.write_text(LONG)
    try:
        nodes = files_of_nodes(tree, root)
    finally:
        override.unlink(missing_ok=True)
    assert nodes
    for files in nodes:
        natxdp = read_by("natxdp", files["/etc/natxdp/natxdp.conf"], tmp_path)
        natxdpd = read_by("natxdpd", files["/etc/natxdp/natxdpd.conf"], tmp_path)
        assert natxdpd["imds"] == "on" and natxdpd["http_listen"].startswith("0.0.0.0:")
        assert (natxdp["external"] == "auto") == (root == "examples/gwlb")
        check_fleet(root, natxdp, natxdpd)
        if root == "examples/minimal":
            assert natxdp["inside_prefixes"].split(", ") == [f"10.{i}.0.0/16" for i in range(60)]
            assert natxdp["no_nat"].split(", ") == [f"172.16.{i}.0/24" for i in range(60)]


def check_fleet(root, natxdp, natxdpd):
    """Each node knows all nodes; an address of its zone is external, one of another in standby."""
    nodes = [words.split() for words in natxdpd["ha_nodes"].split(", ") if words != "none"]
    assert len(nodes) == {"examples/minimal": 2, "examples/complete": 6, "examples/gwlb": 0}[root]
    if not nodes:
        assert natxdpd["ha_node"] == "none" and natxdp["standby"] == "none"
        return
    zone = {node[0]: node[1] for node in nodes}[natxdpd["ha_node"]]
    external, standby = set(), set()
    for words in natxdpd["ha_addresses"].split(", "):
        of, allocation, *private = words.split()
        assert allocation.startswith("eipalloc-") and len(private) == len(nodes)
        (external if of == zone else standby).add(dict(pair.split("=") for pair in private)[natxdpd["ha_node"]])
    assert set(natxdp["external"].split(", ")) == external
    assert {item.split(" for ")[0] for item in natxdp["standby"].split(", ")} == standby
    assert natxdpd["ha_lease_table"] == "egress-lease" and natxdpd["ha_key_parameter"] == "/natxdp/egress/replication-key"
    assert natxdpd["ha_group"] == f"egress-{natxdpd['ha_node']}"


def files_of_nodes(tree, root):
    """By path, of each launch template: what user data writes. Applied, since a plan does not know it."""
    status, output = tree.run(root, "apply", "-auto-approve", "-no-color", f"-state={tree.top / 'settings.tfstate'}")
    assert status == 0, output[-3000:]
    shown = subprocess.run([tree.command, f"-chdir={tree.path(root)}", "show", "-json", tree.top / "settings.tfstate"],
                           stdout=subprocess.PIPE, text=True, timeout=60, check=True)  # fmt: skip
    (tree.top / "settings.tfstate").unlink()
    state = json.loads(shown.stdout)["values"]["root_module"]
    templates = [resource["values"] for resource in resources(state)
                 if resource["type"] == "aws_launch_template" and "natxdp.conf" in decoded(resource)]  # fmt: skip
    return [{file["path"]: file["content"] for file in yaml.safe_load(base64.b64decode(values["user_data"]))["write_files"]}
            for values in templates]  # fmt: skip


def decoded(resource):
    return base64.b64decode(resource["values"]["user_data"] or "").decode()
