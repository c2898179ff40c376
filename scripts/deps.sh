#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# deps.sh [GROUP...]: installs the packages of scripts/packages.txt that are
# missing, for the groups named (without an argument all but cross, which is for
# building for another architecture). When nothing is missing it asks the package
# database only and touches no network.
set -euo pipefail

list=$(dirname "$0")/packages.txt

die()
{
	echo "deps: $*" >&2
	exit 1
}

# Prints the entries of column $1 (2: apt, 3: dnf) that the wanted groups need.
wanted()
{
	awk -v column="$1" -v want=" ${groups[*]} " '
		/^#/ || NF < 4 { next }
		$column == "-" { next }
		$1 == "sysroot" { next }
		want == "  " && $1 != "cross" { print $column; next }
		{
			n = split($1, group, "+")
			for (i = 1; i <= n; i++)
				if (index(want, " " group[i] " ")) {
					print $column
					next
				}
		}' "$list"
}

# Prints those of the packages given that are installed.
installed()
{
	case $manager in
	apt)
		dpkg-query -W -f '${db:Status-Status} ${Package}\n' "$@" 2>/dev/null |
			sed -n 's/^installed //p'
		;;
	dnf)
		# python3-pytest and the like may be there under another name
		for package; do
			rpm -q --quiet --whatprovides "$package" && echo "$package"
		done
		;;
	esac
	return 0
}

# True if the distribution has package $1.
available()
{
	case $manager in
	apt) apt-cache show --no-all-versions "$1" >/dev/null 2>&1 ;;
	dnf) dnf -q list --available "$1" >/dev/null 2>&1 ;;
	esac
}

# Sets missing to the needs of which no alternative is installed.
find_missing()
{
	local need alternative have
	local -a needs alternatives

	missing=()
	mapfile -t needs < <(wanted "$column")
	mapfile -t alternatives < <(printf '%s\n' "${needs[@]}" | tr '|' '\n')
	have=" $(installed "${alternatives[@]}" | tr '\n' ' ')"
	for need in "${needs[@]}"; do
		for alternative in ${need//|/ }; do
			[[ $have == *" $alternative "* ]] && continue 2
		done
		missing+=("$need")
	done
}

# Prints for each need the first alternative that exists, or the last one, so
# that the package manager names it when there is none.
choose()
{
	local need alternative

	for need; do
		for alternative in ${need//|/ }; do
			available "$alternative" && break
		done
		echo "$alternative"
	done
}

install_packages()
{
	local -a sudo=() packages

	if [[ $EUID != 0 ]]; then
		command -v sudo >/dev/null || die "missing: ${missing[*]}; run make deps as root"
		sudo=(sudo)
	fi
	if [[ $manager == apt ]]; then
		"${sudo[@]}" apt-get update -q ||
			echo "deps: apt-get update failed; trying with the package lists at hand" >&2
	fi
	mapfile -t packages < <(choose "${missing[@]}")
	echo "deps: installing ${packages[*]}"
	case $manager in
	apt)
		"${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q \
			--no-install-recommends "${packages[@]}"
		;;
	dnf)
		"${sudo[@]}" dnf install -y --setopt=install_weak_deps=False "${packages[@]}"
		;;
	esac
}

groups=("$@")
if command -v dpkg-query >/dev/null; then
	manager=apt column=2
elif command -v dnf >/dev/null; then
	manager=dnf column=3
else
	die "neither apt nor dnf here; install what $list names by hand"
fi

find_missing
[[ ${#missing[@]} == 0 ]] && exit 0
install_packages
find_missing
[[ ${#missing[@]} == 0 ]] || die "still missing: ${missing[*]}"
