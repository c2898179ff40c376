# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""Runs the prog ring in a guest and prints TAP. Exit status 4: no such kernel here.

NATXDP_VM_FULL=1 runs what is left out else, because a minute of it is in the
verifier, emulated, and because prog/model has the same paths.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import image  # noqa: E402
from guest import Guest  # noqa: E402

SKIP_STATUS = 4
PROGRAM_SECONDS = 240
# Emulated, everything takes 10 to 20 times as long; another kernel fails early or not at all.
EFFORT = 10  # percent of the repetitions
SEEDS = 10  # of prog/model: each is verified anew
# bring and insert have flows with time-outs of seconds, in which another program is verified.
MANY_LOADS = ["prog/bring", "prog/forward", "prog/gwlb", "prog/hairpin", "prog/icmp", "prog/insert",
              "prog/knobs", "prog/limits", "prog/mapping", "prog/mss", "prog/nexthop", "prog/sockets", "prog/tcp"]  # fmt: skip


def report_verifier(guest: Guest) -> None:
    """One object: kernel, emulated, load_ms, programs[]: name, insns, verified_insns, verifier_us."""
    figures = json.loads(guest.run("verifier").output)
    figures["emulated"] = True  # its times say nothing of a real machine
    path = image.CACHE / "verifier.json"
    path.write_text(json.dumps(figures, indent=1) + "\n")
    print(f"# Linux {figures['kernel']}: booted in {guest.boot_seconds:.0f} s; load {figures['load_ms']:.0f} ms")
    for program in figures["programs"]:
        print("# {name}: {insns} instructions, {verified_insns} verified in {verifier_us} us".format(**program))


def run_program(guest: Guest, name: str) -> bool:
    """Prints its TAP with the name of the program before that of the test."""
    command = f"CMOCKA_MESSAGE_OUTPUT=TAP NATXDP_TEST_EFFORT={EFFORT} NATXDP_MODEL_SEEDS={SEEDS} /{name}"
    start = time.monotonic()
    done = guest.run(command, check=False, timeout=PROGRAM_SECONDS)
    for line in done.output.splitlines():
        print(re.sub(r"^((?:not )?ok \d+ - )", rf"\g<1>{name} ", line))
    results = re.findall(r"^(not ok|ok) \d+", done.output, re.MULTILINE)
    if not results or (done.status and "not ok" not in results):
        print(f"not ok 1 - {name}\n# exit status {done.status}")
    print(f"# {name}: {time.monotonic() - start:.1f} s", flush=True)
    return done.status == 0 and "ok" in results


def main() -> int:
    tests = image.prog_tests()
    programs = tests | {"usr/sbin/verifier": image.BUILD / "selftests" / "vm" / "verifier"}
    good = True
    try:
        with Guest(programs) as guest:
            report_verifier(guest)
            for name in tests:
                if name in MANY_LOADS and "NATXDP_VM_FULL" not in os.environ:
                    print(f"1..1\n# slow if emulated: NATXDP_VM_FULL=1 runs it\nok 1 - {name} # SKIP")
                    continue
                good &= run_program(guest, name)
            if not good:
                print(guest.tail())
    except image.Unavailable as reason:
        print(reason)
        return SKIP_STATUS
    except AssertionError as error:
        print(f"{error}\nnot ok 1 - guest")
        good = False
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
