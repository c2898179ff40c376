/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What has happened: events into what is known. What follows from it: policy_decide.c. */
#include "policy.h"

#include <string.h>

#include "policy_decide.h"

const char *const policy_state_names[POLICY_STATES] = {
	"unknown", "standby", "suspect", "claiming", "moving", "owner",
};

const char *const policy_reason_names[POLICY_REASONS] = {
	"none",	 "first",    "failover", "unhealthy", "stuck",
	"drain", "failback", "manual",	 "restored",
};

enum {
	WISH_MS = 60000,       /* what an operator asked for is forgotten */
	RETRY_FIRST_MS = 1000, /* of moves that failed */
	RETRY_MAX_MS = 30000,
	UNCERTAIN_MS = 1000,	/* before the next claim: the read comes first */
	CHECK_AGAIN_MS = 5000,	/* a call of an owner before us may come late */
	REST_LATEST_MS = 10000, /* when the new owner says nothing */
};

void policy_init(struct policy *p, const struct policy_conf *conf, uint64_t incarnation,
		 int64_t now)
{
	memset(p, 0, sizeof(*p));
	p->conf = *conf;
	p->incarnation = incarnation;
	p->now = p->started = now;
	for (int i = 0; i < POLICY_NODES; i++) {
		p->peer[i].heard = p->peer[i].well_since = now;
		p->peer[i].answered = p->peer[i].probed = p->peer[i].asked = -1;
		p->peer[i].gone = -1;
	}
	for (int i = 0; i < POLICY_ZONES; i++) {
		struct policy_zone *z = &p->zone[i];

		z->since = z->changed = z->read_due = z->claim_due = now;
		z->lease.owner = z->offer = z->wish = POLICY_NOBODY;
		z->reading = z->rest_due = -1;
	}
}

bool policy_owns(const struct policy *p, unsigned int zone)
{
	return p->zone[zone].state == POLICY_MOVING || p->zone[zone].state == POLICY_OWNER;
}

static void hear(struct policy *p, unsigned int node, const struct policy_beat *beat)
{
	struct policy_peer *peer = &p->peer[node];
	bool well = beat->healthy && !beat->draining;

	if (!policy_hears(p, node) || !peer->ever || beat->incarnation != peer->beat.incarnation ||
	    !well)
		peer->well_since = p->now;
	peer->ever = true;
	peer->gone = -1;
	peer->heard = p->now;
	peer->beat = *beat;
}

static void lost(struct policy *p, struct policy_zone *z, struct policy_actions *actions)
{
	z->offer = POLICY_NOBODY;
	z->rest_due = p->now + REST_LATEST_MS;
	policy_add(p, actions, POLICY_DO_STOP, z, 0);
}

/* Somebody deleted the item. An owner writes it again; a number never goes back. */
static void adopt_nothing(struct policy *p, struct policy_zone *z, struct policy_actions *actions)
{
	z->lease.there = false;
	z->lease.held = false;
	if (z->state == POLICY_UNKNOWN || z->lease.owner != p->conf.self) {
		if (z->state == POLICY_UNKNOWN && p->conf.home[z - p->zone] != p->conf.self)
			z->rest_due = p->now;
		if (z->state != POLICY_CLAIMING)
			policy_enter(p, z, POLICY_STANDBY);
		z->lease.owner = POLICY_NOBODY;
		return;
	}
	if (policy_owns(p, z - p->zone)) {
		z->lease.owner = POLICY_NOBODY;
		policy_claim_zone(p, z, POLICY_RESTORED, actions);
	}
}

/* The lease as it is, told by the table or by the owner itself. */
static void adopt(struct policy *p, struct policy_zone *z, const struct policy_lease *lease,
		  struct policy_actions *actions)
{
	bool owned = policy_owns(p, z - p->zone), newer = lease->epoch > z->lease.epoch;

