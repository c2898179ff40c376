#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# make-deb.sh ROOT VERSION DEB: packs ROOT, which `make install` has filled, with
# debhelper. Called by mk/package.mk.
set -euo pipefail

root=$(realpath "$1") version=$2 deb=$(realpath -m "$3")
recipe=$(realpath "$(dirname "$0")")
tree=$(realpath "$recipe/../..")

work=$(mktemp -d "$(dirname "$deb")/deb.XXXXXX")
trap 'rm -rf "$work"' EXIT
cp -r "$recipe/debian" "$work/debian"
cp "$tree/README.md" "$work"
cat >"$work/debian/changelog" <<END
natxdp ($version) stable; urgency=medium

  * docs/ and the log of the repository tell what is new.

 -- natxdp <maintainers@natxdp.invalid>  $(date -R -u -d "@$SOURCE_DATE_EPOCH")
END
{
	echo "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/"
	echo
	echo "Files: *"
	echo "Copyright: the authors of natxdp"
	echo "License: GPL-2 or BSD-2-clause"
	echo " The GNU General Public License is in /usr/share/common-licenses/GPL-2."
	echo " ."
	sed -n '/^Copyright (c)/,/^===/p' "$tree/LICENSE" |
		sed '/^===/d; s/^$/./; s/^/ /'
} >"$work/debian/copyright"

cd "$work"
if ! STAGED=$root DEB_RULES_REQUIRES_ROOT=no debian/rules binary >log 2>&1; then
	cat log >&2
	exit 1
fi
mv "$work"/out/*.deb "$deb"
