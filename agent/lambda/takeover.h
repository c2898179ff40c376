/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Whether a zone is to change hands, and whose it is to be: decided from what is known. */
#ifndef NATXDP_LAMBDA_TAKEOVER_H
#define NATXDP_LAMBDA_TAKEOVER_H

#include <stdbool.h>

#include "evidence.h"
#include "fleet.h"
#include "holder.h"

enum wish {
	WISH_FAILOVER, /* an alarm, or a person: away from whoever owns the zone */
	WISH_RESTORE,  /* a person: to the node that is at home in it */
	WISH_TO,       /* a person: to the node named */
};

enum decision {
	DECIDE_NOTHING,	 /* all is well, or nothing can be done: see why */
	DECIDE_COMPLETE, /* the owner is right: put routes and addresses there */
	DECIDE_CLAIM,	 /* make the target the owner, then move */
};

/* What is known of a node. */
struct candidate {
	const struct node *node;
	bool running;
	enum opinion instance; /* EC2's status checks */
	enum opinion target;   /* the load balancer's health check */
	enum opinion reach;    /* its own attempts, just now: see evidence.h */
	unsigned int place;    /* among the names of all nodes, as agents are configured */
	unsigned int load;     /* zones that it owns */
};

struct question {
	const char *zone;
	enum wish wish;
	const char *to;	    /* of WISH_TO; a node */
	bool by_hand;	    /* a person knows better than evidence and damping */
	bool held;	    /* no moves by themselves, says the lease */
	bool witness_moves; /* the owner's agent counts up: it lives, and reaches AWS */
	struct holder holder;
	unsigned int looks;  /* how often the nodes have been asked by now */
	int64_t now;	     /* Unix seconds */
	unsigned int home;   /* place of the node that is at home in the zone; places: none is */
	unsigned int places; /* how many nodes there are to be */
	unsigned int count;
	const struct candidate *candidates;
};

struct ruling {
	enum decision decision;
	const struct node *target; /* whose the zone is, or is to be */
	const char *why;	   /* one sentence, for the log */
	bool again;		   /* it may have to move: look again */
};

/*
 * An alarm alone moves nothing from an owner that EC2 and the load balancer both
 * call well and whose agent lives: the agents see to themselves. Nor from one that
 * reaches its targets by now: the alarm tells of one round of nat-health-probe, and this
 * is the second look. From one that both call well and that has not answered it moves only when
 * three looks have had no answer, for Systems Manager may be slow. A zone moves only to a node that runs and that nobody calls ill; the
 * load balancer's word, which is that of the node's agent, counts less than
 * what the node itself has reached, for this is made for when no agent lives. Of those
 * it goes to the one that the agents would take: agent/ha/heir.h. After a move there is a minute of
 * rest, but for a person.
 */
void takeover_decide(const struct question *question, struct ruling *ruling);

#endif
