#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# probe.sh: finds the tools that can build natxdp by letting them build a tiny
# BPF object, and prints what it found as make variables (build/config.mk).
# What a tool can do counts, not what version it says it is.
#
# probe.sh --libraries: only names the libraries, as pkg-config knows them.
set -euo pipefail

libraries=(libbpf libxdp libelf zlib libmnl libcjson inih)
aws_libraries=(libcurl expat libcjson zlib)
agent_libraries=(libmicrohttpd libseccomp libcrypto)
if [[ ${1-} == --libraries ]]; then
	printf '%s\n' "${libraries[@]}"
	exit
fi

# Newest first. CLANG=... in the environment is the only candidate then.
clangs=${CLANG:-clang-22 clang-21 clang-20 clang-19 clang-18 clang-17 clang-16 clang-15 clang}

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
: >"$dir/errors"

die()
{
	echo "probe: $*" >&2
	echo "probe: 'make deps' installs what the build needs" >&2
	exit 1
}

# 32-bit compare-and-exchange needs -mcpu=v3, and maps need BTF.
cat >"$dir/probe.bpf.c" <<'END'
#include <asm/types.h>
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} words SEC(".maps");

SEC("xdp")
int probe(struct xdp_md *ctx)
{
	__u32 key = 0;
	__u32 *word = bpf_map_lookup_elem(&words, &key);

	return word && __sync_val_compare_and_swap(word, 1, 2) == 1 ? XDP_PASS : XDP_DROP;
}
END

compiles()
{
	"$1" -target bpf -mcpu=v3 -g -O2 -Wall -Werror "${@:2}" \
		-c "$dir/probe.bpf.c" -o "$dir/probe.o" 2>>"$dir/errors"
}

# Debian keeps asm/types.h in a directory of the architecture, which clang does
# not search when it compiles for bpf.
find_clang()
{
	local candidate include

	for candidate in $clangs; do
		command -v "$candidate" >/dev/null || continue
		for include in "" "-idirafter/usr/include/$(${CC:-cc} -dumpmachine)"; do
			# shellcheck disable=SC2086 # empty means no argument
			if compiles "$candidate" $include; then
				clang=$candidate
				bpf_include=$include
				return 0
			fi
		done
	done
	return 1
}

# The linker in bpftool drops DWARF and keeps BTF. Ubuntu hides the real
# bpftool behind a wrapper that refuses kernels without their own tools.
find_bpftool()
{
	local candidate

	for candidate in ${BPFTOOL:-bpftool /usr/sbin/bpftool /usr/lib/linux-tools/*/bpftool}; do
		command -v "$candidate" >/dev/null || continue
		if "$candidate" gen object "$dir/linked.o" "$dir/probe.o" 2>>"$dir/errors" &&
			"$candidate" gen skeleton "$dir/linked.o" name probe_bpf \
				>"$dir/probe.skel.h" 2>>"$dir/errors"; then
			bpftool=$candidate
			return 0
		fi
	done
	return 1
}

command -v "${CC:-cc}" >/dev/null || die "no C compiler"
command -v pkg-config >/dev/null || die "no pkg-config"
find_clang || { cat "$dir/errors" >&2; die "no clang that compiles BPF: $clangs"; }
find_bpftool || { cat "$dir/errors" >&2; die "no bpftool that makes skeletons"; }
for library in "${libraries[@]}" "${aws_libraries[@]}" "${agent_libraries[@]}"; do
	pkg-config --exists "$library" || die "library $library is missing"
done

cat <<END
# made by scripts/probe.sh
CLANG := $clang
BPFTOOL := $bpftool
BPF_SYSTEM_INCLUDE := $bpf_include
LIB_CFLAGS := $(pkg-config --cflags "${libraries[@]}")
LIB_LIBS := $(pkg-config --libs "${libraries[@]}")
AWS_LIBS := $(pkg-config --libs "${aws_libraries[@]}")
AGENT_LIBS := $(pkg-config --libs "${agent_libraries[@]}")
END
