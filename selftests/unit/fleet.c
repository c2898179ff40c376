/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "fleet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TICK_MS = 50, UNREACHABLE_MS = 1500 };

uint32_t fleet_random(struct fleet *f, uint32_t below)
{
	f->random ^= f->random << 13; /* xorshift64 */
	f->random ^= f->random >> 7;
	f->random ^= f->random << 17;
	return below ? (f->random >> 20) % below : 0;
}

static void send(struct fleet *f, unsigned int from, unsigned int to, bool pong,
		 const struct policy_beat *beat)
{
	struct fleet_message *m = &f->message[f->message_count];

	if (f->cut[from][to] || fleet_random(f, 1000) < f->loss ||
	    f->message_count == FLEET_MESSAGES)
		return;
	f->message_count++;
	*m = (struct fleet_message){ f->now + 1 + fleet_random(f, f->delay), from, to, pong, { 0 } };
	if (beat)
		m->beat = *beat;
}

static void beat(struct fleet *f, unsigned int node)
{
	struct policy_beat said;

	policy_beat(&f->node[node].policy, &said);
	for (unsigned int i = 0; i < f->nodes; i++) {
		if (i != node)
			send(f, node, i, false, &said);
	}
}

static void probe(struct fleet *f, unsigned int from, unsigned int to)
{
	if (f->node[to].host && !f->cut[from][to])
		send(f, to, from, true, NULL);
}

static struct fleet_call *call(struct fleet *f, unsigned int node, enum fleet_call_kind kind,
			       const struct policy_action *action)
{
	struct fleet_call *c = &f->call[f->call_count];

	if (f->call_count == FLEET_CALLS)
		abort();
	f->call_count++;
	memset(c, 0, sizeof(*c));
	c->node = node;
	c->kind = kind;
	c->zone = action->zone;
	c->epoch = action->epoch;
	c->lease = action->lease;
	c->reason = action->reason;
	c->incarnation = f->node[node].incarnation;
	c->fails = !f->node[node].aws;
	c->at = f->now + 2 + fleet_random(f, f->api);
	c->answer_at = c->at + 2 + fleet_random(f, f->api);
	if (c->fails)
		c->answer_at = c->at = f->now + UNREACHABLE_MS;
	else if (fleet_random(f, 1000) < f->vague)
		c->answer_at = -1; /* done, and the answer is lost */
	return c;
}

static void move(struct fleet *f, unsigned int node, const struct policy_action *action)
{
	const struct policy_lease *lease = &f->lease[action->zone];
	int64_t last = 0;
	struct fleet_call *c;

	for (int what = 0; what < 2; what++) {
		c = call(f, node, CALL_SET, action);
		c->what = what;
		/* the fence: looked at when the call begins; the call may take effect much later */
		c->fails |= !lease->there || lease->epoch != action->epoch || lease->owner != node;
		f->sets += !c->fails;
		last = c->at > last ? c->at : last;
	}
	c = call(f, node, CALL_VERIFY, action);
	c->at += last - f->now + FLEET_STEP; /* in the same step they would come in any order */
	if (c->answer_at >= 0)
		c->answer_at += last - f->now + FLEET_STEP;
}

static void ask(struct fleet *f, unsigned int node, unsigned int about)
{
	struct policy_event gone = { .kind = POLICY_GONE, .node = about };

	/* what EC2 says of the state of an instance is right, but late */
	if (!f->node[about].host && f->node[node].aws && fleet_random(f, 4) == 0)
		fleet_event(f, node, &gone);
}

static void act(struct fleet *f, unsigned int node, const struct policy_actions *actions)
{
	for (unsigned int i = 0; i < actions->count; i++) {
		const struct policy_action *a = &actions->item[i];

		switch (a->kind) {
		case POLICY_DO_BEAT:
			f->node[node].beat_due = f->now;
			break;
		case POLICY_DO_PROBE:
			probe(f, node, a->node);
			break;
		case POLICY_DO_ASK:
			ask(f, node, a->node);
			break;
		case POLICY_DO_READ:
			call(f, node, CALL_READ, a);
			break;
		case POLICY_DO_CLAIM:
			call(f, node, CALL_CLAIM, a);
			break;
		case POLICY_DO_WITNESS:
			f->witnesses++;
			call(f, node, CALL_WITNESS, a);
			break;
		case POLICY_DO_MOVE:
			move(f, node, a);
			break;
		case POLICY_DO_AUDIT:
			call(f, node, CALL_AUDIT, a);
			break;
		case POLICY_DO_STOP:
		case POLICY_DO_REST:
			break;
		}
	}
}

