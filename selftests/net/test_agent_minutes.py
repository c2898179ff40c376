# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""Ten minutes by script: every metric that AWS/NATGateway has says what the traffic was.

The traffic is counted on the cables, by packet sockets, and by the script itself. A minute
takes two seconds here, as all of the agent's and the NAT's times are a thirtieth of theirs;
NATXDP_TEST_LONG=1 makes them real minutes.

test-timeout: 1200
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest
from agent_cloud import agent_of, data, times, total, value
from capture import Capture
from lab import Lab, wait_until
from probes import UdpServer, echoed, listener, udp_client

if TYPE_CHECKING:
    from standin import StandIn

LONG = bool(os.environ.get("NATXDP_TEST_LONG"))
MINUTE = 60 if LONG else 2
SAMPLE = MINUTE / 6 if LONG else 0.4  # peaks are averages over it
IDLE = 2 * MINUTE
PORT, UDP_PORT, CLOSED, CROWDED = 9000, 9100, 9200, 9300
PORTS = 12

# Names, units and order of "Monitor NAT gateways with Amazon CloudWatch", VPC User Guide.
SUMS = {
    "BytesInFromSource": "Bytes", "BytesOutToDestination": "Bytes",
    "BytesInFromDestination": "Bytes", "BytesOutToSource": "Bytes",
    "PacketsInFromSource": "Count", "PacketsOutToDestination": "Count",
    "PacketsInFromDestination": "Count", "PacketsOutToSource": "Count",
    "ConnectionAttemptCount": "Count", "ConnectionEstablishedCount": "Count",
    "ErrorPortAllocation": "Count", "IdleTimeoutCount": "Count", "PacketsDropCount": "Count",
}
HIGHEST = {"ActiveConnectionCount": "Count", "PeakBytesPerSecond": "None",
           "PeakPacketsPerSecond": "Count"}
EVENTS = list(SUMS)[8:]


class Wires:
    """What clients and the internet sent and got, counted at both ends of the NAT."""

    def __init__(self, lab: Lab) -> None:
        self.inside = Capture(lab["insw"], "nat", "ip and not host 10.77.0.1", snap=64)
        self.outside = Capture(lab["outsw"], "nat", f"ip host {lab.external}", snap=64)

    def counts(self) -> dict[str, int]:
        found = {}
        for capture, way, name in ((self.inside, True, "InFromSource"),
                                   (self.outside, False, "OutToDestination"),
                                   (self.outside, True, "InFromDestination"),
                                   (self.inside, False, "OutToSource")):
            frames = [frame for frame in capture.frames() if frame.outgoing == way]
            found[f"Packets{name}"] = len(frames)
            found[f"Bytes{name}"] = sum(frame.len for frame in frames)
        return found


class Script:
    """Phases, each within a minute of its own, and what was counted in it."""

    def __init__(self, lab: Lab, cloud: StandIn) -> None:
        self.lab, self.cloud = lab, cloud
        self.wires = Wires(lab)
        self.said: dict[str, dict[str, int]] = {}
        self.spans: dict[str, tuple[float, float]] = {}  # first and last interval
        self.moments: list[float] = []  # when an echo of `size` bytes was done, in this phase

    @contextlib.contextmanager
    def phase(self, name: str, **events: int) -> Iterator[None]:
        """events: those of EVENTS that happen in it; all others do not."""
        time.sleep(MINUTE - time.time() % MINUTE + MINUTE / 4)
        before, began, self.moments = self.wires.counts(), time.time(), []
        yield
        time.sleep(0.1)  # what is under way, and acknowledgements that wait for company
        after = self.wires.counts()
        self.spans[name] = began // MINUTE * MINUTE, time.time() // MINUTE * MINUTE
        self.said[name] = {key: after[key] - before[key] for key in after} | dict.fromkeys(
            EVENTS, 0) | events

    def echo(self, sock: socket.socket, size: int) -> None:
        assert echoed(sock, b"x" * size)
        self.moments.append(time.monotonic())

    def fastest(self) -> float:
        """Echoes a second: the most in any time as long as a sample."""
        best = max(sum(start <= moment < start + SAMPLE for moment in self.moments)
                   for start in self.moments)
        return best / SAMPLE

    def within(self, name: str, phase: str) -> list[dict]:
        first, last = self.spans[phase]
        return [datum for datum in data(self.cloud, name)
                if first <= float(datum["Timestamp"]) <= last]


