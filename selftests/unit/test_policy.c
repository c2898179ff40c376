/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Each decision of the failover policy as a line of a table: (state, event, now) -> (state, actions). */
#include <stdio.h>
#include <string.h>

#include "ha/policy.h"
#include "unit.h"

enum { NOW = 1000000, INTERVAL = 200, SILENCE = 1000, DAMPING = 300000, POLL = 5000 };

/* Three nodes, three zones. We are node 0; the table is about zone 2, and we are its first heir. */
enum { WE = 0, THIRD = 1, OWNER = 2, ZONE = 2 };

/* What is so before the event. What is not named is well. */
enum given {
	SILENT = 1 << 0,      /* the owner, for longer than the suspicion takes */
	ANSWERS = 1 << 1,     /* the owner's kernel */
	VOUCHED = 1 << 2,     /* the third node hears the owner */
	GONE = 1 << 3,	      /* the owner's instance */
	HELD = 1 << 4,	      /* by an operator */
	DRAINS = 1 << 5,      /* this node is to go */
	ILL = 1 << 6,	      /* our data path is broken */
	OFFERED = 1 << 7,     /* the owner offers the zone to us */
	QUIET = 1 << 8,	      /* the suspicion is old, and the lease was read since */
	WITNESSED = 1 << 9,   /* the owner has counted up since */
	TO_US = 1 << 10,      /* an operator wishes it */
	TO_THIRD = 1 << 11,   /* likewise */
	FORCED = 1 << 12,     /* and does not want to wait */
	NOT_SYNCED = 1 << 13, /* nobody has our flows */
	OURS = 1 << 14,	      /* the lease says so */
	NOBODYS = 1 << 15,    /* no such lease */
	FAILED = 1 << 16,     /* a move has failed once */
	PROVEN = 1 << 17,     /* home is well for longer than the damping window */
	RECENT = 1 << 18,     /* the zone has changed hands just now */
	MANUALLY = 1 << 19,   /* by an operator */
	WAS_STUCK = 1 << 20,  /* because the owner before was stuck */
	CUT_OFF = 1 << 21,    /* the third node is silent */
	UNHEARD = 1 << 22,    /* the third node does not hear us */
	BUSY = 1 << 23,	      /* we have two zones more than the third node */
	STRANGE = 1 << 24,    /* the owner is no node of ours */
	YOUNG = 1 << 25,      /* we have just started: the owner was never heard */
	RESTING = 1 << 26,    /* addresses are to rest when the new owner is ready */
	READY = 1 << 27,      /* the new owner says that all is moved */
	PATIENT = 1 << 28,    /* the drain waits for long already */
	AUDIT = 1 << 29,      /* is due */
	WAITING = 1 << 30,    /* a claim has failed just now */
};

#define DO(kind) (1u << POLICY_DO_##kind)

struct row {
	const char *name;
	enum policy_state from;
	uint32_t given;
	enum policy_event_kind kind;
	struct policy_lease lease; /* of the event */
	enum policy_state to;
	uint32_t does;	/* actions of the zone */
	uint8_t offer;	/* 1 + node; 0: none */
	uint8_t reason; /* of the claim or the offer */
};

#define OTHERS(epoch)                                         \
	{                                                     \
		true, false, OWNER, POLICY_FAILOVER, epoch, 0 \
	}
#define THIRDS(epoch)                                         \
	{                                                     \
		true, false, THIRD, POLICY_FAILOVER, epoch, 0 \
	}
#define MINE(epoch)                                        \
	{                                                  \
		true, false, WE, POLICY_FAILOVER, epoch, 0 \
	}
#define FIRST(epoch)                                     \
	{                                                \
		true, false, WE, POLICY_FIRST, epoch, 0, \
	}
#define TO_NODE(node) (1 + (node))

#define UNK POLICY_UNKNOWN
#define STB POLICY_STANDBY
#define SUS POLICY_SUSPECT
#define CLA POLICY_CLAIMING
#define MOV POLICY_MOVING
#define OWN POLICY_OWNER
#define TICK POLICY_TICK

