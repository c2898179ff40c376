# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""Nodes behind a Gateway Load Balancer (gwlb.py) come and go while 300 clients talk."""

from __future__ import annotations

import contextlib
import random
import selectors
import socket
import struct
import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from agent import PORT as AGENT_PORT
from agent import SANITIZED, Agent
from agent_cloud import KEYS
from capture import Capture
from gwlb import Fleet, HealthChecks
from lab import wait_until
from test_gwlb import CLIENTS, ENDPOINTS, PATIENCE, PORT, Client, fleet, serving, udp

if TYPE_CHECKING:
    from standin import StandIn

__all__ = ["fleet"]
FIRST, SECOND = "10.0.0.11", "10.0.0.12"
INSTANCE = "i-0000000000000000a"
TARGET = f"{INSTANCE}:6081"
GROUP = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/egress/0123456789abcdef"


class Stream:
    """A connection that goes on: messages that say whose they are, and each comes back as it was."""

    PAUSE = 0.3

    def __init__(self, fleet: Fleet, endpoint: int, host: int) -> None:
        self.endpoint, self.host = endpoint, host
        with fleet.tenants[endpoint].entered():
            self.sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.sock.setblocking(False)
        self.sock.bind((f"10.0.1.{host}", 0))
        # closed at once: the kernel would go on sending, into the tests after this one
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.connect_ex((fleet.server, PORT))
        self.client = Client(fleet, endpoint, self.sock)
        self.node = ""  # known with the first answer
        self.rounds = 0
        self.awaited = b""
        self.due = 0.0
        self.broken = ""

    def message(self) -> bytes:
        text = f"{self.endpoint} {self.host} {self.sock.getsockname()[1]} {self.rounds} "
        return text.encode() + random.Random(text).randbytes(50 + self.rounds * 97 % 900)

    def turn(self, now: float) -> None:
        """Connected and nothing under way, or something has come."""
        try:
            if not self.awaited:
                self.awaited = self.message()
                self.sock.send(self.awaited)
                return
            got = self.sock.recv(65535)
            assert got and self.awaited.startswith(got), f"{got!r}, not {self.awaited!r}"
            self.awaited = self.awaited[len(got) :]
        except (OSError, AssertionError) as error:
            self.broken = str(error)
            return
        if not self.awaited:
            self.node = self.node or self.client.target()
            self.rounds += 1
            self.due = now + self.PAUSE


