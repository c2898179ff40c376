# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""Programs as people run them, through the NAT: traceroute, ssh, STUN, FTP and others."""

import errno
import ftplib
import os
import re
import socket
import struct
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
from capture import Capture, Frame, assert_checksums, ones_complement
from lab import Lab, Namespace, wait_until
from probes import UdpServer, echoed, sha256, tcp_pair, udp_client
from programs import Download, FtpServer, read_to_end, send_in_background, start_sshd

PORT = 9000
FAR = "198.51.100.2"  # s3, behind a router that is behind the NAT
EITHER_PROFILE = pytest.mark.parametrize(
    "profile",
    [pytest.param(name, marks=pytest.mark.load("--profile", name)) for name in ("aws", "rfc")],
)
# by the number of hops: where a client's packets pass, and the last is the server
WAYS = {
    1: ["10.77.0.1", "203.0.113.254", FAR],
    3: ["10.0.1.1", "10.0.0.10", "10.0.0.1", "198.51.100.2"],
}
SYN = 0x02
IP_MTU = 14
IP_MTU_DISCOVER, IP_PMTUDISC_DO = 10, 2


def way_of(lab: Lab) -> list[str]:
    """The kernels on the way answer every probe: three at once for each are too many else."""
    for ns in lab.ns.values():
        ns.sysctl("net.ipv4.icmp_ratelimit", 0)
    if lab.hops == 3:
        # the router is before and behind the NAT: its own error comes back to it on the way
        lab["router"].sysctl("net.ipv4.conf.nat.accept_local", 1)
    return WAYS[lab.hops]


def quoted(frame: Frame) -> tuple[str, str]:
    """Source and destination of the packet that an ICMP error quotes."""
    inner = frame.payload
    assert ones_complement(inner[: (inner[0] & 15) * 4]) == 0xFFFF, "checksum of the quoted header"
    return socket.inet_ntoa(inner[12:16]), socket.inet_ntoa(inner[16:20])


def assert_errors_fit(errors: Capture, lab: Lab, target: str, hops: set[str]) -> None:
    """Each error quotes what the client sent, and came from each of the hops."""
    client = "10.77.0.11" if lab.hops == 1 else "10.0.1.11"
    frames = errors.frames()
    assert {frame.src for frame in frames} >= hops
    for frame in frames:
        assert_checksums(frame)
        assert quoted(frame) == (client, target)


@EITHER_PROFILE
@pytest.mark.parametrize("kind", ["-U", "-I", "-T"])
def test_traceroute(any_lab: Lab, profile: str, kind: str) -> None:
    way = way_of(any_lab)
    errors = Capture(any_lab["c1"], "eth0", "icmp[icmptype] == icmp-timxceed", outgoing=False)
    done = any_lab["c1"].run("traceroute", "-n", kind, "-w", 2, way[-1])
    lines = done.stdout.splitlines()[1:]
    assert [re.findall(r"\d+\.\d+\.\d+\.\d+", line) for line in lines] == [[hop] for hop in way]
    assert "*" not in done.stdout
    assert_errors_fit(errors, any_lab, way[-1], set(way[:-1]))


@EITHER_PROFILE
def test_tracepath(any_lab: Lab, profile: str) -> None:
    way = way_of(any_lab)
    done = any_lab["c1"].run("tracepath", "-n", way[-1])
    hops = re.findall(r"^ *(\d+): +(\d+\.\d+\.\d+\.\d+)", done.stdout, re.MULTILINE)
    # it may ask a hop twice, first for the path MTU
    assert dict(hops) == {str(at): hop for at, hop in enumerate(way, 1)}, done.stdout
    assert f"pmtu 1500 hops {len(way)}" in done.stdout


@pytest.fixture
def narrow_link(two_armed_lab: Lab):
    """The link behind the outside router takes packets of 1300 bytes."""
    ends = (two_armed_lab["outrouter"], "s3"), (two_armed_lab["s3"], "eth0")
    for ns, dev in ends:
        ns.ip(f"link set {dev} mtu 1300")
    yield
    for ns, dev in ends:
        ns.ip(f"link set {dev} mtu 1500")
    forget_paths(two_armed_lab)


def forget_paths(lab: Lab) -> None:
    lab["c1"].ip("route flush cache")


def path_mtu(ns: Namespace, address: str) -> int:
    """What the host has learnt of the way to the address; 0 is nothing."""
    known = re.search(r"\bmtu (\d+)", ns.ip(f"route get {address}"))
    return int(known.group(1)) if known else 0


def ping_too_big(ns: Namespace, address: str) -> str:
    done = ns.run("ping", "-n", "-M", "do", "-s", 1400, "-c", 1, "-W", 2, address, check=False)
    return done.stdout