def open_connections(lab: Lab, count: int) -> list[tuple[socket.socket, socket.socket]]:
    pairs = []
    for number in range(count):
        with listener(lab["s1"], PORT + number) as listening:
            near = lab["c1"].socket(socket.AF_INET, socket.SOCK_STREAM)
            near.settimeout(10)
            near.connect((lab.server, PORT + number))
            pairs.append((near, listening.accept()[0]))
    return pairs


def talk(pairs: list[tuple[socket.socket, socket.socket]]) -> None:
    for near, far in pairs:
        for _ in range(20):
            near.send(b"q" * 500)
            assert far.recv(500, socket.MSG_WAITALL)
            far.send(b"a" * 300)
            assert near.recv(300, socket.MSG_WAITALL)


def close(pair: tuple[socket.socket, socket.socket], reset: bool = False) -> None:
    if reset:
        pair[0].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    for sock in pair:
        sock.close()


@contextlib.contextmanager
def silent_port(lab: Lab) -> Iterator[None]:
    lab["s1"].run("nft", "add table ip t; add chain ip t in { type filter hook input priority 0; "
                  f"}}; add rule ip t in tcp dport {CLOSED} drop")
    try:
        yield
    finally:
        lab["s1"].run("nft", "delete table ip t")


def play(script: Script, active: Callable[[int], None]) -> None:
    lab = script.lab
    with script.phase("silence"):
        time.sleep(MINUTE / 2)
    with script.phase("connections", ConnectionAttemptCount=5, ConnectionEstablishedCount=5):
        pairs = open_connections(lab, 5)
        talk(pairs)
        active(5)
        for pair in pairs:
            close(pair)
        active(0)
    socks = [udp_client(lab[client], lab.server, UDP_PORT) for client in ("c1", "c2", "c2")]
    with script.phase("burst"):
        for _ in range(100):
            for sock in socks:
                script.echo(sock, 200)
    burst = script.fastest()
    with script.phase("steady"):
        begin = time.monotonic()
        for number in range(50):
            script.echo(socks[0], 1000)
            time.sleep(max(0, begin + number * 0.8 * MINUTE / 50 - time.monotonic()))
    steady = script.fastest()
    script.peaks = {"burst": (burst, 228), "steady": (steady, 1028)}
    with silent_port(lab), script.phase("no answer", ConnectionAttemptCount=3):
        for _ in range(3):
            sock = lab["c1"].socket(socket.AF_INET, socket.SOCK_STREAM)
            sock.setblocking(False)
            sock.connect_ex((lab.server, CLOSED))
            time.sleep(0.05)  # a SYN, and none that is repeated after a second
            sock.close()
    with script.phase("no port", ErrorPortAllocation=3, PacketsDropCount=3):
        for number in range(PORTS + 3):
            udp_client(lab["c1"], lab.server, CROWDED).send(b"crowd")
            time.sleep(0.01)
    with script.phase("unsolicited"):
        with lab["s1"].socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            for number in range(7):
                sock.sendto(b"knock knock", (lab.external, 40000 + number))
    with script.phase("endings", ConnectionAttemptCount=5, ConnectionEstablishedCount=5):
        opened = time.time()
        pairs = open_connections(lab, 5)
        active(5)
        for number in range(3):
            close(pairs[number], reset=number == 2)
        active(2)
    script.forgotten = opened, pairs[3:]  # their last packets came after that


