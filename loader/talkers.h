/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Who moves the most bytes: by inside address, by destination, and by protocol
 * and port of the destination. Fed flow by flow while the table is walked.
 */
#ifndef NATXDP_TALKERS_H
#define NATXDP_TALKERS_H

#include <stdint.h>

#include "sketch.h"
#include "table.h"

enum talker_kind { TALKER_SOURCE, TALKER_DESTINATION, TALKER_PORT, TALKER_KINDS };
extern const char *const talker_kind_names[TALKER_KINDS];

enum { TALKER_NAME_MAX = 40 };

struct talkers;

/* @slots: entries of the flow table. NULL without memory. */
struct talkers *talkers_new(uint32_t slots);
void talkers_free(struct talkers *talkers);

/* A walk begins: flows opened after the last one began count in full. */
void talkers_walk(struct talkers *talkers, uint32_t now);
void talkers_flow(struct talkers *talkers, const struct flow_view *view);

unsigned int talkers_top(const struct talkers *talkers, enum talker_kind kind,
			 struct sketch_item *top, unsigned int max);
void talkers_name(enum talker_kind kind, uint64_t key, char name[TALKER_NAME_MAX]);
uint64_t talkers_total(const struct talkers *talkers);

/* An interval begins. */
void talkers_clear(struct talkers *talkers);

#endif