class Traffic:
    """Every client behind every endpoint has a connection, and a new one when that is reset."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self.selector = selectors.DefaultSelector()
        self.streams: list[Stream] = []
        self.broken: list[Stream] = []
        self.wanted = [(endpoint, host) for endpoint in range(ENDPOINTS)
                       for host in range(1, CLIENTS + 1)]
        self.count = len(self.wanted)
        self.stopping = False
        self.thread = threading.Thread(target=self.work, daemon=True)
        fleet.lab.stack.callback(self.stop)
        self.thread.start()
        self.settle()

    def stop(self) -> None:
        self.stopping = True
        self.thread.join(10)
        for stream in self.streams:
            stream.sock.close()
        self.selector.close()

    def work(self) -> None:
        while not self.stopping:
            while self.wanted:
                stream = Stream(self.fleet, *self.wanted.pop())
                self.selector.register(stream.sock, selectors.EVENT_WRITE, stream)
                self.streams.append(stream)
            for key, _ in self.selector.select(0.02):
                self.turn(key.data)
            now = time.monotonic()
            for stream in [each for each in self.streams
                           if each.rounds and not each.awaited and each.due < now]:
                self.turn(stream)

    def turn(self, stream: Stream) -> None:
        stream.turn(time.monotonic())
        if not stream.broken:
            self.selector.modify(stream.sock, selectors.EVENT_READ, stream)
            return
        self.selector.unregister(stream.sock)
        stream.sock.close()
        self.broken.append(stream)
        self.streams.remove(stream)
        self.wanted.append((stream.endpoint, stream.host))

    def settle(self) -> None:
        """Until each has had answers to two more messages, those that are new as well."""
        before = {stream: stream.rounds for stream in list(self.streams)}

        def settled() -> bool:
            now = list(self.streams)
            return len(now) == self.count and all(
                stream.rounds >= before.get(stream, 0) + 2 for stream in now)

        wait_until(settled, "all streams go on", 3 * PATIENCE)

    def at(self, node: str) -> set[Stream]:
        return {stream for stream in list(self.streams) if stream.node == node}

    def more(self, count: int = 30) -> set[str]:
        """Further connections beside the others. Returns to which nodes they went."""
        begun = set(self.streams)
        self.count += count
        self.wanted += [(number % ENDPOINTS, 1 + number) for number in range(count)]
        self.settle()
        return {stream.node for stream in list(self.streams) if stream not in begun}


def wait_for_targets(checks: HealthChecks, *targets: str) -> None:
    with contextlib.suppress(TimeoutError):
        wait_until(lambda: checks.gwlb.targets == list(targets), "", 3 * PATIENCE)
    assert checks.gwlb.targets == list(targets), checks.said


def flows_left(agent: Agent) -> int:
    return agent.status()["drain"]["flows"]


def test_nodes_come_and_go_under_load(fleet: Fleet) -> None:
    """One is added, drained, fails, and comes again. Nobody else's connection feels that."""
    with serving(fleet, 2) as (_, nodes):
        agents = [Agent(fleet.lab, role=node.box.ns.role, pin_dir=node.box.pin_dir,
                        http_listen=f"0.0.0.0:{AGENT_PORT}") for node in nodes]
        fleet.gwlb.targets = []
        checks = HealthChecks(fleet.gwlb, AGENT_PORT, "/readyz")
        checks.add(FIRST)
        wait_for_targets(checks, FIRST)
        traffic = Traffic(fleet)
        assert len(traffic.at(FIRST)) == ENDPOINTS * CLIENTS

        checks.add(SECOND)
        wait_for_targets(checks, FIRST, SECOND)
        assert traffic.more() == {FIRST, SECOND}

        done = agents[0].natxdpd("drain", "-t", 1, check=False)
        assert done.returncode == 6 and "flows are left after 1 s" in done.stderr
        wait_for_targets(checks, SECOND)
        old = traffic.at(FIRST)
        assert traffic.more() == {SECOND}
        assert traffic.at(FIRST) == old and flows_left(agents[0]) == len(old)
        agents[0].natxdpd("drain", "--undo")
        wait_for_targets(checks, FIRST, SECOND)
        assert traffic.more() == {FIRST, SECOND}
        assert not traffic.broken, traffic.broken[0].broken

        fleet.gwlb.rehash = True
        lost, others = traffic.at(FIRST), traffic.at(SECOND)
        fleet.nodes[FIRST].ip("link set eth0 down")
        try:
            wait_for_targets(checks, SECOND)
            # by the node to which they go then, and which does not know them
            wait_until(lambda: len(traffic.broken) == len(lost), "all are reset", PATIENCE)
            traffic.settle()
            assert set(traffic.broken) == lost
            assert {stream.broken for stream in lost} == {"[Errno 104] Connection reset by peer"}
        finally:
            fleet.nodes[FIRST].ip("link set eth0 up")
            fleet.nodes[FIRST].ip("route replace default via 10.0.0.1")
        wait_for_targets(checks, FIRST, SECOND)
        assert traffic.more() == {FIRST, SECOND}
        assert others <= traffic.at(SECOND) and set(traffic.broken) == lost
        checks.stop()
        for agent in agents:
            agent.kill()


@pytest.fixture
def cloud(fleet: Fleet) -> Iterator[StandIn]:
    """AWS, on loopback of the first node: its target group, and the Auto Scaling group."""
    from standin import StandIn

    server = StandIn()
    server.world.target_groups[GROUP] = {"targets": {}, "port": 6081}
    server.world.groups["egress"] = {
        "minimum": 1, "maximum": 3, "desired": 1, "hooks": ["terminate"],
        "instances": {INSTANCE: {"zone": "a", "state": "InService", "health": "Healthy"}}}
    with fleet.nodes[FIRST].entered():
        server.start()
    yield server
    server.stop()
    assert server.problems == []


class Talk:
    """A UDP flow that goes on until it is ended, and has an answer to each datagram."""

    def __init__(self, fleet: Fleet) -> None:
        self.sock = udp(fleet, 1, 9)
        self.sock.connect((fleet.server, PORT))
        self.answers = 0
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.work, daemon=True)
        fleet.lab.stack.callback(self.end)
        self.thread.start()
        self.goes_on()

    def work(self) -> None:
        while not self.ended.wait(0.2):
            self.sock.send(b"still")
            assert self.sock.recv(100) == b"still"
            self.answers += 1

    def goes_on(self) -> None:
        before = self.answers
        wait_until(lambda: self.answers > before + 1, "it is served", PATIENCE)

    def end(self) -> None:
        self.ended.set()
        self.thread.join(PATIENCE)


