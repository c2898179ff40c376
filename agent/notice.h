/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What the documents of the instance metadata service say about this instance:
 * parsers of bytes from outside, without state.
 */
#ifndef NATXDP_AGENT_NOTICE_H
#define NATXDP_AGENT_NOTICE_H

#include <stdbool.h>
#include <stddef.h>

enum notice_kind {
	NOTICE_ZONE,	  /* placement/availability-zone */
	NOTICE_INSTANCE,  /* instance-id */
	NOTICE_SPOT,	  /* spot/instance-action */
	NOTICE_REBALANCE, /* events/recommendations/rebalance */
	NOTICE_LIFECYCLE, /* autoscaling/target-lifecycle-state */
	NOTICE_SCHEDULED, /* events/maintenance/scheduled */
	NOTICES,
};

struct notice_info {
	const char *name;
	const char *path;
};

extern const struct notice_info notice_info[NOTICES];

enum { NOTICE_TEXT_MAX = 128 };

struct notice {
	bool there;
	bool leaving; /* this instance is to go: drain */
	char text[NOTICE_TEXT_MAX];
};

/* @text: the document, NULL if there is none. What makes no sense is no notice. */
void notice_parse(enum notice_kind kind, const char *text, size_t length, struct notice *notice);

#endif
