# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
# test-timeout: 900
"""What is applied is what is planned: a second plan has nothing to do."""

import json
import re
import subprocess

import pytest
from tree import ENVS, EXAMPLES, resources


@pytest.mark.parametrize("root", ENVS + EXAMPLES)
def test_apply_then_plan(tree, root):
    tree.make_local(root)
    status, output = tree.run(root, "apply", "-auto-approve", "-no-color")
    assert status == 0, output[-3000:]
    added = re.search(r"Apply complete! Resources: (\d+) added, 0 changed, 0 destroyed", output)
    assert added and int(added.group(1)) >= 15, output[-500:]
    status, output = tree.run(root, "plan", "-detailed-exitcode", "-no-color")
    assert status == 0, f"a second plan would change something: {output[-3000:]}"
    check_tags(tree, root)
    if root not in ENVS:
        return
    status, output = tree.run(root, "destroy", "-auto-approve", "-no-color")
    assert status == 0, output[-3000:]
    status, output = tree.run(root, "state", "list", "-no-color")
    assert output.strip() == "", f"left behind by destroy: {output}"


def check_tags(tree, root):
    """Whatever can have tags has that of the NAT, by which teardown and the janitor find it."""
    shown = subprocess.run([tree.command, f"-chdir={tree.path(root)}", "show", "-json"], stdout=subprocess.PIPE,
                           text=True, timeout=60, check=True)
    state = json.loads(shown.stdout)["values"]["root_module"]
    untagged = [
        resource["address"] for resource in resources(state)
        if resource["mode"] == "managed" and "tags" in resource["values"]
        and "natxdp:nat" not in (resource["values"]["tags"] or {})
        # Groups have blocks of tags; the suite of module nat looks at them.
        and resource["type"] not in ("aws_autoscaling_group",)
    ]
    assert untagged == [], untagged
