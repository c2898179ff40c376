/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The one clock of the data plane: ticks of CLOCK_MONOTONIC.
 *
 * It is made of the kernel's jiffies, which the verifier turns into one load. Reading the coarse
 * clock is a call, which took 17 of the 63 ns of an established packet. Jiffies go with
 * CLOCK_MONOTONIC at a distance that is measured when the program is armed; a kernel whose tick
 * is a periodic interrupt may lose some, so every sweep looks again. Behind the real time by two
 * jiffies at most, and not ahead of it.
 */
#ifndef NATXDP_CLOCK_BPF_H
#define NATXDP_CLOCK_BPF_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include <natxdp/flow.h>

enum { CLOCK_TRIES = 4 }; /* to read two clocks while neither turns */

/* Nanoseconds of one jiffy, by user space before loading; 0: not known. */
SEC(".rodata.jiffy") const volatile __u64 jiffy_ns = 0;

/* From jiffies, in nanoseconds, to CLOCK_MONOTONIC; 0: not measured yet. */
SEC(".data.clock") __u64 clock_offset = 0;

static __always_inline __u32 ticks_now(void)
{
	__u64 offset = *(const volatile __u64 *)&clock_offset;

	if (!offset)
		return bpf_ktime_get_ns() >> NATXDP_TICK_SHIFT;
	return (bpf_jiffies64() * jiffy_ns + offset) >> NATXDP_TICK_SHIFT;
}

/* What clock_offset would be if it were measured now; 0 if that did not work. */
static __always_inline __u64 clock_measure(void)
{
	__u64 jiffies, now;
	int i;

	for (i = 0; i < CLOCK_TRIES; i++) {
		jiffies = bpf_jiffies64();
		now = bpf_ktime_get_ns();
		/* this jiffy began up to its length ago: counted from its end, we are not ahead */
		if (bpf_jiffies64() == jiffies)
			return now - (jiffies + 1) * jiffy_ns;
	}
	return 0;
}

/* Not for every packet: by who arms the program, and by the sweeper. */
static __always_inline void clock_set(void)
{
	__u64 offset = jiffy_ns ? clock_measure() : 0;
	__s64 drift = offset - clock_offset;

	if (!offset)
		return;
	/* two measurements differ by a jiffy, and by how late the second one's began */
	if (!clock_offset || drift > 4 * (__s64)jiffy_ns || drift < -2 * (__s64)jiffy_ns)
		*(volatile __u64 *)&clock_offset = offset;
}

#endif
