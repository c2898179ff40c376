# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""What must not get through, and what of the host itself must."""

import pytest
from capture import Capture
from lab import Lab, wait_until
from probes import HttpServer, UdpServer, connect, curl, echoed, inject, listener, udp_client
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.l2 import Ether
from scapy.packet import Raw

INSIDE_HOST = "10.77.0.11"
PORT = 9000
UNSOLICITED = {
    "tcp": TCP(sport=1234, dport=5555, flags="S"),
    "tcp-ack": TCP(sport=1234, dport=5555, flags="A"),
    "udp": UDP(sport=1234, dport=5555) / Raw(b"let me in"),
    "icmp": ICMP(type=8, id=77) / Raw(b"let me in"),
}


def from_outside(lab: Lab, packet: IP) -> None:
    frame = Ether(src=lab["s1"].mac("eth0"), dst=lab["nat"].mac("eth0")) / packet
    inject(lab["s1"], "eth0", frame)


def from_inside(lab: Lab, packet: IP) -> None:
    frame = Ether(src=lab["c1"].mac("eth0"), dst=lab["nat"].mac("eth1")) / packet
    inject(lab["c1"], "eth0", frame)


@pytest.mark.parametrize("kind", UNSOLICITED)
@pytest.mark.parametrize("target", ["203.0.113.1", INSIDE_HOST, "198.51.100.77"])
def test_unsolicited_is_dropped(lab: Lab, kind: str, target: str) -> None:
    """To the box, to an inside host that the box could route to, and to a third."""
    inside = Capture(lab["insw"], "nat", "ip", outgoing=False)
    outside = Capture(lab["outsw"], "nat", "ip", outgoing=False)
    before = lab.box.packets("drop_unsolicited")
    from_outside(lab, IP(src="203.0.113.2", dst=target) / UNSOLICITED[kind])
    wait_until(lambda: lab.box.packets("drop_unsolicited") == before + 1, "it is counted")
    # a probe on the same way, which would have come after it
    UdpServer(lab["s1"], PORT)
    assert echoed(udp_client(lab["c1"], lab.server, PORT))
    assert not [frame for frame in inside.frames() if frame.dport != PORT and frame.sport != PORT]
    assert not [frame for frame in outside.frames() if frame.dport != PORT]
    assert not lab.box.flows("--proto", "tcp")


def test_other_peer_may_not_use_the_port_of_a_flow(lab: Lab) -> None:
    """Only the server that was asked may answer."""
    server = UdpServer(lab["s1"], PORT)
    sock = udp_client(lab["c1"], lab.server, PORT)
    assert echoed(sock)
    [(_, port, _)] = server.seen
    before = lab.box.packets("drop_unsolicited")
    for source, sport in (("203.0.113.3", PORT), ("203.0.113.2", PORT + 1)):
        packet = IP(src=source, dst=lab.external) / UDP(sport=sport, dport=port) / Raw(b"forged")
        from_outside(lab, packet)
    wait_until(lambda: lab.box.packets("drop_unsolicited") == before + 2, "both are counted")
    assert echoed(sock, b"the true answer comes first")


def test_source_outside_the_inside_prefixes_is_dropped(lab: Lab) -> None:
    outside = Capture(lab["outsw"], "nat", "udp", outgoing=False)
    before = lab.box.packets("drop_source")
    for source in ("192.0.2.1", "203.0.113.77", "8.8.8.8"):
        packet = IP(src=source, dst=lab.server) / UDP(sport=1234, dport=PORT) / Raw(b"spoofed")
        from_inside(lab, packet)
    wait_until(lambda: lab.box.packets("drop_source") == before + 3, "it is counted")
    assert not outside.frames()


@pytest.mark.parametrize(
    "reason,packet",
    [
        ("drop_protocol", IP(proto=47) / Raw(b"\0" * 20)),
        ("drop_protocol", IP() / ICMP(type=13)),
        ("held_fragment", IP(frag=3) / Raw(b"x" * 24)),
        ("drop_martian", IP(dst="127.0.0.1") / UDP(sport=1, dport=PORT)),
        ("drop_martian", IP(dst="240.0.0.1") / UDP(sport=1, dport=PORT)),
        ("drop_malformed", IP() / Raw(b"\0\1\0\1")),
        ("drop_midstream", IP() / ICMP(type=0, id=5)),
        ("drop_midstream", IP() / TCP(sport=1, dport=2, flags="R")),
        ("reply_rst", IP() / TCP(sport=1, dport=2, flags="A")),
    ],
)
def test_what_cannot_be_translated_never_leaves(lab: Lab, reason: str, packet: IP) -> None:
    outside = Capture(lab["outsw"], "nat", "ip", outgoing=False)
    before = lab.box.packets(reason)
    packet = packet.copy()
    packet.src = INSIDE_HOST
    if reason != "drop_martian":
        packet.dst = lab.server
    if reason == "drop_malformed":
        packet.proto = 17
    from_inside(lab, packet)
    wait_until(lambda: lab.box.packets(reason) == before + 1, f"{reason} is counted")
    assert not outside.frames()


