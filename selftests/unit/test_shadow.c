/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What a peer is told of a table that changes under it: a small table is
 * changed at random, and a mirror that does only what the records say has to be alike.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ha/shadow.h"
#include "unit.h"

enum {
	GROUPS = 4,
	SLOTS = GROUPS * NATXDP_GROUP_SLOTS,
	PAIRS = SLOTS / 2,
	MIRROR = 4096,
};

struct world {
	struct natxdp_flow entries[SLOTS];
	struct natxdp_tags tags[GROUPS];
	struct table table;
	struct natxdp_config config;
	struct shadow_source source;
	struct shadow *shadow;
	struct stream *stream, *peer;
	int64_t now;
	bool cut;
	struct wire_record mirror[MIRROR];
	unsigned int told, puts, removes;
};

static bool is_same(const struct wire_flow *a, const struct wire_flow *b)
{
	return a->proto == b->proto && a->slot == b->slot && a->inside == b->inside &&
	       a->inside_port == b->inside_port && a->remote == b->remote &&
	       a->remote_port == b->remote_port && a->external_port == b->external_port;
}

static int mirror_find(const struct world *world, const struct wire_flow *flow)
{
	for (unsigned int i = 0; i < world->told; i++) {
		if (is_same(&world->mirror[i].flow, flow))
			return i;
	}
	return -1;
}

static void mirror_take(void *ctx, const struct wire_record *record)
{
	struct world *world = ctx;
	int at = mirror_find(world, &record->flow);

	if (record->op == WIRE_PUT) {
		world->puts++;
		if (at < 0)
			at = world->told++;
		assert_true(world->told < MIRROR);
		world->mirror[at] = *record;
	} else {
		assert_int_equal(record->op, WIRE_REMOVE);
		world->removes++;
		assert_true(at >= 0); /* nothing is taken back that was not told */
		world->mirror[at] = world->mirror[--world->told];
	}
}

static int to_peer(void *ctx, const void *data, size_t len)
{
	struct world *world = ctx;

	if (!world->cut)
		stream_take(world->peer, data, len, world->now);
	return 0;
}

static int to_us(void *ctx, const void *data, size_t len)
{
	struct world *world = ctx;

	stream_take(world->stream, data, len, world->now);
	return 0;
}

static struct world *world_open(void)
{
	struct world *world = calloc(1, sizeof(*world));

	world->table.entries = world->entries;
	world->table.count = SLOTS;
	for (int i = 0; i < NATXDP_TIMEOUTS; i++)
		world->config.timeout[i] = 4000;
	world->source.table = &world->table;
	world->source.tags = world->tags;
	world->source.config = &world->config;
	memset(world->source.slot, SHADOW_NO_SLOT, sizeof(world->source.slot));
	world->source.slot[3] = 7;
	world->source.addr[3] = 0x01020304;
	world->shadow = shadow_new(&world->source);
	world->stream = stream_new(to_peer, mirror_take, world);
	world->peer = stream_new(to_us, mirror_take, world);
	return world;
}

static void world_close(struct world *world)
{
	shadow_free(world->shadow);
	stream_free(world->stream);
	stream_free(world->peer);
	free(world);
}

static void set_tag(struct world *world, uint32_t slot, uint8_t tag)
{
	((uint8_t *)world->tags)[slot] = tag;
}

/* Pair @n stands at slots n and n + PAIRS. @id makes it another flow. */
static void open_flow(struct world *world, uint32_t n, uint32_t id, uint8_t pool)
{
	struct natxdp_flow *out = &world->entries[n], *in = &world->entries[n + PAIRS];

	memset(out, 0, sizeof(*out));
	memset(in, 0, sizeof(*in));
	out->key.saddr = id;
	out->key.daddr = 0xc0a80101;
	out->key.sport = id;
	out->key.dport = 80;
	out->key.proto = IPPROTO_TCP;
	out->new_saddr = 0x01020304;
	out->new_daddr = out->key.daddr;
	out->new_sport = id >> 3;
	out->new_dport = 80;
	out->flags = NATXDP_SEEN_SYN | NATXDP_SEEN_ACK;
	out->peer = n + PAIRS;
	out->pool = pool;
	out->packets = id;
	out->first_seen = out->last_seen = table_ticks_now();
	natxdp_reverse_key(out, &in->key);
	in->new_saddr = out->key.daddr;
	in->new_daddr = out->key.saddr;
	in->new_sport = 80;
	in->new_dport = out->key.sport;
	in->flags = NATXDP_FLOW_INBOUND | NATXDP_SEEN_SYN | NATXDP_SEEN_ACK;
	in->packets = 1;
	in->peer = n;
	in->pool = pool;
	set_tag(world, n, 1 + id % 255);
	set_tag(world, n + PAIRS, 1 + id % 255);
}

