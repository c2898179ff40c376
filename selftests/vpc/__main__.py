# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""Brings up a miniature VPC and gives a shell with the command `vpc`; ends with the shell."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import signal
import socketserver
import subprocess
import sys
import threading
import traceback
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "net")]

from commands import Commands, Mistake, Run  # noqa: E402
from lab import Lab  # noqa: E402
from vpc import Vpc  # noqa: E402

RC = """[ -f ~/.bashrc ] && . ~/.bashrc
PS1='vpc> '
"""
WELCOME = """
Try: vpc traffic, vpc status, vpc kill a, vpc traffic, vpc status. `vpc help` lists all
commands, and the end of this shell is the end of the VPC.
"""


class Handler(socketserver.StreamRequestHandler):
    """One command of remote.py."""

    def handle(self) -> None:
        answer: dict = {}
        try:
            result = self.server.commands.call(json.loads(self.rfile.readline()))
            if isinstance(result, Run):
                answer = {"run": result.words, "environment": result.environment}
            else:
                answer = {"text": result}
        except Mistake as mistake:
            answer = {"mistake": str(mistake)}
        except (AssertionError, OSError, ValueError, TimeoutError) as error:
            answer = {"mistake": str(error) or traceback.format_exc()}
        self.wfile.write(json.dumps(answer).encode())


class Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True


def serve(lab: Lab, commands: Commands) -> None:
    """Makes the command `vpc`."""
    socket_path = lab.scratch / "control"
    server = Server(str(socket_path), Handler)
    server.commands = commands
    threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True).start()
    lab.stack.callback(server.shutdown)
    directory = lab.scratch / "bin"
    directory.mkdir()
    wrapper = directory / "vpc"
    words = [sys.executable, "-B", str(HERE / "remote.py"), str(socket_path)]
    wrapper.write_text(f"#!/bin/sh\nexec {shlex.join(words)} \"$@\"\n")
    wrapper.chmod(0o755)
    (lab.scratch / "rc").write_text(RC)


def shell(lab: Lab) -> int:
    """Interactive on a terminal; else what comes on the standard input is a script."""
    environment = dict(os.environ, PATH=f"{lab.scratch / 'bin'}:{os.environ['PATH']}")
    terminal = sys.stdin.isatty()
    words = ["bash", "--rcfile", str(lab.scratch / "rc"), "-i"] if terminal else ["bash"]
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # ^C is the shell's
    return subprocess.run(words, env=environment).returncode


def main() -> int:
    parser = argparse.ArgumentParser(prog="make vpc", description=__doc__)
    parser.add_argument("--nodes", default="abc", help="zones that have a NAT node (abc)")
    parser.add_argument("--clients", type=int, default=2, help="in each private subnet (2)")
    parser.add_argument("--api", type=float, default=0.2,
                        help="seconds until an API call is answered (0.2)")
    parser.add_argument("--propagation", type=float, default=0.5,
                        help="seconds until it acts (0.5)")
    options = parser.parse_args()
    if os.geteuid():
        parser.error("needs root: network namespaces, BPF")
    if not options.nodes or set(options.nodes) - set("abc"):
        parser.error("--nodes is some of abc")
    for number in signal.SIGTERM, signal.SIGHUP:
        signal.signal(number, lambda *_: sys.exit(1))
    print("building the VPC ...", flush=True)
    with Vpc(nodes=options.nodes, per_zone=options.clients) as vpc:
        vpc.cloud.api, vpc.cloud.propagation = options.api, options.propagation
        vpc.power_on()
        commands = Commands(vpc)
        serve(vpc.lab, commands)
        print(commands.do_topology(), commands.do_status(), WELCOME, sep="\n", flush=True)
        return shell(vpc.lab)


if __name__ == "__main__":
    sys.exit(main())
