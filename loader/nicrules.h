/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What each driver asks for before it runs XDP. Pure: a table and its look-up. */
#ifndef NATXDP_NICRULES_H
#define NATXDP_NICRULES_H

#include <stdbool.h>
#include <stdint.h>

enum version_of {
	VERSION_OF_DRIVER, /* one that is built apart from the kernel */
	VERSION_OF_KERNEL, /* the driver of the kernel itself */
};

struct nic_rule {
	const char *driver;
	enum version_of version_of;
	uint32_t from, below; /* VERSION(); below 0: no end */
	bool half_queues;     /* refuses unless twice the queues fit */
	uint32_t mtu_max;     /* 0: whatever the NIC takes */
	uint32_t mtu_page;    /* the same for programs that take no frames in pieces */
	bool no_lro;	      /* refuses while LRO is on */
	const char *refuse;   /* why this one must not be used, or NULL */
	const char *advice;   /* or NULL */
};

#define VERSION(major, minor, patch) ((major) << 20 | (minor) << 10 | (patch))

/* "2.16.1g" or "6.1.0-56-cloud": the numbers at the start, 0 for those that are not there. */
uint32_t version_parse(const char *text);

/*
 * The rule for a driver. @version is what the driver says of itself, @release
 * that of the kernel. Never NULL: unknown drivers have one that asks for nothing.
 */
const struct nic_rule *nic_rule_find(const char *driver, const char *version, const char *release);

struct nic_facts;

/* What has to be other for the driver to take the program; 0 and false: as it is. */
struct nic_wants {
	uint32_t mtu;
	uint32_t queues;
	bool lro_off;
};

/* @pieces: the program takes frames in pieces, which those behind a dispatcher do not. */
uint32_t nic_mtu_max(const struct nic_rule *rule, bool pieces);
void nic_wants(const struct nic_facts *nic, const struct nic_rule *rule, bool pieces,
	       struct nic_wants *wants);

#endif
