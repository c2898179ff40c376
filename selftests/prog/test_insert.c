/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* natxdp_insert: the flows of one box go on in another. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <cmocka.h>

#include "box.h"
#include "insert.h"
#include "table.h"

#define HOST "10.77.0.2"
#define OTHER "10.77.0.3"
#define SERVER "198.51.100.7"

enum { EIM = NATXDP_MAPPING_ENDPOINT_INDEPENDENT, MANY = 1000 };

static struct frame packet(uint8_t proto, const char *from, uint16_t sport, const char *to,
			   uint16_t dport)
{
	struct frame f = { .proto = proto, .sport = sport, .dport = dport, .payload = 20 };

	f.saddr = addr(from);
	f.daddr = addr(to);
	if (proto == IPPROTO_TCP)
		f.tcp_flags = 0x02;
	if (proto == IPPROTO_ICMP)
		f.icmp_type = 8;
	return f;
}

/* Everything in the table of @box, mappings first. Returns how many. */
static unsigned int take(struct box *box, struct natxdp_insertion *items, unsigned int max)
{
	const struct natxdp_bucket *table;
	unsigned int buckets, count = 0, b, w;

	table = box_table(box, &buckets);
	for (int mappings = 1; mappings >= 0; mappings--)
		for (b = 0; b < buckets; b++)
			for (w = 0; w < NATXDP_WAYS; w++) {
				const struct natxdp_flow *f = &table[b].way[w];

				if (!f->key.proto || f->key.proto == NATXDP_PROTO_DEAD ||
				    f->flags & NATXDP_FLOW_INBOUND ||
				    (f->key.tenant == NATXDP_TENANT_MAPPING) != mappings)
					continue;
				assert_true(count < max);
				memset(&items[count], 0, sizeof(*items));
				items[count].out = *f;
				items[count++].in = table[f->peer / 8].way[f->peer % 8];
			}
	return count;
}

static int give(struct box *box, struct natxdp_insertion *items, unsigned int count)
{
	return insert_flows(bpf_program__fd(bpf_object__find_program_by_name(box_object(box),
									     "natxdp_insert")),
			    items, count);
}

static void give_all(struct box *box, struct natxdp_insertion *items, unsigned int count)
{
	assert_int_equal(give(box, items, count), 0);
	for (unsigned int i = 0; i < count; i++)
		assert_int_equal(items[i].result, NATXDP_INSERT_DONE);
}

/* Both directions of a flow of each protocol leave the second box as they left the first. */
static void goes_on(bool two, uint32_t mapping)
{
	static const uint8_t protos[] = { IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP };
	struct box_options options = { .two_armed = two, .mapping = mapping, .inserter = true };
	enum box_side from = two ? BOX_INSIDE : BOX_SINGLE, back = two ? BOX_OUTSIDE : BOX_SINGLE;
	struct natxdp_insertion items[16];
	struct frame f[3], in[3];
	struct output out[3], o;
	struct box *box = box_open(&options);
	unsigned int count, i;

	for (i = 0; i < 3; i++) {
		f[i] = packet(protos[i], HOST, 5000, SERVER, protos[i] == IPPROTO_ICMP ? 0 : 80);
		box_run(box, from, &f[i], &out[i]);
		in[i] = packet(protos[i], SERVER, 80, "203.0.113.1", out[i].f.sport);
		in[i].tcp_flags = protos[i] == IPPROTO_TCP ? 0x12 : 0;
		if (protos[i] == IPPROTO_ICMP) {
			in[i].sport = out[i].f.sport;
			in[i].icmp_type = 0;
		}
		box_run(box, back, &in[i], &o);
		assert_int_equal(o.reason, NATXDP_IN_FORWARDED);
	}
	count = take(box, items, 16);
	box_close(box);

	box = box_open(&options);
	for (i = 0; i < count; i++)
		items[i].flags = NATXDP_INSERT_ROUTE;
	give_all(box, items, count);
	assert_int_equal(box_event(box, NATXDP_EVENT_FLOWS_INSERTED), 3);
	for (i = 0; i < 3; i++) {
		f[i].tcp_flags = protos[i] == IPPROTO_TCP ? 0x10 :
							    0; /* no SYN: it has to be known */
		box_run(box, from, &f[i], &o);
		assert_int_equal(o.reason, NATXDP_OUT_FORWARDED);
		assert_true(o.sound);
		assert_int_equal(o.f.sport, out[i].f.sport);
		assert_memory_equal(o.f.dst_mac, out[i].f.dst_mac, 6);
		box_run(box, back, &in[i], &o);
		assert_int_equal(o.reason, NATXDP_IN_FORWARDED);
		assert_true(o.sound);
		assert_int_equal(o.f.daddr, addr(HOST));
		assert_int_equal(protos[i] == IPPROTO_ICMP ? o.f.sport : o.f.dport, 5000);
	}
	for (i = count - 3; i < count; i++) {
		struct natxdp_flow flow;

		assert_true(box_flow(box, &items[i].out.key, &flow));
		assert_int_equal(flow.packets, 2);
		assert_int_equal(flow.bytes, 2 * items[i].out.bytes);
		assert_int_equal(flow.first_seen, items[i].out.first_seen);
	}
	box_close(box);
}

