# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""No role may make a call that the code does not have.

agent/aws/calls.h is the one table of the calls that natxdp makes, each with its
IAM action; agent and functions send from it.
"""

import re

import pytest
from tree import SOURCE, TOP

CALLS = TOP / "agent" / "aws" / "calls.h"

# What AWS's own software does with a role: the SSM agent on an instance, the
# Lambda service around a function, KMS behind a service.
OF_AWS = {"BeManaged", "FetchForSystemsManager", "UseKey"}


def calls_of_the_code():
    if not CALLS.exists():
        pytest.skip("agent/aws/calls.h is not in the tree yet")
    text = CALLS.read_text()
    table = text[text.index("define AWS_CALL_LIST"):]
    found = set(re.findall(r'"([a-z0-9]+:[A-Z][A-Za-z]+)"\)', table))
    assert len(found) > 20, found
    return found


def block(text, name):
    """The value of `name = {…}` or `name = […]` in the first locals of a file."""
    match = re.search(rf"^  {name} = [\[{{]\n(.*?)^  [\]}}]", text, re.M | re.S)
    assert match, f"no {name}"
    return match.group(1)


def actions(text):
    return set(re.findall(r'"([a-z0-9]+:[A-Z][A-Za-z]+)"', text))


def test_nodes_make_only_calls_of_the_code():
    text = block((SOURCE / "modules/nat/iam.tf").read_text(), "all_statements")
    statements = re.findall(r"^    \{\n(.*?)^    \}", text, re.M | re.S)
    assert len(statements) > 10
    for statement in statements:
        sid = re.search(r'sid\s+= "([^"]+)"', statement).group(1)
        if sid not in OF_AWS:
            assert actions(statement), sid
            assert actions(statement) <= calls_of_the_code(), sid


def test_functions_make_only_calls_of_the_code():
    text = block((SOURCE / "modules/lambda/iam.tf").read_text(), "calls")
    functions = re.findall(r"^    ([a-z-]+) = \{\n(.*?)^    \}", text, re.M | re.S)
    assert len(functions) == 8
    for name, body in functions:
        assert actions(body), name
        assert actions(body) <= calls_of_the_code(), name


def wrappers():
    """By function of agent/aws: the IAM action of the call that it makes."""
    table = {action: iam for action, iam in re.findall(
        r'X\([A-Z0-9]+, (\w+), \w+, \w+,\s*"([a-z0-9]+:\w+)"\)', CALLS.read_text().replace("\\\n", " "))}
    found = {}
    for path in sorted((TOP / "agent/aws").glob("*.c")):
        for function in re.finditer(r"^int64_t (aws_\w+)\(.*?^}", path.read_text(), re.M | re.S):
            for operation in re.findall(r"AWS_OP_(\w+)", function.group(0)):
                found[function.group(1)] = table[operation]
            if function.group(1) in ("aws_ssm_send_document", "aws_ssm_send_command"):
                found[function.group(1)] = table["SendCommand"]
    return found


def calls_in(paths):
    text = "".join(path.read_text() for path in paths)
    return {iam for function, iam in wrappers().items() if re.search(rf"\b{function}\b", text)}


# What agents do only if they are told to: terraform makes the log groups.
NOT_ASKED_FOR = {"logs:CreateLogGroup"}


def test_nodes_may_do_what_they_do_and_no_more():
    text = block((SOURCE / "modules/nat/iam.tf").read_text(), "all_statements")
    statements = re.findall(r"^    \{\n(.*?)^    \}", text, re.M | re.S)
    allowed = set().union(*(actions(statement) for statement in statements
                            if not any(f'"{sid}"' in statement for sid in OF_AWS)))  # fmt: skip
    used = calls_in([*(TOP / "agent").glob("*.c"), *(TOP / "agent/ha").glob("*.c")])
    assert allowed == used - NOT_ASKED_FOR


def calls_of_a_function(name):
    """The IAM actions of the calls in its file, and in the files of agent/lambda that it includes."""
    folder, seen, todo = TOP / "agent/lambda", set(), [name]
    while todo:
        noun = todo.pop()
        if noun in seen:
            continue
        seen.add(noun)
        for path in folder.glob(f"{noun}.[ch]"):
            todo += re.findall(r'#include "(\w+)\.h"', path.read_text())
    seen -= {"functions"}
    return calls_in(path for noun in seen for path in folder.glob(f"{noun}.c"))


# What is in a file that a function uses, but not what it uses of it.
NOT_USED = {"eip-recover": {"ec2:ReplaceRoute", "ec2:DescribeRouteTables",  # placing without routes
                            "dynamodb:UpdateItem"}}  # it reads leases only


def test_functions_may_do_what_they_do_and_no_more():
    text = block((SOURCE / "modules/lambda/iam.tf").read_text(), "calls")
    names = dict(re.findall(r'X\("([a-z-]+)", (fn_\w+)\)',
                            (TOP / "agent/lambda/functions.h").read_text()))
    allowed = dict(re.findall(r"^    ([a-z-]+) = \{\n(.*?)^    \}", text, re.M | re.S))
    assert names.keys() == allowed.keys()
    for name, function in names.items():
        assert actions(allowed[name]) == calls_of_a_function(function) - NOT_USED.get(name, set()), name


def test_no_action_has_a_wildcard():
    """The key's own account statement apart: without it nobody could change the key's policy. And the
    pipeline, whose roles are for Terraform: their suite says what they may do by service."""
    for path in sorted((SOURCE / "modules").glob("*/*.tf")):
        if path.parent.name == "pipeline":
            continue
        text = path.read_text()
        found = set(re.findall(r'"([a-z0-9]+:[A-Za-z]*\*)"', text))
        allowed = {"kms:*", "kms:GenerateDataKey*", "kms:ReEncrypt*"} if path.name == "kms.tf" else set()
        denied = {"s3:*"} if re.search(r'effect\s+= "Deny"', text) else set()
        assert found <= allowed | denied, path
