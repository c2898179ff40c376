/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Who owns which zone: the decisions of one node, as a state machine without
 * I/O and without a clock. (policy, event, now) -> (policy, actions).
 *
 * Every node is home to one zone and stands by for the others. What is owned
 * (the routes and elastic IPs of a zone) is said by a lease, one item a zone in
 * a table outside: {owner, epoch}. It never runs out; who wants a zone writes
 * itself in, on the condition that nothing has changed, and raises the epoch.
 * So at most one node holds an epoch, whatever the nodes believe of each other.
 *
 * Nobody claims a zone only because its owner is silent:
 *   - a node that still hears the owner vouches for it;
 *   - the owner's kernel answers probes when only its agent has died, and then
 *     nothing has to move: the data plane needs no agent;
 *   - an owner that is cut off from its peers, but not from AWS, counts up the
 *     `witness` of its leases, and whoever wants to claim one watches that first.
 */
#ifndef NATXDP_AGENT_HA_POLICY_H
#define NATXDP_AGENT_HA_POLICY_H

#include <stdbool.h>
#include <stdint.h>

enum {
	POLICY_NODES = 8,
	POLICY_ZONES = 8,
	POLICY_NOBODY = 0xff,
	POLICY_STRANGER = 0xfe, /* an owner that is none of the configured nodes */
	POLICY_ACTIONS = 2 * POLICY_NODES + 8 * POLICY_ZONES,
};

/* What a zone is to this node. */
enum policy_state {
	POLICY_UNKNOWN,	 /* its lease was not read yet */
	POLICY_STANDBY,	 /* another's, or nobody's */
	POLICY_SUSPECT,	 /* its owner is silent: looking closer */
	POLICY_CLAIMING, /* the write to the lease is under way */
	POLICY_MOVING,	 /* ours; routes and addresses are being moved here */
	POLICY_OWNER,	 /* ours, and verified */
	POLICY_STATES,
};

/* Why a zone changed hands; the names stand in the lease and in logs. */
enum policy_reason {
	POLICY_NO_REASON,
	POLICY_FIRST,	  /* nobody had it */
	POLICY_FAILOVER,  /* the owner is dead */
	POLICY_UNHEALTHY, /* the owner's data path is broken, its agent says so */
	POLICY_STUCK,	  /* the owner cannot move routes and addresses to itself */
	POLICY_DRAIN,	  /* the owner is to go */
	POLICY_FAILBACK,  /* home again */
	POLICY_MANUAL,	  /* an operator asked for it */
	POLICY_RESTORED,  /* somebody deleted the lease of an owner */
	POLICY_REASONS,
};

extern const char *const policy_state_names[POLICY_STATES];
extern const char *const policy_reason_names[POLICY_REASONS];

/* Times in ms. Nodes and zones have the same numbers on all nodes. */
struct policy_conf {
	uint8_t self, nodes, zones;
	uint8_t home[POLICY_ZONES]; /* node; POLICY_NOBODY: none */
	bool failback;		    /* by itself */
	int64_t interval;	    /* between heartbeats */
	int64_t silence;	    /* after which a peer is suspected */
	int64_t damping;	    /* between moves that are not urgent */
	int64_t poll;		    /* of leases, when all is well */
	int64_t audit;		    /* of what is owned */
	int64_t sync_patience;	    /* of a drain with a peer that is not in sync */
};

/* What a node says of a zone in its heartbeats. */
struct policy_claim {
	uint64_t epoch;
	uint8_t owner;
	uint8_t state;	/* enum policy_state */
	uint8_t offer;	/* the owner asks this node to take the zone; POLICY_NOBODY */
	uint8_t reason; /* enum policy_reason, of the offer */
	uint8_t ask;	/* an operator asked the sender that this node gets the zone */
	uint8_t force;	/* and not to wait for anything */
};

struct policy_beat {
	uint64_t incarnation; /* another one after each start */
	bool healthy;	      /* its data path */
	bool draining;
	uint32_t hears; /* bits by node */
	struct policy_claim zone[POLICY_ZONES];
};

struct policy_lease {
	bool there; /* else all is 0 and owner is POLICY_NOBODY */
	bool held;  /* an operator wants no moves by themselves */
	uint8_t owner;
	uint8_t reason; /* enum policy_reason */
	uint64_t epoch;
	uint64_t witness;
};

