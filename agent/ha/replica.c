/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "replica.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { OF_ONE_RECORD = 4 }; /* a flow, and the mappings that it holds */

struct replica {
	const struct replica_source *source;
	uint64_t *named;    /* one bit for each entry of the table: told of since the copy began */
	uint64_t not_taken; /* slots of which something was refused since the copy began */
	uint64_t evict;	    /* slots of which all is told: what was not named goes */
	uint32_t next;	    /* of that walk */
	unsigned int count;
	struct natxdp_insertion batch[NATXDP_INSERT_BATCH];
	struct replica_counters counters;
};

static size_t words_of(const struct replica *replica)
{
	return (replica->source->table->count + 63) / 64;
}

struct replica *replica_new(const struct replica_source *source)
{
	struct replica *replica = calloc(1, sizeof(*replica));

	if (!replica)
		return NULL;
	replica->source = source;
	replica->named = calloc(words_of(replica), sizeof(uint64_t));
	if (replica->named)
		return replica;
	free(replica);
	return NULL;
}

void replica_free(struct replica *replica)
{
	if (!replica)
		return;
	free(replica->named);
	free(replica);
}

static void begin_copy(struct replica *replica)
{
	memset(replica->named, 0, words_of(replica) * sizeof(uint64_t));
	replica->evict = replica->not_taken = 0;
}

/* Of a slot that was ours while it was told, not all is known: nothing of it is evicted. */
static void end_copy(struct replica *replica, uint64_t slots)
{
	replica->evict = slots & ~replica->not_taken & ~replica->source->own;
	replica->next = 0;
}

static void count_refusal(struct replica *replica, int error)
{
	switch (-error) {
	case ETIME:
		replica->counters.expired++;
		break;
	case ENOSPC:
		replica->counters.full++;
		break;
	default:
		replica->counters.refused++;
	}
}

static void take_result(struct replica *replica, const struct natxdp_insertion *item)
{
	uint32_t slot = item->in.peer; /* where the outbound entry stands now */

	if (item->flags & NATXDP_INSERT_REMOVE) {
		replica->counters.removed += item->result == NATXDP_INSERT_DONE;
		return;
	}
	if (item->result < 0) {
		count_refusal(replica, item->result);
		return;
	}
	if (item->out.key.tenant == NATXDP_TENANT_MAPPING)
		return;
	replica->counters.put++;
	if (slot < replica->source->table->count)
		replica->named[slot / 64] |= 1ull << slot % 64;
}

void replica_flush(struct replica *replica)
{
	const struct replica_source *source = replica->source;
	unsigned int count = replica->count;
	int ret;

	replica->count = 0;
	if (!count)
		return;
	ret = source->insert(source->ctx, replica->batch, count);
	for (unsigned int i = 0; i < count; i++) {
		if (ret)
			count_refusal(replica, ret);
		else
			take_result(replica, &replica->batch[i]);
	}
}

static struct natxdp_insertion *add(struct replica *replica, uint32_t flags)
{
	struct natxdp_insertion *item = &replica->batch[replica->count++];

	memset(item, 0, sizeof(*item));
	item->flags = flags;
	return item;
}

/* The key of the packets of a flow as they leave the inside host. */
static void set_key(const struct replica *replica, const struct wire_flow *flow,
		    struct natxdp_key *key)
{
	bool hairpin = flow->flags & WIRE_HAIRPIN;

	key->saddr = flow->inside;
	key->daddr = hairpin ? replica->source->slot[flow->remote].addr : flow->remote;
	key->sport = flow->inside_port;
	key->dport = flow->remote_port;
	key->proto = flow->proto;
	key->side = replica->source->config->two_armed ? NATXDP_SIDE_INSIDE : NATXDP_SIDE_SINGLE;
}

/* The inbound entry of an outbound one that is complete: what answers carry, and become. */
static void set_reverse(struct natxdp_insertion *item)
{
	const struct natxdp_flow *out = &item->out;
	struct natxdp_flow *in = &item->in;

	natxdp_reverse_key(out, &in->key);
	in->new_saddr = out->key.daddr;
	in->new_daddr = out->key.saddr;
	in->new_sport = out->key.dport;
	in->new_dport = out->key.sport;
	in->flags = NATXDP_FLOW_INBOUND | (out->flags & NATXDP_FLOW_HAIRPIN);
	in->pool = out->pool;
	in->first_seen = out->first_seen;
	in->last_seen = out->last_seen;
}

/* Both ends of an inside end: (@addr, @port) is seen as (@external, @external_port). */
static void add_mapping(struct replica *replica, const struct wire_flow *flow, __be32 addr,
			__be16 port, __be32 remote, unsigned int slot, __be16 external_port)
{
	struct natxdp_insertion *item = add(replica, NATXDP_INSERT_ROUTE);
	struct natxdp_flow *out = &item->out;

	set_key(replica, flow, &out->key);
	out->key.saddr = addr;
	out->key.sport = port;
	out->key.daddr = remote;
	out->key.dport = 0;
	out->key.tenant = NATXDP_TENANT_MAPPING;
	out->new_saddr = replica->source->slot[slot].addr;
	out->pool = replica->source->slot[slot].pool;
	out->new_sport = external_port;
	out->new_daddr = remote;
	out->first_seen = out->last_seen = table_ticks_now();
	set_reverse(item);
}

