#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# The prog ring on Linux 6.1, in a guest: one result for each of its tests, and
# what the verifier of that kernel takes, in build/vm/verifier.json.
# NATXDP_VM_FULL=1 leaves nothing out.
# test-timeout: 1200
exec /usr/bin/python3 "$(dirname "$0")/prog.py"
