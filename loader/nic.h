/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What an interface and its driver are like, as far as XDP minds: facts only,
 * judged in check.c by the rules of nicrules.c.
 */
#ifndef NATXDP_NIC_H
#define NATXDP_NIC_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

enum { NIC_TEXT_MAX = 32 };

/* 0 where the driver does not say. */
struct nic_facts {
	char name[IFNAMSIZ];
	uint32_t ifindex;
	char driver[NIC_TEXT_MAX];
	char version[NIC_TEXT_MAX];
	uint32_t mtu;
	bool up;
	uint32_t queues, queues_max; /* combined channels */
	uint32_t rx_ring, rx_ring_max;
	bool lro;
	uint32_t rss_queues; /* how many the indirection table names */
	uint32_t irqs;
	uint32_t irq_cpus; /* how many CPUs take them */
	uint32_t cpus;	   /* online */
};

/* Returns 0 or -errno; -ENODEV if there is no such interface. */
int nic_look(struct nic_facts *nic, const char *name);

/* These reset many NICs for a moment. Return 0 or -errno. */
int nic_set_mtu(const char *name, uint32_t mtu);
int nic_set_queues(const char *name, uint32_t queues);
int nic_set_lro(const char *name, bool on);

#endif
