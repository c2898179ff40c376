/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "record.h"

#include <arpa/inet.h>
#include <endian.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <natxdp/state.h>

#include "scan.h"

int64_t record_time(const struct record_clock *clock, uint32_t tick)
{
	/* negative where the data plane was here since the clock was read */
	int64_t ticks = (int32_t)(clock->tick - tick);

	return clock->wall_ms - ticks * (1 << NATXDP_TICK_SHIFT) / 1000000;
}

const char *record_reason(const struct natxdp_record *r)
{
	if (r->kind != NATXDP_RECORD_CLOSE)
		return "";
	if (r->flags & NATXDP_RECORD_ENDED)
		return "ended";
	switch (r->state) {
	case NATXDP_STATE_TCP_CLOSING:
		return "fin";
	case NATXDP_STATE_TCP_RESET:
		return "rst";
	case NATXDP_STATE_TCP_OPENING:
		return "unanswered";
	default:
		return "idle";
	}
}

static bool is_inside(const struct natxdp_record *r, const struct prefix_list *list)
{
	for (unsigned int i = 0; i < list->count; i++) {
		uint32_t bits = list->item[i].bits;
		uint32_t mask = bits ? htonl(~0u << (32 - bits)) : 0;

		if ((r->key.saddr & mask) == list->item[i].addr)
			return true;
	}
	return !list->count;
}

bool record_wanted(const struct natxdp_record *r, const struct conf *conf)
{
	if (!(conf->record_protocols >> scan_proto_of(r->key.proto) & 1))
		return false;
	if (r->kind == NATXDP_RECORD_CLOSE && r->bytes_out + r->bytes_in < conf->record_min_bytes)
		return false;
	return is_inside(r, &conf->record_inside);
}

static const char *addr_text(__be32 addr, char text[INET_ADDRSTRLEN])
{
	return inet_ntop(AF_INET, &addr, text, INET_ADDRSTRLEN);
}

static void time_text(int64_t ms, char text[32])
{
	time_t seconds = ms / 1000;
	struct tm tm;
	size_t len;

	gmtime_r(&seconds, &tm);
	len = strftime(text, 32, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text + len, 32 - len, ".%03dZ", (int)(ms % 1000));
}

size_t record_json(const struct natxdp_record *r, const struct record_clock *clock,
		   char text[RECORD_JSON_MAX])
{
	char source[INET_ADDRSTRLEN], destination[INET_ADDRSTRLEN], nat[INET_ADDRSTRLEN];
	int64_t start = record_time(clock, r->first_seen), end = record_time(clock, r->last_seen);
	char start_text[32], end_text[32];
	uint8_t state = r->state < NATXDP_STATE_COUNT ? r->state : NATXDP_STATE_OTHER;
	int len;

	time_text(start, start_text);
	time_text(end, end_text);
	len = snprintf(text, RECORD_JSON_MAX,
		       "{\"event\":\"%s\",\"reason\":\"%s\",\"protocol\":\"%s\",\"proto\":%u,"
		       "\"source\":\"%s\",\"source_port\":%u,\"destination\":\"%s\","
		       "\"destination_port\":%u,\"nat\":\"%s\",\"nat_port\":%u,\"state\":\"%s\","
		       "\"start\":\"%s\",\"end\":\"%s\",\"duration_ms\":%" PRId64
		       ",\"packets_out\":%llu,\"bytes_out\":%llu,\"packets_in\":%llu,"
		       "\"bytes_in\":%llu%s%s}\n",
		       r->kind == NATXDP_RECORD_CLOSE ? "close" : "open", record_reason(r),
		       scan_proto_names[scan_proto_of(r->key.proto)], r->key.proto,
		       addr_text(r->key.saddr, source), ntohs(r->key.sport),
		       addr_text(r->key.daddr, destination), ntohs(r->key.dport),
		       addr_text(r->new_saddr, nat), ntohs(r->new_sport), scan_state_name(state),
		       start_text, end_text, end > start ? end - start : 0, r->packets_out,
		       r->bytes_out, r->packets_in, r->bytes_in,
		       r->flags & NATXDP_RECORD_HAIRPIN ? ",\"hairpin\":true" : "",
		       r->flags & NATXDP_RECORD_HALF ? ",\"answers_unknown\":true" : "");
	return len < RECORD_JSON_MAX ? (size_t)len : RECORD_JSON_MAX - 1;
}

