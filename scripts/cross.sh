#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# cross.sh ARCH: makes build/ARCH/sysroot, with the libraries of another
# architecture, and prints a piece of makefile that builds against them.
#
# The libraries are Debian's packages for that architecture, unpacked and not
# installed: some of their -dev packages cannot be installed beside those of this
# machine, and nothing of the machine changes this way, not even the
# architectures that dpkg knows.
set -euo pipefail

cd "$(dirname "$0")/.."
arch=${1:?which architecture}
out=$PWD/build/$arch
sysroot=$out/sysroot
apt=$out/apt

die()
{
	echo "cross: $*" >&2
	exit 1
}

case $arch in
arm64) triplet=aarch64-linux-gnu emulator=qemu-aarch64-static ;;
*) die "$arch: only arm64 is known" ;;
esac

# The packages of the group cross in the list, as scripts/deps.sh reads it.
wanted()
{
	awk '$1 == "sysroot" { print $2 }' scripts/packages.txt
}

make_sysroot()
{
	local -a packages options
	local archive

	command -v apt-get >/dev/null || die "building for another architecture needs apt"
	mkdir -p "$apt/lists/partial" "$apt/archives/partial"
	: >"$apt/status"
	options=(-q -y -o "APT::Architecture=$arch" -o "APT::Architectures=$arch"
		-o "Dir::State::Lists=$apt/lists" -o "Dir::State::status=$apt/status"
		-o "Dir::Cache::archives=$apt/archives" -o "Dir::Cache::pkgcache="
		-o "Dir::Cache::srcpkgcache=" -o Debug::NoLocking=1
		-o APT::Sandbox::User=root -o APT::Install-Recommends=0)
	mapfile -t packages < <(wanted)
	apt-get "${options[@]}" update >&2
	apt-get "${options[@]}" --download-only install "${packages[@]}" >&2
	rm -rf "$sysroot.new"
	for archive in "$apt"/archives/*.deb; do
		dpkg-deb -x "$archive" "$sysroot.new"
	done
	rm -rf "$sysroot" "$apt"
	mv "$sysroot.new" "$sysroot"
}

command -v "$triplet-gcc" >/dev/null || die "no $triplet-gcc: run scripts/deps.sh cross"
[[ -d $sysroot && $sysroot -nt scripts/packages.txt ]] || make_sysroot
touch "$sysroot"

export PKG_CONFIG_SYSROOT_DIR=$sysroot
export PKG_CONFIG_LIBDIR=$sysroot/usr/lib/$triplet/pkgconfig:$sysroot/usr/share/pkgconfig
mapfile -t libraries < <(scripts/probe.sh --libraries)
cat <<END
# made by scripts/cross.sh
CC := $triplet-gcc --sysroot=$sysroot
AR := $triplet-ar
LIB_CFLAGS := $(pkg-config --cflags "${libraries[@]}")
LIB_LIBS := $(pkg-config --libs "${libraries[@]}") -Wl,-rpath-link,$sysroot/lib/$triplet
EMULATOR := $emulator -L $sysroot
END
