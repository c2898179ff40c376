#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# bench.sh [--short] [NAME] | --list | --doc: runs the benchmarks whose name starts
# with NAME, see selftests/bench/main.py.
set -euo pipefail

cd "$(dirname "$0")/.."
exec /usr/bin/python3 -B selftests/bench/main.py "$@"