	if (!lease->there) {
		adopt_nothing(p, z, actions);
		return;
	}
	if (lease->epoch < z->lease.epoch) /* read before it was changed */
		return;
	if (newer) {
		z->changed = z->witnessed = p->now;
		/* what was wished before anything was known is not done yet */
		if (z->state != POLICY_UNKNOWN)
			z->wish = POLICY_NOBODY;
	}
	if (lease->witness != z->lease.witness)
		z->witnessed = p->now;
	z->lease = *lease;
	if (z->state == POLICY_CLAIMING)
		return;
	if (lease->owner == p->conf.self) {
		if (owned && !newer)
			return;
		/* from before we started, or a claim whose answer was lost: go on with it */
		z->failures = 0;
		z->rest_due = -1;
		policy_add(p, actions,
			   z->state == POLICY_UNKNOWN ? POLICY_DO_AUDIT : POLICY_DO_MOVE, z, 0);
		policy_enter(p, z, POLICY_MOVING);
		return;
	}
	if (owned)
		lost(p, z, actions);
	else if (z->state == POLICY_UNKNOWN)
		z->rest_due = p->now; /* the loader knows nothing of leases */
	if (z->state != POLICY_SUSPECT || newer)
		policy_enter(p, z, POLICY_STANDBY);
}

static void on_lease(struct policy *p, const struct policy_event *e, struct policy_actions *actions)
{
	struct policy_zone *z = &p->zone[e->zone];

	if (z->reading >= 0) {
		z->read_begun = z->reading;
		z->read_took = p->now - z->reading;
	}
	z->reading = -1;
	z->read_due = p->now + p->conf.poll;
	adopt(p, z, &e->lease, actions);
}

static void on_lease_failed(struct policy *p, const struct policy_event *e)
{
	struct policy_zone *z = &p->zone[e->zone];

	z->reading = -1;
	z->read_again = p->now + p->conf.interval;
}

static void on_heartbeat(struct policy *p, const struct policy_event *e,
			 struct policy_actions *actions)
{
	hear(p, e->node, e->beat);
	for (unsigned int i = 0; i < p->conf.zones; i++) {
		const struct policy_claim *said = &e->beat->zone[i];
		struct policy_zone *z = &p->zone[i];
		struct policy_lease lease = z->lease;

		if (said->ask != POLICY_NOBODY && said->ask < p->conf.nodes &&
		    said->epoch == z->lease.epoch && policy_owns(p, i) &&
		    said->ask != p->conf.self) {
			z->wish = said->ask;
			z->wish_force = said->force;
			z->wish_until = p->now + p->conf.silence;
		}
		if (said->epoch <= z->lease.epoch)
			continue;
		z->read_due = p->now;
		if (said->owner != e->node || z->state == POLICY_UNKNOWN)
			continue;
		/* the owner itself says so, and it has the key: no need to wait for the table */
		lease.there = true;
		lease.owner = e->node;
		lease.epoch = said->epoch;
		adopt(p, z, &lease, actions);
	}
}

static bool is_first(enum policy_reason reason)
{
	return reason == POLICY_FIRST || reason == POLICY_RESTORED;
}

static void on_won(struct policy *p, const struct policy_event *e, struct policy_actions *actions)
{
	struct policy_zone *z = &p->zone[e->zone];

	if (z->state != POLICY_CLAIMING || e->lease.epoch < z->lease.epoch ||
	    (e->lease.epoch == z->lease.epoch && z->lease.owner != p->conf.self)) {
		/* overtaken, or a claim that we gave up: the table knows */
		z->read_due = p->now;
		if (z->state == POLICY_CLAIMING)
			policy_enter(p, z, POLICY_STANDBY);
		return;
	}
	z->lease = e->lease;
	z->changed = p->now;
	z->failures = 0;
	z->rest_due = -1;
	z->wish = POLICY_NOBODY;
	policy_enter(p, z, POLICY_MOVING);
	/* what nobody had is mostly where it belongs already */
	policy_add(p, actions, is_first(e->lease.reason) ? POLICY_DO_AUDIT : POLICY_DO_MOVE, z, 0);
	policy_add(p, actions, POLICY_DO_BEAT, z, 0);
}

static void on_not_won(struct policy *p, const struct policy_event *e,
		       struct policy_actions *actions)
{
	struct policy_zone *z = &p->zone[e->zone];

