# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""The agent: what it says is what the traffic was."""

import contextlib
import signal
import subprocess
import time
from pathlib import Path

import pytest
from agent import NATXDPD, Agent
from lab import Lab, wait_until
from probes import UdpServer, echoed, tcp_pair, udp_client

PORT = 9000


def settled(agent: Agent, name: str, value: float) -> None:
    wait_until(lambda: agent.metrics().get(name) == value, f"{name} is {value}", 8)


def test_counts_of_tcp(lab: Lab) -> None:
    agent = Agent(lab)
    with contextlib.ExitStack() as stack:
        for i in range(3):
            stack.enter_context(tcp_pair(lab["c1"], lab["s1"], lab.server, PORT + i))
        settled(agent, "natxdp_connections_established_total", 3)
        settled(agent, "natxdp_active_connections", 3)
        metrics = agent.metrics()
    assert metrics["natxdp_connection_attempts_total"] == 3
    assert metrics["natxdp_flows"] == 3
    assert metrics["natxdp_flows_opened_total"] == 3
    assert metrics["natxdp_idle_timeouts_total"] == 0
    settled(agent, "natxdp_active_connections", 0)
    stats = lab.box.stats()["reasons"]
    settled(agent, "natxdp_packets_out_to_destination_total",
            stats["out_forwarded"]["packets"] + stats["out_via_kernel"]["packets"])
    metrics = agent.metrics()
    assert metrics["natxdp_bytes_out_to_source_total"] == (
        stats["in_forwarded"]["bytes"] + stats["in_via_kernel"]["bytes"])
    assert metrics["natxdp_bytes_in_from_source_total"] == metrics[
        "natxdp_bytes_out_to_destination_total"]


def test_attempt_without_an_answer(lab: Lab) -> None:
    """A SYN that is repeated is one attempt."""
    agent = Agent(lab)
    lab["s1"].run("nft", "add table ip t; add chain ip t in { type filter hook input priority 0; }; "
                  f"add rule ip t in tcp dport {PORT} drop")
    try:
        sock = lab["c1"].socket(2, 1)
        sock.settimeout(2.5)
        with pytest.raises(TimeoutError):
            sock.connect((lab.server, PORT))
    finally:
        lab["s1"].run("nft", "delete table ip t")
    settled(agent, "natxdp_connection_attempts_total", 1)
    metrics = agent.metrics()
    assert metrics["natxdp_connections_established_total"] == 0
    assert metrics["natxdp_packets_in_from_source_total"] >= 2


@pytest.mark.load("--tcp-established-timeout", 1)
def test_idle_timeout(lab: Lab) -> None:
    """One connection is forgotten, another is closed: only the first one counts."""
    agent = Agent(lab)
    with tcp_pair(lab["c1"], lab["s1"], lab.server, PORT):
        with tcp_pair(lab["c1"], lab["s1"], lab.server, PORT + 1):
            pass
        settled(agent, "natxdp_idle_timeouts_total", 1)
        settled(agent, "natxdp_active_connections", 0)
        assert agent.metrics()["natxdp_idle_timeouts_total"] == 1


@pytest.mark.load("--port-range", "2000-2001")
def test_no_port_left(lab: Lab) -> None:
    agent = Agent(lab)
    UdpServer(lab["s1"], PORT)
    socks = [udp_client(lab["c1"], lab.server, PORT) for _ in range(3)]
    assert echoed(socks[0]) and echoed(socks[1])
    socks[2].send(b"no port for this")
    settled(agent, "natxdp_port_allocation_errors_total", 1)
    settled(agent, "natxdp_port_use_percent", 100)
    metrics = agent.metrics()
    assert metrics["natxdp_packets_dropped_total"] == 1
    assert metrics["natxdp_packets_in_from_source_total"] == 3
    assert metrics["natxdp_packets_out_to_destination_total"] == 2
    assert metrics['natxdp_address_port_use_percent{address="203.0.113.1"}'] == 100


def test_text_is_what_others_read(lab: Lab) -> None:
    agent = Agent(lab)
    UdpServer(lab["s1"], PORT)
    assert echoed(udp_client(lab["c1"], lab.server, PORT))
    done = subprocess.run(["promtool", "check", "metrics"], input=agent.text(),
                          capture_output=True, text=True, timeout=20)
    assert done.returncode == 0, done.stdout + done.stderr
    text = agent.ns.run("curl", "-s", "-H", "Accept: application/openmetrics-text",
                        "http://127.0.0.1:9469/metrics").stdout
    assert text.endswith("# EOF\n")
    assert "# TYPE natxdp_idle_timeouts counter\n" in text
    assert "\nnatxdp_idle_timeouts_total{" in text


