# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""TCP through the NAT, one-armed and two-armed (see topology.py)."""

import asyncio
import json
import os
import socket

import pytest
from capture import Capture, assert_checksums
from lab import Lab, wait_until
from probes import HttpServer, connect, curl, listener, sha256, tcp_pair

PORT = 8080
FILE_SIZE = 20_000_000
CONNECTIONS = 500
SMALL = 100_000  # bytes that each of the connections sends and gets back
SYN = 0x02


@pytest.mark.any_box
def test_curl_gets_the_file(any_lab: Lab) -> None:
    body = os.urandom(FILE_SIZE)
    server = HttpServer(any_lab["s1"], PORT, body)
    got = curl(any_lab["c1"], f"http://{any_lab.server}:{PORT}/file")
    assert sha256(got) == sha256(body)
    assert [address for address, _ in server.seen] == [any_lab.external]


async def serve_echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()
    await writer.wait_closed()


async def exchange(sock: socket.socket, address: str) -> tuple[str, str]:
    """Sends random bytes through one connection; hashes of what went and of what came."""
    body = os.urandom(SMALL)
    await asyncio.get_running_loop().sock_connect(sock, (address, PORT))
    reader, writer = await asyncio.open_connection(sock=sock)
    writer.write(body)
    writer.write_eof()
    back = await reader.read(-1)
    writer.close()
    await writer.wait_closed()
    return sha256(body), sha256(back)


async def exchange_all(socks: list[socket.socket], listening: socket.socket, address: str):
    # room for all at once: a server that answers with SYN cookies may reset some
    server = await asyncio.start_server(serve_echo, sock=listening, backlog=2 * CONNECTIONS)
    async with server:
        return await asyncio.gather(*(exchange(sock, address) for sock in socks))


@pytest.mark.any_box
def test_500_connections_at_once(any_lab: Lab) -> None:
    listening = listener(any_lab["s1"], PORT)
    listening.setblocking(False)
    socks = []
    for number in range(CONNECTIONS):
        client = any_lab["c1" if number % 2 else "c2"]
        socks.append(client.socket(socket.AF_INET, socket.SOCK_STREAM))
        socks[-1].setblocking(False)
    pairs = asyncio.run(
        asyncio.wait_for(exchange_all(socks, listening, any_lab.server), timeout=60)
    )
    assert len(pairs) == CONNECTIONS
    assert all(sent == back for sent, back in pairs)
    assert len({sent for sent, _ in pairs}) == CONNECTIONS


def sums(capture: Capture) -> tuple[int, int]:
    return len(capture.frames()), sum(frame.len for frame in capture.kept)


def test_flow_counts_what_the_endpoints_sent(any_lab: Lab) -> None:
    """Both ends are counted where they send: there a packet is what it is on the wire."""
    body = os.urandom(2_000_000)
    HttpServer(any_lab["s1"], PORT, body)
    from_client = Capture(any_lab["c1"], "eth0", f"tcp dst port {PORT} and outbound", snap=80)
    from_server = Capture(any_lab["s1"], "eth0", f"tcp src port {PORT} and outbound", snap=80)
    curl(any_lab["c1"], f"http://{any_lab.server}:{PORT}/")
    flow = wait_until(lambda: any_lab.box.flows("--state", "closing"), "the flow is closing")[0]

    def agree() -> bool:
        shown = any_lab.box.flow("--proto", "tcp")
        out, back = shown["out"], shown["in"]
        seen = (out["packets"], out["bytes"]), (back["packets"], back["bytes"])
        return seen == (sums(from_client), sums(from_server))

    # the last segment of each side may still be on its way
    wait_until(agree, "counters agree with the packets of the endpoints", 3)
    assert flow["in"]["bytes"] > len(body)