static void test_goes_on(void **state)
{
	(void)state;
	goes_on(false, NATXDP_MAPPING_ENDPOINT_DEPENDENT);
	goes_on(true, NATXDP_MAPPING_ENDPOINT_DEPENDENT);
	goes_on(false, EIM);
	goes_on(true, EIM);
}

static unsigned int one_flow(struct box *box, struct natxdp_insertion *items)
{
	struct frame f = packet(IPPROTO_UDP, HOST, 5000, SERVER, 53);
	struct output o;

	box_run(box, BOX_SINGLE, &f, &o);
	return take(box, items, 4);
}

/* What is refused says why, and leaves nothing. */
static void test_refusals(void **state)
{
	struct box_options options = { .inserter = true, .timeout = 60 };
	struct box *box = box_open(&options);
	struct natxdp_insertion good, item;
	uint32_t now = table_ticks_now(), live, dead;

	(void)state;
	assert_int_equal(one_flow(box, &good), 1);
	box_close(box);
	box = box_open(&options);

#define REFUSED(change, why)                              \
	do {                                              \
		item = good;                              \
		change;                                   \
		assert_int_equal(give(box, &item, 1), 0); \
		assert_int_equal(item.result, why);       \
	} while (0)
	REFUSED(item.in.key.sport++, -EINVAL);
	REFUSED(item.out.new_dport++, -EINVAL);
	REFUSED(item.out.flags |= NATXDP_FLOW_INBOUND, -EINVAL);
	REFUSED(item.in.flags = 0, -EINVAL);
	REFUSED(item.in.flags |= NATXDP_FLOW_HAIRPIN, -EINVAL);
	REFUSED(item.out.key.proto = item.in.key.proto = NATXDP_PROTO_DEAD, -EINVAL);
	REFUSED(item.out.key.tenant = item.in.key.tenant = NATXDP_TENANT_ENDED, -EINVAL);
	REFUSED((item.out.key.side = NATXDP_SIDE_INSIDE, item.in.key.side = NATXDP_SIDE_OUTSIDE),
		-EINVAL);
	REFUSED(item.out.pool = 1, -EADDRNOTAVAIL);
	REFUSED(item.out.pool = 200, -EADDRNOTAVAIL);
	REFUSED((item.out.new_saddr++, item.in.key.daddr++), -EADDRNOTAVAIL);
	REFUSED(item.out.last_seen = item.in.last_seen = now - (61ull << 30 >> NATXDP_TICK_SHIFT),
		-ETIME);
	REFUSED(item.out.flags |= NATXDP_FLOW_MAPPED, -ENOENT);
	box_count(box, &live, &dead);
	assert_int_equal(live, 0);

	item = good;
	give_all(box, &item, 1);
	/* another inside host at the same external end, then another end of the same host */
	REFUSED((item.out.key.saddr++, item.in.new_daddr++), -EEXIST);
	REFUSED((item.out.new_sport++, item.in.key.dport++), -EEXIST);
	box_count(box, &live, &dead);
	assert_int_equal(live, 2);
	box_close(box);
}