def test_a_drain_serves_until_nothing_is_left(fleet: Fleet, cloud: StandIn) -> None:
    """By an operator, remembered and taken back; and because Auto Scaling ends the instance."""
    targets, actions = cloud.world.target_groups[GROUP]["targets"], cloud.world.lifecycle_actions
    with serving(fleet, 1, "--udp-timeout", 3) as (_, nodes):
        agent = Agent(
            fleet.lab, KEYS, program=SANITIZED, role=nodes[0].box.ns.role, pin_dir=nodes[0].box.pin_dir,
            drain_quiet=1, drain_time=600, imds="on", imds_interval="0.2",
            imds_endpoint=cloud.imds_url, aws_endpoint=cloud.url, aws_region=cloud.region,
            ha_target_group=GROUP, ha_group="egress", ha_lifecycle_hook="terminate")
        wait_until(lambda: targets == {TARGET: "initial"}, "it is registered", PATIENCE)
        talk = Talk(fleet)
        done = agent.natxdpd("drain", "-t", 1, check=False)
        assert done.returncode == 6 and "1 flows are left after 1 s" in done.stderr
        wait_until(lambda: targets == {TARGET: "draining"}, "it is deregistered", PATIENCE)
        assert agent.get("/readyz") == (503, "this node is asked to leave\n")
        assert agent.get("/healthz")[0] == 200
        talk.goes_on()
        agent.kill()
        agent.start()
        assert agent.get("/readyz")[0] == 503, "a restart of the agent takes no drain back"
        drain = agent.status()["drain"]
        assert (drain["draining"], drain["drained"], drain["flows"]) == (True, False, 1)
        agent.natxdpd("drain", "--undo")
        wait_until(lambda: agent.get("/readyz")[0] == 200, "it is ready", PATIENCE)
        wait_until(lambda: targets == {TARGET: "initial"}, "it is registered again", PATIENCE)

        cloud.imds.lifecycle("Terminated")
        wait_until(lambda: agent.status()["drain"]["draining"], "it drains", PATIENCE)
        talk.goes_on()
        assert not actions
        talk.end()
        wait_until(lambda: actions, "Auto Scaling may go on", 2 * PATIENCE)
        assert actions == [("terminate", "egress", INSTANCE, "CONTINUE")]
        wait_until(lambda: targets == {TARGET: "draining"}, "it is deregistered", PATIENCE)
        assert not nodes[0].box.flows()
        assert agent.natxdpd("drain").stdout == "no flow is left\n"
        done = nodes[0].box.run("failover", check=False)
        assert done.returncode == 6 and "this node has no peers" in done.stderr
        agent.kill()


def test_verify_sends_a_packet_by_the_wire(fleet: Fleet) -> None:
    """As if a load balancer had sent it; the answer goes to where none is."""
    with serving(fleet, 1, "--gwlb-sources", "10.0.0.0/24") as (_, nodes):
        box = nodes[0].box
        box.ns.run("ping", "-c", 1, "-W", 5, "10.0.0.1")
        # a router of a VPC does not answer either
        fleet.lab["router"].socket(socket.AF_INET, socket.SOCK_DGRAM).bind(("10.0.0.1", 6081))
        wrapped = Capture(fleet.lab["vpc"], "n1", "udp dst port 6081 and src host 10.0.0.11",
                          outgoing=False)
        for target in (fleet.server, f"{fleet.server}:{PORT}", f"{fleet.server}:{PORT + 1}"):
            report = box.json("verify", "--probe", target)
            [found] = [check for check in report["checks"] if check["check"] == "wire"]
            assert report["result"] == "ok" and f"it answered {FIRST}:" in found["found"], report
        flows = box.flows()
        assert [flow["in"]["packets"] for flow in flows] == [1, 1, 1]
        assert {flow["tunnel"]["endpoint"] for flow in flows} == {"0" * 16}
        answers = [frame.payload[40:] for frame in wrapped.forget()]  # behind GENEVE
        assert [(inner[9], inner[16:20]) for inner in answers] == [
            (proto, socket.inet_aton(flows[0]["inside"]["address"]))
            for proto in (socket.IPPROTO_ICMP, socket.IPPROTO_TCP, socket.IPPROTO_TCP)]