/* Information elements of IANA's registry, in the order of record_ipfix(). */
static const struct {
	uint16_t element, length;
} elements[] = {
	{ 230, 1 }, /* natEvent */
	{ 4, 1 },   /* protocolIdentifier */
	{ 8, 4 },   /* sourceIPv4Address */
	{ 12, 4 },  /* destinationIPv4Address */
	{ 7, 2 },   /* sourceTransportPort */
	{ 11, 2 },  /* destinationTransportPort */
	{ 225, 4 }, /* postNATSourceIPv4Address */
	{ 226, 4 }, /* postNATDestinationIPv4Address */
	{ 227, 2 }, /* postNAPTSourceTransportPort */
	{ 228, 2 }, /* postNAPTDestinationTransportPort */
	{ 323, 8 }, /* observationTimeMilliseconds */
	{ 152, 8 }, /* flowStartMilliseconds */
	{ 153, 8 }, /* flowEndMilliseconds */
	{ 136, 1 }, /* flowEndReason */
	{ 298, 8 }, /* initiatorPackets */
	{ 231, 8 }, /* initiatorOctets */
	{ 299, 8 }, /* responderPackets */
	{ 232, 8 }, /* responderOctets */
};

enum {
	NAT_SESSION_CREATE = 4, /* RFC 8158, section 4.2 */
	NAT_SESSION_DELETE = 5,
	END_IDLE = 1, /* flowEndReason, RFC 5102 */
	END_OF_FLOW = 3,
	END_FORCED = 4,
};

static uint8_t *put(uint8_t *at, const void *data, size_t len)
{
	memcpy(at, data, len);
	return at + len;
}

static uint8_t *put16(uint8_t *at, uint16_t value)
{
	value = htons(value);
	return put(at, &value, sizeof(value));
}

static uint8_t *put64(uint8_t *at, uint64_t value)
{
	value = htobe64(value);
	return put(at, &value, sizeof(value));
}

static uint8_t end_reason(const struct natxdp_record *r)
{
	if (r->kind != NATXDP_RECORD_CLOSE)
		return 0;
	if (r->flags & NATXDP_RECORD_ENDED)
		return END_FORCED;
	return r->state == NATXDP_STATE_TCP_CLOSING || r->state == NATXDP_STATE_TCP_RESET ?
		       END_OF_FLOW :
		       END_IDLE;
}

void record_ipfix(const struct natxdp_record *r, const struct record_clock *clock,
		  uint8_t data[RECORD_IPFIX_SIZE])
{
	uint8_t *at = data;

	*at++ = r->kind == NATXDP_RECORD_CLOSE ? NAT_SESSION_DELETE : NAT_SESSION_CREATE;
	*at++ = r->key.proto;
	at = put(at, &r->key.saddr, 4);
	at = put(at, &r->key.daddr, 4);
	at = put(at, &r->key.sport, 2);
	at = put(at, &r->key.dport, 2);
	at = put(at, &r->new_saddr, 4);
	at = put(at, &r->new_daddr, 4);
	at = put(at, &r->new_sport, 2);
	at = put(at, &r->new_dport, 2);
	at = put64(at, record_time(clock, r->now));
	at = put64(at, record_time(clock, r->first_seen));
	at = put64(at, record_time(clock, r->last_seen));
	*at++ = end_reason(r);
	at = put64(at, r->packets_out);
	at = put64(at, r->bytes_out);
	at = put64(at, r->packets_in);
	put64(at, r->bytes_in);
}

size_t record_ipfix_template(uint8_t *data, size_t room)
{
	enum { COUNT = sizeof(elements) / sizeof(*elements), TEMPLATE_SET = 2 };
	size_t len = 8 + 4 * COUNT;
	uint8_t *at = data;

	if (len > room)
		return 0;
	at = put16(at, TEMPLATE_SET);
	at = put16(at, len);
	at = put16(at, RECORD_IPFIX_TEMPLATE);
	at = put16(at, COUNT);
	for (int i = 0; i < COUNT; i++) {
		at = put16(at, elements[i].element);
		at = put16(at, elements[i].length);
	}
	return len;
}
