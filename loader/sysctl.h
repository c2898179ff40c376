/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The kernel settings that a NAT needs, below /proc/sys of the network
 * namespace. Only what is wrong is changed, and what it was is saved first.
 */
#ifndef NATXDP_SYSCTL_H
#define NATXDP_SYSCTL_H

#include <stdbool.h>

struct err;
struct plan;

enum { SYSCTLS_MAX = 48, SYSCTL_NAME_MAX = 96, SYSCTL_VALUE_MAX = 64 };

struct sysctl {
	char name[SYSCTL_NAME_MAX]; /* path below /proc/sys */
	char value[SYSCTL_VALUE_MAX];
};

struct sysctl_list {
	unsigned int count;
	struct sysctl item[SYSCTLS_MAX];
};

/* What has to be changed for @plan, with the new values; forwarding is last. */
int sysctl_needed(const struct plan *plan, struct sysctl_list *needed, struct err *err);

/* Saves the values of now, except those that an earlier load has saved, and sets @needed. */
int sysctl_apply(const char *pin_dir, const struct sysctl_list *needed, struct err *err);

/*
 * Puts back what was saved, forwarding first, and forgets it. What was saved in another network
 * namespace is only forgotten.
 */
void sysctl_restore(const char *pin_dir);

/* Reads one value without its newline. Returns 0 or -errno. */
int sysctl_get(const char *name, char value[SYSCTL_VALUE_MAX]);

#endif
