/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Limits of one inside address (RFC 6888, REQ-4): so that one host cannot take
 * the flows and ports of the others. Nothing here runs without limits.
 */
#ifndef NATXDP_HOSTS_BPF_H
#define NATXDP_HOSTS_BPF_H

#include <linux/errno.h>

#include "maps.bpf.h"

enum {
	HOST_TOKEN = 256,	     /* of one new flow */
	TICKS_PER_SECOND_Q8 = 15259, /* 2^8 * 10^9 / 2^24 */
};

/* Fill the bucket for the time that has passed, a second's worth at most. */
static __always_inline void host_refill(struct natxdp_host *host, __u32 rate, __u32 now)
{
	__u32 most = rate * HOST_TOKEN, ticks = now - host->tick;
	__u64 tokens = most;

	/* after an upgrade the clock may be a tick behind the one before */
	if ((__s32)ticks <= 0)
		return;
	if (ticks < TICKS_PER_SECOND_Q8 / 256)
		tokens = host->tokens + (__u64)ticks * most * 256 / TICKS_PER_SECOND_Q8;
	host->tokens = tokens < most ? tokens : most;
	host->tick = now;
}

/*
 * May this inside address open one more flow? Returns 0 and counts it, or the
 * reason why not. Two CPUs that open flows of one host at the same moment may
 * both take its last token: a limit is not a lock.
 */
static __always_inline int host_admit(const struct natxdp_config *cfg, __be32 addr, __u32 now)
{
	struct natxdp_host fresh = { .tokens = cfg->limit_rate * HOST_TOKEN, .tick = now };
	struct natxdp_host *host;

	host = bpf_map_lookup_elem(&hosts, &addr);
	if (!host) {
		bpf_map_update_elem(&hosts, &addr, &fresh, BPF_NOEXIST);
		host = bpf_map_lookup_elem(&hosts, &addr);
		if (!host) /* more hosts than the map holds: better a limit too strict */
			return NATXDP_DROP_HOSTS;
	}
	if (cfg->limit_flows && host->flows >= cfg->limit_flows)
		return NATXDP_DROP_LIMIT;
	if (cfg->limit_rate) {
		host_refill(host, cfg->limit_rate, now);
		if (host->tokens < HOST_TOKEN)
			return NATXDP_DROP_RATE;
		host->tokens -= HOST_TOKEN;
	}
	__sync_fetch_and_add(&host->flows, 1);
	return 0;
}

/* One more flow, beyond any limit: it was admitted elsewhere. */
static __always_inline int host_count(__be32 addr, __u32 now)
{
	struct natxdp_host fresh = { .tick = now };
	struct natxdp_host *host;

	bpf_map_update_elem(&hosts, &addr, &fresh, BPF_NOEXIST);
	host = bpf_map_lookup_elem(&hosts, &addr);
	if (!host)
		return -ENOSPC;
	__sync_fetch_and_add(&host->flows, 1);
	return 0;
}

/*
 * A flow that counted is gone, or did not come to be. With its last flow the
 * host is forgotten, so that the map holds only hosts that have flows.
 */
static __always_inline void host_release(__be32 addr)
{
	struct natxdp_host *host = bpf_map_lookup_elem(&hosts, &addr);

	/* a host that was forgotten and came back may have fewer than it gives back */
	if (!host || !host->flows)
		return;
	if (__sync_fetch_and_add(&host->flows, -1) == 1)
		bpf_map_delete_elem(&hosts, &addr);
}

#endif
