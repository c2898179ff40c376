# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""The miniature VPC itself: does it what a VPC does? By packets, not by its own word."""

from __future__ import annotations

import os
import socket
import subprocess
import time

import plan as plans
import pytest
from botocore.exceptions import ClientError
from calls import KEYS, associate, client, replace_route
from capture import Capture, assert_checksums
from lab import run, wait_until
from load import UDP_PORT, Load, Probe
from vpc import Vpc

S1, S2 = plans.SERVERS
A, B, C = plans.Plan().zones

def asked(vpc: Vpc, client: str, address: str = S1, timeout: float = 2, size: int = 20) -> str:
    """The source that a server sees of a datagram, "" if nothing comes back."""
    server = vpc.servers["s1" if address == S1 else "s2"].socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind((address, 0))
    server.settimeout(timeout)
    sock = vpc.clients[client].socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.settimeout(timeout)
    sock.sendto(b"?" * size, server.getsockname())
    try:
        data, peer = server.recvfrom(4096)
        server.sendto(data, peer)
        assert sock.recvfrom(4096) == (data, server.getsockname())
    except TimeoutError:
        return ""
    return peer[0]


def test_each_zone_has_its_public_address(vpc: Vpc) -> None:
    for client in vpc.plan.clients:
        assert asked(vpc, client.name) == client.zone.public_ip
        assert asked(vpc, client.name, S2) == client.zone.public_ip


def test_gateway_rewrites_exactly(vpc: Vpc) -> None:
    inside = Capture(vpc.igw.ns, "eth0", f"udp and dst host {S1}")
    outside = Capture(vpc.igw.ns, "wan", f"udp and host {S1}")
    assert asked(vpc, "a1", size=100)
    [before] = inside.first()
    out, back = outside.first(2)
    assert before.src == A.slot(A) and out.src == A.public_ip == back.dst
    assert (before.sport, before.dport, before.payload) == (out.sport, out.dport, out.payload)
    for frame in (before, out, back):
        assert_checksums(frame)


def test_gateway_rewrites_quoted_packets(vpc: Vpc) -> None:
    """An ICMP error from the internet quotes the private address when it is in the VPC."""
    inside = Capture(vpc.igw.ns, "eth0", "icmp")
    outside = Capture(vpc.igw.ns, "wan", "icmp")
    client = vpc.clients["a1"].socket(socket.AF_INET, socket.SOCK_DGRAM)
    client.connect((S1, 9))  # nobody listens there
    client.settimeout(5)
    client.send(b"anybody?")
    with pytest.raises(ConnectionRefusedError):  # it went all the way back
        client.recv(100)
    [quoted] = [frame for frame in inside.first() if frame.dst == A.slot(A)]
    [plain] = outside.first()
    assert plain.dst == A.public_ip and plain.l4[20:24] == socket.inet_aton(A.public_ip)
    assert quoted.l4[20:24] == socket.inet_aton(A.slot(A))
    assert_checksums(plain)
    assert_checksums(quoted)


def test_what_has_no_public_address_does_not_pass(vpc: Vpc) -> None:
    before = vpc.igw.counts()
    node = vpc.nodes["a"].ns
    sent = node.run("ping", "-c", "2", "-i", "0.1", "-W", "1", "-I", A.primary, S1, check=False)
    assert sent.returncode == 1
    assert vpc.igw.counts()["out_unassociated"] == before["out_unassociated"] + 2
    server = vpc.servers["s1"]
    assert server.run("ping", "-c", "2", "-i", "0.1", "-W", "1", "203.0.113.99", check=False).returncode == 1
    assert vpc.igw.counts()["in_unassociated"] == before["in_unassociated"] + 2


def test_mtu_of_the_gateway(vpc: Vpc) -> None:
    """natxdp knows it, so a large datagram that may not be split ends at the NAT."""
    assert asked(vpc, "a1", size=1472)
    client = vpc.clients["a1"].socket(socket.AF_INET, socket.SOCK_DGRAM)
    client.setsockopt(socket.IPPROTO_IP, 10, 2)  # IP_MTU_DISCOVER: IP_PMTUDISC_DO
    client.connect((S1, 9))
    client.send(b"x" * 3000)

    def path_mtu() -> int:
        try:
            return client.getsockopt(socket.IPPROTO_IP, 14)  # IP_MTU
        except OSError:  # the pending error comes first
            return 0

    wait_until(lambda: path_mtu() == 1500, "the client knows the path MTU")