/* Given again, a flow takes over what is later, and loses nothing. */
static void test_again(void **state)
{
	struct box_options options = { .inserter = true };
	struct natxdp_insertion item, first;
	struct natxdp_flow flow;
	struct box *box = box_open(&options);

	(void)state;
	assert_int_equal(one_flow(box, &first), 1);
	box_next_tick();
	item = first;
	item.out.packets = 70;
	item.out.bytes = 7000;
	item.out.last_seen = table_ticks_now() + 1000; /* a clock that is ahead */
	assert_int_equal(give(box, &item, 1), 0);
	assert_int_equal(item.result, NATXDP_INSERT_EXISTED);
	assert_true(box_flow(box, &first.out.key, &flow));
	assert_int_equal(flow.packets, 70);
	assert_int_equal(flow.bytes, 7000);
	assert_in_range(flow.last_seen, first.out.last_seen + 1, table_ticks_now());
	assert_int_equal(give(box, &first, 1), 0);
	assert_int_equal(first.result, NATXDP_INSERT_EXISTED);
	assert_true(box_flow(box, &first.out.key, &flow));
	assert_int_equal(flow.packets, 70);
	assert_int_equal(box_event(box, NATXDP_EVENT_FLOWS_INSERTED), 0);
	box_close(box);
}

/* A mapping lives as long as a flow that was inserted holds it, and no longer. */
static void test_mapping(void **state)
{
	struct box_options options = { .inserter = true,
				       .mapping = EIM,
				       .timeout = 1.5,
				       .filtering = NATXDP_FILTERING_ADDRESS_DEPENDENT };
	struct natxdp_insertion items[8];
	struct natxdp_flow mapping;
	struct box *box = box_open(&options);
	struct frame f;
	struct output a, o;
	unsigned int count;

	(void)state;
	for (uint16_t port = 53; port < 55; port++) {
		f = packet(IPPROTO_UDP, HOST, 5000, SERVER, port);
		box_run(box, BOX_SINGLE, &f, &a);
	}
	count = take(box, items, 8);
	assert_int_equal(count, 4); /* the mapping, who may send, two flows */
	box_close(box);

	box = box_open(&options);
	give_all(box, items, count);
	for (unsigned int i = 0; i < 2; i++) {
		assert_true(box_flow(box, &items[i].out.key, &mapping));
		assert_int_equal(mapping.packets, 2);
	}
	f = packet(IPPROTO_UDP, SERVER, 99, "203.0.113.1", a.f.sport);
	box_run(box, BOX_SINGLE, &f, &o); /* invited: the third to hold both */
	assert_int_equal(o.reason, NATXDP_IN_FORWARDED);
	assert_int_equal(o.f.dport, 5000);
	assert_true(box_wait(box, 0, 15));
	box_close(box);
}

static bool is_there(struct box *box, const struct natxdp_insertion *item)
{
	struct natxdp_flow flow;

	return box_flow(box, &item->out.key, &flow) && box_flow(box, &item->in.key, &flow);
}

static int give_one(struct box *box, struct natxdp_insertion item, uint32_t flags)
{
	item.flags = flags;
	assert_int_equal(give(box, &item, 1), 0);
	return item.result;
}

