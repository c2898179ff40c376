# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""python3 -m standin [WORLD.json]: runs until its input ends, for a person or a shell test.

Prints one line of JSON with the URLs: of the API, of the IMDS, and of the
control interface (POST {"do": ...}; see StandIn.control).
"""

import json
import sys

from .standin import StandIn
from .web import Listener


def main():
    with StandIn() as standin:
        if len(sys.argv) > 1:
            with open(sys.argv[1], encoding="utf-8") as world:
                standin.world.load(json.load(world))
        control = Listener(standin.control)
        print(json.dumps({"api": standin.url, "imds": standin.imds_url, "control": control.url,
                          "region": standin.region}), flush=True)
        sys.stdin.read()
        control.stop()


if __name__ == "__main__":
    main()
