/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "hold.h"

#include <stdlib.h>
#include <string.h>

#include <natxdp/flow.h>

enum {
	ETHERNET_LEN = 14,
	OFFSET_AT = ETHERNET_LEN + 6, /* flags and offset, in the IPv4 header */
	OFFSET_MASK = 0x1fff,
	SIDES = 3,
	/* the first fragment may be handled this long before we hear of the others: 0.5 s */
	FIRST_TICKS_BEFORE = 30,
	DEFER_SHARE = 8, /* of its age */
};

/* Who sends fragments before their first ones, and how much of the room that takes. */
struct sender {
	__be32 addr;
	uint8_t side;
	unsigned int datagrams; /* 0: the slot is free */
	uint32_t cost;
};

struct hold {
	struct hold_counters *counters;
	unsigned int fragments;
	uint32_t cost;
	uint32_t side_cost[SIDES];
	struct sender sender[HOLD_FRAGMENTS];
	struct hold_datagram datagram[HOLD_FRAGMENTS];
};

/* So small ones count by number, and large ones by size. */
static uint32_t cost_of(uint32_t len)
{
	return len > HOLD_FRAGMENT_COST ? len : HOLD_FRAGMENT_COST;
}

static uint8_t side_of(uint8_t side)
{
	return side < SIDES ? side : NATXDP_SIDE_SINGLE;
}

struct hold *hold_new(struct hold_counters *counters)
{
	struct hold *hold = calloc(1, sizeof(*hold));

	if (hold)
		hold->counters = counters;
	return hold;
}

void hold_free(struct hold *hold)
{
	if (!hold)
		return;
	for (unsigned int i = 0; i < HOLD_FRAGMENTS; i++) {
		for (unsigned int j = 0; j < hold->datagram[i].count; j++)
			free(hold->datagram[i].fragment[j].frame);
	}
	free(hold);
}

bool hold_is_empty(const struct hold *hold)
{
	return !hold->fragments;
}

static void charge(struct hold *hold, const struct hold_datagram *datagram, uint32_t cost)
{
	struct sender *sender = &hold->sender[datagram->sender];

	hold->cost += cost;
	hold->side_cost[sender->side] += cost;
	sender->cost += cost;
}

/* Frees the frames; the datagram is still remembered. */
static void empty(struct hold *hold, struct hold_datagram *datagram)
{
	for (unsigned int i = 0; i < datagram->count; i++) {
		charge(hold, datagram, -cost_of(datagram->fragment[i].len));
		free(datagram->fragment[i].frame);
	}
	hold->fragments -= datagram->count;
	datagram->count = 0;
}

static void forget(struct hold *hold, struct hold_datagram *datagram)
{
	empty(hold, datagram);
	hold->sender[datagram->sender].datagrams--;
	datagram->since = 0;
}

static bool is_over(const struct hold_datagram *datagram, uint64_t now)
{
	return now - datagram->since >= HOLD_PATIENCE_MS * HOLD_MS;
}

void hold_expire(struct hold *hold, uint64_t now)
{
	for (unsigned int i = 0; i < HOLD_FRAGMENTS; i++) {
		struct hold_datagram *datagram = &hold->datagram[i];

		if (!datagram->since || !is_over(datagram, now))
			continue;
		hold->counters->given_up += datagram->count;
		forget(hold, datagram);
	}
}

static bool is_older(const struct hold_datagram *datagram, const struct hold_datagram *than)
{
	return !than || datagram->since < than->since;
}

static uint8_t fullest_side(const struct hold *hold)
{
	uint8_t side = 0;

	for (uint8_t i = 1; i < SIDES; i++) {
		if (hold->side_cost[i] > hold->side_cost[side])
			side = i;
	}
	return side;
}

/*
 * The oldest datagram of the sender who takes most, so that a flood pushes out
 * its own. First the side: senders on the outside can be forged, one for each
 * fragment, and must not push out those inside.
 */
static struct hold_datagram *victim(struct hold *hold)
{
	uint8_t side = fullest_side(hold);
	struct hold_datagram *oldest = NULL;
	uint32_t most = 0;

	for (unsigned int i = 0; i < HOLD_FRAGMENTS; i++) {
		const struct sender *sender = &hold->sender[i];

		if (sender->datagrams && sender->side == side && sender->cost > most)
			most = sender->cost;
	}
	for (unsigned int i = 0; i < HOLD_FRAGMENTS; i++) {
		struct hold_datagram *datagram = &hold->datagram[i];
		const struct sender *sender = &hold->sender[datagram->sender];

		if (datagram->count && sender->side == side && sender->cost == most &&
		    is_older(datagram, oldest))
			oldest = datagram;
	}
	return oldest;
}

static void make_room(struct hold *hold, uint32_t cost)
{
	while (hold->cost + cost > HOLD_BYTES) {
		struct hold_datagram *datagram = victim(hold);

		hold->counters->refused += datagram->count;
		forget(hold, datagram);
	}
}

static unsigned int sender_slot(const struct hold *hold, __be32 addr, uint8_t side)
{
	unsigned int unused = 0;

	for (unsigned int i = 0; i < HOLD_FRAGMENTS; i++) {
		const struct sender *sender = &hold->sender[i];

		if (!sender->datagrams)
			unused = i;
		else if (sender->addr == addr && sender->side == side)
			return i;
	}
	return unused;
}

static bool is_key(const struct natxdp_frag_key *key, const struct natxdp_held *held)
{
	return key->saddr == held->saddr && key->daddr == held->daddr && key->id == held->id &&
	       key->proto == held->proto && key->side == held->side;
}

