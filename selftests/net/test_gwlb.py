# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""Behind a Gateway Load Balancer (gwlb.py): real clients of overlapping addresses, two nodes."""

from __future__ import annotations

import contextlib
import selectors
import socket
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from agent import PORT as AGENT_PORT
from agent import Agent
from box import Natxdp
from capture import Capture
from gwlb import SO_RCVBUFFORCE, VNI, Fleet, build, flow_key
from lab import BPFFS, HELPERS, Lab, Namespace, wait_until

PORT = 7000
ENDPOINTS, CLIENTS = 3, 100
PATIENCE = 20  # seconds, on a machine that does other things too


class Echo:
    """Returns what it gets, over TCP and UDP, and knows from whom."""

    def __init__(self, ns: Namespace) -> None:
        self.peers: set[str] = set()
        self.selector = selectors.DefaultSelector()
        self.listener = ns.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("", PORT))
        self.listener.listen(1000)
        self.udp = ns.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 4 << 20)
        self.udp.bind(("", PORT))
        for sock in (self.listener, self.udp):
            sock.setblocking(False)
            self.selector.register(sock, selectors.EVENT_READ)
        self.stopping = False
        self.thread = threading.Thread(target=self.work, daemon=True)
        ns.lab.stack.callback(self.stop)
        self.thread.start()

    def stop(self) -> None:
        self.stopping = True
        self.thread.join(10)

    def work(self) -> None:
        while not self.stopping:
            for key, _ in self.selector.select(0.1):
                self.serve(key.fileobj)

    def serve(self, sock: socket.socket) -> None:
        if sock is self.listener:
            peer, address = sock.accept()
            self.peers.add(address[0])
            self.selector.register(peer, selectors.EVENT_READ)
        elif sock is self.udp:
            data, address = sock.recvfrom(65535)
            self.peers.add(address[0])
            sock.sendto(data, address)
        else:
            data = b""
            with contextlib.suppress(ConnectionError, TimeoutError):
                data = sock.recv(65535)
                sock.sendall(data)
            if not data:
                self.selector.unregister(sock)
                sock.close()


@dataclass
class Client:
    fleet: Fleet
    endpoint: int
    sock: socket.socket

    def target(self) -> str:
        """The node to which the load balancer sends this connection."""
        here, there = self.sock.getsockname(), (self.fleet.server, PORT)
        packet = bytes([0x45]) + bytes(8) + bytes([socket.IPPROTO_TCP]) + bytes(2)
        packet += socket.inet_aton(here[0]) + socket.inet_aton(there[0])
        packet += here[1].to_bytes(2, "big") + there[1].to_bytes(2, "big")
        return self.fleet.gwlb.endpoints[self.endpoint].flows[flow_key(packet)].target


def connect(fleet: Fleet, clients: int = CLIENTS) -> list[Client]:
    """One connection of each client behind each endpoint, all from the same port."""
    found = []
    for endpoint, tenant in enumerate(fleet.tenants):
        for number in range(1, clients + 1):
            sock = tenant.socket(socket.AF_INET, socket.SOCK_STREAM)
            sock.setblocking(False)
            sock.bind((f"10.0.1.{number}", 0))
            # closed at once: the kernel would go on sending, into the tests after this one
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sock.connect_ex((fleet.server, PORT))
            found.append(Client(fleet, endpoint, sock))
    return found


def talk(clients: list[Client], what: str) -> dict[int, str]:
    """A message of each and its echo. Returns, by index, what went wrong."""
    selector = selectors.DefaultSelector()
    want = {}
    for index, client in enumerate(clients):
        host = client.sock.getsockname()[0]
        want[index] = f"{what} {client.endpoint} {host} {index}".encode()
        selector.register(client.sock, selectors.EVENT_WRITE, index)
    wrong: dict[int, str] = {}
    got = dict.fromkeys(want, b"")
    while selector.get_map():
        ready = selector.select(PATIENCE)
        if not ready:
            return wrong | {key.data: "silence" for key in selector.get_map().values()}
        for key, events in ready:
            index, sock = key.data, key.fileobj
            try:
                if events & selectors.EVENT_WRITE:
                    sock.send(want[index])
                    selector.modify(sock, selectors.EVENT_READ, index)
                    continue
                got[index] += sock.recv(65535)
            except OSError as error:
                wrong[index] = str(error)
            if index not in wrong and got[index] != want[index]:
                if want[index].startswith(got[index]) and got[index]:
                    continue
                wrong[index] = f"{got[index]!r}, not {want[index]!r}"
            if index in wrong or got[index] == want[index]:
                selector.unregister(sock)
    return wrong


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    with Lab() as lab:
        fleet = build(lab, ENDPOINTS, nodes=2)
        for name in ("n1", "n2"):
            lab["vpc"].run(HELPERS / "xdp_pass", name)
        yield fleet