static void close_flow(struct world *world, uint32_t n, bool freed)
{
	uint8_t mark = freed ? NATXDP_PROTO_FREE : NATXDP_PROTO_DEAD;

	world->entries[n].key.proto = world->entries[n + PAIRS].key.proto = mark;
	if (!freed)
		return;
	set_tag(world, n, 0);
	set_tag(world, n + PAIRS, 0);
}

static void settle(struct world *world, bool walk)
{
	for (int i = 0; i < 100000; i++) {
		world->now += 10;
		if (shadow_scan(world->shadow, world->stream, 1000, world->now))
			break;
		stream_flush(world->stream, world->now);
		stream_tick(world->peer, world->now);
		stream_tick(world->stream, world->now);
	}
	if (walk)
		shadow_walk(world->shadow, world->stream, SLOTS, world->now);
	stream_flush(world->stream, world->now);
	stream_tick(world->peer, world->now);
}

static void assert_mirrored(struct world *world)
{
	unsigned int flows = 0;

	for (uint32_t n = 0; n < PAIRS; n++) {
		const struct natxdp_flow *out = &world->entries[n];
		struct wire_flow flow = { .proto = out->key.proto,
					  .slot = 7,
					  .inside = out->key.saddr,
					  .inside_port = out->key.sport,
					  .remote = out->key.daddr,
					  .remote_port = out->key.dport,
					  .external_port = out->new_sport };

		if (out->key.proto != IPPROTO_TCP || out->pool != 3)
			continue;
		flows++;
		assert_true(mirror_find(world, &flow) >= 0);
	}
	assert_int_equal(world->told, flows);
	assert_int_equal(shadow_known(world->shadow), flows);
}

static void a_table_that_changes_is_mirrored(void **state)
{
	(void)state;
	for (int seed = 1; seed <= 20; seed++) {
		struct world *world = world_open();

		srand(seed);
		for (int round = 0; round < 100; round++) {
			for (int change = rand() % 60; change; change--) {
				uint32_t n = rand() % PAIRS;

				switch (rand() % 4) {
				case 0: /* a slot may change hands between two looks */
				case 1:
					open_flow(world, n, rand(), rand() % 4 ? 3 : 2);
					break;
				case 2:
					close_flow(world, n, true);
					break;
				case 3:
					close_flow(world, n, false);
					break;
				}
			}
			settle(world, round % 10 == 9);
			if (round % 10 == 9) /* what is DEAD, the walk sees */
				assert_mirrored(world);
		}
		world_close(world);
	}
}

/* The same tag, another flow: the scan cannot see it, the walk does. */
static void a_slot_that_changes_hands_unseen(void **state)
{
	struct world *world = world_open();

	(void)state;
	open_flow(world, 5, 255, 3);
	settle(world, false);
	assert_mirrored(world);
	open_flow(world, 5, 510, 3);
	settle(world, true);
	assert_mirrored(world);
	assert_int_equal(world->removes, 1);
	world_close(world);
}

/* An entry whose tag is set and whose key is not written yet. */
static void what_is_in_the_making_is_looked_at_again(void **state)
{
	struct world *world = world_open();

	(void)state;
	open_flow(world, 9, 77, 3);
	world->entries[9].key.proto = NATXDP_PROTO_FREE;
	settle(world, true);
	assert_int_equal(world->told, 0);
	assert_true(shadow_behind(world->shadow) > 0);
	world->entries[9].key.proto = IPPROTO_TCP;
	settle(world, false);
	assert_mirrored(world);
	assert_int_equal(shadow_behind(world->shadow), 0);
	world_close(world);
}