void fleet_event(struct fleet *f, unsigned int node, const struct policy_event *event)
{
	struct policy_actions actions;

	policy_step(&f->node[node].policy, event, f->now, &actions);
	act(f, node, &actions);
}

/* Was it right to take the zone from its owner? Only if that was not able for a while. */
static void judge(struct fleet *f, const struct fleet_call *c)
{
	const struct policy_lease *before = &f->lease[c->zone];
	const struct fleet_node *owner = &f->node[before->owner % POLICY_NODES];

	if (c->reason != POLICY_FAILOVER || before->owner >= f->nodes)
		return;
	if (owner->able_since >= 0 && f->now - owner->able_since > 20 * FLEET_SILENCE)
		f->needless++;
}

static void claim(struct fleet *f, struct fleet_call *c)
{
	struct policy_lease *lease = &f->lease[c->zone];
	bool as_expected = c->lease.there ? lease->there && lease->epoch == c->lease.epoch &&
						    lease->owner == c->lease.owner :
					    !lease->there;

	c->answer.kind = POLICY_LOST;
	if (as_expected) {
		judge(f, c);
		lease->there = true;
		lease->owner = c->node;
		lease->epoch = c->lease.epoch + 1;
		lease->reason = c->reason;
		f->changes[c->zone]++;
		f->changed[c->zone] = f->now;
		f->claims++;
		c->answer.kind = POLICY_WON;
		if (f->verbose)
			printf("%8lld: node %u has zone %u, epoch %llu, %s\n", (long long)f->now,
			       c->node, c->zone, (unsigned long long)lease->epoch,
			       policy_reason_names[c->reason]);
	}
	c->answer.lease = *lease;
}

static bool holds(const struct fleet *f, unsigned int zone, unsigned int node)
{
	return f->holder[zone][0] == node && f->holder[zone][1] == node;
}

static void apply(struct fleet *f, struct fleet_call *c)
{
	struct policy_lease *lease = &f->lease[c->zone];

	c->applied = true;
	c->answer.zone = c->zone;
	c->answer.epoch = c->epoch;
	switch (c->kind) {
	case CALL_READ:
		c->answer.kind = c->fails ? POLICY_LEASE_FAILED : POLICY_LEASE;
		c->answer.lease = *lease;
		break;
	case CALL_CLAIM:
		c->answer.kind = POLICY_UNCERTAIN;
		if (!c->fails)
			claim(f, c);
		break;
	case CALL_WITNESS:
		if (!c->fails && lease->there && lease->epoch == c->epoch &&
		    lease->owner == c->node)
			lease->witness++;
		break;
	case CALL_SET:
		if (!c->fails)
			f->holder[c->zone][c->what] = c->node;
		break;
	case CALL_VERIFY:
	case CALL_AUDIT:
		c->answer.kind = !c->fails && holds(f, c->zone, c->node) ? POLICY_MOVED :
									   POLICY_MOVE_FAILED;
		break;
	}
}

/* The client gives up at some time, and says that it does not know. */
static void lose_answer(struct fleet *f, struct fleet_call *c)
{
	c->answer_at = f->now + UNREACHABLE_MS;
	if (c->kind == CALL_CLAIM)
		c->answer.kind = POLICY_UNCERTAIN;
	else if (c->kind == CALL_READ)
		c->answer.kind = POLICY_LEASE_FAILED;
	else
		c->answer.kind = POLICY_MOVE_FAILED;
}

static bool is_running(const struct fleet *f, unsigned int node)
{
	return f->node[node].agent && f->now >= f->node[node].stopped_until;
}

static void answer(struct fleet *f, const struct fleet_call *c)
{
	struct policy_action again = { .zone = c->zone, .epoch = c->epoch };

	if (c->kind == CALL_SET || c->kind == CALL_WITNESS)
		return;
	if (c->kind == CALL_AUDIT && c->answer.kind == POLICY_MOVE_FAILED && !c->fails)
		move(f, c->node, &again);
	else
		fleet_event(f, c->node, &c->answer);
}

static void run_calls(struct fleet *f)
{
	for (unsigned int i = 0; i < f->call_count;) {
		struct fleet_call c;

		if (!f->call[i].applied && f->now >= f->call[i].at) {
			apply(f, &f->call[i]);
			if (f->call[i].answer_at < 0)
				lose_answer(f, &f->call[i]);
		}
		c = f->call[i];
		if (!c.applied || f->now < c.answer_at) {
			i++;
			continue;
		}
		if (f->node[c.node].incarnation == c.incarnation && f->node[c.node].agent &&
		    !is_running(f, c.node)) {
			i++; /* it stays in the socket */
			continue;
		}
		f->call[i] = f->call[--f->call_count];
		if (f->node[c.node].incarnation == c.incarnation && f->node[c.node].agent)
			answer(f, &c);
	}
}

