/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What the kernel does with the packets of others while the program of the NAT is not there
 * (somebody took it off, or a driver forgot it): nothing. Forwarding is on, so they would leave
 * untranslated, and to what comes back the host would answer with a RST, which ends connections
 * that a peer could still take over.
 *
 * A filter behind the program of the NAT, at either hook. That leaves it only what this lets
 * through, so with the NAT in place nothing ends here. Packets of the host itself pay for it.
 *
 * Nor is it in the way once the NAT is unloaded, which may be from another network namespace,
 * where filters cannot be reached.
 */
#include "hook_tc.bpf.h"
#include "count.bpf.h"
#include "maps.bpf.h"
#include "parse.bpf.h"
#include "sockets.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

static __always_inline int is_own(__be32 addr)
{
	return !!bpf_map_lookup_elem(&own_addrs, &addr);
}

/* To the host: may it hear it? As classify() has it. */
static __always_inline int host_may_hear(hook_ctx *ctx, const struct natxdp_key *key,
					 enum packet_kind kind)
{
	if (key->side == NATXDP_SIDE_INSIDE || in_prefixes(&inside_nets, key->saddr) ||
	    key->proto == IPPROTO_ICMP)
		return 1;
	if (kind == PACKET_FRAGMENT) /* of no use without the first, which is asked about */
		return 1;
	return kind == PACKET_PORTS && (port_is_host(bpf_ntohs(key->dport)) || host_owns(ctx, key));
}

/* To others: may the kernel forward it? */
static __always_inline int may_go_on(const struct natxdp_key *key)
{
	if (is_own(key->saddr)) /* translated, see NATXDP_OUT_VIA_KERNEL */
		return 1;
	if (in_prefixes(&inside_nets, key->saddr))
		return in_prefixes(&no_nat_nets, key->daddr);
	return in_prefixes(&inside_nets, key->daddr); /* translated back */
}

static __always_inline int is_untouched(const struct natxdp_key *key)
{
	return (key->daddr & IP_MULTICAST_MASK) == IP_MULTICAST_NET || key->daddr == IP_BROADCAST ||
	       (key->proto == IPPROTO_UDP && key->dport == UDP_BOOTPC);
}

static __always_inline int guard(hook_ctx *ctx, enum natxdp_side side)
{
	struct natxdp_key key = { .side = side };
	struct natxdp_config *cfg = config_get();
	struct packet pkt = {};

	if (!cfg || !cfg->active)
		return HOOK_PASS;
	if (parse(ctx, &pkt, &key) != PARSE_OK || is_untouched(&key))
		return HOOK_PASS;
	if (is_own(key.daddr) ? host_may_hear(ctx, &key, pkt.kind) : may_go_on(&key))
		return HOOK_PASS;
	count_packet(NATXDP_DROP_DETACHED, packet_count(&pkt), packet_bytes(&pkt));
	return HOOK_DROP;
}

SEC("tc")
int natxdp_guard(struct __sk_buff *ctx)
{
	return guard(ctx, NATXDP_SIDE_OUTSIDE);
}

SEC("tc")
int natxdp_guard_inside(struct __sk_buff *ctx)
{
	return guard(ctx, NATXDP_SIDE_INSIDE);
}
