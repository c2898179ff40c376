# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""natxdpd as a service: what it tells the service manager, HTTPS, files that turn over, deaths.

test-timeout: 600
"""

from __future__ import annotations

import contextlib
import json
import re
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from agent import SANITIZED, Agent
from agent_cloud import agent_of
from lab import Lab, wait_until
from probes import UdpServer, echoed, udp_client

if TYPE_CHECKING:
    from standin import StandIn

PORT = 9000
UNIT = Path(__file__).parents[2] / "agent" / "natxdpd.service"


def test_unit_file(lab: Lab) -> None:
    """systemd finds nothing wrong with it, nor much that the service may do."""
    unit = lab.scratch / "natxdpd.service"
    natxdpd = lab.scratch / "usr/sbin/natxdpd"
    natxdpd.parent.mkdir(parents=True)
    natxdpd.write_text("#!/bin/sh\n")
    natxdpd.chmod(0o755)
    unit.write_text(UNIT.read_text().replace("@PREFIX@", str(lab.scratch / "usr")))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", unit],
                          capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    done = subprocess.run(["systemd-analyze", "security", "--offline=yes", unit],
                          capture_output=True, text=True)
    level = float(re.search(r"exposure level for natxdpd.service: ([\d.]+)", done.stdout)[1])
    assert level <= 5, done.stdout


def test_tells_the_service_manager(lab: Lab) -> None:
    path = lab.scratch / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(path))
        path.chmod(0o777)
        manager.settimeout(10)
        agent = Agent(lab, {"NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": "600000"}, SANITIZED)

        def told(what: str) -> str:
            while what not in (message := manager.recv(4096).decode()):
                pass
            return message

        assert "STATUS=running" in told("READY=1")
        times = []
        for _ in range(4):
            assert "the data path is well" in told("WATCHDOG=1") or not times
            times.append(time.monotonic())
        assert times[-1] - times[0] < 3 * 0.6, "a watchdog would have killed it"
        agent.process.send_signal(signal.SIGHUP)
        told("RELOADING=1")
        told("READY=1")
        agent.process.send_signal(signal.SIGSTOP)  # one that hangs tells nothing
        manager.settimeout(1)
        with pytest.raises(TimeoutError):
            while True:
                manager.recv(4096)
        agent.process.send_signal(signal.SIGCONT)
        manager.settimeout(10)
        told("WATCHDOG=1")
        agent.process.send_signal(signal.SIGTERM)
        told("STOPPING=1")
        assert agent.process.wait(10) == 0


def test_https(lab: Lab) -> None:
    """The NLB's HTTPS check: /healthz with a certificate, and nothing without TLS."""
    cert, key = lab.scratch / "cert.pem", lab.scratch / "key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=natxdp",
                    "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", cert],
                   check=True, capture_output=True)
    agent = Agent.__new__(Agent)
    agent.answers = lambda: lab["nat"].run(
        "curl", "-sf", "--cacert", cert, "https://127.0.0.1:9469/status", check=False).returncode == 0
    agent.__init__(lab, program=SANITIZED, http_cert=cert, http_key=key)

    def health() -> str:
        return lab["nat"].run("curl", "-s", "--cacert", cert, "https://127.0.0.1:9469/healthz").stdout

    wait_until(lambda: health() == "ok\n", "it is well", 10)
    for version in "--tls-max 1.2", "--tlsv1.3":
        done = lab["nat"].run("curl", "-sf", "--cacert", cert, *version.split(),
                              "https://127.0.0.1:9469/healthz", check=False)
        assert done.stdout == "ok\n", version
    assert lab["nat"].run("curl", "-s", "https://127.0.0.1:9469/healthz", check=False).returncode == 60
    assert lab["nat"].run("curl", "-s", "http://127.0.0.1:9469/healthz", check=False).stdout == ""
    assert agent.kill(signal.SIGTERM) == 0


@pytest.mark.load("--udp-timeout", 1)
def test_files_turn_over(lab: Lab) -> None:
    """No record is lost between two files, and no more files stay than were asked for."""
    file = lab.scratch / "agent" / "records.json"
    agent = Agent(lab, records="close", record_file=file, record_file_size="64K",
                  record_file_count=3)
    UdpServer(lab["s1"], PORT)

    def files() -> list[Path]:
        return sorted(file.parent.glob("records.json*"))

    def lines() -> list[dict]:
        return [json.loads(line) for one in files() for line in one.read_text().splitlines()]

    def send(count: int) -> None:
        for _ in range(count):
            with udp_client(lab["c1"], lab.server, PORT) as sock:
                assert echoed(sock)

    def all_written() -> int:
        """A port that comes again soon is no new flow."""
        events = lab.box.stats()["events"]
        written = agent.status()["records"]["file"]["written"]
        return written if written == events["flows_opened"] == events["flows_expired"] else 0

    send(300)
    written = wait_until(all_written, "all are written", 20)
    assert len(files()) == 2 and len(lines()) == written
    send(600)
    written = wait_until(all_written, "all are written", 20)
    assert written > 700
    assert [one.name for one in files()] == ["records.json", "records.json.1", "records.json.2"]
    # renamed before the line that would make it larger
    assert all(one.stat().st_size <= 65536 for one in files())
    assert all(one.stat().st_size > 65536 - 1024 for one in files()[1:])
    assert agent.status()["records"]["file"]["lost"] == 0


@contextlib.contextmanager
def busy(lab: Lab):
    """A client that is never refused an answer; yields how many it has got."""
    sock, got, stop = udp_client(lab["c1"], lab.server, PORT), [0], threading.Event()

    def run() -> None:
        while not stop.is_set() and echoed(sock):
            got[0] += 1

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield got
        assert thread.is_alive(), "an answer did not come"
    finally:
        stop.set()
        thread.join()


def test_killed_under_load(lab: Lab, cloud: StandIn) -> None:
    """Its supervisor starts it again: no packet is lost, no count jumps, no sum is lost or twice."""
    agent = agent_of(lab, cloud, aws_timeout=4)
    UdpServer(lab["s1"], PORT)
    seen = [0.0]
    with busy(lab) as got:
        for _ in range(3):
            wait_until(lambda: got[0] > seen[-1] + 50, "packets go", 20)
            agent.kill(signal.SIGKILL)
            agent.start()
            seen.append(agent.metrics()["natxdp_packets_out_to_source_total"])
    assert seen == sorted(seen)
    name = "natxdp_packets_out_to_source_total"
    wait_until(lambda: agent.metrics()[name] == got[0], "every packet is counted", 10)

    def taken() -> float:
        return sum(datum["Value"] for datum in list(cloud.world.metrics)
                   if datum["MetricName"] == "PacketsOutToSource")

    # a call that a kill has cut off may have been taken: that is the one thing nobody knows
    lost = agent.metrics()["natxdp_metric_data_lost_total"]
    wait_until(lambda: taken() >= got[0] or lost, "all sums are there", 20)
    assert taken() <= got[0]
    assert agent.metrics()["natxdp_agent_starts_total"] == 4
