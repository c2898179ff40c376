/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Fragments that came before the first one of their datagram: which of them
 * are kept, for how long, and who goes when there is no room. This part only
 * decides: it asks no kernel, and is told the time (CLOCK_MONOTONIC, in ns).
 */
#ifndef NATXDP_HOLD_H
#define NATXDP_HOLD_H

#include <stdbool.h>
#include <stdint.h>

#include <natxdp/event.h>

#define HOLD_MS 1000000ull

enum hold_limits {
	HOLD_FRAGMENTS = 512,
	HOLD_FRAGMENT_COST = 2048, /* at least: together they are worth HOLD_BYTES */
	HOLD_BYTES = HOLD_FRAGMENTS * HOLD_FRAGMENT_COST,
	HOLD_DATAGRAM_FRAGMENTS = 32,
	HOLD_FRAME_MIN = 14 + 20, /* Ethernet and IPv4 */
	HOLD_PACE_MS = 2,	  /* between two looks for the first fragment */
	HOLD_PATIENCE_MS = 1000,
};

/* Of fragments. held = sent_on + given_up + part of refused + what is held now. */
struct hold_counters {
	uint64_t held;
	uint64_t sent_on;  /* through the program again */
	uint64_t returned; /* part of held: of a datagram that was sent on already */
	uint64_t given_up; /* the first fragment did not come in time */
	uint64_t refused;  /* no room for it, or it had to make room, or it came twice */
	uint64_t lost;	   /* between kernel and watcher, on either way */
};

struct hold_fragment {
	uint8_t *frame;
	uint32_t len;
	uint16_t offset; /* in units of 8 bytes, as the header has it */
};

/* What is held of one datagram, in order of offset. */
struct hold_datagram {
	struct natxdp_frag_key key;
	uint32_t ifindex; /* where its fragments came in */
	unsigned int sender;
	unsigned int count; /* 0: all of it was sent on, or the slot is free */
	unsigned int tries;
	uint64_t since; /* 0: the slot is free */
	uint64_t next;	/* when to look for the first fragment */
	struct hold_fragment fragment[HOLD_DATAGRAM_FRAGMENTS];
};

struct hold;

/* @counters stay with the caller. NULL if there is no memory. */
struct hold *hold_new(struct hold_counters *counters);
void hold_free(struct hold *hold);

/* Keeps a copy of the frame, or refuses it. Makes room if it has to. */
void hold_add(struct hold *hold, const struct natxdp_held *held, const void *frame, uint64_t now);

bool hold_is_empty(const struct hold *hold);

/* Forgets what has waited long enough. */
void hold_expire(struct hold *hold, uint64_t now);

/* The next datagram to look for the first fragment of; @after is NULL at the start. */
struct hold_datagram *hold_next(struct hold *hold, struct hold_datagram *after, uint64_t now);

/* Does what the data plane knows of it belong to this datagram, or to one long ago? */
bool hold_is_first_known(const struct hold_datagram *datagram, const struct natxdp_frag *first);

/*
 * The first one has not come: look again later, the longer it takes the less
 * often, so that a flood of what nobody will ever complete costs little.
 */
void hold_defer(struct hold_datagram *datagram, uint64_t now);

/*
 * Sends the fragments of a datagram on, in order. @send returns 0 or -errno.
 * They may come back if they are still too early: each time they wait longer.
 */
void hold_release(struct hold *hold, struct hold_datagram *datagram, uint64_t now,
		  int (*send)(const struct hold_datagram *datagram,
			      const struct hold_fragment *fragment, void *data),
		  void *data);

#endif
