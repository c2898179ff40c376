/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * A packet through the programs that are attached, without a wire: out from
 * an inside host that need not exist to an address of a documentation net,
 * and the answer back (BPF_PROG_TEST_RUN). It is a flow like any other, always
 * the same one, so it takes one place in the table until it times out.
 */
#ifndef NATXDP_PROBE_H
#define NATXDP_PROBE_H

#include <linux/types.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

struct contents;
struct instance;

enum { PROBE_PORT = 9 /* discard, RFC 863 */, PROBE_WHY_MAX = 160 };

struct probe {
	__be32 inside;
	__be32 outside;
	/* what it was translated to, once it was */
	__be32 external;
	__be16 external_port;
	bool via_kernel;	 /* the next hop is not known yet */
	char why[PROBE_WHY_MAX]; /* it failed, or "" */
};

/*
 * An inside address that is translated, and a destination for which it is.
 * False if there is none. Pure.
 */
bool probe_choose(struct probe *probe, const struct contents *contents);

/* Sends the chosen packet and its answer. Returns 0, or -EIO and writes why. */
int probe_run(struct probe *probe, const struct instance *instance,
	      const struct contents *contents);

#endif
