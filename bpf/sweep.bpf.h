/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Expiry. One timer looks at the due times of a part of the buckets every few
 * milliseconds and goes on where it stopped; only buckets with something due
 * are opened. It needs no process: while the maps live, it runs.
 */
#ifndef NATXDP_SWEEP_BPF_H
#define NATXDP_SWEEP_BPF_H

#include "count.bpf.h"
#include "hosts.bpf.h"
#include "mapping.bpf.h"
#include "nexthop.bpf.h"
#include "portmap.bpf.h"
#include "record.bpf.h"
#include "table.bpf.h"

#define CLOCK_MONOTONIC 1

enum sweep_pace {
	SWEEP_INTERVAL_NS = 8000000,
	SWEEP_TICKS_PER_PASS = 125, /* so a pass takes a second */
	SWEEP_HURRY_NS = 2000000,   /* while more is due than one tick may open */
	/*
	 * Buckets opened in one tick at most, so that a mass expiry does not hold
	 * up the CPU's packets: at about 1 us each the tick stays below 0.3 ms.
	 */
	SWEEP_BUDGET = 256,
};

/* Is tick a at or after tick b, both within 400 days of each other? */
static __always_inline int tick_reached(__u32 a, __u32 b)
{
	return (__s32)(a - b) >= 0;
}

/* The tick at which a flow is idle for too long, unless more packets come. */
static __always_inline __u32 flow_deadline(const struct natxdp_flow *out,
					   const struct natxdp_flow *in,
					   const struct natxdp_config *cfg)
{
	__u32 seen = out->last_seen, timeout;

	if (tick_reached(in->last_seen, seen))
		seen = in->last_seen;
	timeout = natxdp_state_timeout(
		natxdp_flow_state(out->key.proto, out->flags, in->flags, in->packets != 0));
	/* or clang takes the protocol number for the index where they are equal, unbounded */
	barrier_var(timeout);
	return timeout < NATXDP_TIMEOUTS ? seen + cfg->timeout[timeout] : seen;
}

/* A mapping that nobody holds goes. */
static __always_inline __u32 sweep_mapping(struct natxdp_flow *f, __u32 slot, __u32 now,
					   __u32 timeout)
{
	struct natxdp_flow *peer = flow_peer(f);
	__u32 proto = f->key.proto;

	if (!mapping_close(f)) { /* mapping_let_go() will ask for the sweeper */
		if (peer)
			next_hop_seen(peer->next_hop, now);
		return now + timeout;
	}
	flow_remove(f, slot, now);
	if (peer)
		flow_remove(peer, f->peer, now);
	port_released(f, proto, NATXDP_TENANT_MAPPING);
	return now + NATXDP_GRACE_TICKS;
}

/* A flow was removed: give back what it had besides its two entries. */
static __always_inline void sweep_release(const struct natxdp_flow *out, __u32 slot,
					  const struct natxdp_key *key, __u32 now)
{
	if (out->flags & NATXDP_FLOW_MAPPED)
		mapping_drop(out, key, now);
	else
		port_released(out, key->proto,
			      TUNNEL_FLOWS ? NATXDP_TENANT_OUTSIDE : NATXDP_TENANT_NONE);
	if (out->flags & NATXDP_FLOW_COUNTED)
		host_release(key->saddr);
	if (key->tenant != NATXDP_TENANT_MAPPING) /* else it was a packet that was refused */
		flow_closed(slot, key->proto, key->tenant, now);
}

/* The flow whose outbound entry is @f, at @slot, is over, and perhaps its peer is left. */
static __always_inline void sweep_end(struct natxdp_flow *f, __u32 slot, struct natxdp_flow *peer,
				      const struct natxdp_key *key, __u32 now)
{
	int removed = flow_remove(f, slot, now);

	if (peer)
		flow_remove(peer, f->peer, now);
	if (removed) /* the port is free only when nobody finds the peer any more */
		sweep_release(f, slot, key, now);
}

/* Look at one slot. Returns the tick at which it is due again, 0 for never. */
__noinline __u32 sweep_slot(__u32 slot, __u32 now)
{
	struct natxdp_config *cfg = config_get();
	struct natxdp_flow *f = flow_at(slot), *peer;
	struct natxdp_key key;
	__u32 deadline;

	if (!cfg || !f)
		return 0;
	key = f->key;
	if (key.proto == NATXDP_PROTO_FREE)
		return 0;
	if (key.proto == NATXDP_PROTO_DEAD) {
		if (!tick_reached(now, f->last_seen + NATXDP_GRACE_TICKS))
			return f->last_seen + NATXDP_GRACE_TICKS;
		flow_free(f, &key, slot);
		return 0;
	}
	peer = flow_peer(f);
	if (f->flags & NATXDP_FLOW_INBOUND) {
		/*
		 * Lives and dies with its outbound entry. Alone while that is about to come from
		 * a process, which may wait for its CPU for long; else only after a bug.
		 */
		if (peer || f->peer == NATXDP_SLOT_NONE ||
		    !tick_reached(now, f->first_seen + NATXDP_GRACE_TICKS))
			return now + cfg->timeout[NATXDP_TIMEOUT_TCP_ESTABLISHED];
		flow_remove(f, slot, now);
		return now + NATXDP_GRACE_TICKS;
	}
	if (key.tenant == NATXDP_TENANT_MAPPING && !key.dport)
		return sweep_mapping(f, slot, now, cfg->timeout[NATXDP_TIMEOUT_UDP]);
	deadline = peer ? flow_deadline(f, peer, cfg) : now;
	if (!tick_reached(now, deadline)) {
		next_hop_seen(f->next_hop, now);
		if (peer)
			tunnel_seen(peer, now);
		return deadline;
	}
	sweep_end(f, slot, peer, &key, now);
	return now + NATXDP_GRACE_TICKS;
}

