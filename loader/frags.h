/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Takes the fragments that the data plane could not place, and sends them
 * through its program again when it can (RFC 4787, REQ-14). What is kept
 * meanwhile is decided in hold.h.
 */
#ifndef NATXDP_FRAGS_H
#define NATXDP_FRAGS_H

struct err;
struct frags;
struct hold_counters;
struct nat;

/* @counters, @nat and @pin_dir stay with the caller. NULL on error, with @err written. */
struct frags *frags_open(const struct nat *nat, const char *pin_dir, struct hold_counters *counters,
			 struct err *err);
void frags_close(struct frags *frags);

/* To wait for: readable when fragments have come, and when it is time to look. */
int frags_arrivals_fd(const struct frags *frags);
int frags_timer_fd(const struct frags *frags);

/* When one of these is readable. */
void frags_step(struct frags *frags);

#endif