/* clang-format off */
static const struct row rows[] = {
	/* the start, and a restart in each state: the lease says what was */
	{ "start: the lease is another's", UNK, 0, POLICY_LEASE, OTHERS(7), STB, DO(REST), 0, 0 },
	{ "start: ours from before, done or half done", UNK, 0, POLICY_LEASE, MINE(7), MOV, DO(AUDIT), 0, 0 },
	{ "start: no lease, another's home", UNK, NOBODYS, POLICY_LEASE, { 0 }, STB, DO(REST), 0, 0 },
	{ "start: no lease, home is not there", UNK, NOBODYS | SILENT, POLICY_LEASE, { 0 }, CLA, DO(CLAIM) | DO(REST), 0, POLICY_FIRST },
	{ "start: no lease, home not there, a better node", UNK, NOBODYS | SILENT | YOUNG | BUSY, POLICY_LEASE, { 0 }, STB, DO(REST), 0, 0 },
	{ "start: the table does not answer", UNK, 0, POLICY_LEASE_FAILED, { 0 }, UNK, 0, 0, 0 },
	{ "start: nothing is claimed before the lease is read", UNK, SILENT | GONE, TICK, { 0 }, UNK, DO(READ), 0, 0 },

	/* standing by */
	{ "all is well", STB, 0, TICK, { 0 }, STB, 0, 0, 0 },
	{ "the owner is silent: look closer", STB, SILENT, TICK, { 0 }, SUS, DO(READ) | DO(ASK), 0, 0 },
	{ "we have just started: patience", STB, SILENT | YOUNG, TICK, { 0 }, STB, 0, 0, 0 },
	{ "silent, but held", STB, SILENT | HELD, TICK, { 0 }, STB, 0, 0, 0 },
	{ "silent, but our data path is broken", STB, SILENT | ILL, TICK, { 0 }, STB, 0, 0, 0 },
	{ "silent, but we are to go", STB, SILENT | DRAINS, TICK, { 0 }, STB, 0, 0, 0 },
	{ "silent, but a claim of ours has failed just now", STB, SILENT | WAITING, TICK, { 0 }, STB, 0, 0, 0 },
	{ "the owner is no node of ours", STB, STRANGE, TICK, { 0 }, SUS, DO(READ), 0, 0 },
	{ "an offer", STB, OFFERED, TICK, { 0 }, CLA, DO(CLAIM), 0, POLICY_DRAIN },
	{ "an offer, also while held: the owner knows", STB, OFFERED | HELD, TICK, { 0 }, CLA, DO(CLAIM), 0, POLICY_DRAIN },
	{ "an offer, but we are ill", STB, OFFERED | ILL, TICK, { 0 }, STB, 0, 0, 0 },
	{ "an offer, but we are to go", STB, OFFERED | DRAINS, TICK, { 0 }, STB, 0, 0, 0 },
	{ "an old offer: the owner is silent since", STB, OFFERED | SILENT, TICK, { 0 }, SUS, DO(READ) | DO(ASK), 0, 0 },
	{ "wished here: the owner is asked by heartbeat", STB, TO_US, TICK, { 0 }, STB, 0, 0, 0 },
	{ "wished here, and the owner is silent", STB, TO_US | SILENT, TICK, { 0 }, CLA, DO(CLAIM), 0, POLICY_MANUAL },
	{ "wished here, silent, held: an operator may", STB, TO_US | SILENT | HELD, TICK, { 0 }, CLA, DO(CLAIM), 0, POLICY_MANUAL },
	{ "wished here, silent, but ill", STB, TO_US | SILENT | ILL, TICK, { 0 }, STB, 0, 0, 0 },
	{ "forced here, though ill", STB, TO_US | FORCED | SILENT | ILL, TICK, { 0 }, CLA, DO(CLAIM), 0, POLICY_MANUAL },
	{ "nobody has it, and home is well", STB, NOBODYS, TICK, { 0 }, STB, 0, 0, 0 },
	{ "addresses rest when the new owner is ready", STB, RESTING | READY, TICK, { 0 }, STB, DO(REST), 0, 0 },
	{ "and not before", STB, RESTING, TICK, { 0 }, STB, 0, 0, 0 },
	{ "a lease that is suddenly ours: an answer was lost", STB, 0, POLICY_LEASE, MINE(8), MOV, DO(MOVE), 0, 0 },
	{ "another owner", STB, 0, POLICY_LEASE, THIRDS(8), STB, 0, 0, 0 },
	{ "an old answer is of no interest", STB, 0, POLICY_LEASE, MINE(6), STB, 0, 0, 0 },
	{ "the lease was deleted", STB, 0, POLICY_LEASE, { 0 }, STB, 0, 0, 0 },

	/* looking closer */
	{ "only just suspect", SUS, SILENT, TICK, { 0 }, SUS, 0, 0, 0 },
	{ "quiet for long enough: it is dead", SUS, SILENT | QUIET, TICK, { 0 }, CLA, DO(CLAIM), 0, POLICY_FAILOVER },
	{ "an agent alone is dead", SUS, SILENT | QUIET | ANSWERS, TICK, { 0 }, SUS, 0, 0, 0 },
	{ "we are the ones cut off: a third node hears it", SUS, SILENT | QUIET | VOUCHED, TICK, { 0 }, SUS, 0, 0, 0 },
	{ "both cut off, the owner reaches AWS", SUS, SILENT | QUIET | WITNESSED, TICK, { 0 }, SUS, 0, 0, 0 },
	{ "it is heard again", SUS, QUIET, TICK, { 0 }, STB, 0, 0, 0 },
	{ "an operator holds", SUS, SILENT | QUIET | HELD, TICK, { 0 }, STB, 0, 0, 0 },
	{ "we fall ill ourselves", SUS, SILENT | QUIET | ILL, TICK, { 0 }, STB, 0, 0, 0 },
	{ "a better node goes first", SUS, SILENT | QUIET | BUSY, TICK, { 0 }, SUS, 0, 0, 0 },
	{ "AWS says it is gone: no need to wait", SUS, SILENT | GONE, POLICY_LEASE, OTHERS(7), CLA, DO(CLAIM), 0, POLICY_FAILOVER },
	{ "gone, says AWS, but it answers", SUS, SILENT | QUIET | GONE | ANSWERS, TICK, { 0 }, SUS, 0, 0, 0 },
	{ "somebody else was faster", SUS, SILENT | QUIET, POLICY_LEASE, THIRDS(8), STB, 0, 0, 0 },
	{ "the table does not answer: no claim", SUS, SILENT, POLICY_LEASE_FAILED, { 0 }, SUS, 0, 0, 0 },
	{ "never heard since our start, and not quiet for long", SUS, STRANGE | QUIET, TICK, { 0 }, SUS, 0, 0, 0 },

	/* claiming */
	{ "won", CLA, SILENT, POLICY_WON, MINE(8), MOV, DO(MOVE) | DO(BEAT) | DO(WITNESS), 0, 0 },
	{ "won what nobody had: it may be where it belongs", CLA, NOBODYS, POLICY_WON, FIRST(8), MOV, DO(AUDIT) | DO(BEAT), 0, 0 },
	{ "lost", CLA, SILENT, POLICY_LOST, THIRDS(8), STB, 0, 0, 0 },
	{ "nobody knows: read it", CLA, SILENT, POLICY_UNCERTAIN, { 0 }, STB, DO(READ), 0, 0 },
	{ "while the claim is under way nothing else begins", CLA, SILENT | QUIET, TICK, { 0 }, CLA, 0, 0, 0 },
	{ "won, and the owner came back: the lease decides", CLA, 0, POLICY_WON, MINE(8), MOV, DO(MOVE) | DO(BEAT), 0, 0 },
	{ "won, but somebody has overtaken us", CLA, 0, POLICY_WON, MINE(6), STB, DO(READ), 0, 0 },

	/* moving */
	{ "moved", MOV, OURS, POLICY_MOVED, MINE(7), OWN, DO(BEAT), 0, 0 },
	{ "moved, but of another epoch", MOV, OURS, POLICY_MOVED, MINE(6), MOV, 0, 0, 0 },
	{ "half done: tried again, later", MOV, OURS, POLICY_MOVE_FAILED, MINE(7), MOV, DO(BEAT), TO_NODE(OWNER), POLICY_STUCK },
	{ "half done, and nobody else is well", MOV, OURS | CUT_OFF | SILENT, POLICY_MOVE_FAILED, MINE(7), MOV, DO(WITNESS), 0, 0 },
	{ "half done, as it was for the one before: stay", MOV, OURS | WAS_STUCK, POLICY_MOVE_FAILED, MINE(7), MOV, 0, 0, 0 },
	{ "the next try", MOV, OURS | FAILED | WAS_STUCK, TICK, { 0 }, MOV, DO(MOVE), 0, 0 },
	{ "overtaken while moving: not one more call", MOV, OURS, POLICY_LEASE, THIRDS(8), STB, DO(STOP), 0, 0 },
	{ "a late answer about the lease before", MOV, OURS, POLICY_LEASE, OTHERS(6), MOV, 0, 0, 0 },
	{ "somebody wrote us in again", MOV, OURS, POLICY_LEASE, MINE(9), MOV, DO(MOVE), 0, 0 },
	{ "no planned move before the last one is done", MOV, OURS | DRAINS, TICK, { 0 }, MOV, 0, 0, 0 },
	{ "to go, and cannot finish: who takes it?", MOV, OURS | DRAINS | FAILED, TICK, { 0 }, MOV, DO(MOVE) | DO(BEAT), TO_NODE(OWNER), POLICY_DRAIN },
	{ "wished elsewhere: first finish", MOV, OURS | TO_THIRD, TICK, { 0 }, MOV, 0, 0, 0 },
	{ "forced elsewhere", MOV, OURS | TO_THIRD | FORCED, TICK, { 0 }, MOV, DO(BEAT), TO_NODE(THIRD), POLICY_MANUAL },

	/* owning: zone 1 is not our home */
	{ "ours, and home came back just now", OWN, OURS, TICK, { 0 }, OWN, 0, 0, 0 },
	{ "home is proven: go back", OWN, OURS | PROVEN, TICK, { 0 }, OWN, DO(BEAT), TO_NODE(OWNER), POLICY_FAILBACK },
	{ "proven, but not in sync", OWN, OURS | PROVEN | NOT_SYNCED, TICK, { 0 }, OWN, 0, 0, 0 },
	{ "proven, but it changed hands just now", OWN, OURS | PROVEN | RECENT, TICK, { 0 }, OWN, 0, 0, 0 },
	{ "proven, but an operator put it here", OWN, OURS | PROVEN | MANUALLY, TICK, { 0 }, OWN, 0, 0, 0 },
	{ "proven, but held", OWN, OURS | PROVEN | HELD, TICK, { 0 }, OWN, 0, 0, 0 },
	{ "proven, but silent now", OWN, OURS | PROVEN | SILENT, TICK, { 0 }, OWN, DO(WITNESS), 0, 0 },
	{ "to go: home is the best heir", OWN, OURS | DRAINS, TICK, { 0 }, OWN, DO(BEAT), TO_NODE(OWNER), POLICY_DRAIN },
	{ "to go: home is not there", OWN, OURS | DRAINS | SILENT, TICK, { 0 }, OWN, DO(BEAT) | DO(WITNESS), TO_NODE(THIRD), POLICY_DRAIN },
	{ "to go, held: the instance goes all the same", OWN, OURS | DRAINS | HELD, TICK, { 0 }, OWN, DO(BEAT), TO_NODE(OWNER), POLICY_DRAIN },
	{ "to go, nobody in sync: wait", OWN, OURS | DRAINS | NOT_SYNCED, TICK, { 0 }, OWN, 0, 0, 0 },
	{ "to go, and waited long enough", OWN, OURS | DRAINS | NOT_SYNCED | PATIENT, TICK, { 0 }, OWN, DO(BEAT), TO_NODE(OWNER), POLICY_DRAIN },
	{ "to go, and nobody there", OWN, OURS | DRAINS | SILENT | CUT_OFF, TICK, { 0 }, OWN, DO(WITNESS), 0, 0 },
	{ "our data path is broken: somebody else, at once", OWN, OURS | ILL | NOT_SYNCED, TICK, { 0 }, OWN, DO(BEAT), TO_NODE(OWNER), POLICY_UNHEALTHY },
	{ "broken, but held", OWN, OURS | ILL | HELD, TICK, { 0 }, OWN, 0, 0, 0 },
	{ "broken, and nobody there", OWN, OURS | ILL | SILENT | CUT_OFF, TICK, { 0 }, OWN, DO(WITNESS), 0, 0 },
	{ "wished elsewhere", OWN, OURS | TO_THIRD, TICK, { 0 }, OWN, DO(BEAT), TO_NODE(THIRD), POLICY_MANUAL },
	{ "wished elsewhere, held: an operator may", OWN, OURS | TO_THIRD | HELD, TICK, { 0 }, OWN, DO(BEAT), TO_NODE(THIRD), POLICY_MANUAL },
	{ "wished elsewhere, not in sync", OWN, OURS | TO_THIRD | NOT_SYNCED, TICK, { 0 }, OWN, 0, 0, 0 },
	{ "forced elsewhere, not in sync", OWN, OURS | TO_THIRD | FORCED | NOT_SYNCED, TICK, { 0 }, OWN, DO(BEAT), TO_NODE(THIRD), POLICY_MANUAL },
	{ "forced to a node that is not there", OWN, OURS | TO_THIRD | FORCED | CUT_OFF, TICK, { 0 }, OWN, DO(WITNESS), 0, 0 },
	{ "cut off from one: tell by the lease that we live", OWN, OURS | CUT_OFF, TICK, { 0 }, OWN, DO(WITNESS), 0, 0 },
	{ "not heard by one: likewise", OWN, OURS | UNHEARD, TICK, { 0 }, OWN, DO(WITNESS), 0, 0 },
	{ "time to look at routes and addresses", OWN, OURS | AUDIT, TICK, { 0 }, OWN, DO(AUDIT), 0, 0 },
	{ "all is as it should be", OWN, OURS, POLICY_MOVED, MINE(7), OWN, 0, 0, 0 },
	{ "something was changed, and cannot be mended", OWN, OURS | WAS_STUCK, POLICY_MOVE_FAILED, MINE(7), MOV, 0, 0, 0 },
	{ "taken from us", OWN, OURS, POLICY_LEASE, OTHERS(8), STB, DO(STOP), 0, 0 },
	{ "the table does not answer: nothing changes", OWN, OURS, POLICY_LEASE_FAILED, { 0 }, OWN, 0, 0, 0 },
	{ "somebody deleted our lease", OWN, OURS, POLICY_LEASE, { 0 }, CLA, DO(CLAIM), 0, POLICY_RESTORED },
};
/* clang-format on */

