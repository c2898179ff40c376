# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""What a guest boots: Debian's 6.1 cloud kernel, and an initramfs of this machine's programs.

The kernel comes from the distribution's package and is kept below build/vm.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("NATXDP_BUILD", TOP / "build"))
CACHE = BUILD / "vm"
HERE = Path(__file__).parent
BUSYBOX = "/bin/busybox"
# with everything that they need; what is built into the kernel is left out. The last two are for
# the hook at TC, and for the guard there
MODULES = ["virtio_pci", "virtio_net", "virtio_rng", "veth", "sch_ingress", "cls_bpf"]
# a shell that, unlike Debian's busybox, looks at PATH before it takes an applet
PROGRAMS = {"bin/sh": "dash", "usr/sbin/ip": "ip", "usr/sbin/ethtool": "ethtool"}


class Unavailable(Exception):
    """There is no such kernel here: a reason to skip, never to pass."""


def output(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=300).stdout


def find_package() -> str:
    if not shutil.which("apt-get"):
        raise Unavailable("Debian's kernel package needs apt")
    for attempt in range(2):
        names = output("apt-cache", "--names-only", "search", r"^linux-image-6\.1\..*-cloud-amd64$")
        packages = [line.split()[0] for line in names.splitlines()]
        if packages:
            return max(packages, key=lambda name: [int(n) for n in re.findall(r"\d+", name)])
        if attempt == 0:
            output("apt-get", "update", "-q")
    raise Unavailable("this distribution has no package linux-image-6.1.*-cloud-amd64")


def kernel() -> Path:
    """The unpacked package. The cached one, whatever its version; else the newest."""
    cached = sorted(CACHE.glob("linux-image-*/complete"))
    if cached:
        return cached[-1].parent
    package = find_package()
    CACHE.mkdir(parents=True, exist_ok=True)
    subprocess.run(["apt-get", "download", "-q", "-o", "APT::Sandbox::User=root", package],
                   cwd=CACHE, check=True, capture_output=True, timeout=300)  # fmt: skip
    [archive] = CACHE.glob(f"{package}_*.deb")
    directory = CACHE / package
    shutil.rmtree(directory, ignore_errors=True)
    output("dpkg-deb", "-x", str(archive), str(directory))
    archive.unlink()
    release = package.removeprefix("linux-image-")
    output(BUSYBOX, "depmod", "-b", str(directory), release)
    (directory / "complete").touch()
    return directory


def release_of(directory: Path) -> str:
    return directory.name.removeprefix("linux-image-")


def vmlinuz(directory: Path) -> Path:
    return directory / "boot" / f"vmlinuz-{release_of(directory)}"


def needed_modules(modules: Path, wanted: list[str]) -> list[str]:
    """The files of modules after what each of them needs, and their lines in modules.dep."""
    needs = dict(
        line.split(":", 1) for line in (modules / "modules.dep").read_text().splitlines() if line
    )
    lines = []

    def add(file: str) -> None:
        line = f"{file}:{needs[file]}"
        if line not in lines:
            for other in needs[file].split():
                add(other)
            lines.append(line)

    for name in wanted:
        for file in needs:
            if Path(file).name.split(".")[0].replace("-", "_") == name:
                add(file)
    return lines


def libraries(program: Path) -> set[str]:
    """The shared libraries of a program, its loader included."""
    done = subprocess.run(["ldd", str(program)], capture_output=True, text=True, timeout=60)
    return set(re.findall(r"(?:=> |^\s)(/\S+) \(", done.stdout, re.MULTILINE))


def install(source: Path | str, root: Path, target: str) -> None:
    path = root / target.lstrip("/")
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(source, path)


def initramfs(directory: Path, programs: dict[str, Path], root: Path, init: str = "guest.init",
              names: list[str] = MODULES) -> Path:  # fmt: skip
    """Makes the archive from root, which it fills. programs: path in the guest, file here."""
    release = release_of(directory)
    modules = f"lib/modules/{release}"
    for name in ("bin", "dev", "proc", "sys", "run", "tmp", "etc"):
        (root / name).mkdir(parents=True)
    install(BUSYBOX, root, "bin/busybox")
    install(HERE / init, root, "init")
    (root / "init").chmod(0o755)
    install(HERE / "guest.shell", root, "guest.shell")
    wanted = {path: Path(found(name)) for path, name in PROGRAMS.items()} | programs
    for target, file in wanted.items():
        install(file, root, target)
    for library in set().union(*(libraries(file) for file in wanted.values())):
        install(library, root, library)
    lines = needed_modules(directory / modules, names)
    for line in lines:
        file = line.split(":")[0]
        install(directory / modules / file, root, f"{modules}/{file}")
    (root / modules / "modules.dep").write_text("\n".join(lines) + "\n")
    (root / "etc" / "modules").write_text("\n".join(names) + "\n")
    files = "".join(f"{path.relative_to(root)}\n" for path in sorted(root.rglob("*")))
    archive = root.with_suffix(".cpio")
    with open(archive, "wb") as out:
        subprocess.run([BUSYBOX, "cpio", "-o", "-H", "newc"], cwd=root, input=files.encode(),
                       stdout=out, stderr=subprocess.DEVNULL, check=True, timeout=60)  # fmt: skip
    return archive


def found(name: str) -> str:
    path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if not path:
        raise FileNotFoundError(f"{name}: not installed: make deps")
    return path


def xdp_tools() -> dict[str, Path]:
    """libxdp's dispatcher, which it reads from a file, and programs of others that use it."""
    objects = {str(path).lstrip("/"): path for path in Path("/usr/lib").glob("*/bpf/xdp*.o")}
    return objects | {f"usr/sbin/{name}": Path(found(name)) for name in ("xdp-loader", "xdp-filter")}


def prog_tests() -> dict[str, Path]:
    sources = sorted((TOP / "selftests" / "prog").glob("test_*.c"))
    names = [source.stem.removeprefix("test_") for source in sources]
    return {f"prog/{name}": BUILD / "selftests" / "prog" / name for name in names}
