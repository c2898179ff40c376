/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What is pinned at a place, and whether that is a NAT which translates. */
#ifndef NATXDP_INSTANCE_H
#define NATXDP_INSTANCE_H

#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include <natxdp/config.h>

#include "hook.h"

struct instance_link {
	char name[IFNAMSIZ];
	uint32_t ifindex; /* 0: the interface is gone */
	uint32_t program; /* id */
	uint32_t entry;	  /* id of what the interface itself calls: the same, or a dispatcher */
	bool dispatched;
	enum hook hook;
};

enum instance_state {
	INSTANCE_NONE,
	INSTANCE_REMAINS, /* of a load or unload that was killed, or an interface went away */
	INSTANCE_RUNNING,
};

struct instance {
	enum instance_state state;
	bool readable;		     /* the tables are those of this version */
	struct natxdp_config config; /* abi is 0 if this version cannot read it */
	unsigned int link_count;
	struct instance_link link[NATXDP_DEVS_MAX]; /* the outside first */
};

/* Never fails: what cannot be read is not there. */
void instance_look(struct instance *instance, const char *pin_dir);

/* What identifies the code of a program, the same at every load; "?" if it cannot be asked. */
enum { TAG_TEXT = 2 * 8 + 1 /* BPF_TAG_SIZE */ };

void instance_tag(uint32_t program, char tag[TAG_TEXT]);

/* Are all its interfaces at that hook? Not if a load was killed as it moved them. */
bool instance_is_at(const struct instance *instance, enum hook hook);

/*
 * Has a load that was killed as it moved the NAT to another hook left interfaces at both, or a
 * filter where XDP is? It translates; who loads again clears it up.
 */
bool instance_is_half_moved(const struct instance *instance, const char *pin_dir);

const struct instance_link *instance_find(const struct instance *instance, const char *iface);

#endif
