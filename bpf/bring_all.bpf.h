/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * natxdp_bring: what no packet has asked for in the table before
 * (include/natxdp/bring.h), and natxdp_carry: what was counted beside it.
 */
#ifndef NATXDP_BRING_ALL_BPF_H
#define NATXDP_BRING_ALL_BPF_H

#include "bring.bpf.h"
#include "clock.bpf.h"
#include "hosts.bpf.h"
#include "record.bpf.h"

/*
 * A flow that cannot come along, or that was ended and not swept before: as
 * sweep_slot() ends one. Returns 1, or 0 if it is here meanwhile.
 */
__noinline int bring_end(__u32 from)
{
	struct natxdp_flow *f = before_at(from), *in;
	struct natxdp_key key, reverse;
	__u32 now = ticks_now(), flags = NATXDP_RECORD_ENDED;

	if (!f)
		return 0;
	key = f->key;
	natxdp_reverse_key_of(f, &reverse, TUNNEL_FLOWS);
	if (flow_find(&key) != NATXDP_SLOT_NONE || !flow_mark(f, &key, NATXDP_PROTO_DEAD))
		return 0;
	in = before_at(f->peer);
	if (in && !flow_mark(in, &reverse, NATXDP_PROTO_DEAD))
		in = NULL;
	if (f->flags & NATXDP_FLOW_MAPPED)
		mapping_drop(f, &key, now);
	if (f->flags & NATXDP_FLOW_COUNTED)
		host_release(key.saddr);
	if (key.tenant == NATXDP_TENANT_MAPPING)
		return 1;
	count_event_atomic(NATXDP_EVENT_FLOWS_EXPIRED, 1);
	if (!in)
		flags |= NATXDP_RECORD_HALF;
	if (key.tenant == NATXDP_TENANT_ENDED)
		key.tenant = NATXDP_TENANT_NONE;
	record_write(f, &key, in, NATXDP_RECORD_CLOSE, flags, now);
	return 1;
}

static long bring_step(__u32 i, struct natxdp_bring *io)
{
	__u32 from = io->first + i;
	struct natxdp_flow *f = before_at(from);

	if (!f)
		return 1;
	if (!is_live(&f->key) || f->flags & NATXDP_FLOW_INBOUND)
		return 0;
	if (!bring_flow(from, BRING_BY_PROCESS))
		io->brought++;
	else if (is_live(&f->key) && !io->end)
		io->left++;
	else if (is_live(&f->key))
		io->ended += bring_end(from);
	return 0;
}

SEC("xdp")
int natxdp_bring(struct xdp_md *ctx)
{
	struct natxdp_bring *data = (void *)(long)ctx->data, io;

	if ((void *)(data + 1) > (void *)(long)ctx->data_end)
		return XDP_ABORTED;
	io = *data; /* a callback is given the stack, and not the packet */
	if (io.count > NATXDP_BRING_SLOTS)
		return XDP_ABORTED;
	io.brought = 0;
	io.left = 0;
	io.ended = 0;
	bpf_loop(io.count, bring_step, &io, 0);
	data = (void *)(long)ctx->data;
	if ((void *)(data + 1) > (void *)(long)ctx->data_end)
		return XDP_ABORTED;
	*data = io;
	return XDP_PASS;
}

/* Adds the counters that are its data to those of this CPU: it is the sum of all that counts. */
SEC("xdp")
int natxdp_carry(struct xdp_md *ctx)
{
	__u64 *more = (void *)(long)ctx->data, *to;
	__u32 zero = 0;
	__u32 i;

	to = bpf_map_lookup_elem(&counters, &zero);
	if (!to || (void *)more + sizeof(struct natxdp_counters) > (void *)(long)ctx->data_end)
		return XDP_ABORTED;
	for (i = 0; i < sizeof(struct natxdp_counters) / sizeof(*to); i++)
		to[i] += more[i];
	return XDP_PASS;
}

#endif
