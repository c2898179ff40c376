/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The kinds of values that a configuration key or an option can have: how
 * each is read from text and how it is written as text that reads back the
 * same. Pure functions.
 */
#ifndef NATXDP_VALUES_H
#define NATXDP_VALUES_H

#include <net/if.h>
#include <netinet/in.h> /* before linux/in.h, which then leaves out what this has */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <natxdp/config.h>

enum value_limits {
	PORT_RANGES_MAX = 256,
	DURATION_MIN_MS = 100,
	DURATION_MAX_MS = 7 * 24 * 3600 * 1000,
	PIN_DIR_MAX = 256,
	REASON_MAX = 192,
};

/* Host order, inclusive. */
struct port_range {
	uint16_t min;
	uint16_t max;
};

struct port_list {
	unsigned int count;
	struct port_range range[PORT_RANGES_MAX];
};

struct external {
	__be32 addr;
	bool has_ports; /* else the ports are those of port_range */
	struct port_range ports;
};

/* Empty: the first address of the interface. */
struct external_list {
	unsigned int count;
	struct external item[NATXDP_POOL_MAX];
};

struct iface_list {
	unsigned int count;
	char name[NATXDP_DEVS_MAX - 1][IFNAMSIZ];
};

struct prefix_list {
	bool automatic; /* follows another key */
	unsigned int count;
	struct natxdp_prefix item[NATXDP_PREFIXES_MAX];
};

enum xdp_mode { XDP_MODE_NATIVE, XDP_MODE_GENERIC };

/* What a person is told about a value that is refused. */
struct reason {
	char text[REASON_MAX];
};

struct value_kind {
	const char *metavar;
	const char *const *names; /* choices only; ends with NULL */
	/* 0, or -EINVAL with the reason written; @field is then undefined */
	int (*parse)(const struct value_kind *kind, const char *text, void *field,
		     struct reason *why);
	void (*print)(const struct value_kind *kind, const void *field, FILE *out);
};

extern const struct value_kind kind_external, kind_ifaces, kind_prefixes, kind_port_range,
	kind_ports, kind_flows, kind_duration, kind_midstream, kind_xdp_mode, kind_path;

/* Parsers that the filters of `natxdp flows` use as well. */
int parse_prefix(const char *text, struct natxdp_prefix *prefix, struct reason *why);
int parse_port(const char *text, uint16_t *port, struct reason *why);

const char *xdp_mode_name(enum xdp_mode mode);

#endif
