/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* In the place of who holds fragments until the first one of their datagram has come. */
#ifndef SELFTESTS_HELD_H
#define SELFTESTS_HELD_H

#include "traffic.h"

enum { HELD_MAX = 32 };

struct held_frame {
	enum box_side side;
	size_t len;
	uint8_t data[FRAME_MAX];
};

struct held {
	struct perf_buffer *buffer;
	unsigned int came; /* with the last packet */
	struct held_frame last;
	struct held_frame frames[HELD_MAX]; /* a ring */
	unsigned int first, count;
};

void held_open(struct held *h, struct box *box);
void held_close(struct held *h);

/* After a packet: it was handed over, as it was, if and only if @expected. Why not, or NULL. */
const char *held_check(struct held *h, const struct traffic_packet *p, bool expected);

/* The one that waits longest. False if there is none. */
bool held_again(struct held *h, struct traffic_packet *p);
void held_forget(struct held *h);

#endif
