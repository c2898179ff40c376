#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# Gives each fuzz target FUZZ_RUNS inputs (50,000, or what a line `fuzz-runs: N`
# of its source says), or as many as FUZZ_SECONDS allow, from the seeds in seeds/NAME and what FUZZ_CORPUS/NAME has kept of
# earlier runs, and says how many it tried. Fewer than wanted is a failure.
# Prints TAP.
#
# test-timeout: 100000
set -uo pipefail

here=$(cd "$(dirname "$0")" && pwd)
build=${NATXDP_BUILD:-$here/../../build}/selftests/fuzz
seconds=${FUZZ_SECONDS:-}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

targets=("$here"/*.c)
echo "1..${#targets[@]}"
number=0
for source in "${targets[@]}"; do
	name=$(basename "$source" .c)
	number=$((number + 1))
	corpus=${FUZZ_CORPUS:+$FUZZ_CORPUS/$name}
	corpus=${corpus:-$dir/$name}
	mkdir -p "$corpus" "$dir/crash"
	runs=$(sed -n 's/^ \* fuzz-runs: //p' "$source")
	runs=${FUZZ_RUNS:-${runs:-50000}}
	limit=(-runs="$runs")
	[[ $seconds ]] && limit=(-max_total_time="$seconds")
	began=$SECONDS
	if "$build/$name" "${limit[@]}" -timeout=10 -rss_limit_mb=1024 \
		-max_len=16384 -print_final_stats=1 -artifact_prefix="$dir/crash/" \
		"$corpus" "$here/seeds/$name" >"$dir/log" 2>&1 &&
		tries=$(sed -n 's/^stat::number_of_executed_units: *//p' "$dir/log") &&
		[[ -n $seconds || $tries -ge $runs ]]; then
		echo "ok $number - $name"
		echo "# $name: $tries inputs in $((SECONDS - began)) s"
	else
		tail -n 40 "$dir/log" | sed 's/^/# /'
		for crash in "$dir"/crash/*; do
			[[ -e $crash ]] && base64 -w 0 "$crash" | sed 's/^/# input, in base64: /; s/$/\n/'
		done
		echo "not ok $number - $name"
	fi
done
