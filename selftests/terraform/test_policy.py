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


def test_no_action_has_a_wildcard():
    """The key's own account statement apart: without it nobody could change the key's policy."""
    for path in sorted((SOURCE / "modules").glob("*/*.tf")):
        text = path.read_text()
        found = set(re.findall(r'"([a-z0-9]+:[A-Za-z]*\*)"', text))
        allowed = {"kms:*", "kms:GenerateDataKey*", "kms:ReEncrypt*"} if path.name == "kms.tf" else set()
        denied = {"s3:*"} if re.search(r'effect\s+= "Deny"', text) else set()
        assert found <= allowed | denied, path
