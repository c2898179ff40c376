/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "flowlist.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

const char *const flow_sort_names[SORTS] = { "none", "bytes", "packets", "age", "idle" };

const char *const flow_state_names[NATXDP_STATE_COUNT] = {
#define X(id, name, timeout) name,
	NATXDP_STATES(X)
#undef X
};

enum { PROTO_L2TP = 115 }; /* newer than some netinet/in.h */

static const struct proto {
	const char *name;
	uint8_t number;
} protos[] = {
	{ "tcp", IPPROTO_TCP },	  { "udp", IPPROTO_UDP },   { "icmp", IPPROTO_ICMP },
	{ "gre", IPPROTO_GRE },	  { "esp", IPPROTO_ESP },   { "sctp", IPPROTO_SCTP },
	{ "ipip", IPPROTO_IPIP }, { "ipv6", IPPROTO_IPV6 }, { "l2tp", PROTO_L2TP },
};

enum { PROTOS = sizeof(protos) / sizeof(*protos) };

void flow_proto_text(uint8_t proto, char text[PROTO_TEXT])
{
	for (int i = 0; i < PROTOS; i++) {
		if (protos[i].number == proto) {
			strcpy(text, protos[i].name);
			return;
		}
	}
	snprintf(text, PROTO_TEXT, "%u", proto);
}

bool flow_proto_has_ports(uint8_t proto)
{
	return proto == IPPROTO_TCP || proto == IPPROTO_UDP || proto == IPPROTO_ICMP;
}

int flow_filter_inside(struct flow_filter *filter, const char *text, struct reason *why)
{
	filter->has_inside = true;
	return parse_prefix(text, &filter->inside, why);
}

/* ADDR[/N][:PORT] */
int flow_filter_destination(struct flow_filter *filter, const char *text, struct reason *why)
{
	const char *colon = strchr(text, ':');
	char prefix[32] = "";
	size_t len = strcspn(text, ":");

	memcpy(prefix, text, len < sizeof(prefix) ? len : sizeof(prefix) - 1);
	filter->has_destination = true;
	if (colon && parse_port(colon + 1, &filter->port, why))
		return -EINVAL;
	return parse_prefix(prefix, &filter->destination, why);
}

static int one_of(struct reason *why, const char *text, const char *choices)
{
	snprintf(why->text, sizeof(why->text), "'%.20s' is not one of %s", text, choices);
	return -EINVAL;
}

int flow_filter_proto(struct flow_filter *filter, const char *text, struct reason *why)
{
	unsigned long number;
	char *end;

	for (int i = 0; i < PROTOS; i++) {
		if (!strcmp(protos[i].name, text)) {
			filter->proto = protos[i].number;
			return 0;
		}
	}
	number = strtoul(text, &end, 10);
	if (*text >= '1' && *text <= '9' && !*end && number < NATXDP_PROTO_DEAD) {
		filter->proto = number;
		return 0;
	}
	return one_of(why, text, "tcp, udp, icmp, gre, esp, sctp, ipip, ipv6, l2tp, or a number");
}

int flow_filter_state(struct flow_filter *filter, const char *text, struct reason *why)
{
	for (int i = 0; i < NATXDP_STATE_COUNT; i++) {
		if (!strcmp(flow_state_names[i], text)) {
			filter->state = flow_state_names[i];
			return 0;
		}
	}
	return one_of(why, text,
		      "new, replied, open, opening, established, half-closed, closing, reset");
}

int flow_sort_parse(enum flow_sort *sort, const char *text, struct reason *why)
{
	for (int i = SORT_BYTES; i < SORTS; i++) {
		if (!strcmp(flow_sort_names[i], text)) {
			*sort = i;
			return 0;
		}
	}
	return one_of(why, text, "bytes, packets, age, idle");
}

static bool in_prefix(const struct natxdp_prefix *prefix, __be32 addr)
{
	__be32 mask = prefix->bits ? htonl(~0u << (32 - prefix->bits)) : 0;

	return (addr & mask) == prefix->addr;
}

bool flow_filter_match(const struct flow_filter *filter, const struct flow_view *view)
{
	const struct natxdp_key *key = &view->out.key;

	if (filter->proto && key->proto != filter->proto)
		return false;
	if (filter->has_inside && !in_prefix(&filter->inside, key->saddr))
		return false;
	if (filter->has_destination && !in_prefix(&filter->destination, key->daddr))
		return false;
	if (filter->port && ntohs(key->dport) != filter->port)
		return false;
	return !filter->state || !strcmp(flow_state_names[flow_view_state(view)], filter->state);
}

struct sorting {
	enum flow_sort by;
	uint32_t now;
};

static uint64_t rank(const struct flow_view *view, const struct sorting *sorting)
{
	switch (sorting->by) {
	case SORT_BYTES:
		return view->out.bytes + view->in.bytes;
	case SORT_PACKETS:
		return view->out.packets + view->in.packets;
	case SORT_AGE:
		return flow_view_age(view, sorting->now);
	case SORT_IDLE:
		return UINT32_MAX - flow_view_idle(view, sorting->now);
	case SORT_NONE:
	case SORTS:
		break;
	}
	return 0;
}

static int compare(const void *a, const void *b, void *data)
{
	uint64_t left = rank(a, data), right = rank(b, data);

	return left < right ? 1 : left > right ? -1 : 0;
}

void flow_sort(struct flow_view *views, size_t count, enum flow_sort sort, uint32_t now)
{
	struct sorting sorting = { .by = sort, .now = now };

	if (sort != SORT_NONE)
		qsort_r(views, count, sizeof(*views), compare, &sorting);
}