enum policy_event_kind {
	POLICY_TICK,	     /* something else may be due: several in an interval */
	POLICY_HEARTBEAT,    /* .node, .beat */
	POLICY_ANSWERED,     /* .node: its kernel answered a probe */
	POLICY_GONE,	     /* .node: AWS says that its instance does not run */
	POLICY_LEASE,	     /* .zone, .lease as read */
	POLICY_LEASE_FAILED, /* .zone: it could not be read */
	POLICY_WON,	     /* .zone, .lease: the claim is written */
	POLICY_LOST,	     /* .zone, .lease: somebody was faster */
	POLICY_UNCERTAIN,    /* .zone: nobody knows whether the claim was written */
	POLICY_MOVED,	     /* .zone, .epoch: routes and addresses are here, verified */
	POLICY_MOVE_FAILED,  /* .zone, .epoch: not within the budget */
	POLICY_FACTS,	     /* .facts */
	POLICY_DRAINING,     /* .on: this node is to go, or not any more */
	POLICY_TO,	     /* .zone, .node, .on: force: an operator's wish */
};

struct policy_facts {
	bool healthy;	 /* the data path of this node */
	uint32_t synced; /* bits by node: it holds all our flows */
};

struct policy_event {
	enum policy_event_kind kind;
	uint8_t zone, node;
	bool on;
	uint64_t epoch;
	const struct policy_beat *beat;
	struct policy_lease lease;
	struct policy_facts facts;
};

enum policy_action_kind {
	POLICY_DO_BEAT,	   /* send heartbeats now */
	POLICY_DO_PROBE,   /* .node: its kernel */
	POLICY_DO_ASK,	   /* .node: does AWS say that it runs? */
	POLICY_DO_READ,	   /* .zone: its lease */
	POLICY_DO_CLAIM,   /* .zone, .lease as it must still be, .reason */
	POLICY_DO_WITNESS, /* .zone, .epoch: count it up */
	POLICY_DO_MOVE,	   /* .zone, .epoch: write first, then verify */
	POLICY_DO_AUDIT,   /* .zone, .epoch: look first, write what is wrong */
	POLICY_DO_STOP,	   /* .zone: no more calls, it is another's */
	POLICY_DO_REST,	   /* .zone: its addresses give no new flows here */
};

struct policy_action {
	enum policy_action_kind kind;
	uint8_t zone, node;
	enum policy_reason reason;
	uint64_t epoch;
	struct policy_lease lease;
};

struct policy_actions {
	unsigned int count;
	struct policy_action item[POLICY_ACTIONS];
};

struct policy_peer {
	bool ever;	    /* heard since we started */
	int64_t heard;	    /* when last */
	int64_t well_since; /* without a pause, healthy, the same incarnation */
	int64_t answered;   /* a probe, when last; -1: never */
	int64_t gone;	    /* AWS said so, when last; -1: never */
	int64_t probed, asked;
	struct policy_beat beat;
};

struct policy_zone {
	enum policy_state state;
	int64_t since;		      /* in this state */
	int64_t began;		      /* suspicion, or offer: what led to the last claim */
	struct policy_lease lease;    /* as last known */
	int64_t changed;	      /* hands, when last; or when we started */
	int64_t reading;	      /* since when a read is under way; -1: none */
	int64_t read_begun;	      /* of the last read that succeeded */
	int64_t read_due, read_again; /* one failed: not before */
	int64_t read_took;	      /* the last one */
	int64_t witnessed;	      /* when the witness was last seen to change, or the owner */
	int64_t witness_due;	      /* ours */
	int64_t claim_due;	      /* not before */
	int64_t move_due;	      /* a try that failed is due again */
	int64_t audit_due;
	int64_t rest_due; /* -1: rests already */
	unsigned int failures;
	/* of an owner */
	uint8_t offer;
	enum policy_reason offer_reason;
	int64_t offered;
	int64_t refused[POLICY_NODES]; /* who did not take it is not asked again before */
	/* of an operator */
	uint8_t wish;
	bool wish_force;
	int64_t wish_until;
};

struct policy {
	struct policy_conf conf;
	int64_t now, started;
	bool draining;
	int64_t draining_since;
	struct policy_facts facts;
	uint64_t incarnation;
	struct policy_peer peer[POLICY_NODES];
	struct policy_zone zone[POLICY_ZONES];
};

void policy_init(struct policy *policy, const struct policy_conf *conf, uint64_t incarnation,
		 int64_t now);

/* @actions is written anew. @now may stand still or go back: then time stands still. */
void policy_step(struct policy *policy, const struct policy_event *event, int64_t now,
		 struct policy_actions *actions);

/* What this node says in its heartbeats. */
void policy_beat(const struct policy *policy, struct policy_beat *beat);

bool policy_owns(const struct policy *policy, unsigned int zone);
bool policy_hears(const struct policy *policy, unsigned int node);

/* Can @node take a zone, as far as we know? */
bool policy_is_fit(const struct policy *policy, unsigned int node);

#endif
