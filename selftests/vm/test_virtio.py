# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""natxdp on virtio NICs with several queues, the nearest thing to a NIC of a cloud.

The NAT is a guest with Linux 6.1. Client and server are namespaces of this
host, each with the other end of one of the guest's NICs as a tap device:

client 10.77.0.2 eth0 == tap/virtio == eth1 [ guest: nat ] eth0 == virtio/tap == eth0 203.0.113.2 server
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
from collections.abc import Iterator

import pytest
from capture import Capture, assert_checksums
from conftest import boot, guests
from guest import Guest
from lab import Lab, wait_until
from probes import UdpServer, tcp_pair
from taps import QUEUES, nic, tap

PORT = 9000
SERVER = "203.0.113.2"
EXTERNAL = "203.0.113.1"
PATIENCE = 20  # seconds; the guest is emulated


@pytest.fixture(scope="module")
def nat(host_lab: Lab) -> Iterator[Guest]:
    client, server = host_lab.host("client"), host_lab.host("server")
    outside = tap(server, "eth0", f"{SERVER}/24")
    inside = tap(client, "eth0", "10.77.0.2/24")
    client.ip("route add default via 10.77.0.1")
    devices = nic(0, outside) + nic(1, inside)
    with boot(devices=devices, fds=outside + inside) as guest:
        guests.append(guest)
        guest.run(f"ip addr add {EXTERNAL}/24 dev eth0 && ip link set eth0 up")
        guest.run("ip addr add 10.77.0.1/24 dev eth1 && ip link set eth1 up")
        guest.run("natxdp load eth0 --inside eth1")
        host_lab.leaks = Capture(server, "eth0", "ip and not src host 203.0.113.1", outgoing=False)
        yield guest
        guests.remove(guest)


@pytest.fixture
def lab(nat: Guest, host_lab: Lab) -> Iterator[Lab]:
    """At the end of each test nothing may have come to the server untranslated."""
    with host_lab.scope():
        yield host_lab
        leaked = host_lab.leaks.forget()
    assert not leaked, f"left the NAT untranslated: {leaked[:5]}"


def natxdp(guest: Guest, arguments: str):
    return json.loads(guest.run(f"natxdp {arguments} --json").output)


def busy_queues(guest: Guest, dev: str, counter: str) -> int:
    """On how many queues a counter of the driver is not zero."""
    lines = guest.run(f"ethtool -S {dev}").output.splitlines()
    counts = dict(line.strip().split(": ") for line in lines if ": " in line)
    return sum(int(counts.get(counter.format(queue), 0)) > 0 for queue in range(QUEUES))


def echo(lab: Lab, payloads: list[bytes]) -> list[int]:
    """Sends each from a socket of its own, until it has come back. Returns their ports."""
    ports = []
    for payload in payloads:
        sock = lab["client"].socket(2, 2)
        sock.settimeout(PATIENCE)
        sock.connect((SERVER, PORT))
        sock.send(payload)
        assert sock.recv(65535) == payload
        ports.append(sock.getsockname()[1])
    return ports


def test_loads_native_with_queues(nat: Guest) -> None:
    status = natxdp(nat, "status")
    assert (status["active"], status["mode"], status["xdp_mode"]) == (True, "two-armed", "native")
    for dev in ("eth0", "eth1"):
        assert "driver: virtio_net" in nat.run(f"ethtool -i {dev}").output
        assert f"Combined:\t{QUEUES}" in nat.run(f"ethtool -l {dev}").output


def test_udp_over_all_queues(nat: Guest, lab: Lab) -> None:
    server = UdpServer(lab["server"], PORT)
    wire = Capture(lab["server"], "eth0", f"udp dst port {PORT}", outgoing=False)
    payloads = [os.urandom(1 + 37 * number) for number in range(40)]
    ports = echo(lab, payloads)
    assert server.peers() == {EXTERNAL}
    assert [payload for _, _, payload in server.seen] == payloads
    for frame in wire.first(len(payloads)):
        assert_checksums(frame)
    flows = natxdp(nat, "flows --proto udp")
    assert {flow["inside"]["port"] for flow in flows} == set(ports)
    assert {flow["external"]["port"] for flow in flows} == {port for _, port, _ in server.seen}
    # the kernel opens all of them for XDP; which one a flow takes is up to a hash
    assert busy_queues(nat, "eth1", "rx_queue_{}_xdp_redirects") >= 3
    assert busy_queues(nat, "eth0", "rx_queue_{}_xdp_redirects") >= 3
    assert busy_queues(nat, "eth0", "tx_queue_{}_xdp_tx") >= 1


