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
	LIMIT_MAX = 16777215, /* the data plane counts in 1/256 in 32 bits */
	SIZE_OFF = 0,
	SIZE_AUTO = 1,
	SIZE_SMALLEST = 68, /* RFC 791: what every link takes */
	SIZE_LARGEST = 65535,
	BYTES_MIN = 64 * 1024,
	BYTES_MAX = 1 << 30,
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

/* Of addresses that other nodes have: each belongs to a group, from 1, and so do inside hosts. */
enum { STANDBY_PREFIXES_MAX = 64 };

struct standby {
	struct external external;
	uint32_t group;
};

struct standby_list {
	unsigned int count;
	struct standby item[NATXDP_POOL_MAX];
	unsigned int prefix_count;
	struct {
		struct natxdp_prefix prefix;
		uint32_t group;
	} prefix[STANDBY_PREFIXES_MAX];
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

/* A choice for each protocol. */
struct by_class {
	uint8_t given; /* bits of enum natxdp_class that the text named */
	uint8_t value[NATXDP_CLASSES];
};

enum { CLASSES_ALL = (1 << NATXDP_CLASSES) - 1 };

/* Named sets of defaults. */
enum profile { PROFILE_AWS, PROFILE_RFC, PROFILES };

/* How packets of the inside come here: by routes, or in GENEVE from load balancers. */
enum mode { MODE_ROUTED, MODE_GWLB };

enum xdp_mode { XDP_MODE_NATIVE, XDP_MODE_GENERIC };

/* Native XDP where it can be, else TC; or one of the two. */
enum hook_choice { HOOK_CHOICE_AUTO, HOOK_CHOICE_XDP, HOOK_CHOICE_TC };

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
	kind_ports, kind_flows, kind_duration, kind_limit, kind_size, kind_path;

extern const struct value_kind kind_standby; /* standby.c */
extern const struct value_kind kind_bytes;   /* bytes.c; a power of two, in uint32_t */

/* choices.c; those from kind_mapping on are struct by_class, the others uint32_t */
/* kind_flag is kind_switch for keys whose option may stand alone */
extern const struct value_kind kind_mode, kind_gwlb_ipv6;
extern const struct value_kind kind_profile, kind_midstream, kind_hook, kind_xdp_mode, kind_pooling,
	kind_switch, kind_others, kind_flag, kind_mapping, kind_filtering;

/* What parsers are made of: writes the reason and returns -EINVAL. */
int value_refuse(struct reason *why, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/*
 * Takes the next comma-separated item, without the blanks around it, off
 * *@cursor. Returns 1, 0 at the end of the text, or -EINVAL.
 */
int value_next_item(const char **cursor, char *item, size_t size, struct reason *why);

/* Parsers that the filters of `natxdp flows` use as well. */
int parse_prefix(const char *text, struct natxdp_prefix *prefix, struct reason *why);
int parse_port(const char *text, uint16_t *port, struct reason *why);

/* ADDR or ADDR:MIN-MAX */
int parse_external(const char *text, struct external *external, struct reason *why);
void print_external_item(const struct external *external, FILE *out);

extern const char *const class_names[NATXDP_CLASSES];

const char *profile_name(enum profile profile);
const char *xdp_mode_name(enum xdp_mode mode);
const char *midstream_name(enum natxdp_midstream midstream);
const char *filtering_name(enum natxdp_filtering filtering);

#endif