def test_zones_reach_each_other_without_nat(vpc: Vpc) -> None:
    for address in plans.Client(C, 2).address, plans.Client(A, 2).address:
        done = vpc.clients["a1"].run("ping", "-c", "1", "-W", "5", address)
        assert "ttl=63" in done.stdout


def test_a_route_moves_by_the_real_awscli(vpc: Vpc) -> None:
    assert asked(vpc, "a1") == A.public_ip
    keys = {name.upper(): value for name, value in KEYS.items()}
    subprocess.run(
        ["/usr/bin/aws", "--endpoint-url", vpc.cloud.local.url, "--region", plans.REGION,
         "ec2", "replace-route", "--route-table-id", A.table, "--destination-cidr-block",
         "0.0.0.0/0", "--network-interface-id", B.interface],
        env={"PATH": os.environ["PATH"]} | keys, check=True, timeout=60)
    vpc.cloud.settle()
    assert vpc.holders()["a"] == ("b", "a")
    assert asked(vpc, "a1") == B.public_ip
    assert asked(vpc, "c1") == C.public_ip


def test_an_elastic_ip_moves(vpc: Vpc) -> None:
    assert asked(vpc, "a1") == A.public_ip
    associate(vpc, A.allocation, B.interface, B.slot(A))
    vpc.cloud.settle()
    assert vpc.igw.associations() == {A.public_ip: B.slot(A), B.public_ip: B.slot(B),
                                      C.public_ip: C.slot(C)}
    before = vpc.igw.counts()
    assert asked(vpc, "a1", timeout=0.5) == ""  # node a holds no public address any more
    assert vpc.igw.counts()["out_unassociated"] == before["out_unassociated"] + 1


def test_a_moved_zone_talks_from_its_public_address(vpc: Vpc) -> None:
    """With the slot of zone a alone in use on node b, as an agent would have it."""
    node = vpc.nodes["b"]
    try:
        node.natxdp("pools", "drain", B.slot(B))
        node.natxdp("pools", "undrain", B.slot(A))
        associate(vpc, A.allocation, B.interface, B.slot(A))
        replace_route(vpc, A.table, B.interface)
        vpc.cloud.settle()
        assert asked(vpc, "a1") == asked(vpc, "a2") == A.public_ip
        load = Load(vpc.clients["a1"], S1, interval=50)
        load.open(200)
        load.mark()
        outcome = load.settle()
        assert outcome.survived and outcome.public == {A.public_ip: 200}
        assert vpc.echo.report()["wrong"] == 0
    finally:
        node.natxdp("pools", "drain", B.slot(A))
        node.natxdp("pools", "undrain", B.slot(B))


def test_source_destination_check(vpc: Vpc) -> None:
    assert asked(vpc, "b1") == B.public_ip
    client(vpc, "ec2").modify_instance_attribute(
        InstanceId=B.instance, SourceDestCheck={"Value": True})
    vpc.cloud.settle()
    arrives = Capture(vpc.nodes["b"].ns, "eth0", "src net 10.0.11.0/24")
    assert asked(vpc, "b1", timeout=0.5) == ""
    assert not arrives.frames()  # such a node gets nothing
    client(vpc, "ec2").modify_network_interface_attribute(
        NetworkInterfaceId=B.interface, SourceDestCheck={"Value": False})
    vpc.cloud.settle()
    assert asked(vpc, "b1") == B.public_ip


def test_a_client_cannot_send_as_another(vpc: Vpc) -> None:
    """Its source/destination check is on."""
    vpc.clients["a1"].ip("addr add 10.0.10.77/32 dev eth0")
    sent = vpc.clients["a1"].run("ping", "-c", "1", "-W", "1", "-I", "10.0.10.77", "10.0.11.11",
                                 check=False)
    vpc.clients["a1"].ip("addr del 10.0.10.77/32 dev eth0")
    assert sent.returncode == 1


def test_calls_act_after_the_propagation(vpc: Vpc) -> None:
    vpc.cloud.api, vpc.cloud.propagation = 0.3, 1.5
    probe = Probe(vpc.clients["c1"], S1)
    probe.works()
    probe.mark()
    begun = time.monotonic()
    replace_route(vpc, C.table, A.interface)
    answered = time.monotonic()
    assert answered - begun >= 0.3
    assert vpc.holders()["c"][0] == "c"
    vpc.cloud.settle()
    assert vpc.holders()["c"][0] == "a"
    [change] = [change for change in vpc.cloud.changes if change.detail.get("table") == C.table]
    assert 1.5 <= change.acted - change.called < 3
    [call] = vpc.cloud.standin.calls("ReplaceRoute")[-1:]
    assert call.delay == 0.3


