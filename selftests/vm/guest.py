# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""A guest under qemu that runs commands. Emulated (TCG), so that it needs no KVM."""

from __future__ import annotations

import contextlib
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import image  # noqa: E402

BOOT_SECONDS = 240  # it takes 5, with a disk 25; more only where others use the machine
RUN_SECONDS = 60
TAIL = 60  # lines of the console that a failure shows


class Done:
    def __init__(self, status: int, output: str) -> None:
        self.status = status
        self.output = output


class Guest:
    """Boots when it is made, and is gone when it is closed."""

    def __init__(self, programs: dict[str, Path], devices: list[str] = (), fds: list[int] = (),
                 cpus: int = 2, memory: int = 1024, disk: Path | None = None) -> None:  # fmt: skip
        """With a disk, the init of the system on it runs, and a reboot is one."""
        self.stack = contextlib.ExitStack()
        self.scratch = Path(tempfile.mkdtemp(prefix="natxdp-vm-"))
        self.stack.callback(shutil.rmtree, self.scratch, ignore_errors=True)
        self.console = self.scratch / "console"
        try:
            self.kernel = image.kernel()
            init, modules = "guest.init", image.MODULES
            options = ["-no-reboot"]
            if disk:
                init, modules = "disk.init", [*image.MODULES, "virtio_blk"]
                options = ["-drive", f"file={disk},format=raw,if=virtio,cache=unsafe"]
            archive = image.initramfs(self.kernel, programs, self.scratch / "root", init, modules)
            self.start(archive, [*options, *devices], fds, cpus, memory)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Guest:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.stack.close()

    def start(self, archive: Path, devices: list[str], fds: list[int], cpus: int, memory: int) -> None:
        ours, theirs = socket.socketpair()
        self.stack.callback(ours.close)
        command = [
            "qemu-system-x86_64", "-machine", "pc,accel=tcg", "-cpu", "max", "-smp", str(cpus),
            "-m", str(memory), "-nodefaults", "-display", "none",
            "-kernel", str(image.vmlinuz(self.kernel)), "-initrd", str(archive),
            "-append", "console=ttyS0 quiet panic=-1 mitigations=off net.ifnames=0",
            "-chardev", f"file,id=console,path={self.console}", "-serial", "chardev:console",
            "-chardev", f"socket,id=shell,fd={theirs.fileno()}", "-serial", "chardev:shell",
            "-device", "virtio-rng-pci", *devices,
        ]  # fmt: skip
        self.log = open(self.scratch / "qemu", "w+")
        self.stack.callback(self.log.close)
        with theirs:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self.log,
                                            stderr=subprocess.STDOUT,
                                            pass_fds=[theirs.fileno(), *fds])  # fmt: skip
        self.stack.callback(self.end)
        self.shell = ours
        self.pending = b""
        start = time.monotonic()
        self.wait_for_shell("booting")
        self.boot_seconds = time.monotonic() - start

    def wait_for_shell(self, what: str) -> None:
        deadline = time.monotonic() + BOOT_SECONDS
        while self.line(deadline, what) != "ready":
            pass

    def reboot(self) -> None:
        """Of a guest with a disk, by its own init."""
        self.shell.sendall(b"systemctl reboot\n")
        self.wait_for_shell("rebooting")

    def end(self) -> None:
        self.process.kill()
        self.process.wait()

    def receive(self, deadline: float, what: str) -> None:
        try:
            self.shell.settimeout(max(0.01, deadline - time.monotonic()))
            data = self.shell.recv(65536)
        except OSError as error:
            data = b""
            what = f"{what}: {error}"
        if not data:
            raise AssertionError(f"the guest does not answer: {what}\n{self.tail()}")
        self.pending += data

    def line(self, deadline: float, what: str) -> str:
        while b"\n" not in self.pending:
            self.receive(deadline, what)
        line, self.pending = self.pending.split(b"\n", 1)
        return line.decode()

    def run(self, command: str, check: bool = True, timeout: float = RUN_SECONDS) -> Done:
        """A line for the guest's shell."""
        assert "\n" not in command
        deadline = time.monotonic() + timeout
        self.shell.sendall(command.encode() + b"\n")
        status, length = map(int, self.line(deadline, command).split())
        while len(self.pending) < length:
            self.receive(deadline, command)
        output, self.pending = self.pending[:length], self.pending[length:]
        done = Done(status, output.decode(errors="replace"))
        if check and status:
            raise AssertionError(f"in the guest: {command}: exit status {status}\n{done.output}")
        return done

    def wait_until(self, command: str, timeout: float = RUN_SECONDS) -> Done:
        """Until it ends with 0."""
        deadline = time.monotonic() + timeout
        while True:
            done = self.run(command, check=False)
            if done.status == 0:
                return done
            if time.monotonic() > deadline:
                raise AssertionError(f"waited {timeout:g} s in vain: {command}\n{done.output}")
            time.sleep(0.2)

    def write(self, path: str, text: str) -> None:
        self.run(f"printf %s {shlex.quote(text)} >{path}")

    def tail(self) -> str:
        """The end of the console, for failures."""
        text = ""
        for name in ("qemu", "console"):
            with contextlib.suppress(OSError):
                lines = (self.scratch / name).read_text(errors="replace").splitlines()[-TAIL:]
                text += "".join(f"{name}: {line}\n" for line in lines)
        return text
