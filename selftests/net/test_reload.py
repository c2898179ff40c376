# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""A new load over a NAT with traffic, and loaders that are killed half-way."""

import random
import threading
import time

import pytest
from lab import Lab, reap, wait_until
from probes import UdpServer, echoed, tcp_pair, udp_client

PORT = 9000
RELOADS = 5
KILLS = 25
FLOWS = 50


@pytest.fixture
def bare(two_armed_lab: Lab):
    """The lab without a NAT at the start and at the end."""
    with two_armed_lab.scope():
        yield two_armed_lab
        two_armed_lab.box.end()


class Stream:
    """Datagrams back and forth without a break. Counts what did not come back.

    Who comes late, on a machine that is busy, is not lost, and not taken for the next one.
    """

    def __init__(self, lab: Lab, patience: float = 1) -> None:
        self.sock = udp_client(lab["c1"], lab.server, PORT)
        self.sock.settimeout(patience)
        self.sent = self.lost = 0
        self.ending = False
        self.thread = threading.Thread(target=self.send, daemon=True)
        self.thread.start()

    def came_back(self, payload: bytes) -> bool:
        """Waits for it, or with no payload for anything."""
        try:
            while self.sock.recv(100) != payload:
                self.lost -= 1
                if not payload:
                    return True
        except OSError:
            return False
        return True

    def send(self) -> None:
        while not self.ending:
            self.sent += 1
            payload = b"%d" % self.sent
            try:
                self.sock.send(payload)
            except OSError:  # of the one before
                pass
            self.lost += not self.came_back(payload)

    def end(self) -> None:
        self.ending = True
        self.thread.join()
        while self.lost and self.came_back(b""):
            pass


def test_reload_loses_no_packet_and_no_flow(any_lab: Lab) -> None:
    UdpServer(any_lab["s1"], PORT)
    socks = [udp_client(any_lab["c2"], any_lab.server, PORT) for _ in range(FLOWS)]
    assert all(echoed(sock) for sock in socks)
    with tcp_pair(any_lab["c1"], any_lab["s1"], any_lab.server, PORT) as (near, far):
        stream = Stream(any_lab)
        for number in range(RELOADS):
            sent = stream.sent
            assert "flows kept" in any_lab.box.load().stdout
            near.sendall(b"%04d" % number)
            assert far.recv(4, 0x100) == b"%04d" % number  # MSG_WAITALL
            wait_until(lambda: stream.sent > sent + 10, "the stream goes on")
        stream.end()
    assert stream.lost == 0
    assert all(echoed(sock) for sock in socks)
    flows = {
        (flow["inside"]["address"], flow["inside"]["port"]): flow["out"]["packets"]
        for flow in any_lab.box.flows("--proto", "udp")
    }
    # two hosts may draw the same port
    assert flows.pop(stream.sock.getsockname()) == stream.sent
    assert flows == {sock.getsockname(): 2 for sock in socks}
    reasons = any_lab.box.stats()["reasons"]
    drops = {n: r["packets"] for n, r in reasons.items() if r["verdict"] == "drop" and r["packets"]}
    assert drops == {}


def test_reload_takes_over_new_settings(lab: Lab) -> None:
    server = UdpServer(lab["s1"], PORT)
    old = udp_client(lab["c1"], lab.server, PORT)
    assert echoed(old)
    lab.box.load("--port-range", "40000-40099", "--no-nat", "192.0.2.0/24")
    assert echoed(udp_client(lab["c1"], lab.server, PORT))
    assert server.seen[-1][1] in range(40000, 40100)
    assert echoed(old, b"as before")
    assert server.seen[-1][1] == server.seen[0][1]


@pytest.mark.load("--udp-timeout", 1)
def test_expiry_goes_on_after_a_reload(lab: Lab) -> None:
    """The timer belongs to the new program then."""
    UdpServer(lab["s1"], PORT)
    for _ in range(2):
        assert echoed(udp_client(lab["c1"], lab.server, PORT))
        lab.box.load("--udp-timeout", 1)
        wait_until(lambda: not lab.box.flows(), "the flow is gone", 6)


