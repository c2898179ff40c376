# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""What `make lambda` packs: what Lambda takes, the same for the same input, for both architectures."""

import os
import re
import shutil
import subprocess
import zipfile

import fleet
import function
import pytest
from function import BUILD, TOP

LAMBDA = BUILD / "lambda"
FIVE_MB = 5 * 1000 * 1000
ARCHITECTURES = {"x86_64": ("objdump", []),
                 "arm64": ("aarch64-linux-gnu-objdump",
                           ["qemu-aarch64-static", "-L", str(BUILD / "arm64/sysroot")])}


@pytest.fixture(params=ARCHITECTURES)
def bootstrap(request):
    path = LAMBDA / request.param / "bootstrap"
    if not path.exists():
        pytest.skip(f"{path.relative_to(BUILD)} is not built: make lambda builds it")
    return request.param, path


def test_a_package_is_small_and_has_one_program(bootstrap, tmp_path):
    _, path = bootstrap
    package = tmp_path / "package.zip"
    subprocess.run([TOP / "scripts/zip.py", package, path], check=True)
    assert package.stat().st_size <= FIVE_MB
    with zipfile.ZipFile(package) as packed:
        entries = packed.infolist()
        assert [entry.filename for entry in entries] == ["bootstrap"]
        assert entries[0].external_attr >> 16 == 0o100755
        assert packed.read("bootstrap") == path.read_bytes()


def test_the_same_input_gives_the_same_package(bootstrap, tmp_path):
    _, path = bootstrap
    packages = []
    for number, directory in enumerate("ab"):
        copy = tmp_path / directory / "bootstrap"
        copy.parent.mkdir()
        shutil.copy(path, copy)
        os.utime(copy, (1000000000 * (number + 1),) * 2)
        packages.append(tmp_path / f"{directory}.zip")
        subprocess.run([TOP / "scripts/zip.py", packages[-1], copy], check=True)
    assert packages[0].read_bytes() == packages[1].read_bytes()


def test_a_program_knows_nothing_of_the_machine_that_built_it(bootstrap):
    _, path = bootstrap
    data = path.read_bytes()
    for name in (str(BUILD), str(TOP)):
        assert name.encode() not in data
    assert b".debug_info" not in data


def test_needs_no_newer_glibc_than_the_runtime_has(bootstrap):
    """provided.al2023 has 2.34, and libc is all that is not in the program."""
    architecture, path = bootstrap
    objdump = ARCHITECTURES[architecture][0]
    symbols = subprocess.run([objdump, "-T", path], capture_output=True, text=True, check=True).stdout
    versions = {tuple(map(int, found.split("."))) for found in re.findall(r"GLIBC_([0-9.]+)", symbols)}
    assert versions and max(versions) <= (2, 34)
    needed = subprocess.run([objdump, "-p", path], capture_output=True, text=True, check=True).stdout
    assert set(re.findall(r"NEEDED +(\S+)", needed)) <= {
        "libc.so.6", "libm.so.6", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"}


def test_works(bootstrap, standin, monkeypatch):
    """A function that describes, runs a document, waits, and publishes; arm64 under qemu-user."""
    architecture, path = bootstrap
    monkeypatch.setattr(function, "BOOTSTRAP", path)
    monkeypatch.setattr(function, "EMULATOR", ARCHITECTURES[architecture][1]
                        if os.uname().machine != {"arm64": "aarch64"}.get(architecture, architecture) else [])
    standin.world.load(fleet.world())
    nodes = fleet.Nodes(standin)
    nodes.exits[("verify", fleet.account.INSTANCES["a"])] = 9
    run = function.Function("config-guard", standin, fleet.environment())
    try:
        assert run(fleet.schedule()) == {"drifted": 1, "fine": 2, "quarantined": 0}
        assert run.metric("ConfigDriftCount", AvailabilityZone=fleet.ZONE["a"]) == [0]
    finally:
        run.close()
