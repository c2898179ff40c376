/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * A packet through the programs that are attached, without a wire: out from
 * an inside host that need not exist to an address of a documentation net,
 * and the answer back (BPF_PROG_TEST_RUN). It opens a flow like any other;
 * prove() ends it again, and takes it out of the counters.
 */
#ifndef NATXDP_PROBE_H
#define NATXDP_PROBE_H

#include <linux/types.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include <natxdp/record.h>

struct contents;
struct instance;
struct natxdp_key;
struct nat;
struct pool;

enum { PROBE_PORT = 9 /* discard, RFC 863 */, PROBE_WHY_MAX = 160 };

struct probe {
	__be32 inside;
	__be32 outside;
	/* what it was translated to, once it was */
	__be32 external;
	__be16 external_port;
	/* behind load balancers: as if one of them had sent it, by endpoint 0; or 0 */
	__be32 lb;
	__be32 own;
	bool via_kernel;	   /* the next hop is not known yet */
	struct natxdp_probes sent; /* what the counters have of it */
	char why[PROBE_WHY_MAX];   /* it failed, or "" */
};

/*
 * An inside address that is translated, with an external address for it that takes new
 * flows, and a destination for which it is.
 * False if there is none. Pure.
 */
bool probe_choose(struct probe *probe, const struct contents *contents);

/*
 * What the chosen packet is found by, when it comes in by an interface of one or of two. The
 * tenant of one behind a load balancer is not known before the first has come, and left 0.
 */
void probe_key(const struct probe *probe, const struct instance *instance, struct natxdp_key *key);

/* The outer headers of a packet of @inner bytes that comes as the probe does: NATXDP_TUNNEL_OVERHEAD. */
void probe_wrap(const struct probe *probe, size_t inner, uint8_t *to);

/*
 * Sends the chosen packet and its answer through @program, descriptors of what
 * the links of @instance call, one a link. Returns 0, or -EIO and writes why.
 */
int probe_run(struct probe *probe, const struct instance *instance, const int *program,
	      const struct pool *pool);

/*
 * The same through the programs that are attached now. Its packets and its flow
 * are taken out of the counters, and the flow is ended. Needs CAP_SYS_ADMIN.
 */
int prove(struct probe *probe, const struct nat *nat, const struct instance *instance,
	  const struct pool *pool);

/* The tunnel of the probes, by which they are found; 0: there is none, or none yet. */
uint16_t prove_tenant(const struct probe *probe, const struct nat *nat);

/* Has the sweeper counted the end of the flow? */
bool prove_is_swept(const struct nat *nat, const struct natxdp_probe_end *end);

#endif
