# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""Two inside hosts that know each other's external ends punch holes (RFC 4787, REQ-8, REQ-9; RFC 5128).

Each has learned its external end from a server, as STUN does it, and sends to
the other's. Whatever the filtering, they meet: the first packet may be
refused, but lets the other host's in.
"""

import contextlib
import errno
import socket
import time

import pytest
from ask_tcp import external_of as tcp_external_of
from ask_tcp import tcp_socket
from ask_udp import arrives, external_of, ports, udp_socket
from lab import Lab, wait_until
from probes import listener

FILTERINGS = ("endpoint-independent", "address-dependent", "endpoint-dependent")


def with_filtering(filtering: str, *more: object):
    options = ("--profile", "rfc", "--filtering", filtering, *more)
    return pytest.param(filtering, id=filtering, marks=pytest.mark.load(*options))


EACH_FILTERING = [with_filtering(filtering) for filtering in FILTERINGS]
STRICT = [
    with_filtering(filtering, "--udp-timeout", 2)
    for filtering in ("address-dependent", "endpoint-dependent")
]


def udp_ends(lab: Lab) -> tuple[list[socket.socket], list[tuple[str, int]]]:
    port = next(ports)
    server = udp_socket(lab["s1"], port)
    socks = [udp_socket(lab[name]) for name in ("c1", "c2")]
    return socks, [external_of(sock, server, (lab.server, port)) for sock in socks]


@pytest.mark.parametrize("filtering", EACH_FILTERING)
def test_udp(any_lab: Lab, filtering: str) -> None:
    (one, two), (one_end, two_end) = udp_ends(any_lab)
    first = arrives(one, two_end, two)
    assert first == (one_end if filtering == "endpoint-independent" else None)
    assert any_lab.box.packets("drop_unsolicited") == (filtering != "endpoint-independent")
    assert arrives(two, one_end, one) == two_end
    assert arrives(one, two_end, two) == one_end
    assert arrives(two, one_end, one) == two_end
    # the two to the server, and one of the two
    assert len(any_lab.box.flows()) == 3


@pytest.mark.parametrize("filtering", STRICT)
def test_what_was_refused_is_forgotten(lab: Lab, filtering: str) -> None:
    """After the time of a flow without packets, while the mappings live on."""
    port = next(ports)
    server = udp_socket(lab["s1"], port)
    one, two = (udp_socket(lab[name]) for name in ("c1", "c2"))
    one_end, two_end = (external_of(sock, server, (lab.server, port)) for sock in (one, two))
    assert arrives(one, two_end, two) is None
    end = time.monotonic() + 4
    while time.monotonic() < end:
        assert external_of(one, server, (lab.server, port)) == one_end
        assert external_of(two, server, (lab.server, port)) == two_end
        time.sleep(0.2)
    assert arrives(two, one_end, one) is None
    assert arrives(one, two_end, two) == one_end


@pytest.mark.parametrize("filtering", STRICT)
def test_a_third_host_is_not_let_in(lab: Lab, filtering: str) -> None:
    """Of endpoint-dependent filtering; by address all of them are one, behind one address."""
    (one, two), (one_end, two_end) = udp_ends(lab)
    third = udp_socket(lab["c3"])
    assert arrives(one, two_end, two) is None
    seen = arrives(third, one_end, one)
    assert (seen is not None) == (filtering == "address-dependent")
    assert arrives(two, one_end, one) == two_end


def begin(sock: socket.socket, to: tuple[str, int]) -> None:
    sock.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        sock.connect(to)


def established(sock: socket.socket) -> bool:
    error = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    assert error in (0, errno.EINPROGRESS), errno.errorcode[error]
    with contextlib.suppress(OSError):
        sock.getpeername()
        return True
    return False


@pytest.mark.parametrize("filtering", STRICT)
def test_tcp(any_lab: Lab, filtering: str) -> None:
    """Simultaneous open by the kernel's own TCP (RFC 5382, REQ-2 and REQ-8)."""
    port, sources = next(ports), (next(ports), next(ports))
    listening = listener(any_lab["s1"], port)
    hosts = [any_lab["c1"], any_lab["c2"]]
    kept = [
        tcp_external_of(host, source, listening, (any_lab.server, port))
        for host, source in zip(hosts, sources)
    ]
    ends = [seen for _, _, seen in kept]
    one, two = (tcp_socket(host, source) for host, source in zip(hosts, sources))
    begin(one, ends[1])
    wait_until(lambda: any_lab.box.packets("drop_unsolicited"), "the first SYN is refused")
    begin(two, ends[0])
    wait_until(lambda: established(one) and established(two), "they are connected", 15)
    for sender, receiver in ((one, two), (two, one)):
        sender.setblocking(True)
        receiver.settimeout(5)
        sender.sendall(b"through the hole")
        assert receiver.recv(100) == b"through the hole"
    assert (one.getpeername(), two.getpeername()) == (ends[1], ends[0])