def test_health_tells_the_truth(lab: Lab) -> None:
    agent = Agent(lab)
    wait_until(lambda: agent.get("/healthz") == (200, "ok\n"), "a packet got through", 10)
    assert agent.get("/readyz") == (200, "ok\n")
    assert agent.get("/nothing")[0] == 404
    refused = lab["nat"].run("curl", "-si", "-d", "x", "http://127.0.0.1:9469/metrics").stdout
    assert refused.startswith("HTTP/1.1 405 ") and "Allow: GET, HEAD" in refused
    lab["nat"].ip("link set eth0 xdp off", check=False)
    subprocess.run(["bpftool", "link", "detach", "pinned",
                    str(lab.pin_dir / "links" / "eth0")], check=True)
    wait_until(lambda: agent.get("/healthz")[0] == 503, "it is ill", 10)
    assert "interfaces" in agent.get("/healthz")[1]
    assert agent.status()["health"]["attached"] == 1
    lab.box.audit = None  # a test packet that is dropped is counted, and came by no cable
    assert "brought back" in lab.box.load().stdout
    wait_until(lambda: agent.get("/healthz") == (200, "ok\n"), "it is well again", 10)


@pytest.mark.parametrize("dev, switch", [("eth0", "outsw"), ("eth1", "insw")])
def test_no_carrier_is_no_health(lab: Lab, dev: str, switch: str) -> None:
    """The program is there and test packets pass it, and nothing else does."""
    agent = Agent(lab)
    wait_until(lambda: agent.get("/healthz") == (200, "ok\n"), "a packet got through", 10)
    try:
        lab[switch].ip("link set nat down")
        wait_until(lambda: agent.get("/healthz")[0] == 503, "it is ill", 15)
        assert agent.get("/healthz")[1].startswith(f"{dev} has no carrier or is down")
        settled(agent, "natxdp_healthy", 0)
    finally:
        lab[switch].ip("link set nat up")
    wait_until(lambda: agent.get("/healthz") == (200, "ok\n"), "it is well again", 15)


def test_health_is_proved_by_a_packet(lab: Lab) -> None:
    """A program that is attached and translates nothing is no health; nothing of the packet stays."""
    agent = Agent(lab, health_probe="0.5", records="all", record_file=lab.scratch / "agent/records")
    time.sleep(1.6)  # several packets
    wait_until(lambda: agent.get("/healthz")[0] == 200, "a packet got through", 10)
    metrics = agent.metrics()
    assert {name: metrics[name] for name in (
        "natxdp_flows", "natxdp_flows_opened_total", "natxdp_packets_out_to_destination_total",
        "natxdp_bytes_in_from_source_total", "natxdp_packets_out_to_source_total",
        "natxdp_flow_records_total", 'natxdp_protocol_flows{protocol="udp"}',
    )} == dict.fromkeys([
        "natxdp_flows", "natxdp_flows_opened_total", "natxdp_packets_out_to_destination_total",
        "natxdp_bytes_in_from_source_total", "natxdp_packets_out_to_source_total",
        "natxdp_flow_records_total", 'natxdp_protocol_flows{protocol="udp"}',
    ], 0)
    assert (lab.scratch / "agent/records").read_text() == ""
    lab.box.audit.close()
    lab.box.audit = None  # a test packet that is dropped is counted, and came by no cable
    lab.box.run("block", "add", "10.255.255.254")
    wait_until(lambda: agent.get("/healthz")[0] == 503, "a packet was refused", 10)
    assert "the packet out was dropped on eth1" in agent.get("/healthz")[1]
    settled(agent, "natxdp_healthy", 0)
    lab.box.run("block", "del", "10.255.255.254")
    wait_until(lambda: agent.get("/healthz") == (200, "ok\n"), "it is well again", 10)


def test_follows_a_reload(lab: Lab) -> None:
    """Other programs over the same tables are no fault at any moment."""
    agent = Agent(lab, sample="0.2", interval="0.4", health_probe="0.3")
    UdpServer(lab["s1"], PORT)
    sock = udp_client(lab["c1"], lab.server, PORT)
    wait_until(lambda: agent.get("/healthz")[0] == 200, "a packet got through", 10)
    for _ in range(3):
        assert echoed(sock)
        lab.box.load()
        end = time.monotonic() + 0.6
        while time.monotonic() < end:
            assert agent.get("/healthz") == (200, "ok\n"), agent.messages()
    settled(agent, "natxdp_packets_out_to_source_total", 3)
    assert agent.metrics()["natxdp_agent_starts_total"] == 1


