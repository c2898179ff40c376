/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "takeover.h"

#include <string.h>

#include "ha/heir.h"

enum {
	REST_S = 60,
	LOOKS = 3, /* at an owner that is called well and has not answered */
};

static const struct candidate *find(const struct question *question, const char *name)
{
	for (unsigned int i = 0; i < question->count; i++) {
		if (!strcmp(question->candidates[i].node->name, name))
			return &question->candidates[i];
	}
	return NULL;
}

static bool is_fit(const struct candidate *candidate)
{
	return candidate->running && candidate->instance != OPINION_ILL &&
	       candidate->reach != OPINION_ILL &&
	       (candidate->target != OPINION_ILL || candidate->reach == OPINION_WELL);
}

/* Two views, none of them the alarm's. */
static bool is_proven_well(const struct candidate *candidate)
{
	return is_fit(candidate) &&
	       (candidate->instance == OPINION_WELL || candidate->target == OPINION_WELL);
}

/* The node that is at home in the zone; its standby has another name. */
static const struct candidate *home_of(const struct question *question)
{
	return find(question, question->zone);
}

/* The fit node to which the zone goes from @owner, in the agents' own order. */
static const struct candidate *choose(const struct question *question, const char *owner)
{
	const struct candidate *best = NULL;
	unsigned int least = 0;

	for (unsigned int i = 0; i < question->count; i++) {
		const struct candidate *candidate = &question->candidates[i];
		unsigned int cost = heir_cost(question->home, candidate->load, candidate->place,
					      question->places);

		if (!is_fit(candidate) || !strcmp(candidate->node->name, owner) ||
		    (best && cost >= least))
			continue;
		best = candidate;
		least = cost;
	}
	return best;
}

static void rule(struct ruling *ruling, enum decision decision, const struct candidate *target,
		 const char *why)
{
	ruling->decision = decision;
	ruling->target = target ? target->node : NULL;
	ruling->why = why;
	ruling->again = false;
}

static void rule_again(struct ruling *ruling, bool again, const char *why)
{
	rule(ruling, DECIDE_NOTHING, NULL, why);
	ruling->again = again;
}

static void decide_target(const struct question *question, const struct candidate *target,
			  struct ruling *ruling)
{
	if (!target)
		rule(ruling, DECIDE_NOTHING, NULL, "there is no such node, or it has no instance");
	else if (!is_fit(target))
		rule(ruling, DECIDE_NOTHING, NULL, "the node does not run, or is not well");
	else if (question->holder.there && !strcmp(question->holder.owner, target->node->name))
		rule(ruling, DECIDE_COMPLETE, target, "the node owns the zone already");
	else
		rule(ruling, DECIDE_CLAIM, target, "as a person asked for");
}

static void decide_failover(const struct question *question, struct ruling *ruling)
{
	const char *name = question->holder.there ? question->holder.owner : question->zone;
	const struct candidate *owner = find(question, name);
	const struct candidate *target = choose(question, name);
	bool away = owner && strcmp(owner->node->zone, question->zone);

	if (!question->by_hand && owner && is_proven_well(owner) && away)
		rule(ruling, DECIDE_COMPLETE, owner,
		     "a node of another zone has taken over already");
	else if (!question->by_hand && owner && is_proven_well(owner) && question->witness_moves)
		rule(ruling, DECIDE_NOTHING, NULL,
		     "the owner is well, and its agent lives: that is for the agents");
	else if (!question->by_hand && owner && owner->reach == OPINION_WELL && is_fit(owner))
		rule(ruling, DECIDE_COMPLETE, owner, "the owner reaches its targets");
	else if (!question->by_hand && question->holder.there && owner && is_fit(owner) &&
		 question->now - question->holder.since < REST_S)
		rule(ruling, DECIDE_COMPLETE, owner, "the zone changed hands a moment ago");
	else if (!question->by_hand && owner && is_proven_well(owner) &&
		 owner->reach == OPINION_NONE && question->looks < LOOKS)
		rule_again(ruling, true, "the owner is called well, and has not answered yet");
	else if (!target)
		rule_again(ruling, !question->by_hand, "there is no other node that is well");
	else
		rule(ruling, DECIDE_CLAIM, target,
		     question->by_hand ? "as a person asked for" :
		     !owner	       ? "the owner has no instance" :
		     !owner->running ?
			      "the owner does not run" :
		     !is_fit(owner) ?
			      "the owner is ill, and the alarm says that nothing is reached" :
			      "nothing is reached through the owner");
}

void takeover_decide(const struct question *question, struct ruling *ruling)
{
	if (question->held && question->wish == WISH_FAILOVER && !question->by_hand) {
		rule(ruling, DECIDE_NOTHING, NULL, "a person holds the zone where it is");
		return;
	}
	switch (question->wish) {
	case WISH_RESTORE:
		decide_target(question, home_of(question), ruling);
		break;
	case WISH_TO:
		decide_target(question, find(question, question->to), ruling);
		break;
	case WISH_FAILOVER:
		decide_failover(question, ruling);
		break;
	}
}