@EITHER_PROFILE
def test_path_mtu_by_ping(narrow_link: None, lab: Lab, profile: str) -> None:
    errors = Capture(lab["c1"], "eth0", "icmp[icmptype] == icmp-unreach", outgoing=False)
    said = ping_too_big(lab["c1"], FAR)
    assert "From 203.0.113.254 icmp_seq=1 Frag needed and DF set (mtu = 1300)" in said
    assert path_mtu(lab["c1"], FAR) == 1300
    assert_errors_fit(errors, lab, FAR, {"203.0.113.254"})
    fits = lab["c1"].run("ping", "-n", "-M", "do", "-s", 1272, "-c", 1, "-W", 2, FAR)
    assert " 0% packet loss" in fits.stdout


@EITHER_PROFILE
def test_tracepath_finds_the_narrow_link(narrow_link: None, lab: Lab, profile: str) -> None:
    way_of(lab)
    done = lab["c1"].run("tracepath", "-n", FAR)
    assert "pmtu 1300 hops 3" in done.stdout


@EITHER_PROFILE
def test_upload_over_a_narrow_link(narrow_link: None, lab: Lab, profile: str) -> None:
    """The server does not know of it in its SYN: only the ICMP error can tell the client."""
    lab["s3"].ip("link set eth0 mtu 1500")
    body = os.urandom(5_000_000)
    sent = Capture(lab["c1"], "eth0", f"tcp dst port {PORT} and greater 1400", snap=80)
    with tcp_pair(lab["c1"], lab["s3"], FAR, PORT) as (near, far):
        sender = send_in_background(near, body)
        got = read_to_end(far)
        sender.join()
    assert sha256(got) == sha256(body)
    assert sent.frames(), "nothing was ever too big for the link"
    assert path_mtu(lab["c1"], FAR) == 1300


@pytest.mark.load("--egress-mtu", 1280)
def test_egress_mtu(any_lab: Lab) -> None:
    """The box itself tells that its way out is narrow."""
    client, server = any_lab["c1"], any_lab.server
    any_lab.stack.callback(forget_paths, any_lab)
    box = "10.77.0.1" if any_lab.hops == 1 else any_lab.external
    errors = Capture(client, "eth0", "icmp[icmptype] == icmp-unreach", outgoing=False)
    seen = UdpServer(any_lab["s1"], PORT).seen
    sock = udp_client(client, server, PORT)
    sock.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO)
    sock.send(bytes(1400))
    wait_until(lambda: sock.getsockopt(socket.IPPROTO_IP, IP_MTU) == 1280, "the socket learns it")
    assert not seen
    assert_errors_fit(errors, any_lab, server, {box})
    assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.EMSGSIZE
    with pytest.raises(OSError, match="Message too long"):
        sock.send(bytes(1281 - 28))
    assert echoed(sock, bytes(1280 - 28))
    forget_paths(any_lab)
    assert f"From {box} icmp_seq=1 Frag needed and DF set (mtu = 1280)" in ping_too_big(
        client, server
    )


def asked_mss(frame: Frame) -> int:
    """The first option of a SYN, where Linux puts it."""
    kind, length, mss = struct.unpack("!BBH", frame.l4[20:24])
    assert (kind, length) == (2, 4)
    return mss


@pytest.mark.load("--mss-clamp", 1200)
def test_mss_clamp(any_lab: Lab) -> None:
    syn = "tcp[tcpflags] & tcp-syn != 0"
    captures = {name: Capture(any_lab[name], "eth0", syn) for name in ("c1", "s1")}
    with tcp_pair(any_lab["c1"], any_lab["s1"], any_lab.server, PORT) as (near, far):
        for sock in (near, far):
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG) <= 1200
    asked = {
        (name, frame.outgoing): asked_mss(frame)
        for name, capture in captures.items()
        for frame in capture.first(2)
    }
    assert asked == {
        ("c1", True): 1460,
        ("s1", False): 1200,
        ("s1", True): 1460,
        ("c1", False): 1200,
    }
    for capture in captures.values():
        for frame in capture.kept:
            if not frame.outgoing:
                assert_checksums(frame)


