# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""The image: its template is one, and verify.sh lets no machine through that is not what a node has to be."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]
AMI = TOP / "ami"

# What each command says on a machine that is right; a case replaces one.
COMMANDS = {
    "uname": "echo 6.12.63-84.121.amzn2023.aarch64",
    "modinfo": "echo 2.16.1g",
    "rpm": "case $1 in -q) echo natxdp-0.1.0-1.aarch64 ;; esac",
    "natxdp": "echo natxdp: it is well",
    "natxdpd": "true",
    "curl": "exit 7",
    "id": "echo 989",
    "systemctl": "case $* in 'is-enabled natxdp'*) echo disabled; exit 1 ;; is-enabled*) echo enabled ;; esac",
    "systemd-analyze": "echo '[Journal]'; echo SystemMaxUse=512M",
    "journalctl": "echo said why",
}
FILES = {
    "sys/kernel/btf/vmlinux": "BTF",
    "proc/sys/net/ipv4/ip_local_port_range": "61000\t65535\n",
    "proc/sys/net/ipv4/ip_forward": "0\n",
    "proc/sys/kernel/panic": "10\n",
}


@pytest.fixture
def verify(tmp_path):
    def run(commands=None, files=None):
        bin, root = tmp_path / "bin", tmp_path / "root"
        bin.mkdir()
        for name, text in {**COMMANDS, **(commands or {})}.items():
            (bin / name).write_text(f"#!/bin/sh\n{text}\n")
            (bin / name).chmod(0o755)
        for name, text in {**FILES, **(files or {})}.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            if text is not None:
                (root / name).write_text(text)
        done = subprocess.run(["bash", str(AMI / "verify.sh")], capture_output=True, text=True, timeout=60, check=False,
                              env=dict(os.environ, PATH=f"{bin}:{os.environ['PATH']}", ROOT=str(root), KERNEL="6.12"))
        wrong = re.findall(r"^verify: (.+): WRONG", done.stderr, re.M)
        assert (done.returncode == 0) == (not wrong), done.stdout + done.stderr
        return wrong, done.stdout + done.stderr

    return run


def test_a_machine_that_is_right(verify):
    wrong, said = verify()
    assert wrong == [] and said.count(": ok") == 15 and said.endswith("verify: all is right\n")


@pytest.mark.parametrize("version", ["2.13.1", "2.13.1g", "2.14.0", "2.16.1g", "2.17.2", "2.17.10g", "2.18.0", "3.0.0"])
def test_drivers_that_are_good(verify, version):
    assert verify({"modinfo": f"echo {version}"})[0] == []


@pytest.mark.parametrize("version, why", [
    ("2.17.0g", "2.17.2 mends it"), ("2.17.1", "2.17.2 mends it"), ("2.13.0g", "is older than 2.13.1"),
    ("2.12.3", "is older than 2.13.1"), ("2.8.9", "is older than 2.13.1"), ("1.99.99", "is older than 2.13.1"),
    ("", "is no version"), ("K", "is no version"),
])  # fmt: skip
def test_drivers_that_are_refused(verify, version, why):
    wrong, said = verify({"modinfo": f"echo {version}"})
    assert wrong == ["ENA driver"] and why in said


WRONG = [
    ("kernel stream", {"uname": "echo 6.18.3-1.amzn2023.aarch64"}, {}),
    ("kernel stream", {"uname": "echo 6.12.1-cloud-arm64"}, {}),
    ("kernel stream", {"uname": "echo 6.1.152-1.amzn2023.aarch64"}, {}),
    ("BTF of the kernel", {}, {"sys/kernel/btf/vmlinux": None}),
    ("ENA driver", {"modinfo": "exit 1"}, {}),
    ("package", {"rpm": "[ $1 = -q ]"}, {}),
    ("package", {"rpm": "exit 1"}, {}),
    ("programs", {"natxdpd": "exit 127"}, {}),
    ("libcurl signs requests", {"curl": "exit 2"}, {}),
    ("user natxdp", {"id": "exit 1"}, {}),
    ("natxdp.service waits for user data", {"systemctl": "case $* in *natxdp.service|'is-enabled amazon'*) echo enabled ;; is-enabled*) echo disabled ;; esac"}, {}),
    ("no unit has failed", {"systemctl": COMMANDS["systemctl"].replace("esac", "list-units*) echo rsyslog.service ;; esac")}, {}),
    ("journal", {"systemd-analyze": "echo '#SystemMaxUse='"}, {}),
    ("sysctls", {}, {"proc/sys/net/ipv4/ip_forward": "1\n"}),
    ("sysctls", {}, {"proc/sys/net/ipv4/ip_local_port_range": "32768\t60999\n"}),
    ("sysctls", {}, {"proc/sys/kernel/panic": "0\n"}),
    ("the NAT translates", {"natxdp": "[ $1 = version ]"}, {}),
    ("the NAT translates", {"systemctl": COMMANDS["systemctl"].replace("esac", "'start natxdp'*) exit 1 ;; esac")}, {}),
]  # fmt: skip