	if (z->state != POLICY_CLAIMING)
		return;
	policy_enter(p, z, POLICY_STANDBY);
	z->claim_due = p->now + UNCERTAIN_MS;
	if (e->kind == POLICY_LOST)
		adopt(p, z, &e->lease, actions);
	else
		z->read_due = p->now;
}

static void on_moved(struct policy *p, const struct policy_event *e, struct policy_actions *actions)
{
	struct policy_zone *z = &p->zone[e->zone];
	bool first = z->state == POLICY_MOVING;

	if (!policy_owns(p, e->zone) || e->epoch != z->lease.epoch)
		return;
	z->failures = 0;
	z->audit_due = p->now + (first ? CHECK_AGAIN_MS : p->conf.audit);
	if (!first)
		return;
	policy_enter(p, z, POLICY_OWNER);
	policy_add(p, actions, POLICY_DO_BEAT, z, 0);
}

static void on_move_failed(struct policy *p, const struct policy_event *e)
{
	struct policy_zone *z = &p->zone[e->zone];
	int64_t delay = RETRY_FIRST_MS;

	if (!policy_owns(p, e->zone) || e->epoch != z->lease.epoch)
		return;
	for (unsigned int i = 0; i < z->failures && delay < RETRY_MAX_MS; i++)
		delay *= 2;
	z->failures++;
	/* an audit that found something wrong and could not mend it: not verified any more */
	policy_enter(p, z, POLICY_MOVING);
	z->move_due = p->now + (delay < RETRY_MAX_MS ? delay : RETRY_MAX_MS);
}

static void on_wish(struct policy *p, const struct policy_event *e, struct policy_actions *actions)
{
	struct policy_zone *z = &p->zone[e->zone];

	z->wish = e->node;
	z->wish_force = e->on;
	z->wish_until = p->now + WISH_MS;
	memset(z->refused, 0, sizeof(z->refused));
	policy_add(p, actions, POLICY_DO_BEAT, z, 0);
}

static void on_draining(struct policy *p, bool on)
{
	if (on && !p->draining)
		p->draining_since = p->now;
	p->draining = on;
}

/*
 * Time never goes back. If it has made a leap we were the ones who slept (a
 * stopped process, a moved machine): nobody was silent meanwhile, and what we
 * owned may have been taken.
 */
static void pass_time(struct policy *p, int64_t now)
{
	int64_t gap = now - p->now;

	if (gap <= 0)
		return;
	p->now = now;
	if (gap <= 2 * p->conf.interval)
		return;
	for (int i = 0; i < POLICY_NODES; i++)
		p->peer[i].heard += gap;
	for (int i = 0; i < POLICY_ZONES; i++) {
		p->zone[i].read_due = now;
		if (p->zone[i].state == POLICY_SUSPECT)
			policy_enter(p, &p->zone[i], POLICY_STANDBY);
	}
}

void policy_step(struct policy *p, const struct policy_event *e, int64_t now,
		 struct policy_actions *actions)
{
	actions->count = 0;
	pass_time(p, now);
	switch (e->kind) {
	case POLICY_TICK:
		break;
	case POLICY_HEARTBEAT:
		on_heartbeat(p, e, actions);
		break;
	case POLICY_ANSWERED:
		p->peer[e->node].answered = p->now;
		break;
	case POLICY_GONE:
		p->peer[e->node].gone = p->now;
		break;
	case POLICY_LEASE:
		on_lease(p, e, actions);
		break;
	case POLICY_LEASE_FAILED:
		on_lease_failed(p, e);
		break;
	case POLICY_WON:
		on_won(p, e, actions);
		break;
	case POLICY_LOST:
	case POLICY_UNCERTAIN:
		on_not_won(p, e, actions);
		break;
	case POLICY_MOVED:
		on_moved(p, e, actions);
		break;
	case POLICY_MOVE_FAILED:
		on_move_failed(p, e);
		break;
	case POLICY_FACTS:
		p->facts = e->facts;
		break;
	case POLICY_DRAINING:
		on_draining(p, e->on);
		break;
	case POLICY_TO:
		on_wish(p, e, actions);
		break;
	}
	policy_decide(p, actions);
}
