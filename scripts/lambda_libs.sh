#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# lambda_libs.sh DIR HOST CC...: builds libcurl and cJSON for the Lambda functions
# into DIR (include/, lib/*.a), with the compiler CC for HOST (x86_64-linux-gnu, ...).
#
# The distribution's libcurl.a speaks two dozen protocols and needs as many
# libraries; the functions speak HTTPS. Its own package's source is built here,
# with its security patches, and is found as apt is set up to find packages.
set -euo pipefail

cd "$(dirname "$0")/.."
out=$(realpath -m "${1:?where to}")
host=${2:?for which host}
shift 2
sources=$PWD/build/lambda/sources
flags=(-Os -ffunction-sections -fdata-sections "-ffile-prefix-map=$sources=.")

die()
{
	echo "lambda_libs: $*" >&2
	exit 1
}

# Into $sources/curl and $sources/cjson, without a change to the apt of the machine.
fetch()
{
	local apt=$sources.new/apt file
	local -a options

	command -v apt-get >/dev/null || die "the sources come by apt-get source: build on Debian or Ubuntu"
	rm -rf "$sources.new"
	mkdir -p "$apt/parts" "$apt/lists/partial" "$apt/cache/archives/partial"
	for file in /etc/apt/sources.list.d/*.sources; do
		[[ -e $file ]] && sed 's/^Types:.*/Types: deb-src/' "$file" >"$apt/parts/${file##*/}"
	done
	for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
		[[ -e $file ]] && sed -n 's/^deb /deb-src /p' "$file" >"$apt/parts/${file##*/}.list"
	done
	options=(-q -o Dir::Etc::SourceList=/dev/null -o "Dir::Etc::SourceParts=$apt/parts"
		-o "Dir::State::Lists=$apt/lists" -o "Dir::Cache=$apt/cache" -o APT::Sandbox::User=root)
	apt-get "${options[@]}" update >&2
	(cd "$sources.new" && apt-get "${options[@]}" source --download-only curl cjson >&2)
	(cd "$sources.new" && dpkg-source --no-check -x curl_*.dsc curl >&2 &&
		dpkg-source --no-check -x cjson_*.dsc cjson >&2)
	rm -rf "$apt" "$sources"
	mv "$sources.new" "$sources"
}

build_curl()
{
	local build=$out.curl

	rm -rf "$build"
	mkdir -p "$build"
	(
		cd "$build"
		CC="$*" CFLAGS="${flags[*]}" "$sources/curl/configure" \
			--quiet --host="$host" --prefix="$out" --disable-maintainer-mode \
			--disable-shared --enable-static --disable-dependency-tracking \
			--with-openssl --with-zlib --with-ca-bundle=/etc/pki/tls/certs/ca-bundle.crt \
			--without-brotli --without-zstd --without-nghttp2 --without-libidn2 \
			--without-libpsl --without-librtmp --without-libssh2 --without-gssapi \
			--without-libgsasl --disable-ldap --disable-ldaps --disable-ftp --disable-file \
			--disable-rtsp --disable-dict --disable-telnet --disable-tftp --disable-pop3 \
			--disable-imap --disable-smb --disable-smtp --disable-gopher --disable-mqtt \
			--disable-manual --disable-ntlm --disable-tls-srp --disable-unix-sockets \
			--disable-alt-svc --disable-hsts --disable-cookies --disable-libcurl-option
		make -s -C lib install
		make -s -C include install
	) >"$build.log" 2>&1 || { tail -n 20 "$build.log" >&2; die "libcurl: see $build.log"; }
	rm -rf "$build"
}

build_cjson()
{
	"$@" "${flags[@]}" -c "$sources/cjson/cJSON.c" -o "$out/cJSON.o"
	ar rcs "$out/lib/libcjson.a" "$out/cJSON.o"
	rm "$out/cJSON.o"
	install -D -m 644 "$sources/cjson/cJSON.h" "$out/include/cjson/cJSON.h"
}

mkdir -p "${sources%/*}"
exec 9>"$sources.lock"
flock 9
[[ -d $sources/curl && -d $sources/cjson ]] || fetch
flock -u 9
rm -rf "$out"
build_curl "$@"
build_cjson "$@"
