# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""Many flows at once, and many one after the other.

NATXDP_TEST_LONG=1 opens and closes 5,000,000 flows instead of 500,000, and
takes two minutes for that instead of 13 seconds.

test-timeout: 600
"""

import json
import os
import subprocess

import pytest
from lab import Lab, wait_until
from probes import helper

HOSTS = 16
FIRST_HOST = "10.79.0.1"
HOSTS_NET = "10.79.0.0/16"
CONCURRENT = 200_000
PORTS = [7001, 7002, 7003, 7004]
CHURN = 5_000_000 if os.environ.get("NATXDP_TEST_LONG") else 500_000
# New flows a second. A slot is free again after 0.5 s of life and one to two
# sweeps of a second each, so this keeps about half the table busy.
CHURN_RATE = 40_000


@pytest.fixture
def crowd(lab: Lab):
    """c1 is the router in front of many hosts."""
    lab["nat"].ip(f"route replace {HOSTS_NET} via 10.77.0.11")
    yield lab
    lab["nat"].ip(f"route del {HOSTS_NET}")


def udp_flows(lab: Lab, *options: object, timeout: float = 240) -> dict:
    done = lab["c1"].run(
        helper("udp_flows"), "--device", "eth0", "--gateway", lab["nat"].mac("eth1"),
        "--host", FIRST_HOST, "--hosts", HOSTS, *options, timeout=timeout,
    )  # fmt: skip
    return json.loads(done.stdout)


def start_echo(lab: Lab, name: str) -> subprocess.Popen:
    server = lab[name].spawn(helper("udp_echo"), *PORTS)
    wait_until(lambda: lab[name].listens(PORTS[-1], "u"), "the echo listens")
    return server


def assert_no_drops(reasons: dict) -> None:
    drops = {n: r["packets"] for n, r in reasons.items() if r["verdict"] == "drop" and r["packets"]}
    assert drops == {}


def test_200000_flows_at_once(crowd: Lab) -> None:
    for name in ("s1", "s2"):
        start_echo(crowd, name)
    to = ",".join(f"{server}:{port}" for server in ("203.0.113.2", "203.0.113.3") for port in PORTS)
    rounds = 2
    result = udp_flows(crowd, "--to", to, "--flows", CONCURRENT, "--rounds", rounds, timeout=60)
    assert result["sent"] == result["answered"] == rounds * CONCURRENT, result
    assert result["wrong"] == 0

    flows = crowd.box.flows("--proto", "udp")
    assert len(flows) == CONCURRENT
    ip_bytes = 20 + 8 + 16
    for flow in flows:
        both = {"packets": rounds, "bytes": rounds * ip_bytes}
        assert flow["out"] == flow["in"] == both, flow
    mapped = {
        (f["external"]["port"], f["destination"]["address"], f["destination"]["port"])
        for f in flows
    }
    assert len(mapped) == CONCURRENT
    stats = crowd.box.stats()
    assert_no_drops(stats["reasons"])
    assert stats["events"]["flows_opened"] == CONCURRENT


@pytest.mark.load("--max-flows", 131072, "--udp-timeout", "0.5")
def test_flows_come_and_go_and_none_stays(crowd: Lab) -> None:
    """More flows than the table holds, over time: every slot is given back."""
    crowd["outrouter"].ip("route replace blackhole 192.0.2.0/24")
    to = ",".join(f"192.0.2.{number}:53" for number in range(1, 101))
    # the first packets of all wait for ARP, where few find room
    udp_flows(crowd, "--to", "192.0.2.250:53", "--flows", 1, "--unanswered", 1000)
    wait_until(lambda: "lladdr" in crowd["nat"].ip("neigh show 203.0.113.254"), "ARP is done")

    result = udp_flows(crowd, "--to", to, "--flows", CHURN, "--unanswered", CHURN_RATE)
    assert result["sent"] == CHURN

    def all_expired() -> bool:
        events = crowd.box.stats()["events"]
        return events["flows_expired"] == events["flows_opened"]

    wait_until(all_expired, "every flow has expired", 5)
    stats = crowd.box.stats()
    assert_no_drops(stats["reasons"])
    assert stats["events"]["flows_opened"] == CHURN + 1
    assert crowd.box.flows() == []
    assert crowd.box.status()["flows"]["now"] == 0


@pytest.mark.load("--max-flows", 1024, "--udp-timeout", "1")
def test_full_table_drops_and_recovers(crowd: Lab) -> None:
    """Too many flows are dropped with their reason; the table takes new ones afterwards."""
    crowd["outrouter"].ip("route replace blackhole 192.0.2.0/24")
    many = 20_000
    to = "192.0.2.1:53,192.0.2.2:53"
    result = udp_flows(crowd, "--to", to, "--flows", many, "--unanswered", 100_000)
    assert result["sent"] == many
    stats = crowd.box.stats()
    opened, full = stats["events"]["flows_opened"], stats["reasons"]["drop_table_full"]["packets"]
    assert opened >= 1024 and full > 0
    assert opened + full == many
    wait_until(lambda: crowd.box.flows() == [], "the table is empty again", 6)
    start_echo(crowd, "s1")

    def all_are_answered() -> bool:
        result = udp_flows(crowd, "--to", f"203.0.113.2:{PORTS[0]}", "--flows", 500)
        assert result["wrong"] == 0
        return result["answered"] == 500

    # what was removed last is not free before two ticks (34 ms) have passed
    wait_until(all_are_answered, "new flows find room", 15)
