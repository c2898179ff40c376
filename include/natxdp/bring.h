/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The rest of the flows of the table before an upgrade (bpf/bring.bpf.h). The
 * program natxdp_bring is run by BPF_PROG_TEST_RUN over one part of that table
 * after the other, with this as the data, in and out; it returns XDP_PASS.
 */
#ifndef NATXDP_BRING_H
#define NATXDP_BRING_H

#include <linux/types.h>

struct natxdp_bring {
	__u32 first;   /* slot of the table before */
	__u32 count;   /* slots, NATXDP_BRING_SLOTS at most */
	__u32 end;     /* end what cannot be brought */
	__u32 brought; /* out: flows and mappings */
	__u32 left;    /* out: no room, or another flow has their external end */
	__u32 ended;   /* out */
};

/* In one run: at about a microsecond a flow it holds its CPU for some milliseconds. */
enum { NATXDP_BRING_SLOTS = 4096 };

#endif
