/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "shadow.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum {
	YOUNG = 32768, /* flows that wait for another look; more than that wait for the walk */
	YOUNG_LOOKS = 2,
	/* a flow is told of again when it has lived for this part of its timeout */
	REFRESH_PART = 4,
};

static const int64_t young_ms[YOUNG_LOOKS] = { 250, 1000 };

/* One flow that the peer knows. */
struct told {
	__be32 inside, remote;
	__be16 inside_port, remote_port, external_port;
	uint8_t proto; /* 0: none */
	uint8_t slot;
	uint8_t flags; /* enum wire_flags, and told_flags */
	uint8_t seen;  /* as on the wire */
	uint16_t reserved;
	uint32_t last_seen;
};

_Static_assert(sizeof(struct told) == 24, "one for each entry of the table");

enum told_flags { TOLD_REPLIED = 1 << 7 };

struct young {
	uint32_t slot;
	int64_t due;
};

struct queue {
	struct young item[YOUNG];
	uint32_t first, count;
};

struct shadow {
	const struct shadow_source *source;
	uint32_t words; /* of tags */
	uint64_t *tags; /* as they were when we looked */
	struct told *told;
	uint32_t known;
	uint32_t scan, walk; /* where they go on */
	struct queue young[YOUNG_LOOKS];
};

