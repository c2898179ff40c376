/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Random packets, of which many belong together: few hosts and ports, answers
 * to what came out of the box, errors about it, and the same again, changed.
 * They come from a seed; only the external ports in them are the data plane's.
 */
#ifndef SELFTESTS_TRAFFIC_H
#define SELFTESTS_TRAFFIC_H

#include "model.h"

enum { TRAFFIC_RECENT = 64 };

struct traffic_pair {
	enum box_side side; /* at which the frame came in */
	enum box_side back; /* at which its answer comes in */
	uint8_t tunnel;	    /* of its sender, or of who answers */
	uint8_t in[FRAME_MAX], out[FRAME_MAX];
	size_t in_len, out_len;
};

struct traffic {
	uint64_t random;
	bool two_armed;
	unsigned int tunnels; /* of the inside; 0: there are none */
	struct traffic_pair recent[TRAFFIC_RECENT];
	unsigned int pairs;
	/* a fragmented datagram that is not over yet */
	struct frame datagram;
	enum box_side side;
	uint8_t tunnel;
	unsigned int pieces_left, piece_at;
	const uint8_t *order;
	uint16_t id;
};

struct traffic_packet {
	const char *what;
	enum box_side side;
	uint8_t tunnel; /* by which it comes, with this label; 0: none */
	struct model_label label;
	uint8_t data[FRAME_MAX];
	size_t len;
};

void traffic_start(struct traffic *t, uint64_t seed, bool two_armed);
void traffic_next(struct traffic *t, struct traffic_packet *p);
/* What the box forwarded, perhaps into a tunnel. */
void traffic_forwarded(struct traffic *t, const struct traffic_packet *p, const uint8_t *out,
		       size_t len, uint8_t tunnel);
uint32_t traffic_random(struct traffic *t, uint32_t below);

#endif