/* A flow that the giver has ended, and nothing else, ends here. */
static void test_remove(void **state)
{
	struct box_options options = { .inserter = true, .limit_flows = 9 };
	struct natxdp_insertion item, other, bare = { 0 };
	struct box *box = box_open(&options);
	uint32_t live, dead;

	(void)state;
	assert_int_equal(one_flow(box, &item), 1);
	other = item;
	other.out.new_sport++;
	assert_int_equal(give_one(box, other, NATXDP_INSERT_REMOVE), NATXDP_INSERT_NONE);
	other.out.key.saddr++;
	assert_int_equal(give_one(box, other, NATXDP_INSERT_REMOVE), NATXDP_INSERT_NONE);
	assert_true(is_there(box, &item));
	bare.out.key = item.out.key;
	bare.out.new_saddr = item.out.new_saddr;
	bare.out.new_sport = item.out.new_sport;
	assert_int_equal(give_one(box, bare, NATXDP_INSERT_REMOVE), NATXDP_INSERT_DONE);
	assert_false(is_there(box, &item));
	assert_int_equal(box_event(box, NATXDP_EVENT_FLOWS_EXPIRED), 1);
	assert_int_equal(give_one(box, bare, NATXDP_INSERT_REMOVE), NATXDP_INSERT_NONE);
	assert_int_equal(give_one(box, item, 0), NATXDP_INSERT_DONE); /* the key is free */
	box_count(box, &live, &dead);
	assert_int_equal(live, 2);
	box_close(box);
}

/* What has one of the keys makes way, with all that it held. */
static void test_replace(void **state)
{
	struct box_options options = { .inserter = true };
	struct natxdp_insertion item, stranger, moved;
	struct box *box = box_open(&options);
	struct natxdp_flow flow;
	uint32_t live, dead;

	(void)state;
	assert_int_equal(one_flow(box, &item), 1);
	stranger = item; /* another inside host has the external end now */
	stranger.out.key.saddr++;
	stranger.in.new_daddr++;
	assert_int_equal(give_one(box, stranger, 0), -EEXIST);
	assert_int_equal(give_one(box, stranger, NATXDP_INSERT_REPLACE), NATXDP_INSERT_DONE);
	assert_true(is_there(box, &stranger));
	assert_false(box_flow(box, &item.out.key, &flow));
	moved = stranger; /* the host has another external end now */
	moved.out.new_sport++;
	moved.in.key.dport++;
	assert_int_equal(give_one(box, moved, NATXDP_INSERT_REPLACE), NATXDP_INSERT_DONE);
	assert_true(is_there(box, &moved));
	assert_false(box_flow(box, &stranger.in.key, &flow));
	/* in the way of each of the two keys another one */
	assert_int_equal(give_one(box, item, NATXDP_INSERT_REPLACE), NATXDP_INSERT_DONE);
	assert_int_equal(give_one(box, stranger, NATXDP_INSERT_REPLACE), NATXDP_INSERT_DONE);
	box_count(box, &live, &dead);
	assert_int_equal(live, 2);
	box_close(box);
}

/* A flow of another external address, which this node has itself, is not the giver's to end. */
static void test_ours(void **state)
{
	struct box_options options = { .inserter = true, .externals = 2 };
	struct natxdp_insertion item, theirs;
	struct box *box = box_open(&options);
	struct natxdp_pool pool;
	uint32_t index;

	(void)state;
	assert_int_equal(one_flow(box, &item), 1);
	theirs = item;
	theirs.out.pool = theirs.in.pool = !item.out.pool;
	theirs.out.new_saddr = theirs.in.key.daddr = inet_addr(item.out.pool ? "203.0.113.1" :
									       "203.0.113.2");
	assert_int_equal(give_one(box, theirs, NATXDP_INSERT_REPLACE), -EEXIST);
	assert_true(is_there(box, &item));
	index = item.out.pool;
	bpf_map_lookup_elem(bpf_map__fd(box_map(box, "ext_pool")), &index, &pool);
	pool.flags |= NATXDP_POOL_STANDBY;
	bpf_map_update_elem(bpf_map__fd(box_map(box, "ext_pool")), &index, &pool, 0);
	assert_int_equal(give_one(box, theirs, NATXDP_INSERT_REPLACE), NATXDP_INSERT_DONE);
	assert_true(is_there(box, &theirs));
	box_close(box);
}

