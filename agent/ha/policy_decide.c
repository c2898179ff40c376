/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "policy_decide.h"

#include <stddef.h>

#include "heir.h"

enum {
	GRACE = 3,	    /* times silence: for peers that were not heard since we started */
	FIRST_MS = 30000,   /* what nobody has waits for its home: a fleet does not start at once */
	ASK_MS = 2000,	    /* between questions to AWS for a node */
	OFFER_MS = 5000,    /* until an offer is made to somebody else */
	REFUSED_MS = 15000, /* who did not take it is not asked again for this long */
	WITNESS_SLOWEST_MS = 5000, /* a peer that is gone for days must not cost much */
};

void policy_enter(struct policy *p, struct policy_zone *z, enum policy_state state)
{
	if (z->state == state)
		return;
	z->state = state;
	z->since = p->now;
}

void policy_add(struct policy *p, struct policy_actions *actions, enum policy_action_kind kind,
		const struct policy_zone *z, uint8_t node)
{
	struct policy_action *action = &actions->item[actions->count];

	/* 2 a node and 8 a zone at the most: there is room */
	actions->count++;
	*action = (struct policy_action){ .kind = kind, .node = node };
	if (!z)
		return;
	action->zone = z - p->zone;
	action->epoch = z->lease.epoch;
	action->lease = z->lease;
}

void policy_claim_zone(struct policy *p, struct policy_zone *z, enum policy_reason reason,
		       struct policy_actions *actions)
{
	policy_enter(p, z, POLICY_CLAIMING);
	policy_add(p, actions, POLICY_DO_CLAIM, z, 0);
	actions->item[actions->count - 1].reason = reason;
}

bool policy_hears(const struct policy *p, unsigned int node)
{
	if (node == p->conf.self)
		return true;
	return node < p->conf.nodes && p->peer[node].ever &&
	       p->now - p->peer[node].heard <= p->conf.silence;
}

/* Long enough to look closer. Not the opposite of hears: who has just started knows neither. */
static bool is_silent(const struct policy *p, unsigned int node)
{
	if (node >= p->conf.nodes)
		return p->now - p->started > GRACE * p->conf.silence;
	return p->now - p->peer[node].heard >
	       (p->peer[node].ever ? p->conf.silence : GRACE * p->conf.silence);
}

/* What is told to the others: sooner than the suspicion, so that they do not wait for it. */
static bool hears_well(const struct policy *p, unsigned int node)
{
	return p->peer[node].ever && p->now - p->peer[node].heard <= p->conf.silence * 3 / 5;
}

bool policy_is_fit(const struct policy *p, unsigned int node)
{
	if (node == p->conf.self)
		return p->facts.healthy && !p->draining;
	return policy_hears(p, node) && p->peer[node].beat.healthy && !p->peer[node].beat.draining;
}

static bool is_vouched_for(const struct policy *p, unsigned int node)
{
	for (unsigned int i = 0; i < p->conf.nodes && node < p->conf.nodes; i++) {
		if (i != p->conf.self && i != node && policy_hears(p, i) &&
		    p->peer[i].beat.hears >> node & 1)
			return true;
	}
	return false;
}

/* Its kernel does, so the data plane is there: an agent alone is no reason to move anything. */
static bool answers(const struct policy *p, unsigned int node)
{
	return node < p->conf.nodes && p->peer[node].answered >= 0 &&
	       p->now - p->peer[node].answered <= p->conf.silence * 3 / 5;
}

static unsigned int cost(const struct policy *p, const struct policy_zone *z, unsigned int node)
{
	unsigned int load = 0;

	for (unsigned int i = 0; i < p->conf.zones; i++)
		load += p->zone[i].lease.owner == node;
	return heir_cost(p->conf.home[z - p->zone], load, node, p->conf.nodes);
}

/* How many are better than we, of those that could do it. */
static unsigned int rank(const struct policy *p, const struct policy_zone *z)
{
	unsigned int better = 0;

	for (unsigned int i = 0; i < p->conf.nodes; i++) {
		if (i != p->conf.self && i != z->lease.owner && policy_is_fit(p, i) &&
		    cost(p, z, i) < cost(p, z, p->conf.self))
			better++;
	}
	return better;
}

/* How often an owner counts up the witness that is cut off for so long. */
static int64_t witness_period(const struct policy *p, int64_t silent_ms)
{
	int64_t period = silent_ms / 20;

	if (period < p->conf.silence / 2)
		return p->conf.silence / 2;
	return period < WITNESS_SLOWEST_MS ? period : WITNESS_SLOWEST_MS;
}

