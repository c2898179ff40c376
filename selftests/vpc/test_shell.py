# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""`make vpc` as a person uses it, by a script on its standard input."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from lab import run

SCRIPT = """
set -eE
trap 'echo "line $LINENO: $BASH_COMMAND" >&2' ERR
soon() {
    for try in $(seq 300); do "$@" && return; sleep 0.2; done
    echo "in vain: $*" >&2
    return 1
}
vpc help | grep -q "vpc kill NODE"
vpc traffic 20 >/dev/null
all_open() { vpc traffic | awk '$2 == 20 && $4 == 0 && $5 == 0 && $NF == 20 { n++ } END { exit n != 3 }'; }
soon all_open
vpc traffic
# and, soon, copies of those of the other nodes
copied() { test "$(vpc flows a | grep established | grep -c 10.0.10.11)" = 20; }
soon copied
vpc latency 0 0
# again and again: the agent of its zone puts it right when it looks
point_at_b() {
    vpc aws ec2 replace-route --route-table-id rtb-0000000000000000a \
        --destination-cidr-block 0.0.0.0/0 --network-interface-id eni-0000000000000000b
    vpc status | grep -q "^a  *rtb-0000000000000000a  *nat-b"
}
soon point_at_b
vpc api | grep -q "AKIDSTANDIN  *ReplaceRoute  *200"
if vpc kill nobody 2>error; then exit 8; fi
grep -q "there is no node nobody" error
vpc sh b1 ip -br addr | grep -q 10.0.11.11
vpc natxdp b status | grep -q "^state  *active"
vpc kill a
vpc status | grep -q "^nat-a .* on  *- "
vpc off a
vpc status | grep -q "^nat-a .* off "
vpc on a
vpc partition a b
vpc status | grep "partitions: a <-> b"
vpc heal
eval "$(vpc env)"
test "$(aws ec2 describe-route-tables --endpoint-url "$AWS_ENDPOINT_URL" --query 'length(RouteTables)')" = 4
echo all well
"""


def test_a_session(tmp_path: Path) -> None:
    environment = dict(os.environ, PATH="/usr/bin:/bin:" + os.environ["PATH"])
    done = subprocess.run(["/usr/bin/python3", "-B", str(Path(__file__).parent)], input=SCRIPT,
                          cwd=tmp_path, env=environment, capture_output=True, text=True,
                          timeout=300)
    assert done.returncode == 0 and done.stdout.endswith("all well\n"), done.stdout + done.stderr
    assert not run("pgrep", "-f", str(tmp_path), check=False).stdout
