/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What the operator wants. One table of keys makes the file format, the
 * options of `natxdp load` and the printed configuration.
 */
#ifndef NATXDP_SETTINGS_H
#define NATXDP_SETTINGS_H

#include <stddef.h>

#include "keys.h"
#include "values.h"

struct err;

#define SETTINGS_FILE "/etc/natxdp/natxdp.conf"

struct settings {
	struct external_list external;
	struct standby_list standby;
	uint32_t mode; /* enum mode */
	struct iface_list inside;
	struct prefix_list inside_prefixes;
	struct prefix_list no_nat;
	struct port_range port_range;
	struct port_list host_ports;
	uint32_t max_flows;
	uint32_t profile;	   /* enum profile */
	struct by_class mapping;   /* enum natxdp_mapping */
	struct by_class filtering; /* enum natxdp_filtering */
	uint32_t pooling_arbitrary;
	uint32_t hairpin;
	uint32_t inbound_refresh;
	uint32_t other_protocols;
	uint32_t timeout_ms[NATXDP_TIMEOUTS];
	uint32_t tcp_midstream; /* enum natxdp_midstream */
	uint32_t mss_clamp;	/* bytes, SIZE_OFF or SIZE_AUTO */
	uint32_t egress_mtu;	/* the same */
	uint32_t limit_flows;	/* 0: none */
	uint32_t limit_rate;	/* 0: none */
	struct prefix_list gwlb_sources;
	uint32_t gwlb_ipv6; /* enum natxdp_tunnel_ipv6 */
	uint32_t hook;	    /* enum hook_choice */
	uint32_t xdp_mode;  /* enum xdp_mode */
	uint32_t dispatcher;
	uint32_t record_buffer; /* bytes */
	char pin_dir[PIN_DIR_MAX];
	uint64_t given; /* bits by index in settings_table: set by somebody, no default */
};

/* Ends with an entry whose key is NULL. */
extern const struct setting settings_table[];

const struct setting *settings_find(const char *key);

/* Fills in the defaults of profile aws. profile_apply() makes them those of the chosen one. */
void settings_init(struct settings *settings);

/* Does the value come from somewhere else than the defaults? */
bool settings_given(const struct settings *settings, const struct setting *setting);

void *settings_field(struct settings *settings, const struct setting *setting);

/* @source says in an error where the value came from: "FILE:LINE", "command line". */
int settings_set(struct settings *settings, const struct setting *setting, const char *text,
		 const char *source, struct err *err);

/* As keys_read(). */
int settings_read(struct settings *settings, const char *path, const char *only, struct err *err);

/* Finds values that are good alone but contradict each other. */
int settings_check(const struct settings *settings, struct err *err);

/* The printed form reads back the same. */
void settings_print(const struct settings *settings, FILE *out);

uint32_t settings_ticks(uint32_t ms);
/* What comes by a load balancer is known by its port, so no flow may have that one. */
void settings_host_ports(const struct settings *settings, struct natxdp_host_ports *bitmap);

/* The prefixes that no_nat stands for. */
const struct prefix_list *settings_no_nat(const struct settings *settings);

#endif
