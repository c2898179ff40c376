# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""What the packages hold, what they ask of a machine, and what their scripts do there."""

import hashlib
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("NATXDP_BUILD", TOP / "build"))

# Libraries that Amazon Linux 2023 has and whose interface has been stable for
# years: systemd, dnf, curl, iproute and elfutils of its base need them.
# The rest comes along in /usr/lib/natxdp.
AL2023 = {"libc.so.6", "libm.so.6", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1", "libcrypto.so.3", "libcurl.so.4",
          "libelf.so.1", "libexpat.so.1", "libgnutls.so.30", "libmnl.so.0", "libseccomp.so.2", "libz.so.1"}  # fmt: skip
GLIBC = (2, 34)  # of Amazon Linux 2023
# the newest version of each library's symbols that Amazon Linux 2023 has for certain
SYMBOLS = {"ELFUTILS": (1, 7), "GNUTLS": (3, 7, 2), "LIBMNL": (1, 2), "ZLIB": (1, 2, 11)}

FILES = {
    "/etc/natxdp/natxdp.conf", "/etc/natxdp/natxdpd.conf", "/usr/sbin/natxdp", "/usr/sbin/natxdpd",
    "/usr/lib/systemd/system/natxdp.service", "/usr/lib/systemd/system/natxdpd.service",
    "/usr/lib/sysctl.d/50-natxdp.conf", "/usr/lib/sysusers.d/natxdp.conf",
    "/usr/share/man/man5/natxdp.conf.5.gz", "/usr/share/man/man5/natxdpd.conf.5.gz",
    "/usr/share/man/man8/natxdp.8.gz", "/usr/share/man/man8/natxdpd.8.gz",
}  # fmt: skip
PRIVATE = {f"/usr/lib/natxdp/{name}" for name in (
    "libbpf.so.1", "libxdp.so.1", "libcjson.so.1", "libinih.so.1", "libmicrohttpd.so.12", "bpf/xdp-dispatcher.o",
)}  # fmt: skip


def output(*command, **options):
    return subprocess.run([str(word) for word in command], check=True, capture_output=True, text=True,
                          timeout=120, **options).stdout  # fmt: skip


