# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""The same questions to natxdp in both profiles and to nft masquerade (docs/conformance.md).

Each question is asked of a NAT by its neighbours only. What a profile has to
answer stands below; what nft answers is compared with its column in the page,
so that the page says what was measured.

test-timeout: 600
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import ask_icmp
import ask_tcp
import ask_udp
import pytest
import topology
from ask_udp import DEPENDENT, INDEPENDENT, NO, YES
from box import Settings
from conftest import BOX
from lab import TOP, Lab

PAGE = TOP / "docs" / "conformance.md"
TEN_PORTS = Settings(ports="2000-2009")
ONE_PORT = Settings(ports="2000-2000", idle=1)
SOON_IDLE = Settings(idle=2)
OVERLAP = Settings(inside="203.0.113.0/24")


@dataclass(frozen=True)
class Question:
    ask: Callable[[Lab], str]
    asked_for: str  # what the RFC wants to hear
    aws: str
    rfc: str
    settings: Settings = Settings()
    outside_mtu: int = 1500


def all_alike(ask: Callable[[Lab], str], answer: str = YES, *more: object) -> Question:
    return Question(ask, answer, answer, answer, *more)


QUESTIONS = {
    "udp_mapping": Question(ask_udp.mapping, INDEPENDENT, DEPENDENT, INDEPENDENT),
    "udp_no_overloading": all_alike(ask_udp.no_overloading),
    "udp_port_choice": all_alike(ask_udp.port_choice, "random"),
    "udp_outbound_refresh": all_alike(ask_udp.outbound_refresh, YES, SOON_IDLE),
    "udp_inbound_refresh": all_alike(ask_udp.inbound_refresh, YES, SOON_IDLE),
    "udp_overlap": all_alike(ask_udp.overlap, YES, OVERLAP),
    "udp_filtering": Question(ask_udp.filtering, INDEPENDENT, DEPENDENT, INDEPENDENT),
    "udp_hairpin": Question(ask_udp.hairpin, YES, NO, YES),
    "udp_too_big_df": all_alike(ask_udp.too_big_df, YES, Settings(), 1300),
    "udp_too_big_cut": all_alike(ask_udp.too_big_cut, YES, Settings(), 1300),
    "udp_fragments_in_order": all_alike(ask_udp.fragments_in_order),
    "udp_fragments_out_of_order": all_alike(ask_udp.fragments_out_of_order),
    "udp_exhausted": all_alike(ask_udp.exhausted, "ICMP 3/13", TEN_PORTS),
    "udp_port_rests": Question(ask_udp.port_rests, YES, NO, NO, ONE_PORT),
    "tcp_mapping": Question(ask_tcp.mapping, INDEPENDENT, DEPENDENT, INDEPENDENT),
    "tcp_no_overloading": all_alike(ask_tcp.no_overloading),
    "tcp_filtering": Question(ask_tcp.filtering, INDEPENDENT, DEPENDENT, INDEPENDENT),
    "tcp_hairpin": Question(ask_tcp.hairpin, YES, NO, YES),
    "tcp_simultaneous_open": all_alike(ask_tcp.simultaneous_open),
    "tcp_half_close": all_alike(ask_tcp.half_close),
    "tcp_unsolicited_syn": all_alike(ask_tcp.unsolicited_syn, "silence"),
    "tcp_idle_connection": Question(
        ask_tcp.idle_connection, "RST to the inside", "RST to the inside", "silence", SOON_IDLE
    ),
    "tcp_forged_reset": all_alike(ask_tcp.forged_reset),
    "tcp_fragments": all_alike(ask_tcp.fragments),
    "icmp_echo": all_alike(ask_icmp.echo),
    "icmp_other_queries": Question(ask_icmp.other_queries, YES, NO, NO),
    "icmp_mapping": Question(ask_icmp.mapping, INDEPENDENT, DEPENDENT, INDEPENDENT),
    "icmp_no_overloading": all_alike(ask_icmp.no_overloading),
    "icmp_error_inbound": all_alike(ask_icmp.error_inbound),
    "icmp_error_for_tcp": all_alike(ask_icmp.error_for_tcp),
    "icmp_refuses_bad_checksum": all_alike(ask_icmp.refuses_bad_checksum),
    "icmp_refuses_bad_quote": all_alike(ask_icmp.refuses_bad_quote),
    "icmp_errors_refresh_nothing": all_alike(ask_icmp.errors_refresh_nothing, YES, SOON_IDLE),
    "icmp_error_outbound": all_alike(ask_icmp.error_outbound),
    "icmp_error_hairpinned": Question(ask_icmp.error_hairpinned, YES, NO, YES),
    "icmp_time_exceeded": all_alike(ask_icmp.time_exceeded),
    "icmp_ping_from_outside": all_alike(ask_icmp.ping_from_outside, "silence"),
    "other_protocols": all_alike(ask_icmp.gre, "dropped"),
}


def verdict(question: Question, answer: str) -> str:
    """As it stands in the page."""
    if answer == question.asked_for:
        return YES
    return NO if answer == NO else f"differs: {answer}"


def column_of_nft() -> dict[str, list[str]]:
    """By the name of the question, in the rows that name it."""
    said: dict[str, list[str]] = {}
    for line in PAGE.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        for name in re.findall(r"net/conformance (\w+)", line):
            said.setdefault(name, []).append(cells[-1])
    return said


@pytest.fixture(scope="module")
def nft_lab() -> Iterator[Lab]:
    with topology.two_armed(clients=2, box="nft") as lab:
        yield lab


def answer_of(lab: Lab, question: Question, profile: str) -> str:
    lab["nat"].ip(f"link set eth0 mtu {question.outside_mtu}")
    lab.box.load_as(profile, question.settings)
    try:
        with lab.scope():
            return question.ask(lab)
    finally:
        lab.box.unload()
        lab["nat"].ip("link set eth0 mtu 1500")


@pytest.mark.parametrize("profile", ["aws", "rfc"])
@pytest.mark.parametrize("name", QUESTIONS)
def test_natxdp(request: pytest.FixtureRequest, name: str, profile: str) -> None:
    if BOX != "natxdp":
        pytest.skip(f"needs natxdp, not {BOX}")
    lab = request.getfixturevalue("two_armed_lab")
    question = QUESTIONS[name]
    assert answer_of(lab, question, profile) == getattr(question, profile)


@pytest.mark.parametrize("name", QUESTIONS)
def test_nft(nft_lab: Lab, name: str) -> None:
    said = column_of_nft().get(name)
    found = verdict(QUESTIONS[name], answer_of(nft_lab, QUESTIONS[name], ""))
    assert said and set(said) == {found}, f"{PAGE.name} says {said}, and nft: {found}"