def load_time(lab: Lab) -> float:
    start = time.monotonic()
    lab.box.load()
    return time.monotonic() - start


def load_and_kill(lab: Lab, delay: float) -> None:
    """kill -9, after so many seconds."""
    loader = lab["nat"].spawn(*lab.box.command(*lab.box.load_arguments()))
    deadline = time.monotonic() + delay
    while time.monotonic() < deadline and loader.poll() is None:
        pass  # to the moment: a poll with pauses would always hit the same ones
    reap(loader)



def test_killed_first_load_can_be_repeated(bare: Lab) -> None:
    """Afterwards the NAT translates or is not there, and nothing leaks out."""
    UdpServer(bare["s1"], PORT)
    bare.leaks.forget()
    whole = load_time(bare)
    bare.box.unload()
    for _ in range(KILLS):
        load_and_kill(bare, random.uniform(0, whole * 1.1))
        sock = udp_client(bare["c1"], bare.server, PORT)
        sock.settimeout(0.05)
        if bare.box.run("status", check=False).returncode == 0:
            assert echoed(sock), "status says that it works"
        else:
            echoed(sock)  # no answer, or one: but never untranslated
        assert not bare.leaks.frames()
        bare.box.load()
        assert echoed(udp_client(bare["c1"], bare.server, PORT))
        bare.box.unload()
        assert not bare.box.pin_dir.exists()
    assert not bare.leaks.frames()


def test_killed_reload_leaves_a_working_nat(bare: Lab) -> None:
    UdpServer(bare["s1"], PORT)
    bare.leaks.forget()
    bare.box.load()
    whole = load_time(bare)
    sock = udp_client(bare["c1"], bare.server, PORT)
    for number in range(KILLS):
        load_and_kill(bare, random.uniform(0, whole * 1.1))
        assert echoed(sock, b"%d" % number), "the flow of before goes on"
        assert echoed(udp_client(bare["c2"], bare.server, PORT)), "a new flow opens"
        assert bare.box.status()["active"] is True
    bare.box.load()
    assert echoed(sock)
    address, port = sock.getsockname()
    flows = bare.box.flows("--inside", address)
    [flow] = [flow for flow in flows if flow["inside"]["port"] == port]
    assert flow["out"]["packets"] == KILLS + 1
    assert not bare.leaks.frames()


def test_killed_unload_can_be_repeated(bare: Lab) -> None:
    before = bare["nat"].sysctl("net.ipv4.ip_forward")
    bare.leaks.forget()
    for _ in range(10):
        bare.box.load(audit=False)  # its counters go half-way
        loader = bare["nat"].spawn(*bare.box.command("unload", "--all"))
        deadline = time.monotonic() + random.uniform(0, 0.05)
        while time.monotonic() < deadline and loader.poll() is None:
            pass
        reap(loader)
        udp_client(bare["c1"], bare.server, PORT).send(b"leaks?")
        assert not bare.leaks.frames()
        bare.box.unload()
        assert not bare.box.pin_dir.exists()
        assert bare["nat"].sysctl("net.ipv4.ip_forward") == before


def test_nothing_leaks_while_loading_and_unloading(bare: Lab) -> None:
    """Packets come all the time, and never find the moment between forwarding and NAT."""
    bare.leaks.forget()
    stream = Stream(bare, patience=0.002)
    for _ in range(5):
        bare.box.load(audit=False)  # the counters never rest
        bare.box.unload()
    stream.end()
    assert stream.sent > 100
    assert not bare.leaks.frames()


def test_two_loaders_at_once(bare: Lab) -> None:
    """One goes first, the others say so or come after it: the NAT works."""
    UdpServer(bare["s1"], PORT)
    command = bare.box.command(*bare.box.load_arguments())
    loaders = [bare["nat"].spawn(*command) for _ in range(4)]
    statuses = [loader.wait(20) for loader in loaders]
    assert 0 in statuses and set(statuses) <= {0, 6}
    assert bare.box.status()["active"] is True
    assert echoed(udp_client(bare["c1"], bare.server, PORT))
