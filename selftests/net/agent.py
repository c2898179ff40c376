# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""natxdpd beside the NAT under test, as its users run it: another user, no rights."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

from lab import BUILD, Lab, wait_until

NATXDPD = Path(os.environ.get("NATXDP_TEST_AGENT", BUILD / "natxdpd"))
SANITIZED = BUILD / "natxdpd-asan"  # by ASan and UBSan: what they find ends it, and fails the test
PORT = 9469


class Agent:
    def __init__(self, lab: Lab, env: dict[str, str] | None = None, program: Path = NATXDPD,
                 role: str = "nat", **conf: object) -> None:
        """Keys of natxdpd.conf; intervals are compressed unless they are given."""
        self.lab = lab
        self.program = program
        # LeakSanitizer traces its process, which the filter of system calls forbids
        self.env = {**os.environ, "ASAN_OPTIONS": "detect_leaks=0", **(env or {})}
        self.ns = lab[role]
        self.dir = lab.scratch / ("agent" if role == "nat" else f"agent-{role}")
        self.dir.mkdir(exist_ok=True)
        self.dir.chmod(0o777)
        lab.scratch.chmod(0o755)
        self.conf = {
            "pin_dir": lab.pin_dir,
            "user": "nobody",
            "zone": "az1",
            "interval": 6,
            "sample": 1,
            "scan": "0.2",
        } | conf
        self.file = self.dir / "natxdpd.conf"
        (self.dir / "log").unlink(missing_ok=True)
        self.write()
        lab.stack.callback(self.check_sanitizers)
        self.start()

    def check_sanitizers(self) -> None:
        said = self.messages()
        assert "Sanitizer" not in said and "runtime error:" not in said, said

    def write(self) -> None:
        self.file.write_text("".join(f"{key} = {value}\n" for key, value in self.conf.items()))

    def start(self) -> None:
        self.log = open(self.dir / "log", "a")
        self.process = self.ns.spawn(
            self.program, "-c", self.file,
            stdout=self.log, stderr=subprocess.STDOUT, env=self.env,
        )
        wait_until(self.answers, "the agent answers", 15)

    def natxdpd(self, *arguments: object, check: bool = True) -> subprocess.CompletedProcess:
        """The command, with the configuration of this agent."""
        return self.ns.run(self.program, *map(str, arguments), "-c", self.file, check=check)

    def answers(self) -> bool:
        assert self.process.poll() is None, self.messages()
        return self.ns.run("curl", "-sf", f"http://127.0.0.1:{PORT}/status",
                           check=False).returncode == 0

    def messages(self) -> str:
        return (self.dir / "log").read_text()

    def kill(self, number: int = signal.SIGKILL) -> int:
        self.process.send_signal(number)
        return self.process.wait(15)

    def get(self, path: str) -> tuple[int, str]:
        done = self.ns.run("curl", "-s", "-w", "\n%{http_code}", f"http://127.0.0.1:{PORT}{path}")
        text, _, status = done.stdout.rpartition("\n")
        return int(status), text

    def status(self) -> dict:
        return json.loads(self.get("/status")[1])

    def text(self) -> str:
        status, text = self.get("/metrics")
        assert status == 200
        return text

    def metrics(self) -> dict[str, float]:
        """By name, with the labels that are not on everything: natxdp_x{reason="y"}."""
        found = {}
        for line in self.text().splitlines():
            if line.startswith("#"):
                continue
            name, labels, value = re.fullmatch(r"(\w+)\{(.*)\} (\S+)", line).groups()
            own = [label for label in labels.split(",")
                   if not label.startswith(("nat_id=", "zone="))]
            found[name + (f"{{{','.join(own)}}}" if own else "")] = float(value)
        return found

    def memory(self) -> dict[str, int]:
        """Resident memory in bytes, and how much of it is not the flow table."""
        total = other = 0
        name = ""
        for line in Path(f"/proc/{self.process.pid}/smaps").read_text().splitlines():
            if re.match(r"[0-9a-f]+-[0-9a-f]+ ", line):
                name = line
            elif line.startswith("Rss:"):
                kib = int(line.split()[1])
                total += kib
                other += kib if "bpf-map" not in name else 0
        return {"total": total * 1024, "other": other * 1024}

    def cpu_seconds(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def sleep_to_next(seconds: float) -> None:
    """To the next multiple of the wall clock: a phase of a script begins there."""
    time.sleep(seconds - time.time() % seconds)