static struct hold_datagram *find(struct hold *hold, const struct natxdp_held *held)
{
	for (unsigned int i = 0; i < HOLD_FRAGMENTS; i++) {
		struct hold_datagram *datagram = &hold->datagram[i];

		if (datagram->since && is_key(&datagram->key, held))
			return datagram;
	}
	return NULL;
}

/* There is room, so at least one slot is free or holds nothing any more. */
static struct hold_datagram *take_slot(struct hold *hold)
{
	struct hold_datagram *oldest = NULL;

	for (unsigned int i = 0; i < HOLD_FRAGMENTS; i++) {
		struct hold_datagram *datagram = &hold->datagram[i];

		if (!datagram->since)
			return datagram;
		if (!datagram->count && is_older(datagram, oldest))
			oldest = datagram;
	}
	forget(hold, oldest);
	return oldest;
}

static struct hold_datagram *begin(struct hold *hold, const struct natxdp_held *held, uint64_t now)
{
	struct hold_datagram *datagram = take_slot(hold);
	uint8_t side = side_of(held->side);
	struct sender *sender;

	memset(datagram, 0, sizeof(*datagram));
	datagram->key.saddr = held->saddr;
	datagram->key.daddr = held->daddr;
	datagram->key.id = held->id;
	datagram->key.proto = held->proto;
	datagram->key.side = held->side;
	datagram->ifindex = held->ifindex;
	datagram->since = now;
	datagram->next = now;
	datagram->sender = sender_slot(hold, held->saddr, side);
	sender = &hold->sender[datagram->sender];
	sender->addr = held->saddr;
	sender->side = side;
	sender->datagrams++;
	return datagram;
}

static uint16_t read_offset(const uint8_t *frame)
{
	return (frame[OFFSET_AT] << 8 | frame[OFFSET_AT + 1]) & OFFSET_MASK;
}

/* Where a fragment belongs, or -1 if there is no place for it. */
static int place_for(const struct hold_datagram *datagram, uint16_t offset, uint32_t len)
{
	unsigned int at = datagram->count;

	if (datagram->count == HOLD_DATAGRAM_FRAGMENTS)
		return -1;
	while (at && datagram->fragment[at - 1].offset > offset)
		at--;
	/* the network has doubled it; any other overlap is left to the data plane */
	if (at && datagram->fragment[at - 1].offset == offset &&
	    datagram->fragment[at - 1].len == len)
		return -1;
	return at;
}

static bool insert(struct hold *hold, struct hold_datagram *datagram, const uint8_t *frame,
		   uint32_t len)
{
	struct hold_fragment fragment = { .len = len, .offset = read_offset(frame) };
	int at = place_for(datagram, fragment.offset, len);

	if (at < 0)
		return false;
	fragment.frame = malloc(len);
	if (!fragment.frame)
		return false;
	memcpy(fragment.frame, frame, len);
	memmove(&datagram->fragment[at + 1], &datagram->fragment[at],
		(datagram->count - at) * sizeof(fragment));
	datagram->fragment[at] = fragment;
	datagram->count++;
	hold->fragments++;
	charge(hold, datagram, cost_of(len));
	return true;
}

void hold_add(struct hold *hold, const struct natxdp_held *held, const void *frame, uint64_t now)
{
	struct hold_datagram *datagram;

	if (held->len < HOLD_FRAME_MIN || held->len > UINT16_MAX) {
		hold->counters->refused++;
		return;
	}
	make_room(hold, cost_of(held->len));
	datagram = find(hold, held);
	if (datagram && is_over(datagram, now)) {
		hold->counters->given_up += datagram->count;
		forget(hold, datagram);
		datagram = NULL;
	}
	if (!datagram)
		datagram = begin(hold, held, now);
	if (!insert(hold, datagram, frame, held->len)) {
		hold->counters->refused++;
		return;
	}
	hold->counters->held++;
	hold->counters->returned += datagram->tries != 0;
}

struct hold_datagram *hold_next(struct hold *hold, struct hold_datagram *after, uint64_t now)
{
	struct hold_datagram *datagram = after ? after + 1 : hold->datagram;

	for (; datagram < hold->datagram + HOLD_FRAGMENTS; datagram++) {
		if (datagram->count && datagram->next <= now)
			return datagram;
	}
	return NULL;
}

bool hold_is_first_known(const struct hold_datagram *datagram, const struct natxdp_frag *first)
{
	uint32_t came = datagram->since >> NATXDP_TICK_SHIFT;

	/* the identifiers of datagrams come round again, and an entry stays for some time */
	return (int32_t)(came - first->tick) <= FIRST_TICKS_BEFORE;
}

void hold_defer(struct hold_datagram *datagram, uint64_t now)
{
	uint64_t pause = (now - datagram->since) / DEFER_SHARE;

	if (pause < HOLD_PACE_MS * HOLD_MS)
		pause = HOLD_PACE_MS * HOLD_MS;
	datagram->next = now + pause;
}

void hold_release(struct hold *hold, struct hold_datagram *datagram, uint64_t now,
		  int (*send)(const struct hold_datagram *datagram,
			      const struct hold_fragment *fragment, void *data),
		  void *data)
{
	for (unsigned int i = 0; i < datagram->count; i++) {
		if (send(datagram, &datagram->fragment[i], data))
			hold->counters->lost++;
		else
			hold->counters->sent_on++;
	}
	empty(hold, datagram);
	datagram->tries++;
	datagram->next = now + (HOLD_PACE_MS * HOLD_MS << datagram->tries);
}
