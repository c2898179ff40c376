/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Frames in GENEVE as a Gateway Load Balancer sends them, and what it gets back, as bytes. */
#ifndef SELFTESTS_GENEVE_H
#define SELFTESTS_GENEVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "frame.h"

enum { GENEVE_ETH = 14, GENEVE_OUTER = 68, GENEVE_AT = GENEVE_ETH + 28 };

/* Host order. What is 0 gets a sensible value. */
struct geneve {
	uint32_t lb;  /* 203.0.113.20 */
	uint32_t own; /* 203.0.113.1 */
	uint16_t sport;
	uint32_t vni;
	uint64_t endpoint, attachment;
	uint32_t cookie;
	const char *order; /* of the options, by their first letters; "eac" */
	uint16_t ethertype;
};

extern const uint8_t geneve_lb_mac[6];

/* Wraps the IP packet of @frame. Returns the length of the frame in @to. */
size_t geneve_build(const struct geneve *g, const uint8_t *frame, size_t len, uint8_t *to);

/*
 * Is @data what the load balancer is to get, outer header by outer header? Then the IP packet is
 * put behind an Ethernet header into @frame, and its length returned; 0 if not, with a message.
 */
size_t geneve_unwrap(const struct geneve *g, const uint8_t *data, size_t len, uint8_t *frame);

/* The checksum of the outer IP header, right again. */
void geneve_mend(uint8_t *data);

void geneve_put16(uint8_t *to, uint16_t value);

#endif