/* How long the witness must stand still before we believe that nobody counts it up. */
static int64_t quiet_time(const struct policy *p, const struct policy_zone *z)
{
	const struct policy_peer *owner = &p->peer[z->lease.owner % POLICY_NODES];
	int64_t period = WITNESS_SLOWEST_MS;

	/* an owner that hears us has begun to count when we ceased to hear it, not before */
	if (z->lease.owner < p->conf.nodes && owner->ever && owner->beat.hears >> p->conf.self & 1)
		period = witness_period(p, p->now - owner->heard);
	return 2 * period + p->conf.interval + 2 * z->read_took;
}

/*
 * From when on a read of an unchanged lease proves that its owner is no more. An owner that
 * lives notices that it is cut off when we do, give or take an interval, and counts at once.
 */
static int64_t proof_begins(const struct policy *p, const struct policy_zone *z)
{
	const struct policy_peer *owner = &p->peer[z->lease.owner % POLICY_NODES];
	int64_t quiet = z->witnessed + quiet_time(p, z), noticed;

	if (z->lease.owner >= p->conf.nodes)
		return quiet;
	/* not if that was before it had the zone, or long ago: it may have come back */
	if (owner->gone > z->witnessed && p->now - owner->gone <= 2 * ASK_MS)
		return z->since;
	noticed = owner->heard + p->conf.silence + p->conf.interval + 2 * z->read_took;
	return quiet > noticed ? quiet : noticed;
}

static bool is_confirmed(const struct policy *p, const struct policy_zone *z)
{
	unsigned int owner = z->lease.owner;
	int64_t begin = proof_begins(p, z);

	if (is_vouched_for(p, owner) || answers(p, owner))
		return false;
	return z->read_begun >= begin &&
	       p->now >= begin + rank(p, z) * (2 * p->conf.interval + z->read_took);
}

static void ask_around(struct policy *p, const struct policy_zone *z,
		       struct policy_actions *actions)
{
	struct policy_peer *peer = &p->peer[z->lease.owner % POLICY_NODES];

	if (z->lease.owner >= p->conf.nodes)
		return;
	if (peer->asked < 0 || p->now - peer->asked >= ASK_MS) {
		peer->asked = p->now;
		policy_add(p, actions, POLICY_DO_ASK, z, z->lease.owner);
	}
}

/* When the lease is to be read next: as soon as that proves something, and now and then before. */
static int64_t next_read(const struct policy *p, const struct policy_zone *z)
{
	int64_t latest = z->read_begun + p->conf.silence, begin = proof_begins(p, z);

	if (is_vouched_for(p, z->lease.owner) || answers(p, z->lease.owner))
		return z->read_begun + p->conf.poll;
	if (begin <= z->read_begun)
		return z->read_begun + p->conf.interval;
	return begin < latest ? begin : latest;
}

static void look_closer(struct policy *p, struct policy_zone *z, struct policy_actions *actions)
{
	int64_t next = next_read(p, z);

	if (!is_silent(p, z->lease.owner) || z->lease.held || !policy_is_fit(p, p->conf.self)) {
		policy_enter(p, z, POLICY_STANDBY);
		return;
	}
	ask_around(p, z, actions);
	if (z->read_due > next)
		z->read_due = next;
	if (p->now >= z->claim_due && is_confirmed(p, z))
		policy_claim_zone(p, z, POLICY_FAILOVER, actions);
}

static void suspect(struct policy *p, struct policy_zone *z, struct policy_actions *actions)
{
	policy_enter(p, z, POLICY_SUSPECT);
	z->began = p->now;
	z->read_due = p->now;
	look_closer(p, z, actions);
}

/* What nobody has: home takes it at once, the others when home is not there. */
static bool may_be_first(const struct policy *p, const struct policy_zone *z)
{
	unsigned int home = p->conf.home[z - p->zone];
	int64_t wait = FIRST_MS + rank(p, z) * 2 * p->conf.interval;

	return home == p->conf.self || (!policy_is_fit(p, home) && p->now - p->started > wait);
}

static enum policy_reason offered(const struct policy *p, const struct policy_zone *z)
{
	const struct policy_claim *said;

	if (z->lease.owner >= p->conf.nodes || !policy_hears(p, z->lease.owner))
		return POLICY_NO_REASON;
	said = &p->peer[z->lease.owner].beat.zone[z - p->zone];
	return said->offer == p->conf.self && said->epoch == z->lease.epoch ? said->reason :
									      POLICY_NO_REASON;
}

