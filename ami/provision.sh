#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# provision.sh DIR: makes an Amazon Linux 2023 machine a node. DIR has
# natxdp.rpm and files/, which mirrors the root directory. KERNEL is the stream
# that the machine must stay with.
set -euo pipefail

dir=$1 stream=$KERNEL

# Within the stream: each has a package name of its own, and 6.1 has the old one.
case $stream in
6.1) package=kernel ;;
*) package=kernel$stream ;;
esac
rpm -q "$package" >/dev/null || {
	echo "provision: this machine does not have $package: is it an image of kernel $stream?" >&2
	exit 1
}
dnf -y -q --releasever=latest update
# It is built with each stream, too, and has been named after it since 6.12 was new.
bpftool=bpftool${package#kernel}
dnf -q info "$bpftool" >/dev/null 2>&1 || bpftool=bpftool
# The package brings its units, its sysctl and its user; rsyslog writes the files that the
# CloudWatch agent reads. That gets its configuration from Systems Manager.
dnf -y -q install "$dir/natxdp.rpm" amazon-ssm-agent \
	amazon-cloudwatch-agent rsyslog ethtool iproute "$bpftool"

cp -r "$dir/files/." /
chown -R root:root /etc/systemd/journald.conf.d /etc/sysctl.d

# User data enables these, when it has written what they are to do.
systemctl disable natxdp.service natxdpd.service
systemctl enable amazon-ssm-agent.service amazon-cloudwatch-agent.service
rm -rf "$dir"