def test_tcp(nat: Guest, lab: Lab) -> None:
    body = os.urandom(1 << 20)
    for port in (PORT, PORT + 1):
        with tcp_pair(lab["client"], lab["server"], SERVER, port) as (near, far):
            assert far.getpeername()[0] == EXTERNAL
            for source, sink in ((near, far), (far, near)):
                source.settimeout(PATIENCE)
                sink.settimeout(PATIENCE)
                digest, received, sent = hashlib.sha256(), 0, 0
                while received < len(body):
                    sent += source.send(body[sent : sent + 32768]) if sent < len(body) else 0
                    data = sink.recv(65536)
                    digest.update(data)
                    received += len(data)
                assert digest.digest() == hashlib.sha256(body).digest()
            [flow] = natxdp(nat, f"flows --proto tcp --destination {SERVER}:{port}")
            assert flow["external"] == dict(zip(("address", "port"), far.getpeername()))


def test_icmp(nat: Guest, lab: Lab) -> None:
    wire = Capture(lab["server"], "eth0", "icmp[0] == 8", outgoing=False)
    lab["client"].run("ping", "-c", 3, "-i", "0.2", "-W", PATIENCE, SERVER)
    requests = wire.first(3)
    assert {frame.src for frame in requests} == {EXTERNAL}
    [flow] = natxdp(nat, "flows --proto icmp")
    identifiers = {struct.unpack("!H", frame.l4[4:6])[0] for frame in requests}
    assert identifiers == {flow["external"]["identifier"]}
    for frame in requests:
        assert_checksums(frame)


def test_unsolicited_is_dropped(nat: Guest, lab: Lab) -> None:
    dropped = natxdp(nat, "stats")["reasons"]["drop_unsolicited"]["packets"]
    sock = lab["server"].socket(2, 2)
    sock.sendto(b"unasked", (EXTERNAL, 2000))
    wait_until(
        lambda: natxdp(nat, "stats")["reasons"]["drop_unsolicited"]["packets"] == dropped + 1,
        "the drop is counted",
        PATIENCE,
    )


def test_reload_and_unload(nat: Guest, lab: Lab) -> None:
    server = UdpServer(lab["server"], PORT + 2)
    sock = lab["client"].socket(2, 2)
    sock.settimeout(PATIENCE)
    sock.connect((SERVER, PORT + 2))
    for payload in (b"before", b"after"):
        sock.send(payload)
        assert sock.recv(100) == payload
        nat.run("natxdp load eth0 --inside eth1")
    assert len({port for _, port, _ in server.seen}) == 1
    nat.run("natxdp unload eth0")
    for dev in ("eth0", "eth1"):
        assert "xdp" not in nat.run(f"ip -d link show dev {dev}").output
    assert nat.run("cat /proc/sys/net/ipv4/ip_forward").output == "0\n"


def mtu(nat: Guest) -> int:
    return int(nat.run("cat /sys/class/net/eth1/mtu").output)


def test_fix_and_its_end(nat: Guest) -> None:
    """Linux 6.1 runs XDP on virtio up to a page: --fix lowers the MTU, unload puts it back."""
    nat.run("ip link set eth1 mtu 9000 && ip route replace default via 203.0.113.2")
    done = nat.run("natxdp check eth0 --inside eth1 --json 2>/dev/null", check=False)
    checks = {entry["name"]: entry for entry in json.loads(done.output)["checks"]}
    assert done.status == 4 and checks["eth1 mtu"]["level"] == "fix"
    assert checks["eth1 mtu"]["mend"] == "ip link set dev eth1 mtu 3506"
    assert checks["eth0 queues"]["found"] == f"{QUEUES // 2} of {QUEUES}"
    assert int(checks["eth0 irqs"]["found"].split()[0]) >= QUEUES
    assert nat.run("natxdp load eth0 --inside eth1", check=False).status == 5
    assert mtu(nat) == 9000
    nat.run("natxdp load eth0 --inside eth1 --fix")
    assert mtu(nat) == 3506
    nat.run("natxdp load eth0 --inside eth1")
    assert mtu(nat) == 3506
    nat.run("natxdp unload eth0")
    assert mtu(nat) == 9000
    assert nat.run("ls /run/natxdp").output == ""


def test_fix_of_a_load_that_fails_or_is_killed(nat: Guest) -> None:
    nat.run("xdp_pass eth0")
    assert nat.run("natxdp load eth0 --inside eth1 --fix", check=False).status == 6
    assert mtu(nat) == 9000
    nat.run("ip link set eth0 xdp off")
    # it changes the NIC first, and then has the verifier busy for seconds
    nat.run("natxdp load eth0 --inside eth1 --fix >/tmp/load 2>&1 & echo $! >/tmp/pid")
    nat.wait_until("[ $(cat /sys/class/net/eth1/mtu) = 3506 ] && kill -9 $(cat /tmp/pid)")
    nat.wait_until("! kill -0 $(cat /tmp/pid) 2>/dev/null")
    assert mtu(nat) == 3506
    # from another network namespace, whose eth1, if it had one, is not meant
    nat.run("ip netns add other && nsenter --net=/run/netns/other natxdp unload --all")
    assert mtu(nat) == 9000
