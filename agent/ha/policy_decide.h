/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The inner half of policy.h: what follows from what is known. */
#ifndef NATXDP_AGENT_HA_POLICY_DECIDE_H
#define NATXDP_AGENT_HA_POLICY_DECIDE_H

#include "policy.h"

void policy_enter(struct policy *policy, struct policy_zone *zone, enum policy_state state);

/* Of what is done to a zone, or to a node. */
void policy_add(struct policy *policy, struct policy_actions *actions, enum policy_action_kind kind,
		const struct policy_zone *zone, uint8_t node);

void policy_claim_zone(struct policy *policy, struct policy_zone *zone, enum policy_reason reason,
		       struct policy_actions *actions);

void policy_decide(struct policy *policy, struct policy_actions *actions);

#endif