static void make_peer(struct policy *p, unsigned int node)
{
	struct policy_peer *peer = &p->peer[node];

	peer->ever = true;
	peer->heard = NOW - 50;
	peer->well_since = NOW - 10000;
	peer->beat.incarnation = 1;
	peer->beat.healthy = true;
	peer->beat.hears = 7 & ~(1u << node);
	for (int i = 0; i < 3; i++) {
		peer->beat.zone[i] = (struct policy_claim){
			.epoch = 7,
			.owner = i,
			.state = OWN,
			.offer = POLICY_NOBODY,
			.ask = POLICY_NOBODY,
		};
	}
}

static void make_well(struct policy *p)
{
	struct policy_conf conf = {
		.self = WE,
		.nodes = 3,
		.zones = 3,
		.home = { 0, 1, 2 },
		.failback = true,
		.interval = INTERVAL,
		.silence = SILENCE,
		.damping = DAMPING,
		.poll = POLL,
		.audit = 60000,
		.sync_patience = 20000,
	};

	policy_init(p, &conf, 5, 0);
	p->now = NOW;
	p->facts = (struct policy_facts){ .healthy = true, .synced = 6 };
	make_peer(p, OWNER);
	make_peer(p, THIRD);
	for (int i = 0; i < 3; i++) {
		struct policy_zone *z = &p->zone[i];

		z->state = i == WE ? OWN : STB;
		z->lease = (struct policy_lease){ .there = true, .owner = i, .epoch = 7 };
		z->since = z->changed = NOW - 2 * DAMPING;
		z->read_begun = NOW - 1000;
		z->read_due = NOW + POLL;
		z->audit_due = NOW + 60000;
	}
	p->peer[OWNER].beat.zone[ZONE].owner = OWNER;
}

