# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""At the TC hook the NAT does what it does in XDP, and moves from one to the other.

The questions are those that other files ask of natxdp in XDP. Beside them stands
what only TC meets: packets that the sender's TCP has not cut, and checksums that
it has not completed.
"""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Iterator

import pytest
import test_conformance
import test_frag
import test_icmp
import test_paths
import test_tcp
import test_udp
import test_upgrade
import topology
from capture import Capture
from lab import Lab, Namespace, run, wait_until
from probes import HttpServer, UdpServer, curl, echoed, sha256, tcp_pair, udp_client

PORT = 8080
BULK = 64_000_000
OFFLOADS = ("tx", "tso", "gso", "gro")
QUESTIONS = (
    "udp_hairpin",
    "udp_too_big_df",
    "udp_too_big_cut",
    "udp_exhausted",
    "tcp_simultaneous_open",
    "icmp_error_for_tcp",
    "icmp_error_outbound",
    "icmp_time_exceeded",
)


@pytest.fixture(scope="module")
def two_armed_lab() -> Iterator[Lab]:
    with topology.two_armed(clients=4) as lab:
        lab.box.hook = "tc"
        yield lab


@pytest.fixture(scope="module")
def one_armed_lab() -> Iterator[Lab]:
    with topology.one_armed(clients=2) as lab:
        lab.box.hook = "tc"
        yield lab


test_curl_gets_the_file = test_tcp.test_curl_gets_the_file
test_ttl_and_checksums_of_every_segment = test_tcp.test_ttl_and_checksums_of_every_segment
test_segment_without_a_flow_is_reset = test_tcp.test_segment_without_a_flow_is_reset
test_checksum_zero_stays_zero = test_udp.test_checksum_zero_stays_zero
test_traceroute_sees_the_box = test_icmp.test_traceroute_sees_the_box
test_udp_echo_in_fragments = test_frag.test_udp_echo_in_fragments
test_out_of_order_to_the_outside = test_frag.test_out_of_order_to_the_outside
test_first_packet_by_the_kernel_loses_one_ttl = (
    test_paths.test_first_packet_by_the_kernel_loses_one_ttl
)
# to tables of another size, and killed on the way there
test_upgrades_lose_nothing = test_upgrade.test_upgrades_lose_nothing
test_killed_at_each_step = test_upgrade.test_killed_at_each_step


@pytest.mark.parametrize("name", QUESTIONS)
def test_conforms(two_armed_lab: Lab, name: str) -> None:
    question = test_conformance.QUESTIONS[name]
    assert test_conformance.answer_of(two_armed_lab, question, "rfc") == question.rfc


def cables_of(lab: Lab) -> list[tuple[Namespace, str]]:
    """Both ends of the NAT's cables, and the hosts' own ends."""
    ends = [(wire.ns, wire.dev) for wire in lab.box.wires]
    ends += [(wire.peer_ns, wire.peer_dev) for wire in lab.box.wires]
    return ends + [(lab[role], "eth0") for role in ("c1", "s1")]


@pytest.fixture
def offloading(any_lab: Lab) -> Iterator[Lab]:
    """As two containers are wired: TCP hands over 64 KB with half a checksum."""
    # a program on the other end of a veth would make it take packets one by one
    for wire in any_lab.box.wires:
        wire.peer_ns.ip(f"link set {wire.peer_dev} xdp off")
    for ns, dev in cables_of(any_lab):
        for what in OFFLOADS:
            ns.run("ethtool", "-K", dev, what, "on")
    yield any_lab
    for wire in any_lab.box.wires:
        topology.notice_xdp(wire.peer_ns, wire.peer_dev)
    for ns, dev in cables_of(any_lab):
        ns.run("ethtool", "-K", dev, "tx", "off", "gro", "on")


def test_bulk_with_offloads(offloading: Lab) -> None:
    """The bytes arrive, in packets larger than the wire's, and are counted as those of the wire."""
    large = Capture(offloading["s1"], "eth0", f"tcp src port {PORT} and greater 3000", snap=80)
    body = os.urandom(BULK)
    HttpServer(offloading["s1"], PORT, body)
    got = curl(offloading["c1"], f"http://{offloading.server}:{PORT}/")
    assert sha256(got) == sha256(body)
    assert large.frames(), "nothing was larger than a packet of the wire"
    flow = wait_until(lambda: offloading.box.flows("--state", "closing"), "the flow is closing")[0]
    assert flow["in"]["packets"] >= BULK // 1460
    assert flow["in"]["bytes"] >= BULK + flow["in"]["packets"] * 40
    assert not offloading.box.stats()["verdicts"]["drop"]["packets"]


