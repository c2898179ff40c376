/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The flow table for `cat`: a BPF iterator, pinned as PIN_DIR/flows, that
 * prints one line a flow. It works without any program of natxdp running.
 */
#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include <natxdp/flow.h>
#include <natxdp/state.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct natxdp_bucket);
} flow_table SEC(".maps");

/* What the kernel hands to an iterator; the offsets are relocated at load. */
struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
	__u64 session_id;
	__u64 seq_num;
} __attribute__((preserve_access_index));

struct bpf_iter__bpf_map_elem {
	struct bpf_iter_meta *meta;
	struct bpf_map *map;
	void *key;
	void *value;
} __attribute__((preserve_access_index));

/* BPF_SEQ_PRINTF takes a pointer for %s, and each name needs its own object. */
static const char *state_name(enum natxdp_state state)
{
	switch (state) {
#define X(id, name, timeout)    \
	case NATXDP_STATE_##id: \
		return name;
		NATXDP_STATES(X)
#undef X
	case NATXDP_STATE_COUNT:
		break;
	}
	return "?";
}

static const char *proto_name(__u8 proto)
{
	switch (proto) {
	case IPPROTO_TCP:
		return "tcp";
	case IPPROTO_UDP:
		return "udp";
	case IPPROTO_ICMP:
		return "icmp";
	case IPPROTO_GRE:
		return "gre";
	case IPPROTO_ESP:
		return "esp";
	case IPPROTO_SCTP:
		return "sctp";
	}
	return "ip";
}

static const struct natxdp_flow *peer_of(const struct natxdp_flow *out)
{
	__u32 bucket = out->peer / NATXDP_WAYS;
	struct natxdp_bucket *b = bpf_map_lookup_elem(&flow_table, &bucket);
	const struct natxdp_flow *in;
	struct natxdp_key reverse;

	if (!b)
		return NULL;
	in = &b->way[out->peer % NATXDP_WAYS];
	natxdp_reverse_key(out, &reverse);
	if (in->key.word[0] != reverse.word[0] || in->key.word[1] != reverse.word[1])
		return NULL;
	return in;
}

static __u64 ticks_to_seconds(__u32 ticks)
{
	return ((__u64)ticks << NATXDP_TICK_SHIFT) / 1000000000;
}

static void print_flow(struct seq_file *seq, const struct natxdp_flow *out, __u32 now)
{
	const struct natxdp_flow *in = peer_of(out);
	__u32 idle, age;

	if (!in)
		return;
	idle = now - out->last_seen;
	if (now - in->last_seen < idle)
		idle = now - in->last_seen;
	age = now - out->first_seen;
	BPF_SEQ_PRINTF(seq, "%s %pI4:%u > %pI4:%u > %pI4:%u ", proto_name(out->key.proto),
		       &out->key.saddr, bpf_ntohs(out->key.sport), &out->new_saddr,
		       bpf_ntohs(out->new_sport), &out->key.daddr, bpf_ntohs(out->key.dport));
	BPF_SEQ_PRINTF(seq, "%s out %llu/%llu in %llu/%llu age %llu idle %llu\n",
		       state_name(natxdp_flow_state(out->key.proto, out->flags, in->flags,
						    in->packets != 0)),
		       out->packets, out->bytes, in->packets, in->bytes, ticks_to_seconds(age),
		       ticks_to_seconds(idle));
}

SEC("iter/bpf_map_elem")
int natxdp_flows(struct bpf_iter__bpf_map_elem *ctx)
{
	struct natxdp_bucket *b = ctx->value;
	__u32 now = bpf_ktime_get_ns() >> NATXDP_TICK_SHIFT;
	int way;

	if (!b)
		return 0;
	for (way = 0; way < NATXDP_WAYS; way++) {
		const struct natxdp_flow *f = &b->way[way];

		if (f->key.proto == NATXDP_PROTO_FREE || f->key.proto == NATXDP_PROTO_DEAD ||
		    f->flags & NATXDP_FLOW_INBOUND || f->key.tenant == NATXDP_TENANT_MAPPING ||
		    f->key.tenant == NATXDP_TENANT_ENDED)
			continue;
		print_flow(ctx->meta->seq, f, now);
	}
	return 0;
}
