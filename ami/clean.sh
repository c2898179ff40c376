#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# clean.sh: takes away what belongs to this one machine, last of all.
set -euo pipefail

dnf -q clean all
cloud-init clean --logs --seed
rm -f /etc/ssh/ssh_host_* /home/ec2-user/.ssh/authorized_keys
rm -rf /home/ec2-user/.bash_history /tmp/natxdp /var/lib/amazon/ssm/*
journalctl -q --rotate && journalctl -q --vacuum-time=1s
find /var/log -type f -exec truncate -s 0 {} +
# systemd makes a new one at the first boot
truncate -s 0 /etc/machine-id
sync