static bool new_owner_is_ready(const struct policy *p, const struct policy_zone *z)
{
	const struct policy_claim *said;

	if (z->lease.owner >= p->conf.nodes || !policy_hears(p, z->lease.owner))
		return false;
	said = &p->peer[z->lease.owner].beat.zone[z - p->zone];
	return said->epoch == z->lease.epoch && said->state == POLICY_OWNER;
}

static void stand_by(struct policy *p, struct policy_zone *z, struct policy_actions *actions)
{
	bool wished = z->wish == p->conf.self && p->now < z->wish_until;
	enum policy_reason reason;

	if (z->rest_due >= 0 && (p->now >= z->rest_due || new_owner_is_ready(p, z))) {
		z->rest_due = -1;
		policy_add(p, actions, POLICY_DO_REST, z, 0);
	}
	if (p->now < z->claim_due)
		return;
	if (!policy_is_fit(p, p->conf.self) && !(wished && z->wish_force))
		return;
	reason = offered(p, z);
	if (z->lease.owner == POLICY_NOBODY) {
		if (wished || may_be_first(p, z))
			reason = POLICY_FIRST;
	} else if (!reason && wished && is_silent(p, z->lease.owner)) {
		reason = POLICY_MANUAL;
	} else if (!reason && !z->lease.held && is_silent(p, z->lease.owner)) {
		suspect(p, z, actions);
		return;
	}
	if (!reason)
		return;
	z->began = p->now;
	policy_claim_zone(p, z, reason, actions);
}

/* The best of those that could take a zone of ours; those in sync are better. */
static uint8_t best_heir(const struct policy *p, const struct policy_zone *z, bool synced_only)
{
	uint8_t best = POLICY_NOBODY;

	for (unsigned int i = 0; i < p->conf.nodes; i++) {
		bool synced = p->facts.synced >> i & 1;

		if (i == p->conf.self || !policy_is_fit(p, i) || p->now < z->refused[i] ||
		    (synced_only && !synced))
			continue;
		if (best == POLICY_NOBODY || cost(p, z, i) < cost(p, z, best))
			best = i;
	}
	return best;
}

static bool may_go_home(const struct policy *p, const struct policy_zone *z)
{
	unsigned int home = p->conf.home[z - p->zone];

	return p->conf.failback && z->state == POLICY_OWNER && home < p->conf.nodes &&
	       home != p->conf.self && policy_is_fit(p, home) && p->facts.synced >> home & 1 &&
	       z->lease.reason != POLICY_MANUAL && p->now >= z->refused[home] &&
	       p->now - p->peer[home].well_since >= p->conf.damping &&
	       p->now - z->changed >= p->conf.damping;
}

static uint8_t wished_heir(const struct policy *p, const struct policy_zone *z)
{
	if (z->wish >= p->conf.nodes || z->wish == p->conf.self || p->now >= z->wish_until ||
	    p->now < z->refused[z->wish] || !policy_hears(p, z->wish))
		return POLICY_NOBODY;
	if (z->wish_force)
		return z->wish;
	return z->state == POLICY_OWNER && policy_is_fit(p, z->wish) &&
			       p->facts.synced >> z->wish & 1 ?
		       z->wish :
		       POLICY_NOBODY;
}

/* To whom the zone should go, and why. */
static uint8_t choose_heir(const struct policy *p, const struct policy_zone *z,
			   enum policy_reason *reason)
{
	uint8_t heir = wished_heir(p, z);
	bool moved = z->state == POLICY_OWNER;

	*reason = POLICY_MANUAL;
	if (heir != POLICY_NOBODY)
		return heir;
	*reason = POLICY_DRAIN;
	if (p->draining && (moved || z->failures)) {
		heir = best_heir(p, z, true);
		if (heir == POLICY_NOBODY && p->now - p->draining_since > p->conf.sync_patience)
			heir = best_heir(p, z, false);
		return heir;
	}
	if (z->lease.held)
		return POLICY_NOBODY;
	*reason = POLICY_UNHEALTHY;
	if (!p->facts.healthy)
		return best_heir(p, z, false);
	/* once: if the next one cannot either, the zone stays where it is and is tried again */
	*reason = POLICY_STUCK;
	if (!moved && z->failures && z->lease.reason != POLICY_STUCK)
		return best_heir(p, z, false);
	*reason = POLICY_FAILBACK;
	return may_go_home(p, z) ? p->conf.home[z - p->zone] : POLICY_NOBODY;
}