@pytest.mark.load("--tcp-established-timeout", IDLE, "--udp-timeout", 5,
                  "--port-range", f"20000-{20000 + PORTS - 1}")
def test_ten_minutes(lab: Lab, cloud: StandIn) -> None:
    agent = agent_of(lab, cloud, interval=MINUTE, sample=SAMPLE, scan=MINUTE / 20)
    UdpServer(lab["s1"], UDP_PORT)
    UdpServer(lab["s1"], CROWDED)
    wait_until(lambda: len(data(cloud, "FlowCount")) > 1, "metrics come", 5 * MINUTE)
    script = Script(lab, cloud)

    def active(count: int) -> None:
        wait_until(lambda: agent.metrics()["natxdp_active_connections"] == count,
                   f"{count} connections are active", 20)

    play(script, active)
    wait_until(lambda: total(cloud, "IdleTimeoutCount") == 2, "two were forgotten", 6 * IDLE)
    end = time.time()
    wait_until(lambda: times(cloud, "FlowCount")[-1] > end, "the last minute is there", 4 * MINUTE)
    check_sums(script, cloud)
    check_peaks(script)
    check_form(cloud)
    assert agent.metrics()["natxdp_metric_data_lost_total"] == 0


def check_sums(script: Script, cloud: StandIn) -> None:
    on_wires = script.wires.counts()
    expected = {name: sum(said[name] for said in script.said.values()) for name in EVENTS}
    assert {name: total(cloud, name) for name in SUMS} == on_wires | expected | {
        "IdleTimeoutCount": 2}
    # each minute has what happened in it; what nobody closed ends later, perhaps in the last one
    script.said["endings"]["IdleTimeoutCount"] = sum(
        datum["Value"] for datum in script.within("IdleTimeoutCount", "endings"))
    for phase, said in script.said.items():
        assert {name: sum(datum["Value"] for datum in script.within(name, phase))
                for name in SUMS} == said, phase
    idle = [float(datum["Timestamp"]) for datum in data(cloud, "IdleTimeoutCount")
            if datum["Value"]]
    assert script.forgotten[0] + IDLE - 0.1 <= idle[0] + MINUTE, "forgotten too early"
    assert max(map(value, data(cloud, "ActiveConnectionCount"))) == 5
    assert value(data(cloud, "ActiveConnectionCount")[-1]) == 0
    for phase in ("connections", "endings"):
        assert max(map(value, script.within("ActiveConnectionCount", phase))) == 5, phase
    for phase in ("silence", "burst", "unsolicited"):
        assert max(map(value, script.within("ActiveConnectionCount", phase))) == 0, phase


def check_peaks(script: Script) -> None:
    """A sample begins at any time: a burst may be in two of them, what is steady is not."""
    for phase, (rate, size) in script.peaks.items():
        least = 0.45 if phase == "burst" else 0.7
        for name, highest in (("PeakPacketsPerSecond", 2 * rate),
                              ("PeakBytesPerSecond", 2 * rate * size)):
            peak = max(map(value, script.within(name, phase)))
            assert least * highest <= peak <= 1.3 * highest, (phase, name, peak, highest)
    for name in ("PeakPacketsPerSecond", "PeakBytesPerSecond"):
        assert max(map(value, script.within(name, "silence"))) == 0


def check_form(cloud: StandIn) -> None:
    """Each minute has each metric once, with its unit, under the names of the NAT."""
    minutes = times(cloud, "FlowCount")
    assert minutes == sorted(set(minutes))
    for name, unit in (SUMS | HIGHEST).items():
        # a rate takes two samples: an agent that has just started has none
        assert times(cloud, name) in (minutes, minutes[1:]), name
        for datum in data(cloud, name):
            assert (datum["Namespace"], datum["Unit"]) == ("NATXDP", unit), name
            assert datum["Dimensions"] == [{"Name": "NatId", "Value": "natxdp"},
                                           {"Name": "AvailabilityZone", "Value": "az1"}]
            assert float(datum["Timestamp"]) % MINUTE == 0