static void give_peers(struct policy *p, uint32_t given, bool asked)
{
	struct policy_peer *owner = &p->peer[OWNER], *third = &p->peer[THIRD];
	struct policy_claim *said = &owner->beat.zone[ZONE];

	if (given & SILENT) {
		owner->heard = NOW - SILENCE - (given & YOUNG ? SILENCE : given & QUIET ? 500 : 50);
		owner->probed = NOW;
	}
	if (given & SILENT && !(given & VOUCHED))
		third->beat.hears &= ~(1u << OWNER);
	if (given & YOUNG)
		owner->ever = false;
	if (given & ANSWERS)
		owner->answered = NOW - 100;
	if (given & PROVEN)
		owner->well_since = NOW - DAMPING;
	owner->gone = given & GONE ? NOW - 20 : -1;
	if (asked)
		owner->asked = NOW - 100;
	if (given & OFFERED) {
		said->offer = WE;
		said->reason = POLICY_DRAIN;
	}
	said->state = given & READY ? OWN : MOV;
	if (given & CUT_OFF) {
		third->heard = NOW - 20 * SILENCE;
		third->probed = NOW;
	}
	if (given & UNHEARD)
		third->beat.hears &= ~(1u << WE);
}

static void give_zone(struct policy *p, struct policy_zone *z, uint32_t given)
{
	if (given & OURS)
		z->lease.owner = WE;
	if (given & STRANGE) {
		z->lease.owner = POLICY_STRANGER;
		z->witnessed = NOW - 5000;
	}
	if (given & NOBODYS)
		z->lease = (struct policy_lease){ .owner = POLICY_NOBODY };
	z->lease.held = given & HELD;
	z->lease.reason = given & MANUALLY ? POLICY_MANUAL : given & WAS_STUCK ? POLICY_STUCK : 0;
	if (given & WITNESSED)
		z->witnessed = NOW - 500;
	if (given & TO_US)
		z->wish = WE;
	if (given & TO_THIRD)
		z->wish = THIRD;
	if (given & (TO_US | TO_THIRD))
		z->wish_until = NOW + 10000;
	z->wish_force = given & FORCED;
	if (given & FAILED)
		z->failures = 1;
	if (given & RECENT)
		z->changed = NOW - DAMPING + 1000;
	if (given & RESTING)
		z->rest_due = NOW + 10000;
	if (given & AUDIT)
		z->audit_due = NOW;
	if (given & WAITING)
		z->claim_due = NOW + 500;
	if (given & BUSY) {
		p->zone[0].lease.owner = WE;
		p->zone[1].lease.owner = WE;
	}
}

