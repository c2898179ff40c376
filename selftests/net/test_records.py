# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""Flow records say what the flows were, and none is lost without being counted.

test-timeout: 600
"""

import json
import signal
import socket
import subprocess
from datetime import datetime

import pytest
from agent import Agent
from lab import Lab, wait_until
from probes import UdpServer, echoed, helper, tcp_pair, udp_client

PORT = 9000
CLOSES = 100_000
CLOSE_RATE = 50_000


def recording(lab: Lab, **conf: object) -> Agent:
    file = lab.scratch / "agent" / "records.json"
    for old in file.parent.glob("records.json*") if file.parent.exists() else []:
        old.unlink()
    agent = Agent(lab, **({"records": "close", "record_file": file} | conf))
    agent.records_file = file
    return agent


def records(agent: Agent) -> list[dict]:
    files = sorted(agent.records_file.parent.glob("records.json*"), reverse=True)
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


@pytest.mark.load("--udp-timeout", 1, "--tcp-closing-timeout", 1, "--tcp-established-timeout", 2)
def test_what_a_record_says(lab: Lab) -> None:
    agent = recording(lab, records="all")
    UdpServer(lab["s1"], PORT)
    sock = udp_client(lab["c1"], lab.server, PORT)
    assert echoed(sock, b"x" * 100) and echoed(sock, b"y" * 50)
    source = sock.getsockname()[1]
    with tcp_pair(lab["c1"], lab["s1"], lab.server, PORT + 1) as (near, far):
        near.sendall(b"hello")
        assert far.recv(5) == b"hello"
        translated = lab.box.flow("--proto", "tcp")["external"]["port"]
    wait_until(lambda: len(records(agent)) == 4, "both flows have opened and closed", 8)
    opened = [r for r in records(agent) if r["event"] == "open"]
    closed = {r["protocol"]: r for r in records(agent) if r["event"] == "close"}
    assert [r["protocol"] for r in opened] == ["udp", "tcp"]
    udp, tcp = closed["udp"], closed["tcp"]
    assert (udp["source"], udp["source_port"]) == ("10.77.0.11", source)
    assert (udp["destination"], udp["destination_port"]) == (lab.server, PORT)
    assert udp["nat"] == lab.external and udp["reason"] == "idle"
    assert (udp["packets_out"], udp["packets_in"]) == (2, 2)
    assert udp["bytes_out"] == udp["bytes_in"] == 2 * 28 + 150
    assert tcp["reason"] == "fin" and tcp["nat_port"] == translated
    took = datetime.fromisoformat(tcp["end"][:-1]) - datetime.fromisoformat(tcp["start"][:-1])
    assert abs(took.total_seconds() * 1000 - tcp["duration_ms"]) <= 1
    assert agent.status()["records"]["file"] == {"written": 4, "lost": 0}


@pytest.mark.load("--tcp-closing-timeout", 1, "--tcp-established-timeout", 1)
def test_how_tcp_ended(lab: Lab) -> None:
    agent = recording(lab)
    with tcp_pair(lab["c1"], lab["s1"], lab.server, PORT) as (near, _):
        near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    with tcp_pair(lab["c1"], lab["s1"], lab.server, PORT + 1):
        wait_until(lambda: len(records(agent)) == 2, "both have ended", 8)
    by_port = {r["destination_port"]: r["reason"] for r in records(agent)}
    assert by_port == {PORT: "rst", PORT + 1: "idle"}


@pytest.mark.load("--udp-timeout", 1)
def test_filters(lab: Lab) -> None:
    """Bytes, protocol and inside address; what is filtered is not lost."""
    agent = recording(lab, record_inside="10.77.0.12/32", record_min_bytes=100)
    UdpServer(lab["s1"], PORT)
    for client, size in ("c1", 500), ("c2", 500), ("c2", 1):
        assert echoed(udp_client(lab[client], lab.server, PORT), b"x" * size)
    wait_until(lambda: agent.status()["records"]["read"] == 3, "all have ended", 5)
    [record] = records(agent)
    assert record["source"] == "10.77.0.12" and record["bytes_out"] == 528
    status = agent.status()["records"]
    assert status["filtered"] == 2 and status["file"]["lost"] == 0


@pytest.mark.load("--udp-timeout", 1)
def test_ipfix_is_what_others_decode(lab: Lab) -> None:
    capture = lab.scratch / "ipfix.pcap"
    capture.touch(mode=0o666)
    agent = recording(lab, record_ipfix="127.0.0.1:4739", records="all")
    collector = lab["nat"].socket(socket.AF_INET, socket.SOCK_DGRAM)
    collector.bind(("127.0.0.1", 4739))
    dump = lab["nat"].spawn("tcpdump", "-U", "--immediate-mode", "-i", "lo", "-w", capture, "udp port 4739")
    wait_until(lambda: capture.stat().st_size >= 24, "tcpdump listens", 5)
    UdpServer(lab["s1"], PORT)
    sock = udp_client(lab["c1"], lab.server, PORT)
    assert echoed(sock, b"x" * 72)
    wait_until(lambda: agent.status()["records"]["ipfix"]["written"] == 2, "both are sent", 5)
    dump.send_signal(signal.SIGINT)
    dump.wait(5)
    done = subprocess.run(
        ["tshark", "-r", capture, "-d", "udp.port==4739,cflow", "-T", "json"],
        capture_output=True, text=True, timeout=60)
    text = done.stdout
    assert text.count('"cflow.template_id": "256"') >= 1, done.stderr
    assert '"cflow.srcaddr": "10.77.0.11"' in text
    assert f'"cflow.srcport": "{sock.getsockname()[1]}"' in text
    assert f'"cflow.post_natsource_ipv4_address": "{lab.external}"' in text
    assert text.count('"cflow.initiator_octets": "100"') == 1  # of the one that closed
    assert "Malformed" not in text and "No template" not in text


@pytest.mark.load("--udp-timeout", "0.5", "--max-flows", 262144, "--record-buffer", "64K")
def test_every_close_is_written_or_counted(lab: Lab) -> None:
    """More closes at a time than the buffer holds: what is missing is counted, exactly."""
    lab["nat"].ip("route replace 10.79.0.0/16 via 10.77.0.11")
    lab["outrouter"].ip("route replace blackhole 192.0.2.0/24")
    agent = recording(lab, record_file_count=8)
    try:
        done = lab["c1"].run(
            helper("udp_flows"), "--device", "eth0", "--gateway", lab["nat"].mac("eth1"),
            "--host", "10.79.0.1", "--hosts", 16, "--flows", CLOSES, "--to",
            ",".join(f"192.0.2.{n}:53" for n in range(1, 101)), "--unanswered", CLOSE_RATE,
            timeout=100)
    finally:
        lab["nat"].ip("route del 10.79.0.0/16")
    opened = lab.box.stats()["events"]["flows_opened"]
    assert opened > CLOSES / 2, done.stdout

    def all_closed() -> bool:
        return lab.box.stats()["events"]["flows_expired"] == opened

    wait_until(all_closed, "all flows are gone", 20)
    wait_until(lambda: agent.status()["records"]["read"] + lab.box.stats()["events"]["records_lost"]
               == opened, "every close is accounted for", 10)
    status = agent.status()["records"]
    written = len(records(agent))
    assert status["file"] == {"written": written, "lost": 0}
    assert written + lab.box.stats()["events"]["records_lost"] == opened
    metrics = agent.metrics
    wait_until(lambda: metrics()["natxdp_flow_records_total"] == written
               and metrics()["natxdp_flow_records_lost_total"] == opened - written,
               "the metrics agree", 5)
    print(f"opened {opened}, written {written}, lost {opened - written}")
