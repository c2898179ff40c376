/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "talkers.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

/* 4 bytes a slot instead of 8: what a flow has moved, in units that wrap after 256 GiB. */
enum { UNIT_SHIFT = 6 };

const char *const talker_kind_names[TALKER_KINDS] = { "source", "destination", "port" };

struct talkers {
	struct sketch sketch[TALKER_KINDS];
	uint32_t *moved; /* by slot, at the last walk */
	uint32_t slots;
	uint32_t walk; /* ticks at which this one began, and the last one */
	uint32_t last;
};

struct talkers *talkers_new(uint32_t slots)
{
	struct talkers *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	/* pages that are never written take no memory */
	t->moved = mmap(NULL, (size_t)slots * sizeof(*t->moved), PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (t->moved == MAP_FAILED) {
		free(t);
		return NULL;
	}
	t->slots = slots;
	t->walk = t->last = table_ticks_now();
	return t;
}

void talkers_free(struct talkers *t)
{
	if (!t)
		return;
	munmap(t->moved, (size_t)t->slots * sizeof(*t->moved));
	free(t);
}

void talkers_walk(struct talkers *t, uint32_t now)
{
	t->last = t->walk;
	t->walk = now;
}

static uint64_t port_key(const struct natxdp_flow *out)
{
	return (uint64_t)1 << 32 | (uint64_t)out->key.proto << 16 | ntohs(out->key.dport);
}

void talkers_flow(struct talkers *t, const struct flow_view *view)
{
	uint64_t bytes = view->out.bytes + view->in.bytes, moved;
	uint32_t units = bytes >> UNIT_SHIFT, *seen;

	if (view->slot >= t->slots)
		return;
	seen = &t->moved[view->slot];
	if ((int32_t)(view->out.first_seen - t->last) >= 0)
		*seen = 0; /* the slot had another flow */
	moved = (uint64_t)(uint32_t)(units - *seen) << UNIT_SHIFT;
	*seen = units;
	if (!moved)
		return;
	sketch_add(&t->sketch[TALKER_SOURCE], view->out.key.saddr, moved, 1);
	sketch_add(&t->sketch[TALKER_DESTINATION], view->out.key.daddr, moved, 1);
	sketch_add(&t->sketch[TALKER_PORT], port_key(&view->out), moved, 1);
}

unsigned int talkers_top(const struct talkers *t, enum talker_kind kind, struct sketch_item *top,
			 unsigned int max)
{
	return sketch_top(&t->sketch[kind], top, max);
}

static const char *proto_name(uint8_t proto)
{
	return proto == IPPROTO_TCP  ? "tcp" :
	       proto == IPPROTO_UDP  ? "udp" :
	       proto == IPPROTO_ICMP ? "icmp" :
				       "other";
}

void talkers_name(enum talker_kind kind, uint64_t key, char name[TALKER_NAME_MAX])
{
	struct in_addr addr = { .s_addr = (uint32_t)key };

	if (kind == TALKER_PORT)
		snprintf(name, TALKER_NAME_MAX, "%s/%u", proto_name(key >> 16 & 0xff),
			 (unsigned int)(key & 0xffff));
	else
		inet_ntop(AF_INET, &addr, name, TALKER_NAME_MAX);
}

uint64_t talkers_total(const struct talkers *t)
{
	return t->sketch[TALKER_SOURCE].total;
}

void talkers_clear(struct talkers *t)
{
	for (int i = 0; i < TALKER_KINDS; i++)
		sketch_clear(&t->sketch[i]);
}