def upload(lab: Lab, size: int) -> None:
    """From the client to the server, where the same bytes arrive."""
    body, got = os.urandom(size), bytearray()
    with tcp_pair(lab["c1"], lab["s1"], lab.server, PORT) as (near, far):
        near.settimeout(60)
        far.settimeout(60)

        def receive() -> None:
            while len(got) < size and (data := far.recv(1 << 20)):
                got.extend(data)

        receiver = threading.Thread(target=receive)
        receiver.start()
        near.sendall(body)
        receiver.join(60)
    assert sha256(bytes(got)) == sha256(body)


def test_upload_with_offloads(offloading: Lab) -> None:
    upload(offloading, BULK // 4)
    assert not offloading.box.stats()["verdicts"]["drop"]["packets"]


@pytest.mark.load("--egress-mtu", "1400")
def test_segments_too_big_for_the_way_out(offloading: Lab) -> None:
    """64 KB of segments that are too big are answered, and TCP makes them smaller."""
    upload(offloading, 4_000_000)
    assert offloading.box.packets("reply_too_big") > 0
    assert not offloading.box.packets("drop_internal")


def test_reset_of_half_a_checksum(offloading: Lab) -> None:
    """The answer to a segment whose checksum was not complete is a right one."""
    with tcp_pair(offloading["c1"], offloading["s1"], offloading.server, PORT) as (near, _):
        offloading.box.unload()
        offloading.box.load()
        near.sendall(b"are you there?")
        with pytest.raises(ConnectionResetError):
            near.recv(1)
    assert offloading.box.packets("reply_rst") >= 1


def test_moves_with_its_flows(any_lab: Lab) -> None:
    """From TC to XDP and back, under a connection that goes on."""
    box = any_lab.box
    with tcp_pair(any_lab["c1"], any_lab["s1"], any_lab.server, PORT) as (near, far):
        for hook in ("xdp", "tc", "xdp", "tc"):
            done = box.run("load", box.outside, *(["--inside", box.inside] if box.inside else []),
                           "--hook", hook)  # fmt: skip
            assert "flows kept" in done.stdout
            assert box.status()["hook"] == hook
            for sock, other in ((near, far), (far, near)):
                body = os.urandom(10000)
                sock.sendall(body)
                assert other.recv(len(body), socket.MSG_WAITALL) == body
        assert len(box.flows("--proto", "tcp")) == 1


@pytest.mark.load("--max-flows", 2048)
def test_moves_to_other_tables_with_its_flows(any_lab: Lab) -> None:
    """Another hook and another max_flows at once."""
    box = any_lab.box
    arms = ["--inside", box.inside] if box.inside else []
    with tcp_pair(any_lab["c1"], any_lab["s1"], any_lab.server, PORT) as (near, far):
        for hook, size in (("xdp", 4096), ("tc", 2048)):
            done = box.run("load", box.outside, *arms, "--hook", hook, "--max-flows", size)
            assert "flows kept" in done.stdout
            status = box.status()
            assert (status["hook"], status["flows"]["max"]) == (hook, size)
            for sock, other in ((near, far), (far, near)):
                sock.sendall(b"still here")
                assert other.recv(10, socket.MSG_WAITALL) == b"still here"
        assert len(box.flows("--proto", "tcp")) == 1


def filters(ns: Namespace, dev: str) -> list[dict]:
    return json.loads(ns.run("tc", "-j", "filter", "show", "dev", dev, "ingress").stdout)


def qdiscs(ns: Namespace, dev: str) -> list[str]:
    listed = json.loads(ns.run("tc", "-j", "qdisc", "show", "dev", dev).stdout)
    return [qdisc["kind"] for qdisc in listed]


def test_unload_leaves_what_was_there(two_armed_lab: Lab) -> None:
    """Filters and a qdisc of somebody else stay; a qdisc of natxdp goes."""
    box, ns = two_armed_lab.box, two_armed_lab["nat"]
    ns.run("tc", "qdisc", "add", "dev", "eth1", "clsact")
    other = "filter add dev eth1 ingress protocol all pref 7 bpf bytecode".split()
    ns.run("tc", *other, "1,6 0 0 0")  # returns 0: it takes nothing
    try:
        box.load()
        assert "clsact" in qdiscs(ns, "eth0")
        box.unload()
        assert "clsact" not in qdiscs(ns, "eth0")
        assert "clsact" in qdiscs(ns, "eth1")
        assert {item["pref"] for item in filters(ns, "eth1")} == {7}
    finally:
        box.end()
        ns.run("tc", "qdisc", "del", "dev", "eth1", "clsact", check=False)


def assert_at_one_hook(lab: Lab) -> None:
    """All interfaces, and nothing of ours at the other one."""
    ns, at_tc = lab["nat"], lab.box.status()["hook"] == "tc"
    for dev in filter(None, (lab.box.outside, lab.box.inside)):
        # the second place is the guard's, at either hook
        assert {item["pref"] for item in filters(ns, dev)} == ({1, 2} if at_tc else {2})
        [link] = json.loads(ns.run("ip", "-j", "link", "show", "dev", dev).stdout)
        assert ("xdp" in link) != at_tc


@pytest.mark.parametrize("hook", ("xdp", "tc"))
def test_killed_on_the_way_to_the_other_hook(lab: Lab, hook: str) -> None:
    """It translates at once, verify tells what is left, and the watcher or a repair ends it."""
    box, before = lab.box, {"xdp": "tc", "tc": "xdp"}[hook]
    load = ("load", box.outside, "--inside", box.inside, "--hook")
    log = lab.scratch / "strace"
    UdpServer(lab["s1"], PORT)
    old = udp_client(lab["c1"], lab.server, PORT)

    def move(*options: str) -> str:
        lab["nat"].run("strace", "-qq", "-o", log, "-e", f"trace={test_upgrade.STEPS}", *options,
                       *box.command(*load, hook), check=False, timeout=60)  # fmt: skip
        return log.read_text(errors="replace")

    box.run(*load, before)
    steps = test_upgrade.numbered(move())
    mark, which = {"xdp": ("RTM_DELTFILTER", 0), "tc": ("RTM_NEWTFILTER", 1)}[hook]
    chosen = [[step for step in steps if mark in step[2]][which]]
    if test_upgrade.LONG:
        first = next(i for i, step in enumerate(steps) if "/links/" in step[2] and "fresh" in step[2])
        chosen = steps[first - 5 :]
    mended = 0
    for number, (name, count, _) in enumerate(chosen):
        box.run(*load, before)
        assert_at_one_hook(lab)
        move("-e", f"inject={name}:signal=KILL:when={count}")
        assert echoed(old, b"%d" % number) and echoed(udp_client(lab["c2"], lab.server, PORT))
        verified = box.run("verify", check=False).stdout
        if "both hooks" in verified and (number % 2 == 0) == (hook == "tc"):
            box.run("verify", "--repair")
        elif "both hooks" in verified:
            lab["nat"].ip("link set eth0 alias poked")  # else it looks every 30 seconds
            wait_until(lambda: "both hooks" not in box.run("verify", check=False).stdout,
                       "the watcher loads again", 20)  # fmt: skip
        mended += "both hooks" in verified
        assert_at_one_hook(lab)
        assert echoed(old, b"%d" % number)
    assert mended > 0


def test_auto_says_why(two_armed_lab: Lab) -> None:
    """Where another program has the place in XDP, auto is at TC; where nothing has, in XDP."""
    box, ns = two_armed_lab.box, two_armed_lab["nat"]
    box.hook = "auto"
    try:
        topology.notice_xdp(ns, "eth0")
        looked = box.json("check", box.outside, "--inside", box.inside, "--hook", "auto")
        found = {entry["name"]: entry for entry in looked["checks"]}
        assert looked["ready"], "what keeps auto from XDP does not keep it from TC"
        assert found["hook"]["found"].startswith("auto takes tc: eth0 other XDP is program ")
        done = box.load()
        assert "hook = auto: at TC, because eth0: another XDP program" in done.stderr
        status = box.status()
        assert (status["hook"], status["xdp_mode"]) == ("tc", None)
        assert "another XDP program" in status["hook_reason"]
        box.end()
        ns.ip("link set eth0 xdp off")
        box.load()
        status = box.status()
        assert (status["hook"], status["xdp_mode"]) == ("xdp", "native")
        assert status["hook_reason"] == ""
    finally:
        box.end()
        ns.ip("link set eth0 xdp off")
        box.hook = "tc"


def test_verify_at_tc(lab: Lab) -> None:
    """A packet goes through the filter's program; a filter that is gone is found and mended."""
    assert lab.box.run("verify").returncode == 0
    run("tc", "-n", lab["nat"].name, *"filter del dev eth0 ingress".split())
    assert lab.box.run("verify", check=False).returncode != 0
    lab.box.run("verify", "--repair")
    assert lab.box.status()["hook"] == "tc"