@EITHER_PROFILE
def test_ssh(any_lab: Lab, profile: str) -> None:
    login = [*start_sshd(any_lab["s1"], 2222), any_lab.server]
    body = os.urandom(5_000_000)

    def remote(command: str) -> bytes:
        done = subprocess.run(
            any_lab["c1"].command(*login, command), input=body, capture_output=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert remote("echo $SSH_CONNECTION").split()[0].decode() == any_lab.external
    assert remote("sha256sum").split()[0].decode() == sha256(body)
    assert sha256(remote("cat")) == sha256(body)


def test_http2_cleartext(any_lab: Lab) -> None:
    root = Path(tempfile.mkdtemp(prefix="http2-", dir=any_lab.scratch))
    body = os.urandom(4_000_000)
    (root / "file").write_bytes(body)
    server = any_lab["s1"]
    server.spawn("nghttpd", "--no-tls", "-a", "0.0.0.0", "-d", root, PORT)
    wait_until(lambda: server.listens(PORT, "t"), "nghttpd listens")
    done = any_lab["c1"].run(
        "curl", "-sS", "-f", "--http2-prior-knowledge", "--max-time", 30,
        "-w", "%{http_version}", "-o", root / "got", f"http://{any_lab.server}:{PORT}/file",
    )  # fmt: skip
    assert done.stdout == "2"
    assert sha256((root / "got").read_bytes()) == sha256(body)


@pytest.fixture
def stun_server(two_armed_lab: Lab):
    """coturn on two addresses and two ports, as RFC 5780 asks for."""
    server = two_armed_lab["s1"]
    server.ip("addr add 203.0.113.12/24 dev eth0")
    with two_armed_lab.scope():
        server.spawn(
            "turnserver", "-n", "--stun-only", "--no-cli", "--no-tls", "--no-dtls",
            "-L", "203.0.113.2", "-L", "203.0.113.12", "-p", 3478,
            "--log-file", "stdout", "--pidfile", two_armed_lab.scratch / "turnserver.pid",
            stdout=subprocess.DEVNULL,
        )  # fmt: skip
        wait_until(lambda: server.listens(3478, "u") and server.listens(3479, "u"), "coturn")
        yield
    server.ip("addr del 203.0.113.12/24 dev eth0")


STUN_RESULTS = [
    pytest.param(
        "Address and Port Dependent Mapping",
        "Address and Port Dependent Filtering",
        marks=pytest.mark.load("--profile", "aws"),
        id="aws",
    ),
    pytest.param(
        "Endpoint Independent Mapping",
        "Endpoint Independent Filtering",
        marks=pytest.mark.load("--profile", "rfc"),
        id="rfc",
    ),
]


@pytest.mark.parametrize("mapping, filtering", STUN_RESULTS)
def test_stun(stun_server: None, lab: Lab, mapping: str, filtering: str) -> None:
    command = ("turnutils_natdiscovery", "-m", "-f", "-p", 3478, lab.server)
    said = lab["c1"].run(*command).stdout
    assert mapping in said and filtering in said, said


def ftp_client(lab: Lab) -> ftplib.FTP:
    client = ftplib.FTP(timeout=5)
    with lab["c1"].entered():
        client.connect(lab.server)
    client.login()
    return client


@EITHER_PROFILE
def test_passive_ftp(any_lab: Lab, profile: str) -> None:
    body = os.urandom(1_000_000)
    FtpServer(any_lab["s1"], any_lab.server, body)
    parts: list[bytes] = []
    client = ftp_client(any_lab)
    with any_lab["c1"].entered():
        client.retrbinary("RETR file", parts.append)
    client.quit()
    assert sha256(b"".join(parts)) == sha256(body)


@EITHER_PROFILE
def test_active_ftp_is_refused(any_lab: Lab, profile: str) -> None:
    """There is no ALG: PORT arrives as the client wrote it, and nobody may call back."""
    server = FtpServer(any_lab["s1"], any_lab.server, b"")
    client = ftp_client(any_lab)
    client.set_pasv(False)
    before = any_lab.box.packets("drop_unsolicited")
    with any_lab["c1"].entered(), pytest.raises(ftplib.error_temp, match="^425"):
        client.retrbinary("RETR file", lambda _: None)
    [(address, _)] = server.asked
    assert address == client.sock.getsockname()[0]
    client.quit()
    assert any_lab.box.packets("drop_unsolicited") > before


@EITHER_PROFILE
def test_long_udp_keeps_its_port(any_lab: Lab, profile: str) -> None:
    """As QUIC: one client port for long, while other flows come and go."""
    server = UdpServer(any_lab["s1"], PORT)
    long = udp_client(any_lab["c1"], any_lab.server, PORT)
    assert echoed(long, b"long 0")
    for number in range(1, 201):
        with udp_client(any_lab["c1" if number % 2 else "c2"], any_lab.server, PORT) as other:
            assert echoed(other, b"other %d" % number)
        assert echoed(long, b"long %d" % number)
    seen = [(address, port) for address, port, data in server.seen if data.startswith(b"long")]
    assert len(seen) == 201
    assert len(set(seen)) == 1
    assert seen[0] not in {peer[:2] for peer in server.seen if peer[2].startswith(b"other")}


def until_idle_is_over(lab: Lab) -> None:
    wait_until(lambda: lab.box.flows("--state", "established"), "the flow is established")
    wait_until(lambda: not lab.box.flows("--proto", "tcp"), "the idle flow is gone", 6)


@pytest.mark.load("--profile", "aws", "--tcp-established-timeout", 1)
def test_idle_connection_is_reset(any_lab: Lab) -> None:
    with tcp_pair(any_lab["c1"], any_lab["s1"], any_lab.server, PORT) as (near, _):
        until_idle_is_over(any_lab)
        resets = Capture(any_lab["c1"], "eth0", "tcp[tcpflags] & tcp-rst != 0", outgoing=False)
        start = time.monotonic()
        near.sendall(b"still there?")
        with pytest.raises(ConnectionResetError):
            near.recv(1)
        assert time.monotonic() - start < 1
        [reset] = resets.first()
        assert reset.src == any_lab.server
        assert_checksums(reset)


@pytest.mark.load("--profile", "rfc", "--tcp-established-timeout", 1)
def test_idle_connection_is_dropped(any_lab: Lab) -> None:
    with tcp_pair(any_lab["c1"], any_lab["s1"], any_lab.server, PORT) as (near, _):
        until_idle_is_over(any_lab)
        answers = Capture(any_lab["c1"], "eth0", f"src host {any_lab.server}", outgoing=False)
        arriving = Capture(any_lab["s1"], "eth0", "tcp", outgoing=False)
        sent = Capture(any_lab["c1"], "eth0", f"tcp dst port {PORT} and outbound")
        near.sendall(b"still there?")
        sent.first(3)  # TCP sends again: nothing has told it that the flow is gone
        assert not answers.frames()
        assert not arriving.frames()


@pytest.mark.load("--profile", "rfc")
def test_hairpin(any_lab: Lab) -> None:
    """Two inside hosts talk by their external addresses, and see nothing else of each other."""
    server = UdpServer(any_lab["s1"], PORT)
    socks, external = {}, {}
    for name in ("c1", "c2"):
        socks[name] = sock = any_lab[name].socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.settimeout(5)
        sock.sendto(name.encode(), (any_lab.server, PORT))
        assert sock.recvfrom(100)[0] == name.encode()
        external[name] = server.seen[-1][:2]
        assert external[name][0] == any_lab.external
    for source, target in [("c1", "c2"), ("c2", "c1"), ("c1", "c2")]:
        socks[source].sendto(b"hello", external[target])
        assert socks[target].recvfrom(100) == (b"hello", external[source])


@EITHER_PROFILE
def test_block_ends_a_transfer(any_lab: Lab, profile: str) -> None:
    stopped, other = (
        Download(any_lab[name], any_lab["s1"], any_lab.server, port)
        for name, port in (("c1", PORT), ("c2", PORT + 1))
    )
    stopped.goes_on()
    other.goes_on()
    client = stopped.near.getsockname()[0]
    any_lab.box.run("block", "add", client)
    blocked = time.monotonic()
    other.goes_on(10_000_000)
    assert time.monotonic() - blocked > 1
    assert stopped.last < blocked + 1, "bytes came for longer than a second"
    assert not any_lab.box.flows("--inside", client)
    any_lab.box.run("block", "del", client)
    with tcp_pair(any_lab["c1"], any_lab["s1"], any_lab.server, PORT + 2) as (near, far):
        near.sendall(b"again")
        assert far.recv(5) == b"again"


POOL = ("203.0.113.1", "203.0.113.9")


@pytest.fixture
def second_address(two_armed_lab: Lab):
    two_armed_lab["nat"].ip("addr add 203.0.113.9/32 dev eth0")
    yield
    two_armed_lab["nat"].ip("addr del 203.0.113.9/32 dev eth0")


@pytest.mark.load("--external", ",".join(POOL))
def test_drain_during_a_transfer(second_address: None, lab: Lab) -> None:
    body = os.urandom(8_000_000)
    half = len(body) // 2
    with tcp_pair(lab["c1"], lab["s1"], lab.server, PORT) as (near, far):
        old = far.getpeername()[0]
        [new] = set(POOL) - {old}
        got = bytearray()

        def take_until(size: int) -> None:
            while len(got) < size:
                part = near.recv(1 << 16)
                assert part, "the connection ended early"
                got.extend(part)

        sender = send_in_background(far, body)
        take_until(half)
        lab.box.run("pools", "drain", old)
        server = UdpServer(lab["s1"], PORT)
        for _ in range(10):
            assert echoed(udp_client(lab["c1"], lab.server, PORT))
        with tcp_pair(lab["c1"], lab["s1"], lab.server, PORT + 1) as (_, later):
            assert later.getpeername()[0] == new
        take_until(len(body))
        sender.join()
        near.sendall(b"thanks")
        assert far.recv(100) == b"thanks"
    assert server.peers() == {new}
    assert sha256(bytes(got)) == sha256(body)
