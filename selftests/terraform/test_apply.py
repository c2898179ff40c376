# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
# test-timeout: 900
"""What is applied: a second plan has nothing to do, all has its tag, the nodes' programs take their files."""

import re
from collections import namedtuple

import pytest
from guards import GUARDS, State
from settings import settings_of_nodes
from tree import ENVS, EXAMPLES, resources

# More than fits into a line of a configuration file, which inih limits.
LONG = """module "nat" {
  private_cidrs = [for i in range(60) : "10.${i}.0.0/16"]
  no_nat_cidrs  = [for i in range(60) : "172.16.${i}.0/24"]
}
"""

# By root: the name of its NAT, and how many nodes know each other; one alone knows nobody
FLEETS = {"envs/prod": ("natxdp-prod", 3), "envs/test": ("natxdp-test", 2), "examples/minimal": ("egress", 2),
          "examples/complete": ("egress", 6), "examples/gwlb": ("egress", 0),
          "examples/migrate-from-nat-gateway": ("egress", 0)}  # fmt: skip

Applied = namedtuple("Applied", "root output state")


@pytest.fixture(scope="module", params=ENVS + EXAMPLES)
def applied(tree, request):
    tree.make_local(request.param)
    return Applied(request.param, *tree.apply(request.param))


def test_all_is_added(applied):
    added = re.search(r"Apply complete! Resources: (\d+) added, 0 changed, 0 destroyed", applied.output)
    assert added and int(added.group(1)) >= 15, applied.output[-500:]


# What a node that starts is held and proven by, and makes its calls with.
BEFORE_NODES = ["aws_lambda_function", "aws_cloudwatch_event_target", "aws_lambda_permission", "aws_ssm_document",
                "aws_iam_role_policy", "aws_eip", "aws_eip_association", "aws_route"]  # fmt: skip


def places(output, resource, what):
    """Where terraform says it of the resources of this type, in the modules nat and lambda."""
    pattern = rf'module\.(?:nat|lambda\[0\])\.{resource}\.\w+(?:\["[^"]+"\])?: {what}'
    return [found.start() for found in re.finditer(pattern, output)]


def test_nodes_come_last(applied):
    """Else a hook that nobody ends holds the first node, and Terraform waits for it until it gives up."""
    first = min(places(applied.output, "aws_autoscaling_group", "Creating"))
    made = {resource: places(applied.output, resource, "Creation complete") for resource in BEFORE_NODES}
    assert made["aws_iam_role_policy"] and bool(made["aws_lambda_function"]) == ("module.lambda" in applied.output)
    late = [resource for resource, found in made.items() if found and max(found) > first]
    assert late == [], late


def test_a_second_plan_has_nothing_to_do(tree, applied):
    status, output = tree.run(applied.root, "plan", "-detailed-exitcode", "-no-color")
    assert status == 0, f"a second plan would change something: {output[-3000:]}"


def test_all_is_tagged(applied):
    """Whatever can have tags has that of the NAT, by which teardown and the janitor find it."""
    untagged = [
        resource["address"] for resource in resources(applied.state)
        if resource["mode"] == "managed" and "tags" in resource["values"]
        and "natxdp:nat" not in (resource["values"]["tags"] or {})
        # Groups have blocks of tags; the suite of module nat looks at them.
        and resource["type"] not in ("aws_autoscaling_group",)
    ]  # fmt: skip
    assert untagged == [], untagged


@pytest.mark.parametrize("name", GUARDS)
def test_guard(applied, name):
    state = State(resources(applied.state))
    assert GUARDS[name].check(state) == [], name
    if applied.root == "envs/prod":
        spoiled = state.spoiled(GUARDS[name].spoil)
        assert GUARDS[name].check(spoiled) != [], f"{name} would find nothing"


def test_the_programs_take_their_files(applied, tmp_path):
    nodes = settings_of_nodes(applied.state, tmp_path)
    assert nodes
    for natxdp, natxdpd in nodes:
        assert natxdpd["imds"] == "on" and natxdpd["http_listen"].startswith("0.0.0.0:")
        assert (natxdp["external"] == "auto") == (applied.root == "examples/gwlb")
        check_fleet(applied.root, natxdp, natxdpd)


def check_fleet(root, natxdp, natxdpd):
    """Each node knows all nodes; an address of its zone is external, one of another in standby."""
    nodes = [words.split() for words in natxdpd["ha_nodes"].split(", ") if words != "none"]
    name, count = FLEETS[root]
    assert len(nodes) == count, natxdpd["ha_nodes"]
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
    assert natxdpd["ha_lease_table"] == f"{name}-lease"
    assert natxdpd["ha_key_parameter"] == f"/natxdp/{name}/replication-key"
    assert natxdpd["ha_group"] == f"{name}-{natxdpd['ha_node']}"


def test_destroy_leaves_nothing(tree, applied):
    if applied.root not in ENVS:
        return
    status, output = tree.run(applied.root, "destroy", "-auto-approve", "-no-color")
    assert status == 0, output[-3000:]
    # a node that ends hands over, and the hook that holds it is the functions' to end
    last = max(places(output, "aws_autoscaling_group", "Destruction complete"))
    assert last < min(places(output, "aws_lambda_function", "Destroying"))
    assert last < min(places(output, "aws_route", "Destroying"))
    status, output = tree.run(applied.root, "state", "list", "-no-color")
    assert output.strip() == "", f"left behind by destroy: {output}"


def test_the_programs_take_long_lists(tree, tmp_path):
    root = "examples/minimal"
    tree.make_local(root)
    override = tree.path(root) / "long_override.tf"
    override.write_text(LONG)
    try:
        _, state = tree.apply(root)
    finally:
        override.unlink()
    nodes = settings_of_nodes(state, tmp_path)
    assert nodes
    for natxdp, _ in nodes:
        assert natxdp["inside_prefixes"].split(", ") == [f"10.{i}.0.0/16" for i in range(60)]
        assert natxdp["no_nat"].split(", ") == [f"172.16.{i}.0/24" for i in range(60)]
