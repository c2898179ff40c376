# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""remote.py SOCKET COMMAND...: the command `vpc` of the shell that `make vpc` gives."""

import json
import os
import signal
import socket
import sys


def main() -> int:
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `vpc status | head` is no mistake
    with socket.socket(socket.AF_UNIX) as sock:
        try:
            sock.connect(sys.argv[1])
        except OSError:
            print("vpc: the VPC has ended", file=sys.stderr)
            return 1
        sock.sendall(json.dumps(sys.argv[2:]).encode() + b"\n")
        answer = json.loads(sock.makefile().read())
    if "mistake" in answer:
        print(f"vpc: {answer['mistake']}", file=sys.stderr)
        return 2
    if "run" in answer:
        os.environ.update({name: value.strip("'") for name, value in answer["environment"].items()})
        try:
            os.execvp(answer["run"][0], answer["run"])
        except OSError as error:
            print(f"vpc: {answer['run'][0]}: {error.strerror}", file=sys.stderr)
            return 1
    if answer["text"]:
        print(answer["text"].rstrip("\n"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
