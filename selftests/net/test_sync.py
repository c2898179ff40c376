# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""Replication between two nodes: the same flows on both, whatever the network does, and
connections that live on when the other node takes over."""

from __future__ import annotations

import hashlib
import random
import socket
import threading
import time
from collections.abc import Iterator

import nodes
import pytest
from lab import Lab, wait_until
from nodes import Node
from probes import UdpServer, connect, helper, listener, tcp_pair

pytestmark = pytest.mark.usefixtures("loaded")
FLOWS = 12_000


@pytest.fixture(scope="module")
def pair() -> Iterator[Lab]:
    with nodes.build() as lab:
        yield lab


@pytest.fixture
def loaded(pair: Lab, request: pytest.FixtureRequest) -> Iterator[None]:
    marker = request.node.get_closest_marker("load")
    with pair.scope():
        nodes.move(pair, "nata")
        for node in pair.nodes.values():
            pair.stack.callback(node.unload)
            node.load(*(marker.args if marker else ("--max-flows", 40_000)))
        yield


def start(lab: Lab) -> tuple[Node, Node]:
    a, b = lab.nodes["nata"], lab.nodes["natb"]
    a.start(0b01, "natb")
    b.start(0b10, "nata")
    both_synced(a, b)
    return a, b


def both_synced(*nodes: Node) -> None:
    for node in nodes:
        wait_until(lambda node=node: node.state()["synced"], f"{node.role} has told all", 30)


def open_udp(lab: Lab, role: str, flows: int, rate: int = 20_000, host: str = "10.79.0.1") -> None:
    """Frames of many inside hosts, as the router sends them to the node."""
    node = lab.nodes[role]
    done = lab["router"].run(
        helper("udp_flows"), "--device", role, "--gateway", node.ns.mac("eth0"),
        "--host", host, "--hosts", 16, "--flows", flows, "--unanswered", rate,
        "--to", ",".join(f"192.0.2.{n}:53" for n in range(1, 20)), timeout=100)
    assert done.returncode == 0


def same_flows(a: Node, b: Node, slot: int) -> bool:
    return a.told(slot) == b.told(slot)


def same(a: Node, b: Node, slot: int, count: int) -> None:
    wait_until(lambda: same_flows(a, b, slot), "the tables are alike", 30)
    assert len(a.told(slot)) == count


def test_every_flow_of_both_slots(pair: Lab) -> None:
    a, b = start(pair)
    open_udp(pair, "nata", FLOWS)
    open_udp(pair, "natb", 3000, host="10.80.0.1")
    a.flush()
    b.flush()
    assert a.told(0) == b.told(0)
    assert a.told(1) == b.told(1)
    assert len(a.told(0)) == FLOWS
    assert len(a.told(1)) == 3000
    for node in a, b:
        state = node.state()
        assert state["refused"] == state["full"] == state["bad"] == state["not_here"] == 0
        assert state["lag_ms"] < 2000


@pytest.mark.load("--max-flows", 40_000, "--udp-timeout", "4s", "--icmp-timeout", "4s")
def test_a_flow_that_closes(pair: Lab) -> None:
    a, b = start(pair)
    open_udp(pair, "nata", 2000)
    a.flush()
    assert len(b.told(0)) == 2000
    wait_until(lambda: not a.told(), "the flows have expired", 30)
    wait_until(lambda: not b.told(), "their copies go with them", 3)
    assert b.state()["removed"] + int(b.stats("flows_expired")) >= 2000


def test_loss(pair: Lab) -> None:
    """A tenth of all is lost, both ways. (Not by netem: a kernel need not have it.)"""
    a, b = start(pair)
    for node in a, b:
        node.ns.run("nft", f"""table ip lossy {{
            chain in {{
                type filter hook input priority 0;
                udp dport {nodes.PORT} numgen random mod 10 0 drop
            }}
        }}""")
    try:
        open_udp(pair, "nata", FLOWS)
        same(a, b, 0, FLOWS)
        assert a.state()["sent_again"] > 0
    finally:
        for node in a, b:
            node.ns.run("nft", "delete table ip lossy")
    wait_until(lambda: a.state()["lag_ms"] < 200, "no lag any more", 10)


def test_either_agent_restarts(pair: Lab) -> None:
    a, b = start(pair)
    open_udp(pair, "nata", 5000)
    a.flush()
    b.kill()
    # what closes meanwhile, and what opens
    a.load("--max-flows", 40_000, "--udp-timeout", "1s")
    wait_until(lambda: not a.told(), "the flows have expired", 30)
    a.load("--max-flows", 40_000)
    open_udp(pair, "nata", 6000, host="10.81.0.1")
    assert len(b.told(0)) == 5000
    b.start(0b10, "nata")
    same(a, b, 0, 6000)
    # some have made way before, to new flows with their external end
    assert 4800 <= b.state()["evicted"] <= 5000
    a.kill()
    open_udp(pair, "nata", 2000, host="10.82.0.1")
    a.start(0b01, "natb")
    same(a, b, 0, 8000)


class Echo:
    """Echoes each connection on s1, and remembers from where it came."""

    def __init__(self, lab: Lab, port: int) -> None:
        self.seen: list[tuple[str, int]] = []
        self.listening = listener(lab["s1"], port)
        self.listening.settimeout(60)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self) -> None:
        try:
            while True:
                sock, peer = self.listening.accept()
                self.seen.append(peer)
                threading.Thread(target=self.echo, args=(sock,), daemon=True).start()
        except OSError:
            pass

    def echo(self, sock: socket.socket) -> None:
        with sock:
            while data := sock.recv(65536):
                sock.sendall(data)


class Talk:
    """One connection with data in flight until it is told to end."""

    def __init__(self, lab: Lab, port: int, seed: int) -> None:
        self.sock = connect(lab["c1"], nodes.SERVER, port)
        self.sock.settimeout(30)
        self.random = random.Random(seed)
        self.ending, self.sent = threading.Event(), hashlib.sha256()
        self.got, self.bytes, self.error = hashlib.sha256(), 0, None
        self.threads = [threading.Thread(target=what, daemon=True) for what in (self.send, self.receive)]
        for thread in self.threads:
            thread.start()

    def send(self) -> None:
        try:
            while not self.ending.is_set():
                data = self.random.randbytes(2000)
                self.sock.sendall(data)
                self.sent.update(data)
                time.sleep(0.02)
            self.sock.shutdown(socket.SHUT_WR)
        except OSError as error:
            self.error = error

    def receive(self) -> None:
        try:
            while data := self.sock.recv(65536):
                self.got.update(data)
                self.bytes += len(data)
        except OSError as error:
            self.error = error

    def end(self) -> None:
        self.ending.set()
        for thread in self.threads:
            thread.join(40)
        assert self.error is None
        assert self.sent.digest() == self.got.digest()


def test_connections_live_on_at_the_other_node(pair: Lab) -> None:
    a, b = start(pair)
    echo = Echo(pair, 7000)
    talks = [Talk(pair, 7000, seed) for seed in range(40)]
    wait_until(lambda: all(talk.bytes > 10_000 for talk in talks), "all of them talk", 30)
    a.flush()
    a.kill()
    pair["router"].ip("link set nata down")
    try:
        b.own(0b11)
        nodes.move(pair, "natb")
        before = [talk.bytes for talk in talks]
        wait_until(lambda: all(talk.bytes > old + 10_000 for talk, old in zip(talks, before)),
                   "they go on", 60)
        # and new ones get the same public addresses
        fresh = [Talk(pair, 7000, 100 + seed) for seed in range(10)]
        wait_until(lambda: all(talk.bytes > 10_000 for talk in fresh), "new ones talk", 30)
        for talk in talks + fresh:
            talk.end()
        assert {address for address, _ in echo.seen} <= set(nodes.PUBLIC)
        assert len(set(echo.seen)) == len(echo.seen)  # no port was given twice
        assert len(echo.seen) == 50
    finally:
        pair["router"].ip("link set nata up")
        pair["router"].ip(f"route replace default via {nodes.NETS['nata']}.10 table 100")


def test_what_is_taken_over_is_told_back(pair: Lab) -> None:
    a, b = start(pair)
    open_udp(pair, "nata", 1000)
    a.flush()
    b.own(0b11)
    a.own(0b00)
    open_udp(pair, "natb", 500, host="10.83.0.1")
    b.flush()
    assert len(b.told()) == 1500
    assert a.told() == b.told()
    assert a.state()["evicted"] == b.state()["evicted"] == 0


def test_a_standby_address_gives_no_new_flows(pair: Lab) -> None:
    a, b = start(pair)
    open_udp(pair, "nata", 300)
    assert {flow[1] for flow in a.told()} == {0}
    done = a.natxdp("load", "eth0", "--config", "/dev/null", "--external",
                    ",".join(nodes.private("nata", slot) for slot in (1, 0)),
                    "--max-flows", 40_000)
    assert done.returncode == 0
    open_udp(pair, "nata", 300, host="10.84.0.1")
    assert {flow[1] for flow in a.told()} == {0}
    time.sleep(1.2)  # the node looks at its addresses each second
    a.flush()
    same(a, b, 0, 600)


@pytest.mark.load("--max-flows", 40_000, "--profile", "rfc")
def test_mappings_go_with_their_flows(pair: Lab) -> None:
    a, b = start(pair)
    servers = [UdpServer(pair["s1"], port) for port in (7100, 7101)]
    client = pair["c1"].socket(socket.AF_INET, socket.SOCK_DGRAM)
    client.settimeout(10)
    client.sendto(b"first", (nodes.SERVER, 7100))
    assert client.recv(100) == b"first"
    [(_, port, _)] = servers[0].seen
    a.flush()
    [mapping] = b.mappings()
    assert mapping["external"] == {"address": nodes.private("natb", 0), "port": port}
    assert mapping["flows"] == 1
    b.own(0b11)
    nodes.move(pair, "natb")
    client.sendto(b"still here", (nodes.SERVER, 7100))
    assert client.recv(100) == b"still here"
    # another flow of the same inside end has the same external end
    client.sendto(b"second", (nodes.SERVER, 7101))
    assert client.recv(100) == b"second"
    assert {seen[:2] for server in servers for seen in server.seen} == {(nodes.PUBLIC[0], port)}
    [mapping] = b.mappings()
    assert mapping["flows"] == 2


@pytest.mark.load("--max-flows", 40_000, "--profile", "rfc")
def test_hairpin_flows(pair: Lab) -> None:
    """From one inside host to the external end of another, by the same node."""
    a, b = start(pair)
    server = UdpServer(pair["s1"], 7150)
    inside, other = (pair[role].socket(socket.AF_INET, socket.SOCK_DGRAM) for role in ("c1", "c2"))
    for sock in inside, other:
        sock.settimeout(10)
        sock.sendto(b"first", (nodes.SERVER, 7150))
        assert sock.recv(100) == b"first"
    ports = [port for _, port, _ in server.seen]
    inside.sendto(b"to the other", (nodes.private("nata", 0), ports[1]))
    data, sender = other.recvfrom(100)
    # the gateway shows the address as that of the internet
    assert (data, sender) == (b"to the other", (nodes.PUBLIC[0], ports[0]))
    a.flush()

    def turned(node: Node) -> list[tuple]:
        return [(flow["inside"], flow["external"]["port"], flow["destination"]["port"],
                 flow["hairpin_to"]) for flow in node.flows() if flow["hairpin"]]

    assert turned(a) == turned(b)
    assert len(turned(a)) == 1
    b.own(0b11)
    nodes.move(pair, "natb")
    inside.sendto(b"by the other node", (nodes.private("natb", 0), ports[1]))
    assert other.recvfrom(100) == (b"by the other node", (nodes.PUBLIC[0], ports[0]))
    assert b.stats("flows_opened") == 0


def test_tcp_states(pair: Lab) -> None:
    """What a copy is in, is what the flow is in."""
    a, b = start(pair)

    def states(node: Node) -> list[str]:
        return [flow["state"] for flow in node.flows()]

    with tcp_pair(pair["c1"], pair["s1"], nodes.SERVER, 7200) as (near, far):
        wait_until(lambda: states(b) == ["established"], "established at the other node", 5)
        near.shutdown(socket.SHUT_WR)
        wait_until(lambda: states(a) == ["half-closed"], "half-closed", 5)
        wait_until(lambda: states(b) == ["half-closed"], "half-closed there, too", 60)
        far.close()
    # a state alone is seen when the look around the table gets there, which takes most of a minute
    wait_until(lambda: states(b) == states(a) != ["half-closed"], "closing there, too", 90)
