/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What both hooks have in common. The core knows a packet by hook_ctx, which is
 * the context of the hook, and by the functions hook_*() of hook_xdp.bpf.h or
 * hook_tc.bpf.h, whichever the file of the entry points includes first.
 */
#ifndef NATXDP_HOOK_COMMON_BPF_H
#define NATXDP_HOOK_COMMON_BPF_H

/* What the kernel knows of a checksum that covers a pseudo header: its CHECKSUM_*. */
enum hook_sum {
	HOOK_SUM_NONE,	      /* nothing */
	HOOK_SUM_UNNECESSARY, /* that it is right */
	HOOK_SUM_COMPLETE,    /* the sum over all bytes behind the Ethernet header */
	HOOK_SUM_PARTIAL,     /* that it is to be completed when the frame leaves */
};

#endif
