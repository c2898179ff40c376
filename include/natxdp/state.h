/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What state a flow is in, and for how long it may be idle in it. Pure
 * functions of what the two entries of a flow have seen, used by the sweeper
 * in the kernel and by everything that shows flows.
 */
#ifndef NATXDP_STATE_H
#define NATXDP_STATE_H

/* each side has its own IPPROTO_*, and they do not go together */
#ifdef __bpf__
#include <linux/in.h>
#else
#include <netinet/in.h>
#endif

#include <natxdp/flow.h>

/* NATXDP_STATE(enumerator, name shown to people and in JSON, timeout class) */
/* clang-format off */
#define NATXDP_STATES(X)                                 \
	X(UDP_NEW, "new", UDP)                           \
	X(UDP_REPLIED, "replied", UDP)                   \
	X(ICMP_NEW, "new", ICMP)                         \
	X(ICMP_REPLIED, "replied", ICMP)                 \
	X(OTHER, "open", OTHER)                          \
	X(TCP_OPENING, "opening", TCP_OPENING)           \
	X(TCP_ESTABLISHED, "established", TCP_ESTABLISHED) \
	X(TCP_HALF_CLOSED, "half-closed", TCP_ESTABLISHED) \
	X(TCP_CLOSING, "closing", TCP_CLOSING)           \
	X(TCP_RESET, "reset", TCP_CLOSING)
/* clang-format on */

enum natxdp_timeout {
	NATXDP_TIMEOUT_UDP,
	NATXDP_TIMEOUT_ICMP,
	NATXDP_TIMEOUT_OTHER, /* protocols without ports */
	NATXDP_TIMEOUT_TCP_OPENING,
	NATXDP_TIMEOUT_TCP_ESTABLISHED,
	NATXDP_TIMEOUT_TCP_CLOSING,
	NATXDP_TIMEOUTS,
};

/* clang-format off */
enum natxdp_state {
#define X(id, name, timeout) NATXDP_STATE_##id,
	NATXDP_STATES(X)
#undef X
	NATXDP_STATE_COUNT,
};
/* clang-format on */

/*
 * @out and @in are the flags of the entries, @replied whether any packet came
 * back. A SYN clears what its own direction has seen, so a reopened flow is
 * "opening" whatever the other direction still remembers of the old
 * connection; a segment without RST clears its own RST, so that a forged RST
 * does no lasting harm (RFC 7857, section 3).
 */
static __always_inline enum natxdp_state natxdp_flow_state(__u8 proto, __u8 out, __u8 in,
							   int replied)
{
	if (proto == IPPROTO_UDP)
		return replied ? NATXDP_STATE_UDP_REPLIED : NATXDP_STATE_UDP_NEW;
	if (proto == IPPROTO_ICMP)
		return replied ? NATXDP_STATE_ICMP_REPLIED : NATXDP_STATE_ICMP_NEW;
	if (proto != IPPROTO_TCP)
		return NATXDP_STATE_OTHER;
	if ((out & NATXDP_SEEN_MASK) == NATXDP_SEEN_SYN && !(in & NATXDP_SEEN_RST))
		return NATXDP_STATE_TCP_OPENING;
	if ((out | in) & NATXDP_SEEN_RST)
		return NATXDP_STATE_TCP_RESET;
	if (out & in & NATXDP_SEEN_FIN)
		return NATXDP_STATE_TCP_CLOSING;
	if (!(in & (NATXDP_SEEN_SYN | NATXDP_SEEN_ACK)) || !(out & NATXDP_SEEN_ACK))
		return NATXDP_STATE_TCP_OPENING;
	if ((out | in) & NATXDP_SEEN_FIN)
		return NATXDP_STATE_TCP_HALF_CLOSED;
	return NATXDP_STATE_TCP_ESTABLISHED;
}

static __always_inline enum natxdp_timeout natxdp_state_timeout(enum natxdp_state state)
{
	switch (state) {
#define X(id, name, timeout)    \
	case NATXDP_STATE_##id: \
		return NATXDP_TIMEOUT_##timeout;
		NATXDP_STATES(X)
#undef X
	case NATXDP_STATE_COUNT:
		break;
	}
	return NATXDP_TIMEOUT_UDP;
}

#endif
