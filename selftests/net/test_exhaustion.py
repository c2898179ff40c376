# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""Every port of one external address is in use for one destination.

test-timeout: 600
"""

import json

import pytest
from capture import Capture, assert_checksums
from lab import Lab, wait_until
from probes import echoed, helper, udp_client

HOSTS = 16
FIRST_HOST = "10.79.0.1"
HOSTS_NET = "10.79.0.0/16"
PORT = 7001
ALL = 65535
IDLE = 15  # seconds: longer than it takes to open the flows of all ports
REFUSED = ("reply_no_port", "drop_no_port")
ERROR = "icmp[0] == 3 and icmp[1] == 13"


@pytest.fixture
def crowd(lab: Lab):
    """c1 is the router in front of many hosts."""
    lab["nat"].ip(f"route replace {HOSTS_NET} via 10.77.0.11")
    for name in ("s1", "s2"):
        lab[name].spawn(helper("udp_echo"), PORT)
        wait_until(lambda name=name: lab[name].listens(PORT, "u"), "the echo listens")
    yield lab
    lab["nat"].ip(f"route del {HOSTS_NET}")


def udp_flows(lab: Lab, server: str, flows: int) -> dict:
    done = lab["c1"].run(
        helper("udp_flows"), "--device", "eth0", "--gateway", lab["nat"].mac("eth1"),
        "--host", FIRST_HOST, "--hosts", HOSTS, "--to", f"{server}:{PORT}", "--flows", flows,
    )  # fmt: skip
    return json.loads(done.stdout)


def refused(lab: Lab) -> int:
    return sum(lab.box.packets(reason) for reason in REFUSED)


@pytest.mark.load(
    "--external", f"203.0.113.1:1-{ALL}", "--host-ports", "none", "--udp-timeout", IDLE
)
def test_all_65535_ports(crowd: Lab) -> None:
    # in full use the NAT itself needs no port: nobody must ask for one meanwhile
    result = udp_flows(crowd, "203.0.113.2", ALL)
    assert result["answered"] == ALL and result["wrong"] == 0, result
    assert crowd.box.status()["flows"]["now"] == ALL
    assert refused(crowd) == 0
    [pool] = crowd.box.json("pools")
    assert pool["fullest"]["ports_used"] == pool["ports_usable"] == ALL

    heard = Capture(crowd["c2"], "eth0", ERROR, outgoing=False)
    late = udp_client(crowd["c2"], "203.0.113.2", PORT)
    late.settimeout(0.2)
    assert not echoed(late)
    [error] = heard.first(1)
    assert_checksums(error)
    assert error.src == "10.77.0.1"
    assert refused(crowd) == 1

    # a flood of doomed flows is counted to the last one, and hears few answers
    heard.forget()
    crowd["c2"].run(
        helper("udp_flows"), "--device", "eth0", "--gateway", crowd["nat"].mac("eth1"),
        "--host", "10.77.0.12", "--to", f"203.0.113.2:{PORT}", "--flows", 5000,
        "--unanswered", 20000,
    )  # fmt: skip
    wait_until(lambda: refused(crowd) == 5001, "all are counted")
    assert crowd.box.packets("reply_no_port") < 1000
    assert len(heard.frames()) == crowd.box.packets("reply_no_port") - 1

    elsewhere = udp_client(crowd["c2"], "203.0.113.3", PORT)
    assert echoed(elsewhere), "another destination has all its ports"
    wait_until(lambda: crowd.box.status()["flows"]["now"] == 0, "all have expired", 2 * IDLE)
    result = udp_flows(crowd, "203.0.113.2", ALL)
    assert result["answered"] == ALL and result["wrong"] == 0, "every port can be used again"
    assert refused(crowd) == 5001