static void give(struct policy *p, const struct row *row)
{
	struct policy_zone *z = &p->zone[ZONE];

	make_well(p);
	z->state = row->from;
	z->since = NOW - 100;
	if (row->from == SUS)
		z->read_begun = NOW - 100;
	if (row->from == UNK) {
		z->lease = (struct policy_lease){ .owner = POLICY_NOBODY };
		z->read_due = NOW;
	}
	give_peers(p, row->given, row->from == SUS);
	if (row->from != UNK)
		give_zone(p, z, row->given);
	if (row->given & YOUNG)
		p->started = NOW - 2 * SILENCE;
	p->draining = row->given & DRAINS;
	p->draining_since = NOW - (row->given & PATIENT ? 60000 : 100);
	p->facts.healthy = !(row->given & ILL);
	if (row->given & NOT_SYNCED)
		p->facts.synced = 0;
	if (row->kind == POLICY_LEASE && row->from != UNK)
		z->reading = NOW - 5;
}

static uint32_t actions_of(const struct policy_actions *actions)
{
	uint32_t does = 0;

	for (unsigned int i = 0; i < actions->count; i++) {
		if (actions->item[i].zone == ZONE && actions->item[i].kind != POLICY_DO_PROBE)
			does |= 1u << actions->item[i].kind;
	}
	return does;
}