@pytest.mark.load("--max-flows", 20_000)
def test_follows_an_upgrade(lab: Lab) -> None:
    """Other tables: the agent goes on with them, and no count is lost or begins anew."""
    record_file = lab.scratch / "agent/records"
    agent = Agent(lab, records="all", record_file=record_file, talkers=3, sample="0.2",
                  interval="0.4")
    UdpServer(lab["s1"], PORT)
    sock = udp_client(lab["c1"], lab.server, PORT)
    assert all(echoed(sock) for _ in range(50))
    settled(agent, "natxdp_packets_out_to_source_total", 50)
    lab.box.load("--max-flows", 40_000)
    wait_until(lambda: agent.status()["table"]["max_flows"] == 40_000, "it follows", 10)
    assert "other tables" in agent.messages()
    assert all(echoed(sock) for _ in range(50))
    assert echoed(udp_client(lab["c2"], lab.server, PORT))
    settled(agent, "natxdp_packets_out_to_source_total", 101)
    settled(agent, 'natxdp_protocol_flows{protocol="udp"}', 2)
    wait_until(lambda: len(record_file.read_text().splitlines()) == 2, "both are recorded", 10)
    wait_until(lambda: agent.get("/healthz")[0] == 200, "it is well", 10)
    metrics = agent.metrics()
    assert metrics["natxdp_agent_starts_total"] == 1
    assert metrics["natxdp_flows_opened_total"] == metrics["natxdp_flows"] == 2


def test_counts_go_on_after_a_kill(lab: Lab) -> None:
    """No packet is lost, and no count jumps or begins anew."""
    agent = Agent(lab)
    UdpServer(lab["s1"], PORT)
    sock = udp_client(lab["c1"], lab.server, PORT)
    assert all(echoed(sock) for _ in range(50))
    settled(agent, "natxdp_packets_out_to_source_total", 50)
    agent.kill(signal.SIGKILL)
    assert all(echoed(sock) for _ in range(50))
    agent.start()
    settled(agent, "natxdp_packets_out_to_source_total", 100)
    metrics = agent.metrics()
    assert metrics["natxdp_agent_starts_total"] == 2
    assert metrics["natxdp_flows_opened_total"] == 1


def test_ends_with_the_nat_and_comes_back(lab: Lab) -> None:
    agent = Agent(lab)
    lab.box.unload()
    assert agent.process.wait(15) == 0
    lab.box.load()
    agent.start()
    assert agent.metrics()["natxdp_agent_starts_total"] == 1


def rights(pid: int) -> dict[str, str]:
    text = Path(f"/proc/{pid}/status").read_text()
    return dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)


def test_has_no_rights(lab: Lab) -> None:
    agent = Agent(lab)
    status = rights(agent.process.pid)
    assert status["Uid"].split() == ["65534"] * 4
    assert status["CapEff"] == status["CapPrm"] == status["CapBnd"] == "0" * 16
    assert status["NoNewPrivs"] == "1"
    assert status["Seccomp"] == "2"


def test_its_helper_can_only_open(lab: Lab) -> None:
    """The process that opens pins has the two capabilities that this takes, and a filter."""
    agent = Agent(lab)
    [helper] = Path(f"/proc/{agent.process.pid}/task/{agent.process.pid}/children"
                    ).read_text().split()
    wait_until(lambda: rights(helper)["Seccomp"] == "2", "it has its filter", 10)
    status = rights(helper)
    assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == 1 << 21 | 1 << 1
    assert status["NoNewPrivs"] == "1"


def test_reload(lab: Lab) -> None:
    """A wrong file changes nothing; a right one is in force, and counts go on."""
    agent = Agent(lab)
    UdpServer(lab["s1"], PORT)
    assert echoed(udp_client(lab["c1"], lab.server, PORT))
    agent.conf["scan"] = "never"
    agent.write()
    agent.process.send_signal(signal.SIGHUP)
    wait_until(lambda: "stays as it was" in agent.messages(), "it is refused")
    agent.conf |= {"scan": 1, "nat_id": "other"}
    agent.write()
    agent.process.send_signal(signal.SIGHUP)
    wait_until(lambda: agent.status()["nat_id"] == "other", "the new name is in force")
    settled(agent, "natxdp_packets_out_to_source_total", 1)
    assert agent.kill(signal.SIGTERM) == 0


def test_wrong_configuration_is_named(lab: Lab) -> None:
    for line, said in [
        ("interval = 7", "not a multiple of sample"),
        ("records = close", "nowhere to write them"),
        ("http_cert = /x", "one without the other"),
        ("cloudwatch_metrics = basic", "zone"),
        ("http_listen = here", "not ADDRESS:PORT"),
        ("nonsense = 1", "no such key"),
    ]:
        file = lab.scratch / "wrong.conf"
        file.write_text(line + "\n")
        done = lab["nat"].run(NATXDPD, "-n", "-c", file, check=False)
        assert done.returncode == 2 and said in done.stderr, (line, done.stderr)
