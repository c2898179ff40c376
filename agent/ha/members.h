/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Who is in the fleet, and what there is to own: the ha_* keys of natxdpd.conf,
 * which are the same on all nodes but for ha_node. Nodes, zones and addresses have
 * numbers, by their order in the configuration; peers and flows name them by these.
 */
#ifndef NATXDP_AGENT_HA_MEMBERS_H
#define NATXDP_AGENT_HA_MEMBERS_H

#include <stdint.h>

#include <natxdp/config.h>

#include "policy.h"
#include "values.h"

struct err;

enum {
	HA_NAME_MAX = 64, /* of nodes, zones and resources */
	HA_TEXT_MAX = 256,
	HA_ROUTES_MAX = 128,
	HA_ADDRESSES_MAX = NATXDP_POOL_MAX,
};

struct ha_node {
	char id[HA_NAME_MAX];
	char zone[HA_NAME_MAX];
	char address[HA_NAME_MAX];   /* ADDRESS:PORT of its agent */
	char instance[HA_NAME_MAX];  /* i-...; "": whichever has the interface */
	char interface[HA_NAME_MAX]; /* eni-... */
};

struct ha_nodes {
	unsigned int count;
	struct ha_node item[POLICY_NODES];
};

struct ha_route {
	char zone[HA_NAME_MAX];
	char table[HA_NAME_MAX]; /* rtb-... */
	char cidr[HA_NAME_MAX];
};

struct ha_routes {
	unsigned int count;
	struct ha_route item[HA_ROUTES_MAX];
};

/* An elastic IP, and the private address that it has on each node. */
struct ha_address {
	char zone[HA_NAME_MAX];
	char allocation[HA_NAME_MAX]; /* eipalloc-... */
	unsigned int count;
	struct {
		char node[HA_NAME_MAX];
		__be32 addr;
	} on[POLICY_NODES];
};

struct ha_addresses {
	unsigned int count;
	struct ha_address item[HA_ADDRESSES_MAX];
};

/* The target group of the nodes of a zone. */
struct ha_group {
	char zone[HA_NAME_MAX];
	char arn[HA_TEXT_MAX];
};

struct ha_groups {
	unsigned int count;
	struct ha_group item[POLICY_ZONES];
};

enum ha_mode { HA_MODE_EIP, HA_MODE_ENI, HA_MODE_GWLB };
enum ha_stop { HA_STOP_STAY, HA_STOP_HAND_OVER };

/* Texts are "" where the file says none. */
struct ha_conf {
	char node[HA_TEXT_MAX]; /* "": no peers, all of this is off */
	struct ha_nodes nodes;
	uint32_t mode; /* enum ha_mode */
	struct ha_routes routes;
	struct ha_addresses addresses;
	char lease_table[HA_TEXT_MAX];
	char key_file[HA_TEXT_MAX];
	char key_parameter[HA_TEXT_MAX];
	uint32_t heartbeat; /* ms */
	uint32_t suspicion; /* heartbeats */
	uint32_t damping;   /* ms */
	uint32_t failback;  /* switch */
	uint32_t stop;	    /* enum ha_stop */
	uint32_t budget;    /* ms, of a move */
	char target_group[HA_TEXT_MAX];
	char listener[HA_TEXT_MAX]; /* in whose default action the groups are weighted */
	struct ha_groups groups;
	char lifecycle_hook[HA_TEXT_MAX];
	char group[HA_TEXT_MAX]; /* of Auto Scaling */
};

extern const struct value_kind kind_ha_nodes, kind_ha_routes, kind_ha_addresses, kind_ha_groups,
	kind_ha_mode, kind_ha_stop;

struct members {
	unsigned int self, nodes, zones;
	const struct ha_conf *conf;
	const char *zone[POLICY_ZONES];
	uint8_t home[POLICY_ZONES];
	uint8_t zone_of_route[HA_ROUTES_MAX];
	uint8_t zone_of_address[HA_ADDRESSES_MAX];
	const char *group_of_zone[POLICY_ZONES]; /* NULL: it is not weighted */
	__be32 private[HA_ADDRESSES_MAX][POLICY_NODES];
};

/* Checks all of it against each other. @conf must outlive @members. 0 or -errno with @err written. */
int members_resolve(struct members *members, const struct ha_conf *conf, struct err *err);

/* POLICY_NOBODY if there is none of that name. */
uint8_t members_node(const struct members *members, const char *id);
uint8_t members_zone(const struct members *members, const char *name);

/* Two nodes that number things differently must not listen to each other. */
uint64_t members_fingerprint(const struct members *members);

#endif