static void make_offer(struct policy *p, struct policy_zone *z, struct policy_actions *actions)
{
	enum policy_reason reason = POLICY_NO_REASON;
	uint8_t heir;

	if (z->offer != POLICY_NOBODY && p->now - z->offered > OFFER_MS)
		z->refused[z->offer] = p->now + REFUSED_MS;
	heir = choose_heir(p, z, &reason);
	if (heir == z->offer)
		return;
	z->offer = heir;
	z->offer_reason = reason;
	z->offered = p->now;
	policy_add(p, actions, POLICY_DO_BEAT, z, 0);
}

/* Is a peer out of earshot, and for how long? Either direction counts. -1: none is. */
static int64_t cut_off_for(const struct policy *p)
{
	int64_t shortest = -1, silent;

	for (unsigned int i = 0; i < p->conf.nodes; i++) {
		if (i == p->conf.self)
			continue;
		silent = p->now - p->peer[i].heard;
		if (hears_well(p, i)) {
			if (p->peer[i].beat.hears >> p->conf.self & 1)
				continue;
			silent = 0;
		}
		if (!p->peer[i].ever && silent <= p->conf.silence * 3 / 5)
			continue;
		if (shortest < 0 || silent < shortest)
			shortest = silent;
	}
	return shortest;
}

static void own(struct policy *p, struct policy_zone *z, struct policy_actions *actions)
{
	int64_t cut_off = cut_off_for(p);

	if (z->state == POLICY_MOVING && z->failures && p->now >= z->move_due) {
		z->move_due = INT64_MAX;
		policy_add(p, actions, POLICY_DO_MOVE, z, 0);
	}
	if (z->state == POLICY_OWNER && p->now >= z->audit_due) {
		z->audit_due = p->now + p->conf.audit;
		policy_add(p, actions, POLICY_DO_AUDIT, z, 0);
	}
	if (cut_off < 0) {
		z->witness_due = p->now;
	} else {
		/* it may be from another time that it was ours, or from before the last peer was lost */
		if (z->witness_due > p->now + witness_period(p, cut_off))
			z->witness_due = p->now;
		if (p->now >= z->witness_due) {
			z->witness_due = p->now + witness_period(p, cut_off);
			policy_add(p, actions, POLICY_DO_WITNESS, z, 0);
		}
	}
	make_offer(p, z, actions);
}

/* Nearly silent already: so the answer is there when the suspicion is. */
static void probe(struct policy *p, struct policy_actions *actions)
{
	for (unsigned int i = 0; i < p->conf.nodes; i++) {
		struct policy_peer *peer = &p->peer[i];

		if (i == p->conf.self || p->now - peer->heard <= p->conf.silence * 2 / 5 ||
		    (peer->probed >= 0 && p->now - peer->probed < p->conf.interval))
			continue;
		peer->probed = p->now;
		policy_add(p, actions, POLICY_DO_PROBE, NULL, i);
	}
}

void policy_decide(struct policy *p, struct policy_actions *actions)
{
	probe(p, actions);
	for (unsigned int i = 0; i < p->conf.zones; i++) {
		struct policy_zone *z = &p->zone[i];

		if (z->state == POLICY_STANDBY)
			stand_by(p, z, actions);
		else if (z->state == POLICY_SUSPECT)
			look_closer(p, z, actions);
		else if (policy_owns(p, i))
			own(p, z, actions);
		if (z->reading < 0 && p->now >= z->read_due && p->now >= z->read_again) {
			z->reading = p->now;
			policy_add(p, actions, POLICY_DO_READ, z, 0);
		}
	}
}

void policy_beat(const struct policy *p, struct policy_beat *beat)
{
	*beat = (struct policy_beat){
		.incarnation = p->incarnation,
		.healthy = p->facts.healthy,
		.draining = p->draining,
	};
	for (unsigned int i = 0; i < p->conf.nodes; i++)
		beat->hears |= (uint32_t)(i != p->conf.self && hears_well(p, i)) << i;
	for (unsigned int i = 0; i < p->conf.zones; i++) {
		const struct policy_zone *z = &p->zone[i];
		struct policy_claim *claim = &beat->zone[i];
		bool asks = z->wish != POLICY_NOBODY && p->now < z->wish_until &&
			    !policy_owns(p, i);

		claim->epoch = z->lease.epoch;
		claim->owner = z->lease.owner;
		claim->state = z->state;
		claim->offer = policy_owns(p, i) ? z->offer : POLICY_NOBODY;
		claim->reason = z->offer_reason;
		claim->ask = asks ? z->wish : POLICY_NOBODY;
		claim->force = asks && z->wish_force;
	}
}
