/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "geneve.h"

#include <stdio.h>
#include <string.h>

#include "box.h"

const uint8_t geneve_lb_mac[6] = { 2, 0, 0, 0, 1, 20 };

void geneve_put16(uint8_t *to, uint16_t value)
{
	to[0] = value >> 8;
	to[1] = value;
}

static uint8_t *put(uint8_t *to, uint64_t value, int bytes)
{
	for (int i = bytes - 1; i >= 0; i--)
		*to++ = value >> i * 8;
	return to;
}

void geneve_mend(uint8_t *data)
{
	uint32_t sum = 0;

	geneve_put16(data + GENEVE_ETH + 10, 0);
	for (int i = 0; i < 20; i += 2)
		sum += data[GENEVE_ETH + i] << 8 | data[GENEVE_ETH + i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	geneve_put16(data + GENEVE_ETH + 10, ~sum);
}

static uint8_t *put_option(uint8_t *to, const struct geneve *g, char which)
{
	to = put(to, 0x0108, 2);
	switch (which) {
	case 'e':
		return put(put(put(to, 1, 1), 2, 1), g->endpoint, 8);
	case 'a':
		return put(put(put(to, 2, 1), 2, 1), g->attachment, 8);
	}
	return put(put(put(to, 3, 1), 1, 1), g->cookie, 4);
}

/* The headers from outer IP to the last option, for @inner bytes; @back: of an answer. */
static void headers(const struct geneve *g, size_t inner, bool back, uint8_t *to)
{
	uint32_t lb = g->lb ? g->lb : addr("203.0.113.20");
	uint32_t own = g->own ? g->own : addr("203.0.113.1");
	uint8_t *at = to + GENEVE_ETH;

	at = put(at, 0x4500, 2);
	at = put(at, GENEVE_OUTER + inner, 2);
	at = put(at, back ? 0 : 0x1234, 2);
	at = put(at, 0x4000, 2);
	at = put(at, back ? 64 : 255, 1);
	at = put(at, 17, 1);
	at = put(at, 0, 2);
	at = put(at, back ? own : lb, 4);
	at = put(at, back ? lb : own, 4);
	geneve_mend(to);
	at = put(at, g->sport ? g->sport : 60001, 2);
	at = put(at, 6081, 2);
	at = put(at, GENEVE_OUTER - 20 + inner, 2);
	at = put(at, 0, 2);
	at = put(at, 0x0800, 2); /* version 0, 8 words of options, no flags */
	at = put(at, g->ethertype ? g->ethertype : 0x0800, 2);
	at = put(at, g->vni << 8, 4);
	for (const char *option = g->order ? g->order : "eac"; *option; option++)
		at = put_option(at, g, *option);
}

size_t geneve_build(const struct geneve *g, const uint8_t *frame, size_t len, uint8_t *to)
{
	memset(to, 0, GENEVE_ETH + GENEVE_OUTER);
	memcpy(to, box_out_mac, 6);
	memcpy(to + 6, geneve_lb_mac, 6);
	geneve_put16(to + 12, 0x0800);
	headers(g, len - GENEVE_ETH, false, to);
	memcpy(to + GENEVE_ETH + GENEVE_OUTER, frame + GENEVE_ETH, len - GENEVE_ETH);
	return len + GENEVE_OUTER;
}

size_t geneve_unwrap(const struct geneve *g, const uint8_t *data, size_t len, uint8_t *frame)
{
	uint8_t want[GENEVE_ETH + GENEVE_OUTER] = { 0 };
	size_t inner;

	if (len < sizeof(want) + 20) {
		printf("# %zu bytes are no packet in GENEVE\n", len);
		return 0;
	}
	inner = data[sizeof(want) + 2] << 8 | data[sizeof(want) + 3];
	memcpy(want, geneve_lb_mac, 6);
	memcpy(want + 6, box_out_mac, 6);
	geneve_put16(want + 12, 0x0800);
	headers(g, inner, true, want);
	for (size_t i = 0; i < sizeof(want); i++) {
		if (data[i] != want[i]) {
			printf("# byte %zu is %02x, not %02x\n", i, data[i], want[i]);
			return 0;
		}
	}
	memcpy(frame, want, GENEVE_ETH);
	memcpy(frame + GENEVE_ETH, data + sizeof(want), len - sizeof(want));
	return len - GENEVE_OUTER;
}
