#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# verify.sh: looks whether this machine is what a node has to be, and fails the
# build of the image if it is not. KERNEL is the stream that it must have. Says
# everything that is wrong, not only the first.
set -uo pipefail

# for tests: where /sys and /proc are
ROOT=${ROOT-}
wrong=0

# Runs $2... under the name $1.
check()
{
	local said

	if said=$("${@:2}" 2>&1); then
		echo "verify: $1: ok${said:+ ($said)}"
	else
		echo "verify: $1: WRONG${said:+: $said}" >&2
		wrong=$((wrong + 1))
	fi
}

kernel_stream()
{
	local release

	release=$(uname -r)
	echo "$release"
	[[ $release == "$KERNEL".*.amzn2023.* ]]
}

kernel_btf()
{
	[[ -r $ROOT/sys/kernel/btf/vmlinux ]]
}

# 2.17.0 and 2.17.1 panic when an interface is unplugged; before 2.13.1
# XDP_TX and XDP_REDIRECT panic (amzn/amzn-drivers, issues 379 and 328).
ena_driver()
{
	local version major minor patch

	version=$(modinfo -F version ena) || return 1
	echo "$version"
	[[ $version =~ ^([0-9]+)\.([0-9]+)\.([0-9]+) ]] || {
		echo "is no version"
		return 1
	}
	major=${BASH_REMATCH[1]} minor=${BASH_REMATCH[2]} patch=${BASH_REMATCH[3]}
	if ((major < 2 || (major == 2 && (minor < 13 || (minor == 13 && patch < 1))))); then
		echo "is older than 2.13.1: XDP panics"
		return 1
	fi
	if ((major == 2 && minor == 17 && patch < 2)); then
		echo "panics when an interface is unplugged: 2.17.2 mends it"
		return 1
	fi
}

package_unchanged()
{
	rpm -q natxdp && rpm -V natxdp
}

programs_run()
{
	natxdp version && natxdpd -n >/dev/null
}

# Exit status 7: it would have sent a signed request, but nobody listens there.
curl_signs()
{
	curl -s --aws-sigv4 aws:amz:us-east-1:sts --user id:key http://127.0.0.1:1/
	[[ $? == 7 ]]
}

# $1 has the state $2 at boot.
unit_is()
{
	local state

	state=$(systemctl is-enabled "$1")
	echo "$state"
	[[ $state == "$2" ]]
}

nothing_failed()
{
	local failed

	failed=$(systemctl list-units --failed --plain --no-legend)
	[[ -z $failed ]] || {
		echo "$failed"
		return 1
	}
}

journal_limited()
{
	systemd-analyze cat-config systemd/journald.conf | grep -qx SystemMaxUse=512M
}

# Set at boot by the package and by the image; and nothing is forwarded while no NAT is loaded.
sysctls()
{
	local range forward panic

	range=$(<"$ROOT/proc/sys/net/ipv4/ip_local_port_range")
	forward=$(<"$ROOT/proc/sys/net/ipv4/ip_forward")
	panic=$(<"$ROOT/proc/sys/kernel/panic")
	echo "ports $range, forwarding $forward, after a panic $panic s"
	[[ $range == $'61000\t65535' && $forward == 0 && $panic == 10 ]]
}

# On this kernel, this driver and this interface. The NIC is reset for a moment.
translates()
{
	local status=0

	systemctl start natxdp.service && natxdp verify || status=1
	if [[ $status != 0 ]]; then
		natxdp check auto
		journalctl -b -o cat -n 20 -u natxdp.service
	fi
	systemctl stop natxdp.service || status=1
	return "$status"
}

check "kernel stream" kernel_stream
check "BTF of the kernel" kernel_btf
check "ENA driver" ena_driver
check "package" package_unchanged
check "programs" programs_run
check "libcurl signs requests" curl_signs
check "user natxdp" id -u natxdp
check "natxdp.service waits for user data" unit_is natxdp.service disabled
check "natxdpd.service waits for user data" unit_is natxdpd.service disabled
check "SSM agent" unit_is amazon-ssm-agent.service enabled
check "CloudWatch agent" unit_is amazon-cloudwatch-agent.service enabled
check "no unit has failed" nothing_failed
check "journal" journal_limited
check "sysctls" sysctls
check "the NAT translates" translates

if ((wrong)); then
	echo "verify: $wrong checks are wrong: this image must not be kept" >&2
	exit 1
fi
echo "verify: all is right"
