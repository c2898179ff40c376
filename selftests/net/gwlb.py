# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""A Gateway Load Balancer of sockets, and the hosts behind its endpoints.

    t1, t2, t3: the VPC of one endpoint each; a TUN device with all its clients' addresses
    lb 10.0.0.5 ------+
    n1 10.0.0.11 -----+-- vpc (bridge) --- router 10.0.0.1 --- s1 198.51.100.2
    n2 10.0.0.12 -----+

It knows nothing of natxdp: it hashes new flows over its targets, keeps each at its target until
it is idle (as GWLB does, also at one that has failed, unless it rebalances), and takes only packets
back that carry what it has sent with their flow: addresses, outer ports, VNI, the three options.
Everything else is a fault. Its targets are those that a test names, or that its health checks find.
"""

from __future__ import annotations

import fcntl
import http.client
import os
import select
import socket
import struct
import threading
import time
from dataclasses import dataclass, field

from lab import Lab, Namespace

GENEVE_PORT = 6081
SO_RCVBUFFORCE = 33  # asm-generic/socket.h
OPTION_CLASS = 0x0108
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
VNI = 0x00AB01


def checksum(data: bytes) -> int:
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


@dataclass
class Flow:
    target: str
    cookie: int
    port: int
    sent: int = 0
    back: int = 0
    last: float = 0  # a packet to the target, monotonic
    former: Flow | None = None  # as it was before it went to another target


@dataclass
class Endpoint:
    id: int
    tun: int  # file descriptor
    vni: int = VNI
    flows: dict[bytes, Flow] = field(default_factory=dict)
    datagrams: dict[bytes, bytes] = field(default_factory=dict)  # in pieces: keys of flows

    def key_of(self, packet: bytes) -> bytes:
        """The later pieces of a datagram belong to the flow of the first."""
        fragment = int.from_bytes(packet[6:8], "big") & 0x3FFF
        datagram = packet[4:6] + packet[9:10] + packet[12:20]
        if fragment & 0x1FFF:
            return self.datagrams.get(datagram, datagram)
        if fragment:
            self.datagrams[datagram] = flow_key(packet)
        return flow_key(packet)


def flow_key(packet: bytes) -> bytes:
    """Both ends of an IPv4 packet, the same for both directions."""
    header = (packet[0] & 15) * 4
    proto = packet[9]
    source, target = packet[12:16], packet[16:20]
    ports = (packet[header : header + 2], packet[header + 2 : header + 4])
    if proto not in (socket.IPPROTO_TCP, socket.IPPROTO_UDP):
        ports = (b"", b"")
    ends = sorted([source + ports[0], target + ports[1]])
    return bytes([proto]) + ends[0] + ends[1]


class Gwlb:
    """Runs in a thread of its own. `targets` are those that get new flows."""

    def __init__(self, lab: Lab, address: str, targets: list[str]) -> None:
        self.lab = lab
        self.address = address
        self.targets = list(targets)
        self.endpoints: list[Endpoint] = []
        self.faults: list[str] = []
        self.late = 0
        self.rehash = False  # target_failover = rebalance: flows of a target that is gone go to another
        self.idle = 350.0  # seconds after which a flow is forgotten
        self.cookie = 0x1000
        self.raw = lab["lb"].socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
        self.udp = lab["lb"].socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 8 << 20)
        self.udp.bind((address, GENEVE_PORT))
        self.stopping = os.pipe()
        self.thread = threading.Thread(target=self.work, daemon=True)

    def add_endpoint(self, ns: Namespace, number: int) -> Endpoint:
        with ns.entered():
            tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
            self.lab.stack.callback(os.close, tun)
            fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH22x", b"vpce", IFF_TUN | IFF_NO_PI))
        ns.ip("link set vpce up mtu 1500 txqueuelen 5000")
        endpoint = Endpoint(id=0x0E00_0000_0000_0000 + number, tun=tun)
        self.endpoints.append(endpoint)
        return endpoint

    def start(self) -> None:
        self.lab.stack.callback(self.stop)
        self.thread.start()

    def stop(self) -> None:
        os.write(self.stopping[1], b".")
        self.thread.join(10)
        for fd in self.stopping:
            os.close(fd)

    def work(self) -> None:
        by_fd = {endpoint.tun: endpoint for endpoint in self.endpoints}
        fds = [*by_fd, self.udp.fileno(), self.stopping[0]]
        while True:
            ready, _, _ = select.select(fds, [], [])
            if self.stopping[0] in ready:
                return
            for fd in ready:
                for _ in range(64):
                    try:
                        if fd in by_fd:
                            self.forward(by_fd[fd], os.read(fd, 65535))
                        else:
                            self.take_back(*self.udp.recvfrom(65535, socket.MSG_DONTWAIT))
                    except BlockingIOError:
                        break

    def flow_of(self, endpoint: Endpoint, packet: bytes) -> Flow:
        key = endpoint.key_of(packet)
        flow = endpoint.flows.get(key)
        gone = flow and self.rehash and flow.target not in self.targets
        if flow and not gone and time.monotonic() - flow.last < self.idle:
            return flow
        self.cookie += 1
        place = hash((key, endpoint.id))
        flow = Flow(self.targets[place % len(self.targets)], self.cookie, 49152 + place % 16384,
                    former=flow if gone else None)
        endpoint.flows[key] = flow
        return flow

    def header(self, endpoint: Endpoint, flow: Flow) -> bytes:
        return struct.pack(
            "!BBHI HBBQ HBBQ HBBI", 8, 0, 0x0800, endpoint.vni << 8,
            OPTION_CLASS, 1, 2, endpoint.id, OPTION_CLASS, 2, 2, 0x0A00 + endpoint.id % 256,
            OPTION_CLASS, 3, 1, flow.cookie)  # fmt: skip

    def forward(self, endpoint: Endpoint, packet: bytes) -> None:
        if packet[0] >> 4 != 4 or not self.targets:
            return
        flow = self.flow_of(endpoint, packet)
        flow.sent += 1
        flow.last = time.monotonic()
        inner = self.header(endpoint, flow) + packet
        udp = struct.pack("!4H", flow.port, GENEVE_PORT, 8 + len(inner), 0)
        ip = struct.pack(
            "!BBHHHBBH4s4s", 0x45, 0, 28 + len(inner), 0, 0x4000, 255, socket.IPPROTO_UDP, 0,
            socket.inet_aton(self.address), socket.inet_aton(flow.target))  # fmt: skip
        ip = ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:]
        self.raw.sendto(ip + udp + inner, (flow.target, 0))

    def is_of(self, flow: Flow, endpoint: Endpoint, data: bytes, sender: tuple[str, int]) -> bool:
        return (sender == (flow.target, flow.port)
                and data[:40] == self.header(endpoint, flow))

    def take_back(self, data: bytes, sender: tuple[str, int]) -> None:
        number = struct.unpack_from("!Q", data, 12)[0] if len(data) >= 68 else 0
        endpoint = next((e for e in self.endpoints if e.id == number), None)
        if not endpoint:
            self.faults.append(f"for endpoint {number:x}: {data[:48].hex()}")
            return
        packet = data[40:]
        flow = endpoint.flows.get(endpoint.key_of(packet))
        if not flow and packet[9] == socket.IPPROTO_ICMP:  # an error: about a flow that it quotes
            flow = endpoint.flows.get(flow_key(packet[(packet[0] & 15) * 4 + 8 :]))
        if not flow:
            self.faults.append(f"of no flow of endpoint {number:x}: {packet[:28].hex()}")
        elif flow.former and self.is_of(flow.former, endpoint, data, sender):
            self.late += 1  # from the target that it had, which cannot know
        elif not self.is_of(flow, endpoint, data, sender):
            self.faults.append(f"{sender} {data[:40].hex()}, not {flow} {self.header(endpoint, flow).hex()}")
        elif checksum(packet[: (packet[0] & 15) * 4]):
            self.faults.append(f"inner checksum: {packet[:20].hex()}")
        else:
            flow.back += 1
            os.write(endpoint.tun, packet)


class HealthChecks:
    """GET of a page of each target. New flows go to those that are well; if none is, to all."""

    INTERVAL, TIMEOUT, THRESHOLD = 0.2, 2, 2

    def __init__(self, gwlb: Gwlb, port: int, path: str) -> None:
        self.gwlb = gwlb
        self.port, self.path = port, path
        self.well: dict[str, bool] = {}
        self.said: dict[str, str] = {}  # the last answer of each, for people
        self.lock = threading.Lock()  # two may change at once
        self.ended = threading.Event()
        self.threads: list[threading.Thread] = []
        gwlb.lab.stack.callback(self.stop)

    def add(self, address: str) -> None:
        """A target that is registered. It gets flows when it is found well."""
        self.well[address] = False
        self.threads.append(threading.Thread(target=self.watch, args=(address,), daemon=True))
        self.threads[-1].start()

    def stop(self) -> None:
        self.ended.set()
        for thread in self.threads:
            thread.join(10)

    def check(self, address: str) -> bool:
        connection = http.client.HTTPConnection(address, self.port, timeout=self.TIMEOUT)
        try:
            connection.request("GET", self.path)
            answer = connection.getresponse()
            self.said[address] = f"{answer.status} {answer.read().decode()}"
            return answer.status == 200
        except (OSError, http.client.HTTPException) as error:
            self.said[address] = repr(error)
            return False
        finally:
            connection.close()

    def watch(self, address: str) -> None:
        others = 0  # answers in a row that are not what is believed
        with self.gwlb.lab["lb"].entered():
            while not self.ended.wait(self.INTERVAL):
                others = others + 1 if self.check(address) != self.well[address] else 0
                if others == self.THRESHOLD:
                    others = 0
                    self.change(address)

    def change(self, address: str) -> None:
        with self.lock:
            self.well[address] = not self.well[address]
            well = [each for each, is_well in self.well.items() if is_well]
            self.gwlb.targets = well or list(self.well)


@dataclass
class Fleet:
    """The network at the top of this file."""

    lab: Lab
    gwlb: Gwlb
    tenants: list[Namespace]
    nodes: dict[str, Namespace]  # by address
    server: str = "198.51.100.2"


def build(lab: Lab, endpoints: int, nodes: int) -> Fleet:
    vpc, router = lab.host("vpc"), lab.router("router")
    lab.bridge(vpc, "br0")
    addresses = [f"10.0.0.{11 + number}" for number in range(nodes)]
    hosts = {"lb": "10.0.0.5"} | {f"n{number + 1}": addresses[number] for number in range(nodes)}
    for name, address in hosts.items():
        host = lab.host(name)
        lab.plug(host, "eth0", f"{address}/24", vpc, "br0")
        host.ip("link set eth0 mtu 3000")
        vpc.ip(f"link set {name} mtu 3000")
        # a VPC sends nobody what is for another, also if that one is gone
        if name != "lb":
            vpc.run("bridge", "fdb", "replace", host.mac("eth0"), "dev", name, "master", "static")
        host.ip("route add default via 10.0.0.1")
    lab.plug(router, "eth0", "10.0.0.1/24", vpc, "br0")
    server = lab.host("s1")
    lab.cable(server, "eth0", "198.51.100.2/24", router, "s1")
    router.ip("addr add 198.51.100.1/24 dev s1")
    server.ip("route add default via 198.51.100.1")
    gwlb = Gwlb(lab, "10.0.0.5", [])
    tenants = []
    for number in range(1, endpoints + 1):
        tenant = lab.host(f"t{number}")
        gwlb.add_endpoint(tenant, number)
        tenant.ip("route add local 10.0.1.0/24 dev vpce")
        tenant.ip("route add default dev vpce src 10.0.1.1")
        tenants.append(tenant)
    gwlb.start()
    return Fleet(lab, gwlb, tenants, {a: lab[f"n{i + 1}"] for i, a in enumerate(addresses)})
