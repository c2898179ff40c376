# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""A NAT that runs gets tables of another size, and loaders that are killed at each step of it.

NATXDP_TEST_LONG=1 makes 50 upgrades instead of 4, and kills at every system
call that changes something instead of eight of them.

test-timeout: 5400
"""

import json
import os
import signal
import socket
import threading

import pytest
from agent import Agent
from lab import Lab, run, wait_until
from probes import UdpServer, connect, echoed, helper, listener, sha256, udp_client
from programs import SO_MAX_PACING_RATE, read_to_end, send_in_background
from test_reload import Stream

LONG = bool(os.environ.get("NATXDP_TEST_LONG"))
STATE = 6
PORT = 9000
IDLE = 50
SIZES = (262_144, 262_144, 131_072, 393_216)  # the same twice: that one is replaced in place
UPGRADES = 50 if LONG else len(SIZES)
NEW_FLOWS = 10_000  # a second
HOSTS_NET = "10.79.0.0/16"
PACE = 2_000_000  # bytes a second


def drops(lab: Lab) -> dict[str, int]:
    reasons = lab.box.stats()["reasons"]
    return {n: r["packets"] for n, r in reasons.items() if r["verdict"] == "drop" and r["packets"]}


class Churn:
    """New flows at a steady rate until the end, none of which is answered."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        lab["nat"].ip(f"route replace {HOSTS_NET} via 10.77.0.11")
        lab["outrouter"].ip("route replace blackhole 192.0.2.0/24")
        self.sent = self.runs = 0
        self.ending = False
        self.run(1, 1000)
        wait_until(lambda: "lladdr" in lab["nat"].ip("neigh show 203.0.113.254"), "ARP is done")
        self.thread = threading.Thread(target=self.go_on, daemon=True)
        self.thread.start()

    def run(self, flows: int, rate: int) -> None:
        to = ",".join(f"192.0.2.{number}:53" for number in range(1, 101))
        done = self.lab["c1"].run(
            helper("udp_flows"), "--device", "eth0", "--gateway", self.lab["nat"].mac("eth1"),
            "--host", f"10.79.{self.runs % 256}.1", "--hosts", 16, "--to", to, "--flows", flows,
            "--unanswered", rate, timeout=120,
        )  # fmt: skip
        self.sent += json.loads(done.stdout)["sent"]
        self.runs += 1

    def go_on(self) -> None:
        while not self.ending:
            self.run(NEW_FLOWS, NEW_FLOWS)

    def end(self) -> None:
        self.ending = True
        self.thread.join()
        self.lab["nat"].ip(f"route del {HOSTS_NET}")


class Transfer:
    """Random bytes from client to server and their hashes; as long as it goes on."""

    def __init__(self, lab: Lab, port: int) -> None:
        self.body = os.urandom(4 * PACE)  # four seconds, so over one upgrade or more
        self.listening = listener(lab["s1"], port)
        self.near = connect(lab["c2"], lab.server, port)
        self.far, _ = self.listening.accept()
        for sock in (self.near, self.far):
            sock.settimeout(60)
        self.near.setsockopt(socket.SOL_SOCKET, SO_MAX_PACING_RATE, PACE)
        self.thread = send_in_background(self.near, self.body)
        self.received = b""
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self) -> None:
        self.received = read_to_end(self.far)

    def arrived(self) -> bool:
        self.reader.join(120)
        for sock in (self.near, self.far, self.listening):
            sock.close()
        return sha256(self.received) == sha256(self.body)


class Iperf:
    """iperf3 until the end. No second without bytes: a connection that stood still is seen."""

    def __init__(self, lab: Lab) -> None:
        self.server = lab["s2"].spawn("iperf3", "-s", "-p", 5201)
        wait_until(lambda: lab["s2"].listens(5201, "t"), "iperf3 listens")
        self.output = lab.scratch / "iperf3.json"
        self.client = lab["c1"].spawn(
            "iperf3", "-c", "203.0.113.3", "-p", 5201, "-t", 3600, "-b", "40M", "-J",
            "--logfile", self.output,
        )  # fmt: skip

    def end(self) -> dict:
        self.client.send_signal(signal.SIGINT)
        self.client.wait(20)
        return json.loads(self.output.read_text())


