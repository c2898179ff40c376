/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* MSS clamp: the largest segment that a SYN asks for, made to fit the way. */
#ifndef NATXDP_MSS_BPF_H
#define NATXDP_MSS_BPF_H

#include "rewrite.bpf.h"

enum tcp_option {
	TCP_OPTION_END = 0,
	TCP_OPTION_NOP = 1,
	TCP_OPTION_MSS = 2,
	TCP_OPTIONS_MAX = 10, /* looked at: the verifier of Linux 6.1 walks each of them */
};

/*
 * Lower the MSS option of the SYN whose TCP header is at @offset to @most. A
 * SYN without the option means 536 (RFC 9293, section 3.7.1), which fits.
 */
__noinline int mss_clamp(hook_ctx *ctx, __u32 offset, __u32 most)
{
	void *data = hook_data(ctx), *end = hook_end(ctx), *at, *next;
	struct tcphdr *tcp;
	__u32 left, step, i;
	__be16 *mss, old;

	if (offset > sizeof(struct ethhdr) + 60)
		return -EINVAL;
	tcp = data + offset;
	at = tcp + 1;
	barrier_var(at); /* clang would rather compare with another pointer than it uses */
	if (at > end || tcp->doff < 5)
		return -EINVAL;
	left = tcp->doff * 4 - sizeof(*tcp);
	for (i = 0; i < TCP_OPTIONS_MAX; i++) {
		__u8 *option = at;

		next = at + 4;
		barrier_var(next);
		if (left < 4 || next > end || *option == TCP_OPTION_END)
			return 0;
		if (*option == TCP_OPTION_MSS && option[1] == 4)
			break;
		step = *option == TCP_OPTION_NOP ? 1 : option[1];
		if (!step || step > left)
			return 0;
		left -= step;
		at += step & 63;
	}
	mss = at + 2;
	next = mss + 1;
	barrier_var(next);
	if (i == TCP_OPTIONS_MAX || next > end || bpf_ntohs(*mss) <= most)
		return 0;
	old = *mss;
	*mss = bpf_htons(most);
	/* the option may stand at an odd place, then its bytes are in two words */
	if ((at - (void *)tcp) & 1)
		tcp->check = csum_add(tcp->check, csum_swap16(bpf_ntohs(old), most));
	else
		tcp->check = csum_add(tcp->check, csum_swap16(old, *mss));
	return 0;
}

#endif
