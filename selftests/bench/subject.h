/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * A NAT program under BPF_PROG_TEST_RUN: the shipped one, as `natxdp load` has
 * loaded it, or a yardstick that has the settings of the shipped one.
 */
#ifndef BENCH_SUBJECT_H
#define BENCH_SUBJECT_H

#include <stdint.h>

#include "flows.h"

struct bpf_object;
struct feeder_bpf;

enum { SUBJECTS_MAX = 4 };

struct subject {
	const char *name;
	int program;
	int counters; /* the map */
	struct bpf_object *object;
	struct feeder_bpf *feeder; /* feeds this subject */
	struct tuple *draws;	   /* of the feeder */
	/* in mode gwlb */
	int tunnel;
	int ifindex;
	uint8_t outer[FEEDER_OUTER]; /* as the load balancer sends */
};

/* The NAT in mode gwlb on @iface below @pin_dir, with a load balancer @lb that sends to @own. */
void subject_open_gwlb(struct subject *s, const char *pin_dir, const char *iface, const char *lb,
		       const char *own, uint32_t draws);

/* Do the packets come by the tunnel, or from the outside? */
void subject_side(struct subject *s, int inbound);

/*
 * The shipped program on @iface of the NAT below @pin_dir, and with
 * @yardsticks the two yardsticks. Returns how many. Each gets a feeder that has
 * room for @draws tuples.
 */
unsigned int subjects_open(struct subject subjects[SUBJECTS_MAX], const char *pin_dir,
			   const char *iface, int yardsticks, uint32_t draws);
void subjects_close(struct subject *subjects, unsigned int count);

/* Sets where the calling CPU's feeder begins, and how far it goes. */
void subject_range(struct subject *s, unsigned int cpu, uint32_t begin, uint32_t end);
void subject_protocol(struct subject *s, uint8_t proto, uint8_t tcp_flags);

/* Nanoseconds a packet, of @packets; with or without the NAT behind the feeder. */
double subject_feed(struct subject *s, uint32_t packets);
double subject_feed_empty(struct subject *s, uint32_t packets);

/* One frame through the program, which changes it. Returns the nanoseconds. */
uint32_t subject_run(struct subject *s, uint8_t frame[FRAME_SIZE], uint32_t *verdict);

/* Packets that were translated and sent on; with @event an event of reasons.h. */
uint64_t subject_forwarded(const struct subject *s);
uint64_t subject_event(const struct subject *s, unsigned int event);

/* Opens @flows one by one, and writes what the answers to each will carry. */
void subject_prime(struct subject *s, const struct tuple *flows, struct tuple *answers,
		   uint32_t count, uint8_t proto);

#endif
