# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""What a pipeline must not do by accident."""

import re

import pytest
from tree import TOP

WORKFLOWS = sorted((TOP / ".github/workflows").glob("*.yml"))


def test_they_are_there():
    assert {path.name for path in WORKFLOWS} == {"ci.yml", "deploy.yml", "release.yml", "teardown.yml", "terraform.yml"}


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_pinned(path):
    uses = re.findall(r"uses: (\S+)", path.read_text())
    assert uses
    for action in uses:
        assert action.startswith("./.github/workflows/") or re.search(r"@v\d+\.\d+\.\d+$", action), action


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_rights_are_named(path):
    text = path.read_text()
    assert re.search(r"^permissions:\n  contents: read$", text, re.M), "the token starts with reading only"
    assert "pull_request_target" not in text, "code of a fork must not see credentials"
    assert not re.search(r"AWS_(ACCESS_KEY_ID|SECRET)", text), "credentials are of OIDC, and end by themselves"


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_nothing_from_outside_is_run(path):
    """What others can write (titles, branches) must not become part of a command."""
    for block in re.findall(r"^( +)(?:- )?run: (.*(?:\n\1  .*)*)", path.read_text(), re.M):
        assert "${{" not in block[1], block[1]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_no_job_runs_for_ever(path):
    text = path.read_text()
    jobs = len(re.findall(r"^    runs-on: ", text, re.M))
    assert text.count("timeout-minutes:") == jobs


def test_production_waits_for_people():
    deploy = (TOP / ".github/workflows/deploy.yml").read_text()
    prod = deploy[deploy.index("  deploy-prod:"):]
    assert "environment: prod\n" in prod and "needs: plan-prod" in prod and "action: apply-plan" in prod
    assert "needs: integration" in deploy[deploy.index("  plan-prod:"):deploy.index("  deploy-prod:")]
    assert "needs: deploy-test" in deploy[deploy.index("  integration:"):deploy.index("  plan-prod:")]


def test_teardown_does_not_know_production():
    text = (TOP / ".github/workflows/teardown.yml").read_text()
    assert not re.search(r"\bprod\b", text)


def jobs(path):
    """By name, the text of each job."""
    text = path.read_text()
    return dict(re.findall(r"^  ([a-z-]+):\n((?:    .*\n|\n|  *#.*\n)+)", text[text.index("\njobs:\n"):], re.M))


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_what_is_built_is_built_where_it_is_supported(path):
    """make installs packages of Debian 12; what is linked on a newer system needs a newer glibc than Lambda has."""
    for name, text in jobs(path).items():
        if re.search(r"\bmake( |$)", "\n".join(re.findall(r"run: (.*(?:\n {10}.*)*)", text)), re.M):
            assert re.search(r"^    container:(\n      image:)? debian:12$", text, re.M), f"{path.name}: {name}"


def test_a_release_has_no_file_twice():
    """cp refuses to put two files of one name into one directory."""
    text = jobs(TOP / ".github/workflows/release.yml")["packages"]
    step = re.search(r"- name: functions\n(.*?)(?=      - )", text, re.S).group(1)
    assert "if: matrix.runner == 'ubuntu-24.04'" in step and "make lambda" in step
    assert text.count("make lambda") == 1 and "lambda" not in re.search(r"run: make package(.*)", text).group(1)
