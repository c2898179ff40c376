# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""A Debian system in a directory, and a disk made of it, for a guest that boots with systemd.

The system comes from the mirrors that apt has on this machine, and is kept below
build/vm with what the package needs in apt's cache.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from pathlib import Path

import image
from image import CACHE, Unavailable

SUITE = "bookworm"
INCLUDE = ["systemd", "systemd-sysv", "udev", "iproute2", "ca-certificates", "ethtool", "curl"]
# nothing of these is for a machine that lives for two minutes
MASKED = ["apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer",
          "e2scrub_reap.service", "fstrim.timer", "systemd-pstore.service"]  # fmt: skip
SHELL = """[Service]
ExecStart=/bin/sh /usr/lib/guest.shell
StandardOutput=null
StandardError=null
[Install]
WantedBy=multi-user.target
"""
PATIENCE = 900  # seconds; it takes 60 where nobody else is at work


def run(*command: object, cwd: Path | None = None) -> str:
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, cwd=cwd,
                          stdin=subprocess.DEVNULL, timeout=PATIENCE,
                          env=dict(os.environ, DEBIAN_FRONTEND="noninteractive", LC_ALL="C"))  # fmt: skip
    if done.returncode:
        raise AssertionError(f"{command}: exit status {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


def mirrors() -> list[tuple[str, str]]:
    """Where apt gets this suite here, as (address, suite); the archive itself is first."""
    lines = image.output("apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE) $(COMPONENT)",
                         "Created-By: Packages").splitlines()  # fmt: skip
    found = [tuple(line.split()[:2]) for line in lines if line.split()[2:] == ["main"]]
    ours = sorted({pair for pair in found if re.match(rf"{SUITE}(-|$)", pair[1])}, key=lambda pair: len(pair[1]))
    if not ours or ours[0][1] != SUITE:
        raise Unavailable(f"apt has no Debian {SUITE} on this machine")
    return ours


def chroot(root: Path, *command: object) -> str:
    return run("chroot", root, *command)


def make(root: Path, needs: list[str]) -> None:
    sources = mirrors()
    run(image.found("debootstrap"), "--variant=minbase", f"--include={','.join(INCLUDE)}", SUITE, root, sources[0][0])
    lines = "".join(f"deb {address} {suite} main\n" for address, suite in sources)
    (root / "etc/apt/sources.list").write_text(lines)
    (root / "etc/apt/apt.conf.d/99root").write_text('APT::Sandbox::User "root";\n')
    chroot(root, "apt-get", "update", "-q")
    chroot(root, "apt-get", "install", "-q", "-y", "--no-install-recommends", "--download-only", *needs)
    (root / "etc/hostname").write_text("nat\n")
    for unit in MASKED:
        (root / "etc/systemd/system" / unit).symlink_to("/dev/null")
    chroot(root, "systemctl", "enable", "systemd-networkd.service")


def base(needs: list[str]) -> Path:
    """The system without the package, as a tar file. Made when it is not there."""
    key = hashlib.sha256(" ".join([SUITE, *INCLUDE, *MASKED, *needs]).encode()).hexdigest()[:12]
    archive = CACHE / f"{SUITE}-{key}.tar"
    if archive.exists():
        return archive
    CACHE.mkdir(parents=True, exist_ok=True)
    root = CACHE / f"{SUITE}-{key}.tmp"
    shutil.rmtree(root, ignore_errors=True)
    try:
        make(root, needs)
        run("tar", "-C", root, "-cf", f"{archive}.tmp", ".")
    finally:
        shutil.rmtree(root, ignore_errors=True)
    Path(f"{archive}.tmp").rename(archive)
    return archive


def unpack(archive: Path, root: Path) -> None:
    root.mkdir(parents=True)
    run("tar", "-C", root, "-xf", archive)
    # what a test runs in there; the modules come with the initramfs
    image.install(image.HERE / "guest.shell", root, "usr/lib/guest.shell")
    (root / "etc/systemd/system/guest-shell.service").write_text(SHELL)
    chroot(root, "systemctl", "enable", "guest-shell.service")


def disk(root: Path, path: Path) -> Path:
    run(image.found("mke2fs"), "-q", "-t", "ext4", "-d", root, path, "1G")
    return path
