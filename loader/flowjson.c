/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "flowjson.h"

#include <arpa/inet.h>
#include <string.h>

#include "flowlist.h"
#include "flowprint.h"
#include "tunnels.h"

enum { NUMBER_DIGITS = 20, NS_PER_MS = 1000000 };

/* Returns the end, as the others do. */
static char *put(char *at, const char *text)
{
	return stpcpy(at, text);
}

static char *put_number(char *at, uint64_t number)
{
	char digits[NUMBER_DIGITS];
	int i = NUMBER_DIGITS;

	do
		digits[--i] = '0' + number % 10;
	while (number /= 10);
	memcpy(at, digits + i, NUMBER_DIGITS - i);
	return at + NUMBER_DIGITS - i;
}

static char *put_address(char *at, __be32 addr)
{
	const unsigned char *byte = (const unsigned char *)&addr;

	for (int i = 0; i < 4; i++) {
		at = put_number(at, byte[i]);
		*at++ = i < 3 ? '.' : '"';
	}
	return at;
}

/* Seconds with three decimals. */
static char *put_ticks(char *at, uint32_t ticks)
{
	uint64_t ms = (((uint64_t)ticks << NATXDP_TICK_SHIFT) + NS_PER_MS / 2) / NS_PER_MS;

	at = put_number(at, ms / 1000);
	*at++ = '.';
	*at++ = '0' + ms / 100 % 10;
	*at++ = '0' + ms / 10 % 10;
	*at++ = '0' + ms % 10;
	return at;
}

/* @head begins the object; @name is of the number after the address, or NULL. */
static char *put_end(char *at, const char *head, __be32 addr, const char *name, __be16 number)
{
	at = put(at, head);
	at = put(at, "{\"address\":\"");
	at = put_address(at, addr);
	if (name) {
		at = put(at, name);
		at = put_number(at, ntohs(number));
	}
	*at++ = '}';
	return at;
}

static char *put_direction(char *at, const char *head, const struct natxdp_flow *flow)
{
	at = put(at, head);
	at = put_number(at, flow->packets);
	at = put(at, ",\"bytes\":");
	at = put_number(at, flow->bytes);
	*at++ = '}';
	return at;
}

static const char *number_name(uint8_t proto)
{
	if (!flow_proto_has_ports(proto))
		return NULL;
	return proto == IPPROTO_ICMP ? ",\"identifier\":" : ",\"port\":";
}

/* What flows and mappings have in common. */
static char *put_both(char *at, const struct natxdp_flow *out, const char *number)
{
	char proto[PROTO_TEXT];

	flow_proto_text(out->key.proto, proto);
	at = put(at, "{\"proto\":\"");
	at = put(at, proto);
	at = put(at, "\",\"proto_number\":");
	at = put_number(at, out->key.proto);
	at = put_end(at, ",\"inside\":", out->key.saddr, number, out->key.sport);
	return put_end(at, ",\"external\":", out->new_saddr, number, out->new_sport);
}

/* A number of 64 bits, as AWS writes what it calls an id. */
static char *put_hex(char *at, uint64_t number, int digits)
{
	while (digits--)
		*at++ = "0123456789abcdef"[number >> digits * 4 & 15];
	*at++ = '"';
	return at;
}

static char *put_tunnel(char *at, const struct natxdp_tunnel *tunnel, const struct natxdp_flow *out)
{
	struct natxdp_label label = natxdp_label(out);
	struct tunnel_id id;

	tunnel_read_id(tunnel, &id);
	at = put_hex(put(at, ",\"tunnel\":{\"endpoint\":\""), id.endpoint, 16);
	at = put_hex(put(at, ",\"attachment\":\""), id.attachment, 16);
	at = put_number(put(at, ",\"vni\":"), id.vni);
	at = put_address(put(at, ",\"load_balancer\":\""), tunnel->lb);
	at = put_hex(put(at, ",\"cookie\":\""), ntohl(label.cookie), 8);
	at = put_number(put(at, ",\"port\":"), ntohs(label.sport));
	*at++ = '}';
	return at;
}

static char *put_flow(char *at, const struct flow_printer *printer, const struct flow_view *view)
{
	const struct natxdp_flow *out = &view->out;
	const char *number = number_name(out->key.proto);

	at = put_both(at, out, number);
	at = put_end(at, ",\"destination\":", out->key.daddr,
		     out->key.proto == IPPROTO_ICMP ? NULL : number, out->key.dport);
	if (out->flags & NATXDP_FLOW_HAIRPIN)
		at = put_end(at, ",\"hairpin\":true,\"hairpin_to\":", out->new_daddr, number,
			     out->new_dport);
	else
		at = put(at, ",\"hairpin\":false");
	at = put(at, ",\"state\":\"");
	at = put(at, flow_state_names[flow_view_state(view)]);
	at = put_direction(at, "\",\"out\":{\"packets\":", out);
	at = put_direction(at, ",\"in\":{\"packets\":", &view->in);
	at = put(at, ",\"age_seconds\":");
	at = put_ticks(at, flow_view_age(view, printer->now));
	at = put(at, ",\"idle_seconds\":");
	at = put_ticks(at, flow_view_idle(view, printer->now));
	at = put(at, ",\"expires_in_seconds\":");
	at = put_ticks(at, flow_print_expires_in(printer, view));
	if (printer->tunnels && natxdp_is_tunnel(out->key.tenant))
		at = put_tunnel(at, &printer->tunnels[out->key.tenant], out);
	return at;
}

static char *put_mapping(char *at, const struct flow_printer *printer, const struct flow_view *view)
{
	const struct natxdp_flow *out = &view->out;

	at = put_both(at, out, number_name(out->key.proto));
	if (out->key.daddr)
		at = put_end(at, ",\"remote\":", out->key.daddr, NULL, 0);
	else
		at = put(at, ",\"remote\":null");
	at = put(at, ",\"flows\":");
	at = put_number(at, out->packets);
	at = put(at, ",\"age_seconds\":");
	return put_ticks(at, flow_view_age(view, printer->now));
}

size_t flow_json(char text[FLOW_JSON_SIZE], const struct flow_printer *printer,
		 const struct flow_view *view)
{
	char *at = (printer->mappings ? put_mapping : put_flow)(text, printer, view);

	*at++ = '}';
	return at - text;
}
