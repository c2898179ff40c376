/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "privilege.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "err.h"

int privilege_check(struct err *err)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { 0 };
	unsigned int low, high;

	if (syscall(SYS_capget, &header, data))
		return err_set(err, STATUS_SYSTEM, errno, "cannot ask for capabilities");
	low = data[0].effective;
	high = data[1].effective;
	if (low & CAP_TO_MASK(CAP_SYS_ADMIN))
		return 0;
	if (high & CAP_TO_MASK(CAP_BPF) && low & CAP_TO_MASK(CAP_NET_ADMIN))
		return 0;
	return err_set(err, STATUS_PERMISSION, EPERM, "not permitted: run natxdp as root");
}
