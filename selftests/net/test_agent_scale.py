# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""What the agent costs over many flows.

NATXDP_TEST_LONG=1 makes it a million flows instead of 200,000, at the intervals that it has
by default: two walks over the table, 30 s each. Else all is three times as often.

test-timeout: 600
"""

import os
import time

import pytest
from agent import Agent
from lab import Lab, wait_until
from probes import helper

LONG = bool(os.environ.get("NATXDP_TEST_LONG"))
FLOWS = 1_000_000 if LONG else 200_000
FASTER = 1 if LONG else 3
SECONDS = 65 if LONG else 11


@pytest.mark.load("--max-flows", 1_200_000, "--udp-timeout", "2h")
def test_many_flows(lab: Lab) -> None:
    lab["nat"].ip("route replace 10.79.0.0/16 via 10.77.0.11")
    lab["outrouter"].ip("route replace blackhole 192.0.2.0/24")
    try:
        lab["c1"].run(
            helper("udp_flows"), "--device", "eth0", "--gateway", lab["nat"].mac("eth1"),
            "--host", "10.79.0.1", "--hosts", 32, "--flows", FLOWS, "--to",
            ",".join(f"192.0.2.{n}:53" for n in range(1, 101)), "--unanswered", 100_000,
            timeout=100)
        agent = Agent(lab, interval=60 / FASTER, sample=10 if LONG else 4,
                      scan=30 / FASTER, talkers=10)
        wait_until(lambda: agent.metrics().get('natxdp_protocol_flows{protocol="udp"}', 0)
                   >= 0.99 * FLOWS, "the first walk is done", 30)
        before, start = agent.cpu_seconds(), time.monotonic()
        time.sleep(SECONDS)
        share = 100 * (agent.cpu_seconds() - before) / (time.monotonic() - start) / FASTER
        memory = agent.memory()
    finally:
        lab["nat"].ip("route del 10.79.0.0/16")
    print(f"{lab.box.status()['flows']['now']} flows: {share:.2f} % of a core, "
          f"{memory['other'] / 2**20:.1f} MiB beside the table")
    assert memory["other"] <= 64 << 20
    assert share <= 2
