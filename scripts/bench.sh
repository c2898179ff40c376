#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# bench.sh [NAME]: runs the benchmarks whose name starts with NAME (all without
# it): the programs built from selftests/bench/*.c and selftests/bench/bench_*.sh.
set -euo pipefail

cd "$(dirname "$0")/.."
ran=0

for source in selftests/bench/*.c selftests/bench/bench_*.sh; do
	[[ -e $source && $source != *.bpf.c ]] || continue
	name=$(basename "${source%.*}")
	name=${name#bench_}
	[[ $name == "${1-}"* ]] || continue
	echo "== $name"
	case $source in
	*.c) "build/${source%.c}" ;;
	*.sh) bash "$source" ;;
	esac
	ran=$((ran + 1))
done

if [[ $ran == 0 ]]; then
	echo "no benchmark ${1:+starts with $1 }in selftests/bench" >&2
	exit 1
fi
