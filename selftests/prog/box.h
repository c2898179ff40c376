/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * A NAT box for frames: the shipped programs in a network namespace of their
 * own, run by BPF_PROG_TEST_RUN. Of the loader nothing is used but the opening
 * of the object.
 *
 *   inside 10.0.0.0/8            +-----+  outside, external address 203.0.113.1
 *   host 10.77.0.2 --- in0 ------| box |------ out0 --- router 203.0.113.254
 *                      10.77.0.1 +-----+
 *
 * One-armed, the frames come in at out0 only.
 */
#ifndef SELFTESTS_BOX_H
#define SELFTESTS_BOX_H

#include <natxdp/config.h>
#include <natxdp/flow.h>
#include <natxdp/reasons.h>

#include "frame.h"
#include "hook.h"

struct bpf_map;
struct bpf_object;
struct CMUnitTest;

/* At which hook the boxes look that are opened from now on. */
extern enum hook box_hook;

/*
 * Runs a group of tests at XDP, and again at TC under names that end in
 * _at_tc. A verdict of TC is given as the one of XDP that does the same.
 */
int box_run_both(const char *group, const struct CMUnitTest *tests, size_t count);

enum box_side { BOX_SINGLE, BOX_INSIDE, BOX_OUTSIDE };

struct box;

struct box_options {
	bool two_armed;
	bool gwlb;		     /* the programs of mode gwlb, see behind.h */
	uint32_t max_flows;	     /* 0: 4096 */
	uint32_t tcp_midstream;	     /* enum natxdp_midstream */
	double timeout;		     /* seconds, of every class; 0: 350 */
	double tcp_closing_timeout;  /* seconds; 0: as timeout */
	int externals;		     /* external addresses 203.0.113.1 ...; 0: 1 */
	uint16_t port_min, port_max; /* 0: 1024-60999 */
	uint32_t egress_mtu;	     /* 0: no limit */
	uint32_t mapping;	     /* enum natxdp_mapping, of every protocol */
	uint32_t filtering;	     /* enum natxdp_filtering, of every protocol */
	uint32_t features; /* enum natxdp_features, but NATXDP_INBOUND_REFRESH turns that off */
	uint32_t limit_flows, limit_rate;
	uint32_t mss_clamp;
	bool inactive;
	bool inserter; /* natxdp_insert and natxdp_carry are loaded too */
	/* its tables are those before: all other maps are shared, and its frames count here */
	struct box *before;
};

/* What came out of the program for one frame. */
struct output {
	uint32_t verdict; /* XDP_* */
	uint8_t data[FRAME_MAX];
	size_t len;
	bool sound;	/* all checksums and lengths right */
	struct frame f; /* valid if sound */
	int reason;	/* the one counter that rose; the harness asserts that it is one */
	uint64_t bytes; /* by which it rose */
};

extern const uint8_t box_host_mac[6], box_in_mac[6], box_out_mac[6], box_router_mac[6];

struct box *box_open(const struct box_options *options); /* asserts that it works */
/* Asserts that packets in = forwarded + passed + answered + dropped, and the like for flows. */
void box_close(struct box *box);
void box_forget(struct box *box); /* asserts nothing */

void box_run_raw(struct box *box, enum box_side side, const void *data, size_t len,
		 struct output *out);
/* MAC addresses that are all 0 become those of the side's neighbour and of the box. */
void box_run(struct box *box, enum box_side side, const struct frame *f, struct output *out);

/*
 * The guard behind the program, asked alone: does it drop this frame? Every frame that the NAT
 * passes is shown to it, and must not be dropped.
 */
bool box_guard_drops(struct box *box, enum box_side side, const void *data, size_t len);

/* One-armed, and without a look at counters: for many, on any CPU. Returns the verdict. */
uint32_t box_run_fast(struct box *box, const struct frame *f);

/* The live entry with this key. Addresses and ports in host order. False if there is none. */
bool box_flow(struct box *box, const struct natxdp_key *key, struct natxdp_flow *flow);
struct natxdp_key box_key(enum box_side side, uint8_t proto, uint32_t saddr, uint16_t sport,
			  uint32_t daddr, uint16_t dport);
/* Entries that are live, and entries that wait for their grace to pass. */
void box_count(struct box *box, unsigned int *live, unsigned int *dead);
uint64_t box_event(struct box *box, enum natxdp_event event);
uint64_t box_reason(struct box *box, enum natxdp_reason reason);

/* The maps, for what has no function here. */
struct bpf_object *box_object(struct box *box);
struct bpf_map *box_map(struct box *box, const char *name);
const struct natxdp_bucket *box_table(struct box *box, unsigned int *buckets);

/* So many of @full repetitions as NATXDP_TEST_EFFORT asks for, in percent: for emulated machines. */
unsigned int box_effort(unsigned int full);

/* Waits until the data plane's clock has gone on. */
void box_next_tick(void);

/* Polls until there are @live entries and none dead; false after @seconds. */
bool box_wait(struct box *box, unsigned int live, double seconds);

#endif