@pytest.mark.parametrize("name, commands, files", WRONG)
def test_a_machine_that_is_wrong(verify, name, commands, files):
    wrong, said = verify(commands, files)
    assert wrong == [name], said
    assert said.endswith("verify: 1 checks are wrong: this image must not be kept\n")


def test_everything_wrong_is_said(verify):
    wrong, _ = verify({"modinfo": "echo 2.17.1", "id": "exit 1"}, {"proc/sys/net/ipv4/ip_forward": "1\n"})
    assert wrong == ["ENA driver", "user natxdp", "sysctls"]


# What Debian's packer 1.6.6, which has the builder for AWS built in, does not know yet.
NEWER = [r"^packer \{\n.*?^\}\n", r"^  metadata_options \{\n.*?^  \}\n", r'^  imds_support +=.*?\n']


@pytest.fixture
def packer(tmp_path):
    if not shutil.which("packer"):
        pytest.skip("needs packer")
    template = (AMI / "natxdp.pkr.hcl").read_text()
    for newer in NEWER:
        template, count = re.subn(newer, "", template, flags=re.M | re.S)
        assert count == 1
    for name in ("provision.sh", "verify.sh", "clean.sh"):
        shutil.copy(AMI / name, tmp_path)
    shutil.copytree(AMI / "files", tmp_path / "files")
    (tmp_path / "natxdp.pkr.hcl").write_text(template)
    (tmp_path / "natxdp.rpm").touch()

    def run(*words):
        done = subprocess.run(["packer", "validate", *words, "."], cwd=tmp_path, capture_output=True, text=True,
                              timeout=120, check=False, env=dict(os.environ, CHECKPOINT_DISABLE="1"))  # fmt: skip
        return done.returncode, re.sub(r"\s+", " ", done.stdout + done.stderr)

    return run


@pytest.mark.parametrize("architecture", ["arm64", "x86_64"])
@pytest.mark.parametrize("kernel", ["6.1", "6.12", "6.18"])
def test_the_template_is_valid(packer, architecture, kernel):
    status, said = packer("-var", f"architecture={architecture}", "-var", f"kernel={kernel}", "-var", "version=v0.1.0",
                          "-var", "package=natxdp.rpm")
    assert status == 0, said


@pytest.mark.parametrize("words, said", [
    (["-var", "version=v1.0.0"], "package"),
    (["-var", "version=1.0.0", "-var", "package=natxdp.rpm"], "Version must be a tag such as v0.1.0."),
    (["-var", "version=v1.0.0", "-var", "package=natxdp.rpm", "-var", "kernel=5.10"], "Kernel must be 6.1, 6.12 or 6.18."),
    (["-var", "version=v1.0.0", "-var", "package=natxdp.rpm", "-var", "architecture=amd64"], "Architecture must be arm64 or x86_64."),
    (["-var", "version=v1.0.0", "-var", "package=nothing.rpm"], "nothing.rpm"),
])  # fmt: skip
def test_what_people_type(packer, words, said):
    status, output = packer(*words)
    assert status != 0 and said in output, output


def test_the_image_only_installs_the_package():
    """What the rpm brings is brought by nothing else, or the two would part."""
    ours = {path.name for path in (AMI / "files").rglob("*") if path.is_file()}
    assert ours == {"50-natxdp.conf", "60-node.conf"}
    text = (AMI / "provision.sh").read_text()
    assert "natxdp.rpm" in text and "useradd" not in text and "sysctl" not in re.sub(r"its sysctl|/etc/sysctl\.d", "", text)