def test_the_last_of_two_calls_wins(vpc: Vpc) -> None:
    vpc.cloud.propagation = 0.2
    for interface in B.interface, C.interface, B.interface, C.interface:
        replace_route(vpc, A.table, interface)
        vpc.cloud.propagation = 0
    vpc.cloud.settle()
    assert vpc.holders()["a"][0] == "c"


def test_faults_of_the_api(vpc: Vpc) -> None:
    vpc.cloud.standin.faults.add(action="ReplaceRoute", error="RequestLimitExceeded", status=503)
    try:
        with pytest.raises(ClientError, match="RequestLimitExceeded"):
            replace_route(vpc, A.table, B.interface)
    finally:
        vpc.cloud.standin.faults.clear()
    assert vpc.holders()["a"] == ("a", "a")


def test_partitions(vpc: Vpc) -> None:
    a, b = vpc.nodes["a"].ns, vpc.nodes["b"].ns

    def reaches(ns, address: str) -> bool:
        return ns.run("ping", "-c", "1", "-W", "1", address, check=False).returncode == 0

    assert reaches(a, B.primary) and reaches(a, C.primary) and reaches(a, plans.API)
    vpc.partition("a", "b")
    assert not reaches(a, B.primary) and not reaches(b, A.primary)
    assert reaches(a, C.primary) and reaches(a, plans.API)
    assert asked(vpc, "a1") == A.public_ip  # the clients feel nothing
    vpc.partition("a", "aws")
    assert not reaches(a, plans.API)
    vpc.heal()
    assert reaches(a, B.primary) and reaches(a, plans.API)
    vpc.partition("a", "internet")
    assert asked(vpc, "a1", timeout=0.5) == ""
    assert reaches(a, B.primary)


def test_metadata_of_each_node(vpc: Vpc) -> None:
    for zone in A, B:
        ns = vpc.nodes[zone.letter].ns
        token = ns.run("curl", "-s", "-X", "PUT", "http://169.254.169.254/latest/api/token",
                       "-H", "X-aws-ec2-metadata-token-ttl-seconds: 60").stdout
        got = ns.run("curl", "-s", "-H", f"X-aws-ec2-metadata-token: {token}",
                     "http://169.254.169.254/latest/meta-data/instance-id").stdout
        assert got == zone.instance


def test_commands_of_the_systems_manager(vpc: Vpc) -> None:
    ssm, probe = client(vpc, "ssm"), plans.Client(A, 1)
    command = ssm.send_command(
        InstanceIds=[probe.instance], DocumentName="AWS-RunShellScript",
        Parameters={"commands": ["ip -br addr show dev eth0"]})["Command"]["CommandId"]
    got = ssm.get_command_invocation(CommandId=command, InstanceId=probe.instance)
    assert probe.address in got["StandardOutputContent"] and got["ResponseCode"] == 0


def test_a_terminated_node_is_gone(vpc: Vpc) -> None:
    node = vpc.nodes["c"]
    assert asked(vpc, "c1") == C.public_ip
    path = node.ns.path
    client(vpc, "ec2").terminate_instances(InstanceIds=[C.instance])
    vpc.cloud.settle()
    assert not os.path.exists(path) and not node.pin_dir.exists()
    assert asked(vpc, "c1", timeout=0.5) == ""
    assert asked(vpc, "a1") == A.public_ip
    node.power_on(agent=False)
    assert asked(vpc, "c1") == C.public_ip


def test_nothing_stays_behind() -> None:
    with Vpc(letters="ab", nodes="ab", per_zone=1) as vpc:
        vpc.power_on(agents=False)
        name = vpc.lab.run
        assert asked(vpc, "b1") == B.public_ip
    left = [line for line in run("ip", "netns", "list").stdout.splitlines() if name in line]
    assert not left
    assert not run("bash", "-c", f"ls -d /sys/fs/bpf/*{name}* /run/natxdp/*{name}*",
                   check=False).stdout
    assert not run("pgrep", "-f", name, check=False).stdout