static void *large(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

static size_t told_size(const struct shadow *shadow)
{
	return (size_t)shadow->source->table->count * sizeof(struct told);
}

static size_t tags_size(const struct shadow *shadow)
{
	return (size_t)shadow->words * sizeof(uint64_t);
}

struct shadow *shadow_new(const struct shadow_source *source)
{
	struct shadow *shadow = calloc(1, sizeof(*shadow));

	if (!shadow)
		return NULL;
	shadow->source = source;
	shadow->words = source->table->count / NATXDP_WAYS;
	shadow->tags = large(tags_size(shadow));
	shadow->told = large(told_size(shadow));
	if (shadow->tags && shadow->told)
		return shadow;
	shadow_free(shadow);
	return NULL;
}

void shadow_free(struct shadow *shadow)
{
	if (!shadow)
		return;
	if (shadow->tags)
		munmap(shadow->tags, tags_size(shadow));
	if (shadow->told)
		munmap(shadow->told, told_size(shadow));
	free(shadow);
}

/* Private anonymous memory is zero again after that. */
void shadow_forget(struct shadow *shadow)
{
	madvise(shadow->tags, tags_size(shadow), MADV_DONTNEED);
	madvise(shadow->told, told_size(shadow), MADV_DONTNEED);
	for (int i = 0; i < YOUNG_LOOKS; i++)
		shadow->young[i].count = 0;
	shadow->known = shadow->scan = shadow->walk = 0;
}

void shadow_moved(struct shadow *shadow)
{
	madvise(shadow->tags, tags_size(shadow), MADV_DONTNEED);
	shadow->scan = 0;
}

static void come_back(struct shadow *shadow, int look, uint32_t slot, int64_t now)
{
	struct queue *queue = &shadow->young[look];
	struct young *young = &queue->item[(queue->first + queue->count) % YOUNG];

	if (queue->count == YOUNG)
		return;
	queue->count++;
	young->slot = slot;
	young->due = now + young_ms[look];
}

static uint8_t wire_flags_of(const struct natxdp_flow *out)
{
	return (out->flags & NATXDP_FLOW_COUNTED ? WIRE_COUNTED : 0) |
	       (out->flags & NATXDP_FLOW_MAPPED ? WIRE_MAPPED : 0) |
	       (out->flags & NATXDP_FLOW_HAIRPIN ? WIRE_HAIRPIN : 0);
}

/* The slot of an external address that is ours, or SHADOW_NO_SLOT. */
static uint8_t slot_of(const struct shadow *shadow, const struct natxdp_flow *mapping_end)
{
	return mapping_end->pool < NATXDP_POOL_MAX ? shadow->source->slot[mapping_end->pool] :
						     SHADOW_NO_SLOT;
}

enum look { LOOK_NOTHING, LOOK_FLOW, LOOK_AGAIN };

/*
 * What stands at a slot that has a tag. An entry without a key is in the
 * making, and one that changes while it is read is looked at again.
 */
static enum look look_at(const struct shadow *shadow, uint32_t slot, struct flow_view *view)
{
	const struct table *table = shadow->source->table;
	const volatile struct natxdp_flow *entry = &table->entries[slot];
	uint8_t proto = entry->key.proto;

	if (proto == NATXDP_PROTO_FREE)
		return LOOK_AGAIN;
	if (proto == NATXDP_PROTO_DEAD || entry->flags & NATXDP_FLOW_INBOUND)
		return LOOK_NOTHING;
	if (!table_at(table, slot, view))
		return entry->key.tenant == NATXDP_TENANT_ENDED ? LOOK_NOTHING : LOOK_AGAIN;
	if (flow_view_is_mapping(view) || !view->in.key.proto)
		return LOOK_NOTHING;
	return slot_of(shadow, &view->out) == SHADOW_NO_SLOT ? LOOK_NOTHING : LOOK_FLOW;
}

static uint32_t last_seen(const struct flow_view *view)
{
	return (int32_t)(view->in.last_seen - view->out.last_seen) > 0 ? view->in.last_seen :
									 view->out.last_seen;
}

static struct told told_of(const struct shadow *shadow, const struct flow_view *view)
{
	const struct natxdp_flow *out = &view->out;
	struct told told = {
		.inside = out->key.saddr,
		.remote = out->key.daddr,
		.inside_port = out->key.sport,
		.remote_port = out->key.dport,
		.external_port = out->new_sport,
		.proto = out->key.proto,
		.slot = slot_of(shadow, out),
		.flags = wire_flags_of(out) | (view->in.packets ? TOLD_REPLIED : 0),
		.seen = (out->flags & NATXDP_SEEN_MASK) << 4 | (view->in.flags & NATXDP_SEEN_MASK),
		.last_seen = last_seen(view),
	};

	return told;
}

static bool is_same_flow(const struct told *a, const struct told *b)
{
	return a->inside == b->inside && a->remote == b->remote &&
	       a->inside_port == b->inside_port && a->remote_port == b->remote_port &&
	       a->external_port == b->external_port && a->proto == b->proto && a->slot == b->slot &&
	       ((a->flags ^ b->flags) & WIRE_FLAGS) == 0;
}

static bool is_worth_telling(const struct shadow *shadow, const struct told *old,
			     const struct told *new, const struct flow_view *view)
{
	uint32_t timeout =
		shadow->source->config->timeout[natxdp_state_timeout(flow_view_state(view))];

	return old->seen != new->seen || old->flags != new->flags ||
	       new->last_seen - old->last_seen > timeout / REFRESH_PART;
}

/* In a hairpin flow the remote end is one of our own external addresses. */
static uint32_t remote_slot(const struct shadow *shadow, __be32 remote)
{
	const struct shadow_source *source = shadow->source;

	for (int i = 0; i < NATXDP_POOL_MAX; i++) {
		if (source->slot[i] != SHADOW_NO_SLOT && source->addr[i] == remote)
			return source->slot[i];
	}
	return SHADOW_NO_SLOT;
}

static bool flow_of(const struct shadow *shadow, const struct told *told, struct wire_flow *flow)
{
	flow->proto = told->proto;
	flow->slot = told->slot;
	flow->flags = told->flags & WIRE_FLAGS;
	flow->inside = told->inside;
	flow->inside_port = told->inside_port;
	flow->remote = told->remote;
	flow->remote_port = told->remote_port;
	flow->external_port = told->external_port;
	if (flow->flags & WIRE_HAIRPIN)
		flow->remote = remote_slot(shadow, told->remote);
	return !(flow->flags & WIRE_HAIRPIN) || flow->remote < WIRE_SLOTS;
}

static uint32_t age(uint32_t now, uint32_t tick)
{
	return (int32_t)(now - tick) > 0 ? now - tick : 0;
}

static void put(const struct shadow *shadow, struct stream *stream, const struct told *told,
		const struct flow_view *view, int64_t now)
{
	const struct natxdp_flow *out = &view->out, *in = &view->in;
	uint32_t tick = table_ticks_now();
	struct wire_record record = {
		.op = WIRE_PUT,
		.other = out->new_daddr,
		.other_port = out->new_dport,
		.seen_out = told->seen >> 4,
		.seen_in = told->seen & 0xf,
		.age = age(tick, out->first_seen),
		.idle_out = age(tick, out->last_seen),
		.idle_in = age(tick, in->last_seen),
		.packets_out = out->packets,
		.bytes_out = out->bytes,
		.packets_in = in->packets,
		.bytes_in = in->bytes,
	};

	if (flow_of(shadow, told, &record.flow))
		stream_put(stream, &record, now);
}

/* What is known at @slot is gone. If only the slot of its address has moved, it is not over. */
static void forget_one(struct shadow *shadow, struct stream *stream, uint32_t slot, int64_t now)
{
	struct told *told = &shadow->told[slot];
	struct wire_record record = { .op = WIRE_REMOVE };
	bool ours = false;

	for (int i = 0; i < NATXDP_POOL_MAX; i++)
		ours |= shadow->source->slot[i] == told->slot;
	if (ours && flow_of(shadow, told, &record.flow))
		stream_put(stream, &record, now);
	memset(told, 0, sizeof(*told));
	shadow->known--;
}

static bool is_young(const struct flow_view *view)
{
	switch (flow_view_state(view)) {
	case NATXDP_STATE_TCP_OPENING:
	case NATXDP_STATE_UDP_NEW:
	case NATXDP_STATE_ICMP_NEW:
		return true;
	default:
		return false;
	}
}

/*
 * Tells the difference between what stands at @slot and what was told; two records at
 * most. False if there was nothing to be seen yet.
 */
static bool examine(struct shadow *shadow, struct stream *stream, uint32_t slot, bool tagged,
		    int look, int64_t now)
{
	struct told *told = &shadow->told[slot], new = { 0 };
	struct flow_view view;
	enum look what = tagged ? look_at(shadow, slot, &view) : LOOK_NOTHING;

	if (what == LOOK_FLOW)
		new = told_of(shadow, &view);
	if (told->proto && (what == LOOK_NOTHING || !is_same_flow(told, &new)) && what < LOOK_AGAIN)
		forget_one(shadow, stream, slot, now);
	if (what != LOOK_FLOW)
		return what == LOOK_NOTHING;
	if (!told->proto || is_worth_telling(shadow, told, &new, &view)) {
		put(shadow, stream, &new, &view, now);
		shadow->known += !told->proto;
		*told = new;
	}
	if (look < YOUNG_LOOKS && is_young(&view))
		come_back(shadow, look, slot, now);
	return true;
}

static uint64_t tags_at(const struct shadow *shadow, uint32_t word)
{
	const uint64_t *tags = (const uint64_t *)shadow->source->tags;

	return __atomic_load_n(&tags[word], __ATOMIC_ACQUIRE);
}

/* The entries of one word whose tags differ. False if @stream is full. */
static bool scan_word(struct shadow *shadow, struct stream *stream, uint32_t word, uint64_t tags,
		      int64_t now)
{
	uint64_t *seen = &shadow->tags[word];

	for (int way = 0; way < NATXDP_WAYS; way++) {
		uint64_t mask = 0xffull << way * 8;

		if (!((tags ^ *seen) & mask))
			continue;
		if (!stream_has_room(stream, 2))
			return false;
		/* what is in the making differs until it is made */
		if (examine(shadow, stream, word * NATXDP_WAYS + way, tags & mask, 0, now))
			*seen = (*seen & ~mask) | (tags & mask);
	}
	return true;
}

bool shadow_scan(struct shadow *shadow, struct stream *stream, unsigned int most, int64_t now)
{
	uint64_t end = stream_put_count(stream) + most, tags;

	for (; shadow->scan < shadow->words; shadow->scan++) {
		tags = tags_at(shadow, shadow->scan);
		if (tags == shadow->tags[shadow->scan])
			continue;
		if (stream_put_count(stream) >= end ||
		    !scan_word(shadow, stream, shadow->scan, tags, now))
			return false;
	}
	shadow->scan = 0;
	return true;
}

static void look_again(struct shadow *shadow, struct stream *stream, int look, int64_t now)
{
	struct queue *queue = &shadow->young[look];

	while (queue->count && queue->item[queue->first].due <= now && stream_has_room(stream, 2)) {
		uint32_t slot = queue->item[queue->first].slot;

		queue->first = (queue->first + 1) % YOUNG;
		queue->count--;
		if (shadow->told[slot].proto)
			examine(shadow, stream, slot, true, look + 1, now);
	}
}

void shadow_walk(struct shadow *shadow, struct stream *stream, uint32_t slots, int64_t now)
{
	const uint8_t *tags = (const uint8_t *)shadow->tags;
	uint32_t count = shadow->source->table->count;

	for (int look = 0; look < YOUNG_LOOKS; look++)
		look_again(shadow, stream, look, now);
	for (; slots && stream_has_room(stream, 2); slots--) {
		/* by the tags as they were told: what is new to those is the scan's */
		if (tags[shadow->walk])
			examine(shadow, stream, shadow->walk, true, YOUNG_LOOKS, now);
		if (++shadow->walk == count)
			shadow->walk = 0;
	}
}

uint32_t shadow_known(const struct shadow *shadow)
{
	return shadow->known;
}

uint32_t shadow_behind(const struct shadow *shadow)
{
	uint32_t entries = 0;

	for (uint32_t word = 0; word < shadow->words; word++) {
		uint64_t differ = tags_at(shadow, word) ^ shadow->tags[word];

		for (; differ; differ >>= 8)
			entries += (differ & 0xff) != 0;
	}
	return (entries + 1) / 2; /* a flow has two */
}