static void run_messages(struct fleet *f)
{
	for (unsigned int i = 0; i < f->message_count;) {
		struct fleet_message m = f->message[i];
		struct policy_event event = { .node = m.from, .beat = &m.beat };

		if (f->now < m.at) {
			i++;
			continue;
		}
		f->message[i] = f->message[--f->message_count];
		event.kind = m.pong ? POLICY_ANSWERED : POLICY_HEARTBEAT;
		if (is_running(f, m.to))
			fleet_event(f, m.to, &event);
	}
}

static void run_node(struct fleet *f, unsigned int i)
{
	struct policy_event facts = { .kind = POLICY_FACTS };
	struct policy_event draining = { .kind = POLICY_DRAINING };
	struct fleet_node *n = &f->node[i];

	if (!n->agent || !n->aws || n->ill || n->draining || !n->host || f->now < n->stopped_until)
		n->able_since = -1;
	else if (n->able_since < 0)
		n->able_since = f->now;
	if (!is_running(f, i))
		return;
	if (f->now >= n->tick_due) {
		n->tick_due = f->now + TICK_MS;
		facts.facts.healthy = !n->ill;
		for (unsigned int j = 0; j < f->nodes; j++)
			facts.facts.synced |= (uint32_t)(j != i && f->node[j].agent) << j;
		fleet_event(f, i, &facts);
		draining.on = n->draining;
		fleet_event(f, i, &draining);
	}
	if (f->now >= n->beat_due) {
		n->beat_due = f->now + FLEET_INTERVAL;
		beat(f, i);
	}
}

void fleet_run(struct fleet *f, int64_t ms)
{
	int64_t end = f->now + ms;

	for (; f->now < end; f->now += FLEET_STEP) {
		run_calls(f);
		run_messages(f);
		for (unsigned int i = 0; i < f->nodes; i++)
			run_node(f, i);
	}
}

void fleet_start(struct fleet *f, unsigned int i)
{
	struct fleet_node *n = &f->node[i];
	struct policy_conf conf = {
		.self = i,
		.nodes = f->nodes,
		.zones = f->nodes,
		.failback = true,
		.interval = FLEET_INTERVAL,
		.silence = FLEET_SILENCE,
		.damping = FLEET_DAMPING,
		.poll = 5000,
		.audit = 20000,
		.sync_patience = 5000,
	};

	for (unsigned int z = 0; z < f->nodes; z++)
		conf.home[z] = z;
	n->host = true;
	if (n->agent)
		return;
	n->agent = true;
	n->incarnation++;
	n->stopped_until = n->beat_due = n->tick_due = f->now;
	policy_init(&n->policy, &conf, n->incarnation, f->now);
}

void fleet_kill_agent(struct fleet *f, unsigned int i)
{
	f->node[i].agent = false;
}

void fleet_crash(struct fleet *f, unsigned int i)
{
	f->node[i].agent = f->node[i].host = false;
}

void fleet_isolate(struct fleet *f, unsigned int node, bool cut)
{
	for (unsigned int i = 0; i < f->nodes; i++)
		f->cut[i][node] = f->cut[node][i] = cut;
}

void fleet_init(struct fleet *f, unsigned int nodes, uint64_t seed)
{
	memset(f, 0, sizeof(*f));
	f->random = seed * 0x9e3779b97f4a7c15ull + 1;
	f->nodes = nodes;
	f->now = 1000;
	f->delay = 5;
	f->api = 30;
	memset(f->holder, POLICY_NOBODY, sizeof(f->holder));
	for (unsigned int i = 0; i < POLICY_ZONES; i++)
		f->lease[i].owner = POLICY_NOBODY;
	for (unsigned int i = 0; i < nodes; i++) {
		f->node[i].aws = true;
		fleet_start(f, i);
	}
}

bool fleet_is_well(const struct fleet *f)
{
	for (unsigned int z = 0; z < f->nodes; z++) {
		const struct policy_lease *lease = &f->lease[z];

		if (!lease->there || lease->owner >= f->nodes || !holds(f, z, lease->owner) ||
		    !f->node[lease->owner].host || f->node[lease->owner].ill ||
		    f->node[lease->owner].draining)
			return false;
	}
	return true;
}