def tcp_connections(lab: Lab) -> list[tuple[socket.socket, socket.socket]]:
    """Connections without traffic: only the tables know them."""
    with listener(lab["s1"], 9001) as listening:
        near = [connect(lab["c2"], lab.server, 9001) for _ in range(IDLE)]
        return [(sock, listening.accept()[0]) for sock in near]


def both_ways(near: socket.socket, far: socket.socket) -> bool:
    for sender, receiver in ((near, far), (far, near)):
        receiver.settimeout(10)
        sender.sendall(b"still here")
        if receiver.recv(10, socket.MSG_WAITALL) != b"still here":
            return False
    return True


# connections are idle for as long as it takes, and that can be more than 350 seconds
TIMEOUTS = ("--udp-timeout", 4, "--tcp-established-timeout", 3600)


@pytest.mark.load("--max-flows", SIZES[-1], *TIMEOUTS)
def test_upgrades_lose_nothing(lab: Lab) -> None:
    UdpServer(lab["s1"], PORT)
    idle = tcp_connections(lab)
    churn, stream, iperf = Churn(lab), Stream(lab), Iperf(lab)
    transfers = []
    try:
        for number in range(UPGRADES):
            transfers.append(Transfer(lab, 9100 + number))
            sent = stream.sent
            size = SIZES[number % len(SIZES)]
            done = lab.box.load("--max-flows", size, *TIMEOUTS)
            assert "flows kept" in done.stdout
            assert lab.box.status()["flows"]["max"] == size
            assert not (lab.box.pin_dir / "next").exists()
            wait_until(lambda: stream.sent > sent + 10, "the stream goes on", 30)
    finally:
        stream.end()
        churn.end()
        report = iperf.end()
    assert all(transfer.arrived() for transfer in transfers)
    assert all(both_ways(near, far) for near, far in idle)
    assert all(interval["sum"]["bytes"] for interval in report["intervals"][:-1])
    events = lab.box.stats()["events"]
    others = len(idle) + len(transfers) + 3  # the stream, and two of iperf3
    numbers = {
        "upgrades": UPGRADES,
        "new flows": churn.sent,
        "new flows lost": churn.sent + others - events["flows_opened"],
        "datagrams lost": stream.lost,
        "dropped": drops(lab),
        "iperf3 retransmits": report["end"]["sum_sent"]["retransmits"],
    }
    print(json.dumps(numbers))
    assert numbers["new flows lost"] == numbers["datagrams lost"] == 0
    assert numbers["dropped"] == {}


def test_agent_goes_on_with_the_new_tables(lab: Lab) -> None:
    """It opens them while it runs, and loses no count."""
    UdpServer(lab["s1"], PORT)
    agent = Agent(lab)
    socks = [udp_client(lab["c1"], lab.server, PORT) for _ in range(5)]
    assert all(echoed(sock) for sock in socks)
    wait_until(lambda: agent.metrics().get("natxdp_flows_opened_total") == 5, "it counts", 10)
    lab.box.load("--max-flows", 20_000)
    assert all(echoed(sock) for sock in socks)
    assert echoed(udp_client(lab["c2"], lab.server, PORT))
    wait_until(lambda: agent.metrics().get("natxdp_flows") == 6, "it sees the new tables", 10)
    assert agent.process.poll() is None
    wait_until(lambda: agent.metrics()["natxdp_flows_opened_total"] == 6, "it counts on", 10)
    reasons = lab.box.stats()["reasons"]
    sent = sum(reasons[n]["packets"] for n in ("out_forwarded", "out_via_kernel"))
    assert sent == 11
    wait_until(lambda: agent.metrics()["natxdp_packets_out_to_destination_total"] == sent,
               "it counts packets on", 10)


def config_bytes(lab: Lab) -> list[str]:
    done = run("bpftool", "-j", "map", "dump", "pinned", lab.box.pin_dir / "maps" / "config")
    return json.loads(done.stdout)[0]["value"]


