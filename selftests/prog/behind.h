/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * A box behind a load balancer. The host 10.77.0.2 talks with the server 198.51.100.7, by either
 * of two endpoints. All of these assert.
 */
#ifndef SELFTESTS_BEHIND_H
#define SELFTESTS_BEHIND_H

#include "box.h"
#include "geneve.h"

#define HOST "10.77.0.2"
#define SERVER "198.51.100.7"
#define EXTERNAL "203.0.113.1"

enum { BEHIND_PACKETS = 8 };

extern const struct geneve behind_first, behind_second;
extern const struct frame behind_packets[BEHIND_PACKETS];

/* Load balancers are 203.0.113.16/29. MTUs of 0 are no limit; a timeout of 0 is 350 s. */
struct box *behind_open(uint32_t egress_mtu, uint32_t tunnel_mtu, bool return_ipv6, double timeout);

struct frame behind_from_host(const struct frame *f);
struct frame behind_answer_to(const struct frame *f);

/* A frame of the inside, in the tunnel. */
void behind_run(struct box *box, const struct geneve *g, const struct frame *f, struct output *out);

/* What came out is in the tunnel: take it out, and read it. */
void behind_unwrap(const struct geneve *g, struct output *out);

void behind_assert_out(const struct output *out, const struct frame *sent);
void behind_assert_in(const struct output *in, const struct frame *sent,
		      const struct frame *answer);

/* @out is @data on its way back: Ethernet and IP addresses have changed places, nothing else. */
void behind_assert_returned(const struct output *out, const uint8_t *data, size_t len);

/* A packet and its answer. @port becomes the external port. */
void behind_there_and_back(struct box *box, const struct geneve *g, const struct frame *f,
			   uint16_t *port);

#endif
