/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The ends that a packet may come to: each function adds its forecasts to those there are. */
#ifndef SELFTESTS_OUTCOME_H
#define SELFTESTS_OUTCOME_H

#include "forecast.h"

struct forecast *outcome_add(struct forecasts *all, enum natxdp_reason reason,
			     enum forecast_frame frame);
void outcome_pass(struct forecasts *all, enum natxdp_reason reason);
struct forecast *outcome_drop(struct forecasts *all, enum natxdp_reason reason);

/* The answer that a router sends, or none: it is limited, and has no place after some packets. */
void outcome_answer(struct forecasts *all, const struct forecast *how, enum natxdp_reason reply,
		    enum natxdp_reason quiet);
void outcome_answer_ttl(struct forecasts *all, const struct forecast *how);

/* By the flow that @how names, old or new, unless TTL or size forbid it. */
void outcome_forward(struct forecasts *all, struct forecast *how);
/*
 * May the inside host of the new flow that @how names open one more? Adds the
 * refusals that may be. Returns whether it may open.
 */
bool outcome_admit(struct forecasts *all, struct forecast *how);
/* By a new flow that needs an external end, if there is one. */
void outcome_find_end(struct forecasts *all, struct forecast *how);
/* By a flow that is there, or may be. Returns whether it may also be gone. */
bool outcome_go_by(struct forecasts *all, struct model_flow *f, int way);

#endif