class Node:
    def __init__(self, fleet: Fleet, address: str, *options: str) -> None:
        lab, ns = fleet.lab, fleet.nodes[address]
        self.box = Natxdp(lab, ns, outside="eth0", inside="", wires=[])
        self.box.pin_dir = BPFFS / f"natxdp-{lab.run}-{ns.role}"
        # what is inside never leaves a node but in GENEVE
        self.leaks = Capture(lab["vpc"], ns.role, "ip and src net 10.0.1.0/24", outgoing=False)
        self.options = ["--mode", "gwlb", "--gwlb-sources", "10.0.0.5/32", *options]
        self.box.load(*self.options, audit=False)


@contextlib.contextmanager
def serving(fleet: Fleet, count: int, *options: str) -> Iterator[tuple[Echo, list[Node]]]:
    """So many nodes are loaded and targets; at the end nothing was wrong with any packet."""
    gwlb = fleet.gwlb
    with fleet.lab.scope():
        addresses = list(fleet.nodes)[:count]
        nodes = [Node(fleet, address, *options) for address in addresses]
        for endpoint in gwlb.endpoints:
            endpoint.flows.clear()
        gwlb.faults.clear()
        gwlb.targets, gwlb.rehash = addresses, False
        yield Echo(fleet.lab["s1"]), nodes
        assert not gwlb.faults, gwlb.faults[:3]
        for node in nodes:
            assert not node.leaks.forget()
            stats = node.box.stats()["reasons"]
            dropped = {name: r["packets"] for name, r in stats.items() if r["packets"]
                       and r["verdict"] == "drop" and name != "drop_unsolicited"}  # fmt: skip
            assert not dropped
        gwlb.targets = []


def test_overlapping_clients_on_two_nodes(fleet: Fleet) -> None:
    with serving(fleet, 2) as (echo, nodes):
        clients = connect(fleet)
        for round_number in range(3):
            assert talk(clients, f"round {round_number}") == {}
        assert echo.peers == set(fleet.nodes)
        used = [client.target() for client in clients]
        assert set(used) == set(fleet.nodes)
        for node, address in zip(nodes, fleet.nodes):
            flows = node.box.flows("--proto", "tcp")
            assert len(flows) == used.count(address)
            assert {flow["state"] for flow in flows} == {"established"}
            assert {flow["external"]["address"] for flow in flows} == {address}


def udp(fleet: Fleet, endpoint: int, client: int) -> socket.socket:
    sock = fleet.tenants[endpoint].socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((f"10.0.1.{client}", 5000))
    sock.settimeout(PATIENCE)
    return sock


def test_the_same_packets_behind_all_endpoints(fleet: Fleet) -> None:
    """Same addresses, same ports, also in fragments: each gets its own back."""
    with serving(fleet, 1) as (_, nodes):
        socks = [udp(fleet, endpoint, 7) for endpoint in range(ENDPOINTS)]
        for size in (1, 100, 1472, 2000, 2500):
            for number, sock in enumerate(socks):
                sock.sendto(bytes([number]) * size, (fleet.server, PORT))
            for number, sock in enumerate(socks):
                assert sock.recv(4000) == bytes([number]) * size
        flows = nodes[0].box.flows("--proto", "udp")
        assert {flow["inside"]["address"] for flow in flows} == {"10.0.1.7"}
        assert len({flow["external"]["port"] for flow in flows}) == ENDPOINTS