static bool check_row(const struct row *row, const struct policy *p,
		      const struct policy_actions *actions)
{
	const struct policy_zone *z = &p->zone[ZONE];
	uint8_t offer = z->offer == POLICY_NOBODY ? 0 : 1 + z->offer;
	uint32_t does = actions_of(actions);
	bool right = z->state == row->to && does == row->does && offer == row->offer;

	if (offer)
		right &= z->offer_reason == row->reason;
	for (unsigned int i = 0; i < actions->count; i++) {
		if (actions->item[i].kind == POLICY_DO_CLAIM && actions->item[i].zone == ZONE)
			right &= actions->item[i].reason == row->reason;
	}
	if (!right)
		printf("%s: state %s, not %s; actions %#x, not %#x; offer %u, not %u\n", row->name,
		       policy_state_names[z->state], policy_state_names[row->to], does, row->does,
		       offer, row->offer);
	return right;
}

static void every_decision(void **state)
{
	struct policy_actions actions;
	unsigned int wrong = 0;
	struct policy p;

	(void)state;
	for (unsigned int i = 0; i < COUNT_OF(rows); i++) {
		const struct row *row = &rows[i];
		struct policy_event event = {
			.kind = row->kind,
			.zone = ZONE,
			.lease = row->lease,
			.epoch = row->lease.epoch,
		};

		if (!row->lease.there)
			event.lease.owner = POLICY_NOBODY;
		give(&p, row);
		policy_step(&p, &event, NOW, &actions);
		wrong += !check_row(row, &p, &actions);
	}
	assert_int_equal(wrong, 0);
}

/* An operator may ask for a zone before its lease was read; a change of hands ends the wish. */
static void a_wish_waits_for_the_lease(void **state)
{
	const struct row row = {
		"wished before the lease is read", UNK, 0, POLICY_LEASE, OTHERS(7), STB, 0, 0, 0
	};
	struct policy_event event = { .kind = POLICY_TO, .zone = ZONE, .node = WE };
	struct policy_actions actions;
	struct policy p;

	(void)state;
	give(&p, &row);
	policy_step(&p, &event, NOW, &actions);
	event = (struct policy_event){ .kind = POLICY_LEASE, .zone = ZONE, .lease = row.lease };
	policy_step(&p, &event, NOW, &actions);
	assert_int_equal(p.zone[ZONE].wish, WE);
	event.lease = (struct policy_lease)THIRDS(8);
	policy_step(&p, &event, NOW, &actions);
	assert_int_equal(p.zone[ZONE].wish, POLICY_NOBODY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_decision),
		cmocka_unit_test(a_wish_waits_for_the_lease),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
