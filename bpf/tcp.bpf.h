/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What a direction remembers of its TCP segments. The state of the connection
 * is made of both directions, by natxdp_flow_state(), when somebody asks.
 */
#ifndef NATXDP_TCP_BPF_H
#define NATXDP_TCP_BPF_H

#include <natxdp/config.h>

#include "parse.bpf.h"

static __always_inline int tcp_is_opening(__u8 tcp_flags)
{
	return (tcp_flags & (TCP_SYN | TCP_ACK | TCP_RST | TCP_FIN)) == TCP_SYN;
}

/*
 * The shortest time for which a TCP flow may be idle, whatever its state. The
 * sweeper has to look at a flow so long after each change of state: only then
 * it is known how long it may stay.
 */
static __always_inline __u32 tcp_soonest(const struct natxdp_config *cfg)
{
	__u32 soonest = cfg->timeout[NATXDP_TIMEOUT_TCP_OPENING];

	if (cfg->timeout[NATXDP_TIMEOUT_TCP_ESTABLISHED] < soonest)
		soonest = cfg->timeout[NATXDP_TIMEOUT_TCP_ESTABLISHED];
	if (cfg->timeout[NATXDP_TIMEOUT_TCP_CLOSING] < soonest)
		soonest = cfg->timeout[NATXDP_TIMEOUT_TCP_CLOSING];
	return soonest;
}

/* The flags of an entry after one more segment of its direction. */
static __always_inline __u8 tcp_seen(__u8 flags, __u8 tcp_flags)
{
	__u8 seen = flags & NATXDP_SEEN_MASK, rest = flags & ~NATXDP_SEEN_MASK;

	if (tcp_flags & TCP_RST)
		return rest | seen | NATXDP_SEEN_RST;
	if (tcp_flags & TCP_SYN)
		return rest | NATXDP_SEEN_SYN;
	seen &= ~NATXDP_SEEN_RST;
	if (tcp_flags & TCP_ACK)
		seen |= NATXDP_SEEN_ACK;
	if (tcp_flags & TCP_FIN)
		seen |= NATXDP_SEEN_FIN;
	return rest | seen;
}

#endif
