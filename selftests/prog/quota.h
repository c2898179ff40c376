/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Limits of one inside host, as the model sees them (RFC 6888, REQ-4). Flows
 * go, and tokens come, at times that the model knows nearly: so the answer
 * may be that either is right.
 */
#ifndef SELFTESTS_QUOTA_H
#define SELFTESTS_QUOTA_H

#include "model.h"

struct quota_answer {
	bool may_open;
	bool may_be_many; /* refused for the number of its flows */
	bool may_be_fast; /* or because it opens them too fast */
};

struct quota_answer quota_ask(struct model *m, uint32_t inside);

/* A flow was opened, or asked for and refused for another reason. */
void quota_take(struct model *m, uint32_t inside, bool opened);

#endif