def write_config(lab: Lab, value: list[str]) -> None:
    run("bpftool", "map", "update", "pinned", lab.box.pin_dir / "maps" / "config",
        "key", "hex", *["00"] * 4, "value", "hex", *(byte.removeprefix("0x") for byte in value))  # fmt: skip


def test_tables_of_a_newer_version_are_left_alone(lab: Lab) -> None:
    """A downgrade that this version cannot do is refused, and what runs goes on."""
    UdpServer(lab["s1"], PORT)
    sock = udp_client(lab["c1"], lab.server, PORT)
    assert echoed(sock)
    before = config_bytes(lab)
    write_config(lab, [f"0x{int(before[0], 16) + 1:02x}", *before[1:]])
    try:
        for options in ((), ("--max-flows", 4096)):
            done = lab.box.load(*options, check=False)
            assert done.returncode == STATE
            assert "whose tables this one cannot read" in done.stderr
            assert echoed(sock)
            assert echoed(udp_client(lab["c2"], lab.server, PORT))
    finally:
        write_config(lab, before)
    assert "flows kept" in lab.box.load().stdout
    assert echoed(sock)


# What changes something that outlives the process; each is a step at which it may die.
STEPS = "bpf,renameat2,mkdir,rmdir,unlink,rename,sendto"


def trace(lab: Lab, options: list[str], size: int) -> str:
    """natxdp load with another size under strace; returns its system calls."""
    log = lab.scratch / "strace"
    arguments = lab.box.load_arguments("--max-flows", size, "--no-watch")
    lab["nat"].run(
        "strace", "-qq", "-o", log, "-e", f"trace={STEPS}", *options,
        *lab.box.command(*arguments), check=False, timeout=120,
    )  # fmt: skip
    return log.read_text(errors="replace")


def numbered(calls: str) -> list[tuple[str, int, str]]:
    """(system call, its number among those of its name, all of it)."""
    numbers: dict[str, int] = {}
    steps = []
    for line in calls.splitlines():
        name = line.split("(")[0]
        numbers[name] = numbers.get(name, 0) + 1
        steps.append((name, numbers[name], line))
    return steps


def steps_of(calls: str) -> list[tuple[str, int]]:
    """From where the pins begin to change."""
    steps = numbered(calls)
    first = next(i for i, step in enumerate(steps) if step[0] == "mkdir")
    return [(name, number) for name, number, _ in steps[first:]]


def assert_works(lab: Lab, old: list[socket.socket], number: int) -> None:
    assert all(echoed(sock, b"%d" % number) for sock in old), "the flows of before go on"
    new = udp_client(lab["c2"], lab.server, PORT)
    assert echoed(new), "a new flow opens"
    assert echoed(new), "and goes on"
    assert lab.box.status()["active"] is True


@pytest.mark.load("--max-flows", 2048)
def test_killed_at_each_step(lab: Lab) -> None:
    """The old or the new one works at once, and the next command leaves nothing behind."""
    UdpServer(lab["s1"], PORT)
    old = [udp_client(lab["c1"], lab.server, PORT) for _ in range(5)]
    assert all(echoed(sock) for sock in old)
    steps = steps_of(trace(lab, [], 4096))
    assert len(steps) > 60
    chosen = steps if LONG else steps[:: len(steps) // 8]
    outcomes = set()
    for number, (name, count) in enumerate(chosen):
        size = (2048, 4096)[number % 2]
        trace(lab, ["-e", f"inject={name}:signal=KILL:when={count}"], size)
        assert_works(lab, old, number)
        done = lab.box.load("--max-flows", size, "--no-watch")
        outcomes.add(next((w for w in ("finished", "taken back") if w in done.stderr), "nothing"))
        for name in ("next", "gate"):
            assert not (lab.box.pin_dir / name).exists()
        assert_works(lab, old, number)
        assert lab.box.status()["flows"]["max"] == size
    assert {"finished", "taken back"} <= outcomes
    sent = 1 + 2 * len(chosen)
    mine = {sock.getsockname() for sock in old}
    flows = [
        flow["out"]["packets"]
        for flow in lab.box.flows("--proto", "udp")
        if (flow["inside"]["address"], flow["inside"]["port"]) in mine
    ]
    assert flows == [sent] * len(old), "no packet was counted twice or not at all"