def test_ssh_to_the_box(lab: Lab) -> None:
    """From both sides, and not to a port on which the host does not listen."""
    with listener(lab["nat"], 22) as listening:
        for source, address in (("s1", "203.0.113.1"), ("c1", "10.77.0.1")):
            with connect(lab[source], address, 22) as near:
                far, _ = listening.accept()
                far.sendall(b"SSH-2.0-test\r\n")
                assert near.recv(14) == b"SSH-2.0-test\r\n"
                far.close()
    near = lab["s1"].socket(2, 1)
    near.settimeout(0.3)
    with pytest.raises(TimeoutError):
        near.connect(("203.0.113.1", 8022))


def test_own_connections_of_the_box(any_lab: Lab) -> None:
    nat = any_lab["nat"]
    body = b"for the box itself"
    HttpServer(any_lab["s1"], 8080, body)
    UdpServer(any_lab["s1"], PORT)
    assert nat.sysctl("net.ipv4.ip_local_port_range").split() == ["61000", "65535"]
    assert curl(nat, f"http://{any_lab.server}:8080/") == body
    assert echoed(udp_client(nat, any_lab.server, PORT))
    nat.run("ping", "-n", "-c", 2, "-i", "0.01", "-W", 2, any_lab.server)
    assert not any_lab.box.flows()


def test_arp_works(lab: Lab) -> None:
    lab["s2"].ip("neigh flush dev eth0")
    with listener(lab["nat"], 22), connect(lab["s2"], "203.0.113.1", 22):
        assert lab["nat"].mac("eth0") in lab["s2"].ip("neigh show dev eth0")


def test_ipv6_between_neighbours(lab: Lab) -> None:
    for name, address in (("nat", "fd00::1"), ("s1", "fd00::2")):
        lab[name].sysctl("net.ipv6.conf.eth0.disable_ipv6", 0)
        lab[name].sysctl("net.ipv6.conf.eth0.accept_dad", 0)
        lab[name].ip(f"-6 addr add {address}/64 dev eth0 nodad")
    try:
        before = lab.box.packets("pass_not_ipv4")
        lab["s1"].run("ping", "-6", "-n", "-c", 2, "-i", "0.01", "-W", 2, "fd00::1")
        assert lab.box.packets("pass_not_ipv4") >= before + 2
    finally:
        for name in ("nat", "s1"):
            lab[name].sysctl("net.ipv6.conf.eth0.disable_ipv6", 1)


@pytest.mark.parametrize("kind", UNSOLICITED)
@pytest.mark.parametrize(
    "source,target,reason",
    [
        ("198.51.100.2", "10.0.0.10", "drop_unsolicited"),
        ("198.51.100.2", "10.0.1.11", "drop_unsolicited"),
        ("198.51.100.2", "198.51.100.3", "drop_source"),
    ],
)
def test_one_armed_unsolicited(
    one_arm: Lab, kind: str, source: str, target: str, reason: str
) -> None:
    """One interface is both sides: addresses alone tell what is unsolicited."""
    router, nat = one_arm["router"], one_arm["nat"]
    sent_back = Capture(router, "nat", "ip", outgoing=False)
    before = one_arm.box.packets(reason)
    ends = Ether(src=router.mac("nat"), dst=nat.mac("eth0")) / IP(src=source, dst=target)
    inject(router, "nat", ends / UNSOLICITED[kind])
    wait_until(lambda: one_arm.box.packets(reason) == before + 1, "it is counted")
    UdpServer(one_arm["s1"], PORT)
    assert echoed(udp_client(one_arm["c1"], one_arm.server, PORT))
    assert all(PORT in (frame.sport, frame.dport) for frame in sent_back.frames())
    assert len(one_arm.box.flows()) == 1