@pytest.mark.any_box
def test_ttl_and_checksums_of_every_segment(any_lab: Lab) -> None:
    at_server = Capture(any_lab["s1"], "eth0", f"tcp dst port {PORT}", outgoing=False)
    at_client = Capture(any_lab["c1"], "eth0", f"tcp src port {PORT}", outgoing=False)
    with tcp_pair(any_lab["c1"], any_lab["s1"], any_lab.server, PORT) as (near, far):
        for size in (1, 3, 500, 1448):
            body = os.urandom(size)
            near.sendall(body)
            assert far.recv(size, socket.MSG_WAITALL) == body
            far.sendall(body)
            assert near.recv(size, socket.MSG_WAITALL) == body
        assert far.getpeername()[0] == any_lab.external
    for capture in (at_server, at_client):
        frames = capture.first(6)
        assert frames[0].tcp_flags & SYN
        for frame in frames:
            assert frame.ttl == 64 - any_lab.hops
            assert_checksums(frame)


@pytest.mark.any_box
def test_iperf3_both_ways(any_lab: Lab) -> None:
    for direction in ([], ["-R"]):
        server = any_lab["s1"].spawn("iperf3", "-s", "-1")
        wait_until(lambda: any_lab["s1"].listens(5201, "t"), "iperf3 listens")
        report = json.loads(
            any_lab["c1"].run("iperf3", "-J", "-c", any_lab.server, "-t", 1, *direction).stdout
        )
        assert server.wait(5) == 0
        assert report["end"]["sum_received"]["bytes"] > 10_000_000


def test_states(any_lab: Lab) -> None:
    """What natxdp says of a connection on its way from SYN to the last FIN."""

    def reaches(state: str) -> None:
        flow = wait_until(lambda: any_lab.box.flows("--state", state), f"a flow is {state}")[0]
        assert flow["proto"] == "tcp"
        assert len(any_lab.box.flows("--proto", "tcp")) == 1

    with tcp_pair(any_lab["c1"], any_lab["s1"], any_lab.server, PORT) as (near, far):
        reaches("established")
        far.shutdown(socket.SHUT_WR)
        reaches("half-closed")
        near.shutdown(socket.SHUT_WR)
        reaches("closing")


def test_opening_and_reset(any_lab: Lab) -> None:
    # a server whose queue is full does not answer a SYN
    listener(any_lab["s1"], PORT).listen(0)
    with connect(any_lab["c1"], any_lab.server, PORT):
        waiting = any_lab["c2"].socket(socket.AF_INET, socket.SOCK_STREAM)
        waiting.setblocking(False)
        assert waiting.connect_ex((any_lab.server, PORT)) == 115  # EINPROGRESS
        wait_until(lambda: any_lab.box.flows("--state", "opening"), "a flow is opening")
    with pytest.raises(ConnectionRefusedError):
        connect(any_lab["c1"], any_lab.server, PORT + 1)
    wait_until(lambda: any_lab.box.flows("--state", "reset"), "a flow is reset")


@pytest.mark.any_box
def test_source_port_is_used_again(any_lab: Lab) -> None:
    """The same four numbers, connection after connection, while the old flow is there."""
    for _ in range(5):
        with listener(any_lab["s1"], PORT) as listening:
            near = connect(any_lab["c1"], any_lab.server, PORT, source=40123)
            far, _ = listening.accept()
            # the client resets, so that its port is free at once
            near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            near.sendall(b"again")
            assert far.recv(5, socket.MSG_WAITALL) == b"again"
            near.close()
            far.close()


def test_segment_without_a_flow_is_reset(any_lab: Lab) -> None:
    """After a new load has forgotten the flow, the client learns it at once."""
    with tcp_pair(any_lab["c1"], any_lab["s1"], any_lab.server, PORT) as (near, _):
        any_lab.box.unload()
        any_lab.box.load()
        near.sendall(b"are you there?")
        with pytest.raises(ConnectionResetError):
            near.recv(1)
    assert any_lab.box.packets("reply_rst") >= 1
