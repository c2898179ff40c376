/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What a NAT has of the host that it runs on: interfaces, their addresses and
 * MTUs. The watcher keeps that true when the host changes.
 */
#ifndef NATXDP_HOST_H
#define NATXDP_HOST_H

#include <stdbool.h>

struct nat;

enum host_state {
	HOST_FOLLOWED,
	HOST_BUSY,   /* somebody has the lock: to be followed when it is free */
	HOST_RELOAD, /* an interface of the NAT is there again, but its program is gone, or
		      * host_is_half_moved() */
};

/*
 * Compares the maps with what the settings of the last load make of the host
 * now, writes what differs, and says so in the log.
 */
enum host_state host_follow(struct nat *nat, const char *pin_dir);

/* As instance_is_half_moved(), if nobody is loading now. */
bool host_is_half_moved(const char *pin_dir);

/* Starts `natxdp reload`, which ends this watcher and starts another one. */
void host_reload(const char *pin_dir);

#endif
