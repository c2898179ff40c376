#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# make-rpm.sh ROOT LINKED VERSION ARCH RPM LIBRARY...: packs ROOT, which `make
# install` has filled, with the programs of LINKED and with copies of LIBRARY...
# in /usr/lib/natxdp. Called by mk/package.mk.
set -euo pipefail

root=$1 linked=$2 version=$3 arch=$4 rpm=$(realpath -m "$5")
shift 5
recipe=$(realpath "$(dirname "$0")")
tree=$(realpath "$recipe/../..")

work=$(mktemp -d "$(dirname "$rpm")/rpm.XXXXXX")
trap 'rm -rf "$work"' EXIT
cp -a "$root" "$work/root"
for program in natxdp natxdpd; do
	install -m 755 "$linked/$program" "$work/root/usr/sbin/$program"
	"${STRIP:-strip}" --strip-unneeded "$work/root/usr/sbin/$program"
done
find "$work/root/usr/share/man" -type f -exec gzip -9n {} +

# Each under the name that programs ask for, with its licence, and libxdp's
# dispatcher beside it. The spec file includes `bundled`.
private=$work/root/usr/lib/natxdp
licenses=$work/root/usr/share/licenses/natxdp
: >"$work/bundled"
for library; do
	file=$(realpath "$library")
	soname=$(objdump -p "$file" | awk '$1 == "SONAME" { print $2 }')
	install -D -m 644 "$file" "$private/$soname"
	if [[ $soname == libxdp.* ]]; then
		install -D -m 644 "$(dirname "$file")/bpf/xdp-dispatcher.o" "$private/bpf/xdp-dispatcher.o"
	fi
	"$recipe/origin.sh" "$file" "$licenses/${soname%%.*}" >>"$work/bundled"
done
install -D -m 644 "$tree/LICENSE" "$licenses/LICENSE"
install -D -m 644 "$tree/README.md" "$work/root/usr/share/doc/natxdp/README.md"

if ! rpmbuild -bb --quiet --target "$arch-amazon-linux" --define "_topdir $work/top" \
	--define "version_made $version" --define "made $work" --define "packed $work/root" "$recipe/natxdp.spec" >"$work/log" 2>&1; then
	cat "$work/log" >&2
	exit 1
fi
mv "$work"/top/RPMS/"$arch"/*.rpm "$rpm"
