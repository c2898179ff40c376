# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""scripts/teardown.sh, with commands in the place of terraform and aws that note how they are called."""

import os
import subprocess

import pytest
from tree import TOP

TERRAFORM = """#!/bin/bash
echo "terraform $*" >>"$CALLS"
case $* in
*"output -json nat"*) echo '{"name":"natxdp-test","autoscaling_groups":{"a":"natxdp-test-a","b":"natxdp-test-b"},
  "functions":{"eip-recover":"natxdp-test-eip-recover"},"deletion_protection":'"$PROTECTED"'}' ;;
*"output -raw region"*) echo eu-west-1 ;;
esac
"""

AWS = """#!/bin/bash
echo "aws $*" >>"$CALLS"
case $* in
*get-resources*) printf '%s' "$LEFT" ;;
*describe-auto-scaling-groups*) [ "$(grep -c describe-auto "$CALLS")" -gt 2 ] || echo i-0123456789abcdef0 ;;
*describe-key*) echo PendingDeletion ;;
*describe-instances*) echo "$STATE" ;;
esac
"""

KEY = "arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-0000-0000-000000000000"
INSTANCE = "arn:aws:ec2:eu-west-1:123456789012:instance/i-0123456789abcdef0"
ADDRESS = "arn:aws:ec2:eu-west-1:123456789012:elastic-ip/eipalloc-0123456789abcdef0"


@pytest.fixture
def teardown(tmp_path):
    for name, text in {"terraform": TERRAFORM, "aws": AWS}.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    calls = tmp_path / "calls"
    calls.touch()

    def run(*arguments, left="", answer="", state="terminated", protected="false"):
        environment = dict(os.environ, TF=str(tmp_path / "terraform"), AWS=str(tmp_path / "aws"),
                           CALLS=str(calls), LEFT=left, STATE=state, PROTECTED=protected, PAUSE="0")
        done = subprocess.run([str(TOP / "scripts/teardown.sh"), *arguments], env=environment, text=True,
                              input=answer, capture_output=True, timeout=60, check=False)
        return done.returncode, done.stdout + done.stderr, calls.read_text()

    return run


def test_removes_and_looks(teardown):
    status, output, calls = teardown("--yes", "test", "-var", "x=y")
    assert status == 0, output
    assert "destroy -auto-approve -var x=y" in calls
    assert calls.count("delete-lifecycle-hook") == calls.count("--min-size 0 --desired-capacity 0") == 2
    # nothing repairs and nobody takes over any more when terraform begins
    order = [calls.index(what) for what in (
        "natxdp-test-eip-recover --reserved-concurrent-executions 0", "delete-lifecycle-hook", "describe-auto-scaling-groups",
        "destroy", "get-resources")]  # fmt: skip
    assert order == sorted(order)
    assert calls[:calls.index("destroy")].count("describe-auto-scaling-groups") == 3, "it waits for the last node"
    assert "Key=natxdp:nat,Values=natxdp-test" in calls
    assert "nothing is left of natxdp-test" in output


def test_says_what_is_left(teardown):
    status, output, _ = teardown("--yes", "test", left="\t".join([KEY, INSTANCE, ADDRESS]))
    assert status == 3
    assert ADDRESS in output
    assert KEY not in output and INSTANCE not in output


def test_an_instance_that_runs_is_left(teardown):
    status, output, _ = teardown("--yes", "test", left=INSTANCE, state="running")
    assert status == 3 and INSTANCE in output


def test_asks(teardown):
    status, output, calls = teardown("test", answer="prod\n")
    assert status == 1 and "nothing was removed" in output
    assert "destroy" not in calls
    status, output, calls = teardown("test", answer="test\n")
    assert status == 0, output
    assert "destroy" in calls


def test_what_is_protected_stays(teardown):
    status, output, calls = teardown("--yes", "test", protected="true")
    assert status == 1 and "terraform apply -var deletion_protection=false first" in output
    assert "aws" not in calls and "destroy" not in calls


def test_an_environment_that_is_none(teardown):
    status, output, calls = teardown("--yes", "staging")
    assert status == 1 and "there is no terraform/envs/staging" in output
    assert calls == ""