def test_flows_and_stats_show_the_endpoint(fleet: Fleet) -> None:
    with serving(fleet, 1) as (_, nodes):
        sock = udp(fleet, 1, 9)
        sock.sendto(b"x" * 72, (fleet.server, PORT))
        assert sock.recv(100) == b"x" * 72
        [flow] = nodes[0].box.flows("--proto", "udp")
        flows = fleet.gwlb.endpoints[1].flows
        [sent] = [flow for key, flow in flows.items() if key[0] == socket.IPPROTO_UDP]
        assert flow["tunnel"] == {
            "endpoint": "0e00000000000002", "attachment": "0000000000000a02", "vni": 0xAB01,
            "load_balancer": "10.0.0.5", "cookie": f"{sent.cookie:08x}", "port": sent.port,
        }  # fmt: skip
        line = nodes[0].box.run("flows", "--proto", "udp").stdout
        assert f"endpoint 0e00000000000002 cookie {sent.cookie:08x}" in line
        [tunnel] = nodes[0].box.stats()["tunnels"]
        assert tunnel == {
            "endpoint": "0e00000000000002", "attachment": "0000000000000a02", "vni": 0xAB01,
            "load_balancer": "10.0.0.5", "address": "10.0.0.11",
            "out": {"packets": 1, "bytes": 100}, "in": {"packets": 1, "bytes": 100},
            "flows_opened": 1,
        }  # fmt: skip
        assert "endpoint 0e00000000000002" in nodes[0].box.run("stats").stdout


def test_metrics_of_endpoints(fleet: Fleet) -> None:
    """All tunnels of an endpoint together, in /metrics as in stats; none of the probes."""
    with serving(fleet, 1) as (_, nodes):
        fleet.lab.ns["nat"] = fleet.nodes["10.0.0.11"]
        agent = Agent(fleet.lab, pin_dir=nodes[0].box.pin_dir, health_probe="0.5")
        for endpoint, sizes in ((0, [72]), (2, [72, 172])):
            sock = udp(fleet, endpoint, 9)
            for size in sizes:
                sock.sendto(b"x" * size, (fleet.server, PORT))
                assert sock.recv(200) == b"x" * size
            sock.close()
        other = fleet.gwlb.endpoints[2]
        other.flows.clear()  # as behind another node of the load balancer: another VNI
        other.vni = 0xAB02
        sock = udp(fleet, 2, 9)
        sock.sendto(b"x" * 72, (fleet.server, PORT))
        assert sock.recv(200) == b"x" * 72
        other.vni = VNI
        found = {name: value for name, value in agent.metrics().items() if "endpoint=" in name}
        assert found == {
            f'natxdp_endpoint_{name}_total{{endpoint="{endpoint:016x}"}}': value
            for endpoint, values in ((0x0E00000000000001, (1, 100, 1, 100, 1)),
                                     (0x0E00000000000003, (3, 400, 3, 400, 2)))
            for name, value in zip(("packets_from", "bytes_from", "packets_to", "bytes_to",
                                    "flows_opened"), values)
        }  # fmt: skip
        assert len(nodes[0].box.stats()["tunnels"]) == 3
        agent.kill()


def test_path_mtu_through_the_tunnel(fleet: Fleet) -> None:
    with serving(fleet, 1, "--egress-mtu", "1300") as (_, nodes):
        done = fleet.tenants[2].run("ping", "-c1", "-W5", "-M", "do", "-s", "1400", "-I", "10.0.1.3",
                                    fleet.server, check=False)  # fmt: skip
        assert "mtu = 1300" in done.stdout or "mtu=1300" in done.stdout
        assert sum(node.box.packets("reply_too_big") for node in nodes) == 1
        done = fleet.tenants[2].run("ping", "-c1", "-W5", "-M", "do", "-s", "1272", "-I", "10.0.1.3",
                                    fleet.server)  # fmt: skip
        assert " 0% packet loss" in done.stdout


