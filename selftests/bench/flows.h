/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The flows that are measured, and the order in which their packets come.
 *
 * Flow i is one of 64 inside hosts, to one of 1024 destinations, from its own
 * source port. So a destination has a few of its 64,512 external ports in use, and only by
 * chance do two inside hosts want the same one, as in life.
 */
#ifndef BENCH_FLOWS_H
#define BENCH_FLOWS_H

#include <netinet/in.h>
#include <stdint.h>

#include "feeder.h"

#define BENCH_INSIDE 0x0a4d0002u       /* 10.77.0.2, the first inside host */
#define BENCH_DESTINATIONS 0xc6336000u /* 198.51.96.0/22 */
#define BENCH_FLOWS_MAX 4194304u       /* that are different from each other */

enum order {
	ORDER_SEQUENCE, /* each flow once */
	ORDER_UNIFORM,	/* a random flow with each packet */
	ORDER_ZIPF,	/* the same, flow n is chosen with a chance of 1/n */
};

/* One inside host with all its flows instead of 64 hosts. */
enum spread { SPREAD_HOSTS, SPREAD_ONE_HOST };

enum { FRAME_SIZE = 60 };

struct tuple flow_tuple(uint32_t flow, enum spread spread);

/* @draws[i] becomes one of @flows, @count of them. */
void draw(struct tuple *draws, uint32_t draw_count, const struct tuple *flows, uint32_t count,
	  enum order order);

/* A frame of 60 bytes with right lengths; checksums are not looked at. */
void make_frame(uint8_t frame[FRAME_SIZE], const struct tuple *tuple, uint8_t proto,
		uint8_t tcp_flags);

/* What the answer to a frame carries. */
struct tuple answer_tuple(const uint8_t frame[FRAME_SIZE]);

#endif
