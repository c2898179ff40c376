/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What a NAT needs of its host. Gathering (hostfacts.c) and judging (check.c,
 * pure) are apart, so that hosts which nobody has here can be judged in tests.
 */
#ifndef NATXDP_CHECK_H
#define NATXDP_CHECK_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include <natxdp/config.h>

#include "err.h"
#include "nic.h"
#include "sysctl.h"

struct plan;
struct settings;

enum { LISTENERS_MAX = 256, RELEASE_MAX = 65, FINDINGS_MAX = 512, FINDING_NAME_MAX = 96 };

struct listener {
	uint8_t proto;
	uint16_t port;
};

struct facts {
	char release[RELEASE_MAX];
	bool btf;
	bool bpffs;
	bool permitted;
	bool ec2;
	unsigned int nic_count;
	struct nic_facts nic[NATXDP_DEVS_MAX];
	uint32_t other_xdp[NATXDP_DEVS_MAX]; /* id of a program that is not of this NAT, 0: none */
	struct sysctl_list sysctl_now;	     /* those that are not as needed */
	struct sysctl_list sysctl_needed;
	unsigned int listener_count; /* sockets of this host that the outside may want to reach */
	struct listener listener[LISTENERS_MAX];
	bool route;	/* is there one to the internet, */
	bool route_out; /* and does it lead out by the outside interface */
	__be32 gateway; /* 0: none, the interface itself */
	bool neighbour; /* is the gateway's hardware address known */
	unsigned int nat_chains;
	char nat_table[32]; /* where one of them is */
};

enum level {
	LEVEL_OK,
	LEVEL_LOAD, /* not so now: load sees to it */
	LEVEL_WARN, /* it works, but */
	LEVEL_FIX,  /* load refuses: load --fix sees to it */
	LEVEL_FAIL,
};

struct finding {
	char name[FINDING_NAME_MAX];
	enum level level;
	enum exit_status cause; /* of `natxdp check`, if it is the first that fails */
	char found[112];
	char needed[112];
	char mend[176]; /* a command, mostly; empty: nothing to do */
};

struct findings {
	unsigned int count;
	struct finding item[FINDINGS_MAX];
};

/* Returns 0 or -errno with @err written; a fact that cannot be found out is left 0. */
int facts_gather(struct facts *facts, const struct plan *plan, struct err *err);

/* Pure. One finding for each precondition, in the order in which they are to be mended. */
void facts_judge(const struct facts *facts, const struct settings *settings,
		 struct findings *findings);

/* The cause of the first one that fails; STATUS_OK if none does. */
enum exit_status findings_status(const struct findings *findings);

const char *level_name(enum level level);

#endif
