#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# origin.sh FILE LICENCE: prints what an rpm says of a library that it brings
# along, and copies its licence to LICENCE. The library comes from a package of
# this machine.
set -euo pipefail

file=$1 licence=$2

if command -v dpkg-query >/dev/null; then
	package=$(dpkg-query -S "$file" | sed 's/[:,].*//; q')
	# without the epoch and the packaging's own number
	version=$(dpkg-query -W -f '${source:Upstream-Version}' "$package")
	name=$(dpkg-query -W -f '${source:Package}' "$package")
	install -D -m 644 "/usr/share/doc/$package/copyright" "$licence"
else
	package=$(rpm -q --qf '%{NAME}' --whatprovides "$file")
	version=$(rpm -q --qf '%{VERSION}' "$package")
	name=$package
	mkdir -p "$licence"
	rpm -q --licensefiles "$package" | xargs -r cp -t "$licence"
fi
echo "Provides: bundled($name) = $version"