static void quiet_flows_are_told_once(void **state)
{
	struct world *world = world_open();

	(void)state;
	for (uint32_t n = 0; n < 200; n++)
		open_flow(world, n, 1000 + n, 3);
	settle(world, true);
	for (int i = 0; i < 10; i++)
		settle(world, true);
	assert_int_equal(world->puts, 200);
	/* packets that come do not matter until a quarter of the time-out has gone */
	world->entries[0].last_seen += world->config.timeout[0] / 4;
	settle(world, true);
	assert_int_equal(world->puts, 200);
	world->entries[0].last_seen++;
	settle(world, true);
	assert_int_equal(world->puts, 201);
	/* but a FIN does */
	world->entries[1].flags |= NATXDP_SEEN_FIN;
	settle(world, true);
	assert_int_equal(world->puts, 202);
	assert_mirrored(world);
	world_close(world);
}

static void a_young_flow_is_looked_at_again(void **state)
{
	struct world *world = world_open();

	(void)state;
	open_flow(world, 3, 30, 3);
	world->entries[3].flags = NATXDP_SEEN_SYN;
	world->entries[3 + PAIRS].flags = NATXDP_FLOW_INBOUND;
	settle(world, false);
	assert_int_equal(world->mirror[0].seen_out, NATXDP_SEEN_SYN);
	world->entries[3].flags = NATXDP_SEEN_SYN | NATXDP_SEEN_ACK;
	world->now += 300;
	shadow_walk(world->shadow, world->stream, 0, world->now);
	settle(world, false);
	assert_int_equal(world->puts, 2);
	assert_int_equal(world->mirror[0].seen_out, NATXDP_SEEN_SYN | NATXDP_SEEN_ACK);
	world_close(world);
}

/* A slot that is lost is not told to be over; one that is won is told. */
static void slots_change_hands(void **state)
{
	struct world *world = world_open();

	(void)state;
	for (uint32_t n = 0; n < 100; n++)
		open_flow(world, n, 1000 + n, n % 2 ? 3 : 1);
	settle(world, true);
	assert_int_equal(world->told, 50);
	world->source.slot[3] = SHADOW_NO_SLOT;
	world->source.slot[1] = 9;
	shadow_moved(world->shadow);
	settle(world, true);
	assert_int_equal(world->removes, 0);
	assert_int_equal(world->told, 100);
	assert_int_equal(shadow_known(world->shadow), 50);
	shadow_forget(world->shadow);
	world->told = 0;
	settle(world, false);
	assert_int_equal(world->told, 50);
	world_close(world);
}

/* A peer that does not answer: nothing is lost, it is only not told yet. */
static void a_full_stream_waits(void **state)
{
	struct world *world = world_open();

	(void)state;
	world->cut = true;
	for (int round = 0; round < 40; round++) {
		for (uint32_t n = 0; n < PAIRS; n++)
			open_flow(world, n, rand(), 3);
		for (int i = 0; i < 10; i++) {
			shadow_scan(world->shadow, world->stream, 1000, ++world->now);
			shadow_walk(world->shadow, world->stream, SLOTS, world->now);
			stream_flush(world->stream, world->now);
		}
	}
	assert_false(stream_has_room(world->stream, 2));
	world->cut = false;
	for (int i = 0; i < 400; i++) {
		world->now += 100;
		stream_tick(world->stream, world->now);
		stream_tick(world->peer, world->now);
	}
	settle(world, true);
	settle(world, true);
	assert_mirrored(world);
	world_close(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_table_that_changes_is_mirrored),
		cmocka_unit_test(a_slot_that_changes_hands_unseen),
		cmocka_unit_test(what_is_in_the_making_is_looked_at_again),
		cmocka_unit_test(quiet_flows_are_told_once),
		cmocka_unit_test(a_young_flow_is_looked_at_again),
		cmocka_unit_test(slots_change_hands),
		cmocka_unit_test(a_full_stream_waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