def test_the_host_is_reached_as_ever(fleet: Fleet) -> None:
    """Health checks and administrators come without GENEVE, to sockets of the host."""
    with serving(fleet, 1):
        node = fleet.nodes["10.0.0.11"]
        server = node.socket(socket.AF_INET, socket.SOCK_STREAM)
        server.bind(("", 8080))
        server.listen()
        for name in ("lb", "router"):
            client = fleet.lab[name].socket(socket.AF_INET, socket.SOCK_STREAM)
            client.settimeout(PATIENCE)
            client.connect(("10.0.0.11", 8080))
            peer, _ = server.accept()
            peer.sendall(b"well")
            assert client.recv(10) == b"well"
            peer.close()
        # and from inside a tunnel by nobody
        client = fleet.tenants[0].socket(socket.AF_INET, socket.SOCK_STREAM)
        client.settimeout(1)
        with pytest.raises(TimeoutError):
            client.connect(("10.0.0.11", 8080))


def test_reload_keeps_connections(fleet: Fleet) -> None:
    with serving(fleet, 1) as (_, nodes):
        clients = connect(fleet, 5)
        assert talk(clients, "before") == {}
        for node in nodes:
            node.box.load(*node.options, "--limit-flows", "1000", audit=False)
        assert talk(clients, "reloaded") == {}
        for node in nodes:
            node.box.load(*node.options, "--max-flows", "5000", audit=False)
        assert talk(clients, "with other tables") == {}
        done = nodes[0].box.load("--mode", "routed", check=False, audit=False)
        assert done.returncode and "mode cannot change while loaded" in done.stderr
        for node in nodes:
            assert node.box.run("verify").returncode == 0
        assert talk(clients, "verified") == {}


def test_the_watcher_follows_the_way_to_the_load_balancer(fleet: Fleet) -> None:
    """Another hardware address of the load balancer, as after its replacement."""
    with serving(fleet, 1):
        clients = connect(fleet, 2)
        assert talk(clients, "before") == {}
        old = fleet.lab["lb"].mac("eth0")
        fleet.lab["lb"].ip("link set eth0 address 02:00:00:00:99:99")
        try:
            fleet.lab["lb"].ip("route replace default via 10.0.0.1")
            fleet.lab["lb"].run("ping", "-c1", "-W2", "10.0.0.11", check=False)
            fleet.lab["lb"].run("arping", "-U", "-c2", "-I", "eth0", "10.0.0.5", check=False)
            assert talk(clients, "after") == {}
        finally:
            fleet.lab["lb"].ip(f"link set eth0 address {old}")
            fleet.lab["lb"].ip("route replace default via 10.0.0.1")


def test_what_is_refused(fleet: Fleet) -> None:
    with fleet.lab.scope():
        box = Natxdp(fleet.lab, fleet.nodes["10.0.0.11"], "eth0", "", [])
        for options, word in (
            (["--mapping", "endpoint-independent"], "mapping = endpoint-dependent"),
            (["--profile", "rfc"], "hairpin = off"),
            (["--gwlb-sources", "none"], "gwlb_sources"),
        ):
            done = box.run("load", "eth0", "--mode", "gwlb", *options, check=False)
            assert done.returncode and word in done.stderr
        wait_until(lambda: box.run("status", check=False).returncode, "nothing is loaded")


def test_a_health_check_tells_the_truth(fleet: Fleet) -> None:
    """The agent proves the programs by packets in GENEVE, and answers the load balancer."""
    with fleet.lab.scope():
        node = Node(fleet, "10.0.0.11")
        fleet.lab.ns["nat"] = fleet.nodes["10.0.0.11"]
        agent = Agent(fleet.lab, pin_dir=node.box.pin_dir, http_listen=f"0.0.0.0:{AGENT_PORT}",
                      health_probe="0.5")

        def check() -> str:
            url = f"http://10.0.0.11:{AGENT_PORT}/healthz"
            return fleet.lab["lb"].run("curl", "-s", "-m", "5", "-o", "/dev/null", "-w",
                                       "%{http_code}", url, check=False).stdout  # fmt: skip

        wait_until(lambda: check() == "200", "healthy", PATIENCE)
        stats = node.box.stats()
        # the probes are taken out of what is counted
        assert not stats["reasons"]["out_forwarded"]["packets"]
        assert stats["tunnels"] == []
        node.box.run("block", "add", "10.255.255.254")  # from where the probes come
        wait_until(lambda: check() == "503", "not healthy", PATIENCE)
        agent.kill()