/* What a direction has seen is as given, also where no time has passed. */
static void test_truth(void **state)
{
	struct box_options options = { .inserter = true };
	struct natxdp_insertion item;
	struct box *box = box_open(&options);
	struct natxdp_flow flow;

	(void)state;
	assert_int_equal(one_flow(box, &item), 1);
	item.in.flags |= NATXDP_SEEN_SYN | NATXDP_SEEN_ACK;
	assert_int_equal(give_one(box, item, 0), NATXDP_INSERT_EXISTED);
	assert_true(box_flow(box, &item.in.key, &flow));
	assert_int_equal(flow.flags, NATXDP_FLOW_INBOUND);
	assert_int_equal(give_one(box, item, NATXDP_INSERT_REPLACE), NATXDP_INSERT_EXISTED);
	assert_true(box_flow(box, &item.in.key, &flow));
	assert_int_equal(flow.flags, item.in.flags);
	box_close(box);
}

/* The slots that come back are where the entries stand. */
static void test_slots(void **state)
{
	struct box_options options = { .inserter = true };
	struct natxdp_insertion item;
	const struct natxdp_bucket *table;
	struct box *box = box_open(&options);
	unsigned int buckets;

	(void)state;
	assert_int_equal(one_flow(box, &item), 1);
	box_close(box);
	box = box_open(&options);
	for (int round = 0; round < 2; round++) { /* done, then existed */
		item.out.peer = item.in.peer = NATXDP_SLOT_NONE;
		assert_int_equal(give(box, &item, 1), 0);
		table = box_table(box, &buckets);
		assert_true(item.in.peer < buckets * NATXDP_WAYS);
		assert_memory_equal(&table[item.in.peer / 8].way[item.in.peer % 8].key,
				    &item.out.key, sizeof(item.out.key));
		assert_memory_equal(&table[item.out.peer / 8].way[item.out.peer % 8].key,
				    &item.in.key, sizeof(item.in.key));
	}
	box_close(box);
}

/* It counts for its host, and gives that back at its end. */
static void test_counted(void **state)
{
	struct box_options options = { .inserter = true, .limit_flows = 1, .timeout = 1.5 };
	struct natxdp_insertion item;
	struct box *box = box_open(&options);
	struct frame f = packet(IPPROTO_UDP, HOST, 5001, SERVER, 53);
	struct output o;

	(void)state;
	assert_int_equal(one_flow(box, &item), 1);
	box_close(box);
	box = box_open(&options);
	give_all(box, &item, 1);
	box_run(box, BOX_SINGLE, &f, &o);
	assert_int_equal(o.reason, NATXDP_DROP_LIMIT);
	assert_true(box_wait(box, 0, 15));
	box_run(box, BOX_SINGLE, &f, &o);
	assert_int_equal(o.reason, NATXDP_OUT_FORWARDED);
	box_close(box);
}

/* Many in one call, and what finds no room says so. */
static void test_many(void **state)
{
	struct box_options options = { .inserter = true, .max_flows = MANY }, small = options;
	struct natxdp_insertion *items = calloc(MANY, sizeof(*items));
	struct box *box = box_open(&options);
	unsigned int done = 0;
	struct output o;

	(void)state;
	for (unsigned int i = 0; i < MANY; i++) {
		struct frame f = packet(IPPROTO_UDP, HOST, 2000 + i, SERVER, 53);

		box_run(box, BOX_SINGLE, &f, &o);
	}
	assert_int_equal(take(box, items, MANY), MANY);
	box_close(box);
	box = box_open(&options);
	give_all(box, items, MANY);
	box_close(box);
	small.max_flows = MANY / 4;
	box = box_open(&small);
	assert_int_equal(give(box, items, MANY), 0);
	for (unsigned int i = 0; i < MANY; i++) {
		if (items[i].result != NATXDP_INSERT_DONE)
			assert_int_equal(items[i].result, -ENOSPC);
		done += items[i].result == NATXDP_INSERT_DONE;
	}
	assert_in_range(done, MANY / 4, MANY - 1);
	box_close(box);
	free(items);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_goes_on), cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_again),	cmocka_unit_test(test_mapping),
		cmocka_unit_test(test_counted), cmocka_unit_test(test_many),
		cmocka_unit_test(test_remove),	cmocka_unit_test(test_replace),
		cmocka_unit_test(test_ours),	cmocka_unit_test(test_truth),
		cmocka_unit_test(test_slots),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
