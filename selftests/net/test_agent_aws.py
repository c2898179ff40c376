# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""What reaches CloudWatch is what the traffic was, whatever CloudWatch does.

An interval of the default minute is a second here, and all else in proportion.

test-timeout: 1800
"""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING

import pytest
from agent_cloud import agent_of, data, highest, times, total
from lab import Lab, wait_until
from probes import UdpServer, echoed, helper, tcp_pair, udp_client

if TYPE_CHECKING:
    from standin import StandIn

PORT = 9000
LONG = bool(os.environ.get("NATXDP_TEST_LONG"))
HOUR = 60 if LONG else 4  # intervals of an outage; one of ten minutes where it may not take long


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


class Outages:
    """Traffic that goes on, and an agent that is well, whatever AWS does."""

    def __init__(self, lab: Lab, cloud: StandIn) -> None:
        self.cloud = cloud
        self.agent = agent_of(lab, cloud)
        UdpServer(lab["s1"], PORT)
        self.sock = udp_client(lab["c1"], lab.server, PORT)
        wait_until(lambda: data(cloud, "FlowCount"), "metrics come", 15)
        wait_until(lambda: self.agent.get("/healthz")[0] == 200, "it is well", 15)

    def pass_an_hour(self, **fault: object) -> None:
        """Returns when metrics come again."""
        self.cloud.faults.add(action="PutMetricData", **fault)
        end = time.monotonic() + HOUR
        while time.monotonic() < end:
            assert echoed(self.sock)
            assert self.agent.get("/healthz")[0] == 200
            time.sleep(0.05)
        assert self.agent.status()["aws"]["intervals_waiting"] <= HOUR + 3
        self.cloud.faults.clear()
        began = time.time()
        wait_until(lambda: times(self.cloud, "FlowCount")[-1] > began, "metrics come again", 30)

    def lost(self) -> float:
        return self.agent.metrics()["natxdp_metric_data_lost_total"]

    def intervals(self) -> list[float]:
        """None came twice, or out of order."""
        seen = times(self.cloud, "FlowCount")
        assert seen == sorted(set(seen)), "an interval came twice or out of order"
        return seen

    def wait_for_all(self) -> None:
        packets = self.agent.metrics()["natxdp_packets_out_to_destination_total"]
        wait_until(lambda: total(self.cloud, "PacketsOutToDestination") >= packets,
                   "all are there", 20)


def test_nothing_is_lost_that_was_surely_not_taken(lab: Lab, cloud: StandIn) -> None:
    """AWS is down; takes one call in ten; takes half an interval, 30 s of 60, for each answer."""
    outages = Outages(lab, cloud)
    for fault in ({"error": "ServiceUnavailable", "status": 503},
                  {"error": "Throttling", "share": 0.9},
                  {"delay": 0.5}):
        outages.pass_an_hour(**fault)
        outages.wait_for_all()
        assert outages.lost() == 0, fault
    seen = outages.intervals()
    # a machine that has no time for the agent makes two intervals one
    assert len(seen) >= 0.8 * (seen[-1] - seen[0]), "intervals are missing"


def test_what_may_have_been_taken_is_counted_and_not_sent_twice(
        lab: Lab, cloud: StandIn) -> None:
    """No answer in time; answers that mean nothing; one call in ten fails, or all do."""
    outages = Outages(lab, cloud)
    for fault in ({"delay": 3},
                  {"garbage": b"<html>\xff"},
                  {"error": "InternalFailure", "status": 500, "share": 0.1},
                  {"error": "InternalFailure", "status": 500}):
        before = len(outages.intervals()), outages.lost()
        began = times(cloud, "FlowCount")[-1]
        outages.pass_an_hour(**fault)
        seen = outages.intervals()
        missing = int(seen[-1] - began) - (len(seen) - before[0])
        assert outages.lost() > before[1] or missing <= 0, fault


if LONG:
    def test_half_a_minute_for_each_answer(lab: Lab, cloud: StandIn) -> None:
        """In real time, with the timeouts that there are by default: they are as long."""
        agent = agent_of(lab, cloud, interval=60, sample=10, aws_timeout=30)
        UdpServer(lab["s1"], PORT)
        sock = udp_client(lab["c1"], lab.server, PORT)
        cloud.faults.add(action="PutMetricData", delay=29)
        end = time.monotonic() + 240
        while time.monotonic() < end:
            assert echoed(sock)
            assert agent.get("/healthz")[0] in (200, 503)
            time.sleep(0.5)
        assert len(data(cloud, "FlowCount")) >= 2
        assert agent.metrics()["natxdp_metric_data_lost_total"] == 0


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
    # told when an interval of a second is over, under the time at which it began
    [stream] = cloud.world.log_groups["talkers"].values()
    assert {at - json.loads(text)["_aws"]["Timestamp"] for at, text in stream} == {1000}
    assert agent.status()["records"]["logs"] == {"written": 20, "lost": 0}


@pytest.mark.load("--udp-timeout", 1)
def test_many_records_in_logs(lab: Lab, cloud: StandIn) -> None:
    """More than a batch may hold, at once: the stand-in refuses those that are against the rules."""
    agent = agent_of(lab, cloud, records="close", record_logs="flows", cloudwatch_metrics="off")
    lab["nat"].ip("route replace 10.79.0.0/16 via 10.77.0.11")
    lab["outrouter"].ip("route replace blackhole 192.0.2.0/24")
    try:
        lab["c1"].run(helper("udp_flows"), "--device", "eth0", "--gateway", lab["nat"].mac("eth1"),
                      "--host", "10.79.0.1", "--hosts", 16, "--flows", 12_000, "--to",
                      ",".join(f"192.0.2.{n}:53" for n in range(1, 101)), "--unanswered", 12_000)
    finally:
        lab["nat"].ip("route del 10.79.0.0/16")
    opened = lab.box.stats()["events"]["flows_opened"]
    assert opened > 10_000

    def logs() -> dict[str, int]:
        return agent.status()["records"]["logs"]

    wait_until(lambda: sum(logs().values()) + lab.box.stats()["events"]["records_lost"] == opened,
               "each is accounted for", 30)
    [stream] = cloud.world.log_groups["flows"].values()
    assert logs()["written"] == len(stream) > 3000
    assert agent.metrics()["natxdp_aws_call_errors_total"] == 0


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