@pytest.fixture(scope="module")
def packages():
    for tool in ("dh", "rpmbuild"):
        if not shutil.which(tool):
            pytest.skip(f"needs {tool}: make deps")
    done = subprocess.run(["make", "-s", "packages"], cwd=TOP, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stdout + done.stderr
    return BUILD / "package"


@pytest.fixture(scope="module")
def deb(packages):
    [path] = packages.glob("natxdp_*.deb")
    return path


@pytest.fixture(scope="module")
def rpm(packages):
    [path] = packages.glob("natxdp-*.rpm")
    return path


@pytest.fixture(scope="module")
def unpacked(rpm, tmp_path_factory):
    root = tmp_path_factory.mktemp("rpm")
    with open(rpm, "rb") as file:
        archive = subprocess.run(["rpm2archive", "-"], stdin=file, capture_output=True, check=True, timeout=60)
    subprocess.run(["tar", "-xz", "-C", root], input=archive.stdout, check=True, timeout=60)
    return root


@pytest.fixture(scope="module")
def control(deb, tmp_path_factory):
    directory = tmp_path_factory.mktemp("control")
    output("dpkg-deb", "-e", deb, directory)
    return directory


def elf_files(root):
    return [path for path in root.rglob("*")
            if path.is_file() and path.suffix != ".o" and path.read_bytes()[:4] == b"\x7fELF"]  # fmt: skip


def needed(path):
    return set(re.findall(r"^\s+NEEDED\s+(\S+)$", output("objdump", "-p", path), re.M))


def version(text):
    return tuple(map(int, re.split("[._]", text)))


def test_rpm_files(rpm):
    files = set(output("rpm", "-qpl", rpm).split())
    ours = {name for name in files if not re.match(r"/usr/share/(licenses|doc)/|.*/natxdp(/bpf)?$", name)}
    assert ours == (FILES | PRIVATE) - {"/usr/sbin/natxdp"}, ours ^ (FILES | PRIVATE)
    assert "/usr/sbin/natxdp" in files
    configuration = set(output("rpm", "-qpc", rpm).split())
    assert configuration == {"/etc/natxdp/natxdp.conf", "/etc/natxdp/natxdpd.conf"}


def test_rpm_needs_what_amazon_linux_has(rpm):
    wanted = set(output("rpm", "-qp", "--requires", rpm).split("\n"))
    names = {line.split("(")[0].strip() for line in wanted if ".so." in line}
    assert names <= AL2023, names - AL2023
    rest = {re.sub(r"[(= ].*", "", line) for line in wanted if line and ".so." not in line}
    assert rest <= {"/bin/sh", "systemd", "config", "rpmlib", "rtld"}, rest
    assert "libcurl.so.4()(64bit)" in wanted
    assert not [line for line in wanted if "CURL_" in line], "Debian alone has versions in libcurl"
    assert "so." not in output("rpm", "-qp", "--provides", rpm), "its libraries are not for others"


def test_rpm_libraries_are_there(unpacked):
    brought = {path.name for path in (unpacked / "usr/lib/natxdp").glob("*.so.*")}
    for path in elf_files(unpacked):
        assert needed(path) <= brought | AL2023, path
    for program in ("natxdp", "natxdpd"):
        # RPATH, unlike RUNPATH, holds for what the libraries need, too
        text = output("objdump", "-p", unpacked / "usr/sbin" / program)
        assert re.search(r"^\s+RPATH\s+/usr/lib/natxdp$", text, re.M), text


def test_rpm_symbols_are_old_enough(unpacked):
    files = elf_files(unpacked)
    assert len(files) == 7
    for path in files:
        symbols = output("objdump", "-T", path)
        for found in set(re.findall(r"\(?GLIBC_([0-9.]+)\)?", symbols)):
            assert version(found) <= GLIBC, f"{path.name} needs glibc {found}"
        for library, newest in SYMBOLS.items():
            for found in set(re.findall(rf"\*UND\*.*\b{library}_([0-9._]+)", symbols)):
                assert version(found) <= newest, f"{path.name} needs {library} {found}"


def test_rpm_programs_run(unpacked):
    """With the libraries that came along, and the stub's libcurl in nobody's way."""
    environment = dict(os.environ, LD_LIBRARY_PATH=str(unpacked / "usr/lib/natxdp"), LD_BIND_NOW="1")
    for program in ("natxdp", "natxdpd"):
        path = unpacked / "usr/sbin" / program
        loaded = output("ldd", path, env=environment)
        for library in needed(path) - AL2023:
            assert f"{library} => {unpacked}" in loaded
        assert "not found" not in loaded
    done = subprocess.run([unpacked / "usr/sbin/natxdp", "version"], env=environment, capture_output=True,
                          text=True, timeout=60, check=True)  # fmt: skip
    assert done.stderr == "" and done.stdout.startswith("natxdp ")
    done = subprocess.run([unpacked / "usr/sbin/natxdpd", "-n", "-c", unpacked / "etc/natxdp/natxdpd.conf"],
                          env=environment, capture_output=True, text=True, timeout=60, check=True)  # fmt: skip
    assert done.stderr == "" and "nat_id = natxdp" in done.stdout


def test_the_bill_of_materials(packages, deb, rpm):
    [path] = packages.glob("*.spdx.json")
    sbom = json.loads(path.read_text())
    assert sbom["spdxVersion"] == "SPDX-2.3" and sbom["documentNamespace"].startswith("https://")
    by_id = {package["SPDXID"]: package for package in sbom["packages"]}
    assert len(by_id) == len(sbom["packages"])
    described = [by_id[relation["relatedSpdxElement"]] for relation in sbom["relationships"]
                 if relation["relationshipType"] == "DESCRIBES"]  # fmt: skip
    assert {package["packageFileName"]: package["checksums"][0]["checksumValue"] for package in described} == {
        file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in (deb, rpm)}  # fmt: skip
    brought = {by_id[relation["relatedSpdxElement"]]["name"]: by_id[relation["relatedSpdxElement"]]["versionInfo"]
               for relation in sbom["relationships"] if relation["relationshipType"] == "CONTAINS"}  # fmt: skip
    assert set(brought) == {"cjson", "libbpf", "libinih", "libmicrohttpd", "xdp-tools"}
    assert all(re.match(r"\d+", version) for version in brought.values())
    needed_by = {by_id[relation["relatedSpdxElement"]]["name"] for relation in sbom["relationships"]
                 if relation["relationshipType"] == "DEPENDS_ON"}  # fmt: skip
    assert {"libcurl4", "libcurl.so.4", "libc6"} <= needed_by


def test_deb_files(deb):
    lines = output("dpkg-deb", "-c", deb).splitlines()
    files = {line.split()[5].lstrip(".") for line in lines if not line.endswith("/")}
    assert FILES <= files
    assert all(name.startswith("/usr/share/doc/natxdp/") for name in files - FILES), files - FILES
    assert all(line.split()[1] == "root/root" for line in lines)


def test_deb_conffiles(control):
    assert set((control / "conffiles").read_text().split()) == {"/etc/natxdp/natxdp.conf", "/etc/natxdp/natxdpd.conf"}


def test_deb_dependencies_are_in_the_distribution(deb):
    depends = output("dpkg-deb", "-f", deb, "Depends")
    names = {part.split()[0] for part in depends.split(", ")}
    assert {"libbpf1", "libxdp1", "libcurl4", "libcjson1", "libmicrohttpd12", "libc6"} <= names
    assert re.search(r"libc6 \(>= 2\.3[0-6]\)", depends), depends
    known = output("apt-cache", "show", "--no-all-versions", *names)
    assert names <= set(re.findall(r"^Package: (\S+)$", known, re.M))


def scriptlet(rpm, name):
    text = output("rpm", "-qp", "--scripts", rpm)
    return re.search(rf"^{name} scriptlet.*?:\n(.*?)(?=^\w+ scriptlet|\Z)", text, re.M | re.S).group(1)


@pytest.fixture
def act(tmp_path, control, rpm):
    """Runs a script of a package with commands that note how they are called."""
    calls = tmp_path / "calls"
    for name in ("systemctl", "natxdp", "systemd-sysusers", "rm"):
        (tmp_path / name).write_text(f'#!/bin/sh\necho "{name} $*" >>{calls}\n'
                                     'case $* in try-*) exit "$STATUS" ;; esac\n')
        (tmp_path / name).chmod(0o755)
    # so that what depends on a running systemd, and on /proc, is seen everywhere
    run = tmp_path / "run"
    run.mkdir()
    proc = tmp_path / "range"
    proc.write_text("61000\t65535\n")

    def act(kind, script, *arguments, status=0):
        calls.write_text("")
        text = (control / script).read_text() if kind == "deb" else scriptlet(rpm, script)
        text = text.replace("/run/systemd/system", str(run)).replace("/proc/sys/net/ipv4/ip_local_port_range", str(proc))
        done = subprocess.run(["sh", "-c", text, "script", *arguments], capture_output=True, text=True, timeout=60,
                              env=dict(os.environ, PATH=f"{tmp_path}:{os.environ['PATH']}", STATUS=str(status)))
        assert done.returncode == 0, done.stderr
        return calls.read_text().splitlines(), done.stderr, proc.read_text()

    return act


@pytest.mark.parametrize("kind, script, arguments", [
    ("deb", "prerm", ["upgrade", "0.2.0"]), ("deb", "postrm", ["upgrade", "0.2.0"]),
    ("rpm", "preuninstall", ["1"]),
])  # fmt: skip
def test_an_upgrade_stops_nothing(act, kind, script, arguments):
    calls, _, ports = act(kind, script, *arguments)
    assert calls == [] and ports == "61000\t65535\n"


UPGRADES = [("deb", "postinst", ["configure", "0.1.0"]), ("rpm", "postinstall", ["2"])]


@pytest.mark.parametrize("kind, script, arguments", UPGRADES)
def test_an_upgrade_reloads(act, kind, script, arguments):
    calls, _, _ = act(kind, script, *arguments)
    assert calls == ["systemd-sysusers natxdp.conf", "systemctl daemon-reload",
                     "systemctl try-reload-or-restart natxdp.service",
                     "systemctl try-restart natxdpd.service"]  # fmt: skip


@pytest.mark.parametrize("kind, script, arguments", UPGRADES)
def test_an_upgrade_that_is_refused_is_said(act, kind, script, arguments):
    _, errors, _ = act(kind, script, *arguments, status=1)
    assert "the NAT still runs the program of before: 'natxdp reload' says why" in errors


@pytest.mark.parametrize("kind, script, arguments", [("deb", "postinst", ["configure", ""]), ("rpm", "postinstall", ["1"])])
def test_an_installation_starts_nothing(act, kind, script, arguments):
    calls, _, _ = act(kind, script, *arguments)
    assert calls == ["systemd-sysusers natxdp.conf", "systemctl daemon-reload"]


@pytest.mark.parametrize("kind, script, arguments", [("deb", "prerm", ["remove"]), ("rpm", "preuninstall", ["0"])])
def test_a_removal_ends_it(act, kind, script, arguments):
    calls, _, ports = act(kind, script, *arguments)
    assert calls == ["systemctl --quiet disable --now natxdpd.service natxdp.service", "natxdp unload --all"]
    assert ports == "32768 60999\n"


def test_units_are_right(packages, tmp_path):
    """systemd reads them and says nothing."""
    if not shutil.which("systemd-analyze"):
        pytest.skip("needs systemd-analyze")
    root = packages / "stage" / "root"
    units = tmp_path / "units"
    units.mkdir()
    for path in (root / "usr/lib/systemd/system").iterdir():
        # the programs are not installed here
        (units / path.name).write_text(path.read_text().replace("/usr/sbin/", f"{root}/usr/sbin/"))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", *units.iterdir()], capture_output=True,
                          text=True, timeout=60, check=False)  # fmt: skip
    ours = [line for line in done.stderr.splitlines() if "natxdp" in line]
    assert not ours and done.returncode == 0, done.stderr


def test_units_neither_hang_nor_give_up():
    """A load that hangs is ended, for the boot waits for it; and no number of failures is the last."""
    load, agent = ((TOP / path).read_text() for path in ("loader/natxdp.service", "agent/natxdpd.service"))
    assert re.search(r"^Type=oneshot$", load, re.M)
    assert 30 <= int(re.search(r"^TimeoutStartSec=(\d+)$", load, re.M)[1]) <= 120
    for unit in (load, agent):
        assert re.search(r"^Restart=(on-failure|always)$", unit, re.M)
        assert re.search(r"^\[Unit\]\n(?:.*\n)*?StartLimitIntervalSec=0\n(?:.*\n)*?\[Service\]$", unit, re.M)
