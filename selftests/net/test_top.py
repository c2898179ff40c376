# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""natxdp top: who moves the most bytes now."""

import json
import subprocess
import time

from lab import Lab
from probes import UdpServer, echoed, udp_client

PORT = 9000


def test_who_moves_the_most(lab: Lab) -> None:
    UdpServer(lab["s1"], PORT)
    UdpServer(lab["s1"], PORT + 1)
    heavy, light = udp_client(lab["c1"], lab.server, PORT), udp_client(lab["c2"], lab.server, PORT + 1)
    assert all(echoed(light, b"x" * 1000) for _ in range(50))  # before: not of this interval
    top = lab["nat"].spawn(*lab.box.command("top", "--json", "--interval", 3),
                           stdout=subprocess.PIPE, text=True)
    time.sleep(1)
    for _ in range(20):
        assert echoed(heavy, b"x" * 972)
    assert echoed(light, b"x" * 72)
    report = json.loads(top.communicate(timeout=20)[0])
    assert report["flows"] == 2
    assert [(one["name"], one["bytes"]) for one in report["source"]] == [
        ("10.77.0.11", 40_000), ("10.77.0.12", 192)]  # in units of 64 bytes
    assert [one["name"] for one in report["destination"]] == [lab.server]
    assert [one["name"] for one in report["port"]] == [f"udp/{PORT}", f"udp/{PORT + 1}"]
    assert report["bytes"] == 40_192
    heaviest = report["source"][0]
    assert heaviest["bytes_per_second"] == 40_000_000 // report["interval_ms"]


def test_text_and_limits(lab: Lab) -> None:
    UdpServer(lab["s1"], PORT)
    assert echoed(udp_client(lab["c1"], lab.server, PORT))
    text = lab.box.run("top", "--interval", "0.1").stdout  # no terminal: once
    assert text.startswith("1 flows, ") and "inside address" in text
    for wrong in ("--interval", "never"), ("--interval", 0), ("--limit", -1):
        done = lab.box.run("top", *wrong, check=False)
        assert done.returncode != 0 and "not a number above 0" in done.stderr


def test_without_a_nat(lab: Lab) -> None:
    lab.box.unload()
    done = lab.box.run("top", check=False)
    assert done.returncode == 7 and "no NAT is loaded" in done.stderr
