# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""What reaches CloudWatch is what the traffic was, whatever CloudWatch does.

An interval of the default minute is a second here, and all else in proportion.

test-timeout: 600
"""

import json
import sys
import time
from pathlib import Path

import pytest
from agent import Agent
from lab import Lab, wait_until
from probes import UdpServer, echoed, tcp_pair, udp_client

sys.path.insert(0, str(Path(__file__).parents[1] / "aws"))

from standin import StandIn  # noqa: E402

PORT = 9000
KEYS = {"AWS_ACCESS_KEY_ID": "AKIDSTANDIN", "AWS_SECRET_ACCESS_KEY": "secret/standin+key"}


@pytest.fixture
def cloud(lab: Lab):
    server = StandIn()
    with lab["nat"].entered():
        server.start()
    yield server
    server.stop()
    assert server.problems == []


def agent_of(lab: Lab, cloud: StandIn, **conf: object) -> Agent:
    return Agent(lab, KEYS, **({
        "cloudwatch_metrics": "basic", "interval": 1, "sample": "0.2", "aws_region": cloud.region,
        "aws_endpoint": cloud.url, "aws_timeout": 2,
    } | conf))


def data(cloud: StandIn, name: str) -> list[dict]:
    return [datum for datum in list(cloud.world.metrics) if datum["MetricName"] == name]


def total(cloud: StandIn, name: str) -> float:
    return sum(datum["Value"] for datum in data(cloud, name))


def highest(cloud: StandIn, name: str) -> float:
    return max((d["StatisticValues"]["Maximum"] if "StatisticValues" in d else d["Value"])
               for d in data(cloud, name))


def times(cloud: StandIn, name: str) -> list[float]:
    return [float(datum["Timestamp"]) for datum in data(cloud, name)]


def test_sums_and_peaks(lab: Lab, cloud: StandIn) -> None:
    agent_of(lab, cloud)
    UdpServer(lab["s1"], PORT)
    sock = udp_client(lab["c1"], lab.server, PORT)
    for _ in range(3):
        assert all(echoed(sock, b"x" * 100) for _ in range(100))
        time.sleep(0.7)
    with tcp_pair(lab["c1"], lab["s1"], lab.server, PORT + 1):
        wait_until(lambda: data(cloud, "ActiveConnectionCount")
                   and highest(cloud, "ActiveConnectionCount") == 1, "it is active", 5)
    stats = lab.box.stats()["reasons"]
    out = stats["out_forwarded"]["packets"] + stats["out_via_kernel"]["packets"]
    wait_until(lambda: total(cloud, "PacketsOutToDestination") >= out, "all packets are there", 5)
    assert total(cloud, "ConnectionAttemptCount") == 1
    assert total(cloud, "ConnectionEstablishedCount") == 1
    assert total(cloud, "NewFlowCount") == 2
    assert total(cloud, "BytesOutToDestination") >= 300 * 128
    # all of a burst was within one sample of 0.2 s, or at the end of one and in the next
    assert 100 * 2 / 0.2 / 2.5 <= highest(cloud, "PeakPacketsPerSecond") <= 2 * 100 / 0.2 * 1.5
    assert highest(cloud, "FlowCount") == 2
    seen = times(cloud, "FlowCount")
    assert seen == sorted(set(seen)), "an interval came twice or out of order"
    [datum, *_] = data(cloud, "FlowCount")
    assert datum["Namespace"] == "NATXDP" and datum["Unit"] == "Count"
    assert datum["Dimensions"] == [{"Name": "NatId", "Value": "natxdp"},
                                   {"Name": "AvailabilityZone", "Value": "az1"}]


def outage(lab: Lab, cloud: StandIn, seconds: float, **fault: object) -> Agent:
    """An hour is `seconds` here. Traffic goes on; returns when all is well again."""
    agent = agent_of(lab, cloud)
    UdpServer(lab["s1"], PORT)
    sock = udp_client(lab["c1"], lab.server, PORT)
    wait_until(lambda: data(cloud, "FlowCount"), "metrics come", 8)
    wait_until(lambda: agent.get("/healthz")[0] == 200, "it is well", 8)
    cloud.faults.add(action="PutMetricData", **fault)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert echoed(sock)
        assert agent.get("/healthz")[0] == 200
        time.sleep(0.05)
    cloud.faults.clear()
    began = time.time()
    wait_until(lambda: times(cloud, "FlowCount")[-1] > began, "metrics come again", 15)
    return agent


@pytest.mark.parametrize("fault", [
    {"error": "ServiceUnavailable", "status": 503},
    {"error": "Throttling", "share": 0.9},
], ids=["down", "throttled"])
def test_nothing_is_lost_that_was_surely_not_taken(lab: Lab, cloud: StandIn, fault: dict) -> None:
    agent = outage(lab, cloud, 10, **fault)
    packets = agent.metrics()["natxdp_packets_out_to_destination_total"]
    wait_until(lambda: total(cloud, "PacketsOutToDestination") >= packets, "all are there", 20)
    assert agent.metrics()["natxdp_metric_data_lost_total"] == 0
    seen = times(cloud, "FlowCount")
    assert seen == sorted(set(seen)), "an interval came twice or out of order"
    # a machine that has no time for the agent makes two intervals one
    assert len(seen) >= 0.8 * (seen[-1] - seen[0]), "intervals are missing"


@pytest.mark.parametrize("fault", [
    {"delay": 3},
    {"garbage": b"<html>\xff"},
    {"error": "InternalFailure", "status": 500},
], ids=["slow", "garbage", "broken"])
def test_what_may_have_been_taken_is_counted_and_not_sent_twice(
        lab: Lab, cloud: StandIn, fault: dict) -> None:
    agent = outage(lab, cloud, 8, **fault)
    seen = times(cloud, "FlowCount")
    assert seen == sorted(set(seen)), "an interval came twice"
    lost = agent.metrics()["natxdp_metric_data_lost_total"]
    missing = int(seen[-1] - seen[0]) + 1 - len(seen)
    assert lost > 0 or missing == 0


def test_the_queue_is_bounded(lab: Lab, cloud: StandIn) -> None:
    """The oldest intervals go, and are counted."""
    agent = agent_of(lab, cloud, metrics_queue=3)
    wait_until(lambda: data(cloud, "FlowCount"), "metrics come", 8)
    cloud.faults.add(action="PutMetricData", error="ServiceUnavailable", status=503)
    wait_until(lambda: agent.metrics()["natxdp_metric_data_lost_total"] > 60, "some go", 15)
    assert agent.status()["aws"]["intervals_waiting"] <= 3
    cloud.faults.clear()
    began = time.time()
    wait_until(lambda: times(cloud, "FlowCount")[-1] > began, "metrics come again", 10)
    seen = times(cloud, "FlowCount")
    assert seen == sorted(set(seen))


@pytest.mark.load("--udp-timeout", 1)
def test_records_and_talkers_in_logs(lab: Lab, cloud: StandIn) -> None:
    agent = agent_of(lab, cloud, records="close", record_logs="flows", talkers=3,
                     talkers_logs="talkers", scan=1)
    UdpServer(lab["s1"], PORT)
    for client, size in ("c1", 5000), ("c2", 100):
        for _ in range(10):
            assert echoed(udp_client(lab[client], lab.server, PORT), b"x" * (size // 10))

    def events(group: str) -> list[dict]:
        streams = cloud.world.log_groups.get(group, {}).values()
        return [json.loads(message) for stream in streams for _, message in stream]

    wait_until(lambda: len(events("flows")) == 20, "all records are there", 15)
    assert {r["reason"] for r in events("flows")} == {"idle"}
    assert sum(r["bytes_out"] for r in events("flows")) == 20 * 28 + 5000 + 100
    wait_until(lambda: any(e["TopTalkerBytes"] for e in events("talkers")), "talkers are there", 5)
    first = next(e for e in events("talkers") if e["Kind"] == "source" and e["Rank"] == "1")
    assert first["Talker"] == "10.77.0.11"
    assert first["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "NATXDP"
    assert agent.status()["records"]["logs"] == {"written": 20, "lost": 0}


def test_notices_of_the_instance(lab: Lab, cloud: StandIn) -> None:
    agent = agent_of(lab, cloud, cloudwatch_metrics="off", imds="on", zone="auto",
                     imds_endpoint=cloud.imds_url, imds_interval="0.2")
    wait_until(lambda: agent.status()["zone"].startswith("eu-central-1"), "the zone is known", 5)
    wait_until(lambda: agent.get("/readyz")[0] == 200, "it is ready", 10)
    cloud.imds.spot_interruption(time.time() + 120)
    wait_until(lambda: agent.get("/readyz")[0] == 503, "it is not ready", 5)
    assert agent.get("/healthz")[0] == 200
    assert agent.status()["instance"]["spot"].startswith("terminate at")
    assert "instance: spot: terminate" in agent.messages()