static bool lets_addresses_in(const struct natxdp_config *config, uint8_t proto)
{
	enum natxdp_class class = proto == IPPROTO_TCP	? NATXDP_CLASS_TCP :
				  proto == IPPROTO_ICMP ? NATXDP_CLASS_ICMP :
							  NATXDP_CLASS_UDP;

	return config->filtering[class] == NATXDP_FILTERING_ADDRESS_DEPENDENT;
}

/* They follow of the flow, and of what this node lets in. */
static void add_mappings(struct replica *replica, const struct wire_record *record)
{
	const struct wire_flow *flow = &record->flow;

	add_mapping(replica, flow, flow->inside, flow->inside_port, 0, flow->slot,
		    flow->external_port);
	if (flow->flags & WIRE_HAIRPIN)
		add_mapping(replica, flow, record->other, record->other_port, 0, flow->remote,
			    flow->remote_port);
	else if (lets_addresses_in(replica->source->config, flow->proto))
		add_mapping(replica, flow, flow->inside, flow->inside_port, flow->remote,
			    flow->slot, flow->external_port);
}

static void set_translation(const struct replica *replica, const struct wire_record *record,
			    struct natxdp_flow *out)
{
	const struct wire_flow *flow = &record->flow;
	bool hairpin = flow->flags & WIRE_HAIRPIN;

	set_key(replica, flow, &out->key);
	out->new_saddr = replica->source->slot[flow->slot].addr;
	out->pool = replica->source->slot[flow->slot].pool;
	out->new_sport = flow->external_port;
	out->new_daddr = hairpin ? record->other : out->key.daddr;
	out->new_dport = hairpin ? record->other_port : out->key.dport;
	out->flags = (flow->flags & WIRE_COUNTED ? NATXDP_FLOW_COUNTED : 0) |
		     (flow->flags & WIRE_MAPPED ? NATXDP_FLOW_MAPPED : 0) |
		     (hairpin ? NATXDP_FLOW_HAIRPIN : 0);
}

static void add_flow(struct replica *replica, const struct wire_record *record)
{
	struct natxdp_insertion *item = add(replica, NATXDP_INSERT_ROUTE | NATXDP_INSERT_REPLACE);
	uint32_t now = table_ticks_now();
	struct natxdp_flow *out = &item->out, *in = &item->in;

	set_translation(replica, record, out);
	out->first_seen = now - record->age;
	out->last_seen = now - record->idle_out;
	out->packets = record->packets_out;
	out->bytes = record->bytes_out;
	set_reverse(item);
	out->flags |= record->seen_out & NATXDP_SEEN_MASK;
	in->flags |= record->seen_in & NATXDP_SEEN_MASK;
	in->last_seen = now - record->idle_in;
	in->packets = record->packets_in;
	in->bytes = record->bytes_in;
}

/* May a peer tell of this slot: is it configured, and not ours? */
static bool is_theirs(const struct replica *replica, unsigned int slot)
{
	const struct replica_source *source = replica->source;

	return source->slot[slot].addr && !(source->own >> slot & 1);
}

void replica_take(struct replica *replica, const struct wire_record *record)
{
	struct natxdp_insertion *item;

	if (record->op > WIRE_REMOVE) {
		replica_flush(replica);
		if (record->op == WIRE_BEGIN)
			begin_copy(replica);
		else if (record->op == WIRE_COMPLETE)
			end_copy(replica, record->slots);
		return;
	}
	if (!is_theirs(replica, record->flow.slot) ||
	    (record->flow.flags & WIRE_HAIRPIN && !is_theirs(replica, record->flow.remote))) {
		replica->not_taken |= 1ull << record->flow.slot;
		replica->counters.not_here++;
		return;
	}
	if (replica->count + OF_ONE_RECORD > NATXDP_INSERT_BATCH)
		replica_flush(replica);
	if (record->op == WIRE_REMOVE) {
		item = add(replica, NATXDP_INSERT_REMOVE);
		set_translation(replica, record, &item->out);
		return;
	}
	if (record->flow.flags & WIRE_MAPPED)
		add_mappings(replica, record);
	add_flow(replica, record);
}

/* The slot of an index into ext_pool; one that is not told of is nobody's. */
static bool is_evicted(const struct replica *replica, const struct flow_view *view)
{
	const struct replica_source *source = replica->source;

	if (flow_view_is_mapping(view) || replica->named[view->slot / 64] >> view->slot % 64 & 1)
		return false;
	for (int slot = 0; slot < WIRE_SLOTS; slot++) {
		if (source->slot[slot].addr && source->slot[slot].pool == view->out.pool)
			return replica->evict >> slot & 1 && !(source->own >> slot & 1);
	}
	return false;
}

void replica_tick(struct replica *replica, uint32_t slots)
{
	const struct table *table = replica->source->table;
	struct flow_view view;

	for (; replica->evict && slots; slots--) {
		if (table_at(table, replica->next, &view) && is_evicted(replica, &view)) {
			if (replica->count == NATXDP_INSERT_BATCH)
				replica_flush(replica);
			add(replica, NATXDP_INSERT_REMOVE)->out = view.out;
			replica->counters.evicted++;
		}
		if (++replica->next == table->count)
			replica->evict = 0;
	}
	replica_flush(replica);
}

const struct replica_counters *replica_counters(const struct replica *replica)
{
	return &replica->counters;
}
