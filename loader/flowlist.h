/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Which flows are shown, and in which order. Pure functions over views. */
#ifndef NATXDP_FLOWLIST_H
#define NATXDP_FLOWLIST_H

#include "table.h"
#include "values.h"

enum flow_sort { SORT_NONE, SORT_BYTES, SORT_PACKETS, SORT_AGE, SORT_IDLE, SORTS };

struct flow_filter {
	bool has_inside, has_destination;
	struct natxdp_prefix inside;
	struct natxdp_prefix destination;
	uint16_t port;	   /* of the destination; 0: any */
	uint8_t proto;	   /* IPPROTO_*; 0: any */
	const char *state; /* NULL: any */
};

extern const char *const flow_sort_names[SORTS];
extern const char *const flow_state_names[NATXDP_STATE_COUNT];

enum { PROTO_TEXT = 8 };

/* A name such as "tcp" or "gre", or the number. */
void flow_proto_text(uint8_t proto, char text[PROTO_TEXT]);

/* Else it is translated by address alone. */
bool flow_proto_has_ports(uint8_t proto);

/* Each returns 0, or -EINVAL with the reason. */
int flow_filter_inside(struct flow_filter *filter, const char *text, struct reason *why);
int flow_filter_destination(struct flow_filter *filter, const char *text, struct reason *why);
int flow_filter_proto(struct flow_filter *filter, const char *text, struct reason *why);
int flow_filter_state(struct flow_filter *filter, const char *text, struct reason *why);
int flow_sort_parse(enum flow_sort *sort, const char *text, struct reason *why);

bool flow_filter_match(const struct flow_filter *filter, const struct flow_view *view);

/* The most bytes, packets or age first, the least idle first. */
void flow_sort(struct flow_view *views, size_t count, enum flow_sort sort, uint32_t now);

#endif
