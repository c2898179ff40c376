/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Sums over bytes of a frame, for the few packets that need a whole checksum. */
#ifndef NATXDP_BYTES_BPF_H
#define NATXDP_BYTES_BPF_H

#include "rewrite.bpf.h"

/* Frames of 1500 bytes and a little more; an ICMP error is never longer. */
enum { SUM_WORDS_MAX = 384 };

/*
 * The one's complement sum of @len bytes of the frame from @offset on, folded
 * to 16 bits, or -EINVAL if they are not all there or too many. A global
 * function: the loop is verified once.
 */
__noinline int sum_bytes(hook_ctx *ctx, __u32 offset, __u32 len)
{
	void *data = hook_data(ctx);
	void *end = hook_end(ctx);
	__u64 sum = 0;
	void *at, *next;
	__u32 i;

	if (offset > 512 || len > SUM_WORDS_MAX * 4)
		return -EINVAL;
	at = data + offset;
	for (i = 0; i < SUM_WORDS_MAX; i++) {
		if (i >= len / 4)
			break;
		next = at + 4;
		barrier_var(next); /* clang would rather subtract from the end */
		if (next > end)
			return -EINVAL;
		sum += *(__u32 *)at;
		at = next;
	}
	for (i = 0; i < 3; i++) {
		if (i >= len % 4)
			break;
		next = at + 1;
		barrier_var(next);
		if (next > end)
			return -EINVAL;
		/* as the first or second byte of a 16-bit word of the wire */
		sum += i % 2 ? (__u32) * (__u8 *)at << 8 : *(__u8 *)at;
		at = next;
	}
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffffffff) + (sum >> 32);
	return csum_fold(sum);
}

#endif