/* Look at every slot of a bucket that is due. */
__noinline int sweep_bucket(__u32 bucket, __u32 now)
{
	__u32 due = 0, next;
	int way;

	for (way = 0; way < NATXDP_WAYS; way++) {
		next = sweep_slot(bucket * NATXDP_WAYS + way, now);
		if (next && (!due || tick_reached(due, next)))
			due = next;
	}
	if (due)
		due_by(bucket, due);
	return 0;
}

/*
 * One group of buckets: their due times are one cache line. Returns how many
 * were due, or -1 past the end of the table.
 */
__noinline int sweep_group(__u32 group, __u32 now)
{
	struct natxdp_due *due;
	__u32 i, tick, opened = 0;

	due = bpf_map_lookup_elem(&flow_due, &group);
	if (!due)
		return -1;
	for (i = 0; i < NATXDP_GROUP_BUCKETS; i++) {
		tick = READ_ONCE(due->tick[i]);
		if (!tick || !tick_reached(now, tick))
			continue;
		/* cleared first: what is inserted meanwhile sets it again */
		WRITE_ONCE(due->tick[i], 0);
		sweep_bucket(group * NATXDP_GROUP_BUCKETS + i, now);
		opened++;
	}
	return opened;
}

/* No room for a key: throw out what has expired there and was not swept yet. */
__noinline int sweep_home(const struct natxdp_key *key, __u32 now)
{
	struct natxdp_home home;
	int choice;

	if (!key)
		return -EINVAL;
	flow_home(key, &home);
	for (choice = 0; choice < NATXDP_CHOICES; choice++)
		sweep_group(home.group[choice], now);
	return 0;
}

struct sweep_walk {
	__u32 group;
	__u32 now;
	__u32 opened;
	__u32 passes;
};

static long sweep_step(__u32 i, struct sweep_walk *walk)
{
	int opened = sweep_group(walk->group, walk->now);

	if (opened < 0) {
		walk->group = 0;
		walk->passes = 1;
		return 1;
	}
	walk->group++;
	walk->opened += opened;
	return walk->opened >= SWEEP_BUDGET;
}

/*
 * A pass is over. A flow that lives was looked at in it, or is due later, and
 * then it was looked at no longer ago than the longest timeout before the
 * pass began. Timeouts that have become shorter count from the next pass but
 * one on: by then user space has made everything due.
 */
static __always_inline void sweep_pass_over(struct sweep *state, __u32 now)
{
	struct natxdp_config *cfg = config_get();
	struct natxdp_next_hop *first = next_hop_at(0);
	__u32 longest = 0, most, unseen_since, i;

	if (!cfg || !first)
		return;
	for (i = 0; i < NATXDP_TIMEOUTS; i++)
		if (cfg->timeout[i] > longest)
			longest = cfg->timeout[i];
	most = longest > state->longest[0] ? longest : state->longest[0];
	most = most > state->longest[1] ? most : state->longest[1];
	/* the data plane's clock is coarse, and may be two ticks behind this one */
	unseen_since = state->began - most - NATXDP_GRACE_TICKS;
	if (state->began)
		WRITE_ONCE(first->seen, unseen_since ? unseen_since : 1);
	state->longest[1] = state->longest[0];
	state->longest[0] = longest;
	state->began = now ? now : 1;
}

static int sweep_tick(void *map, int *key, struct sweep *state)
{
	const struct natxdp_geometry *g = (const void *)&geometry;
	struct sweep_walk walk = {};

	barrier_var(g);
	clock_set();
	walk.group = state->cursor;
	/* not the coarse clock: a timer of a syscall program may not read that */
	walk.now = bpf_ktime_get_ns() >> NATXDP_TICK_SHIFT;
	bpf_loop(g->groups / SWEEP_TICKS_PER_PASS + 1, sweep_step, &walk, 0);
	state->cursor = walk.group;
	count_event(NATXDP_EVENT_SWEEP_PASSES, walk.passes);
	if (walk.passes)
		sweep_pass_over(state, walk.now);
	bpf_timer_start(&state->timer,
			walk.opened < SWEEP_BUDGET ? SWEEP_INTERVAL_NS : SWEEP_HURRY_NS, 0);
	return 0;
}

#endif
