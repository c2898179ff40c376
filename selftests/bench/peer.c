/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "peer.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "path.skel.h"

enum { PRIME_TRIES = 20, PRIME_BATCH = 65536, BATCH = 64 };

static uint32_t ifindex_of(const char *prefix, const char *name)
{
	char dev[IF_NAMESIZE];

	snprintf(dev, sizeof(dev), "%s%s", prefix, name);
	return if_nametoindex(dev);
}

static void attach_xdp(struct peer *p, struct bpf_program *program, uint32_t ifindex)
{
	unsigned int i = 0;

	while (p->links[i])
		i++;
	p->links[i] = bpf_program__attach_xdp(program, ifindex);
	if (!p->links[i])
		die("%s: attach %s", p->name, bpf_program__name(program));
}

static void attach_tc(struct peer *p, uint32_t ifindex)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex, .attach_point = BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, opts, .prog_fd = bpf_program__fd(p->bpf->progs.sink_tc));
	int err = bpf_tc_hook_create(&hook);

	if ((err && err != -EEXIST) || bpf_tc_attach(&hook, &opts))
		die("%s: sink", p->name);
}

static void put_dev(struct peer *p, uint32_t index, uint32_t ifindex)
{
	if (bpf_map__update_elem(p->bpf->maps.devs, &index, sizeof(index), &ifindex,
				 sizeof(ifindex), 0))
		die("%s: devmap", p->name);
}

/* Programs on the interfaces of the bare peer, which are in a namespace of their own. */
static void attach_bare(struct peer *p, const char *netns)
{
	int here = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	int there = open(netns, O_RDONLY | O_CLOEXEC);
	uint32_t inside, outside;

	if (here < 0 || there < 0 || setns(there, CLONE_NEWNET))
		die("%s", netns);
	inside = if_nametoindex("in0");
	outside = if_nametoindex("out0");
	if (outside) {
		put_dev(p, 0, outside);
		put_dev(p, 1, inside);
		attach_xdp(p, p->bpf->progs.bare_out, inside);
		attach_xdp(p, p->bpf->progs.bare_in, outside);
	} else {
		attach_xdp(p, p->bpf->progs.bare_tx, inside);
	}
	if (setns(here, CLONE_NEWNET))
		die("setns");
	close(here);
	close(there);
}

/* natxdp in the driver, however it is attached: what it sends comes as a frame. */
static int sends_by_xdp(const char *name)
{
	return !strcmp(name, "natxdp") || !strcmp(name, "link") || !strcmp(name, "dispatcher");
}

void peer_open(struct peer *p, const char *name, const char *netns, uint32_t flows, uint32_t draws)
{
	int bare = !strcmp(name, "bare"), xdp = bare || sends_by_xdp(name);

	memset(p, 0, sizeof(*p));
	snprintf(p->name, sizeof(p->name), "%s", name);
	p->inside = ifindex_of("g-", name);
	p->outside = ifindex_of("s-", name);
	p->outside = p->outside ? p->outside : p->inside;
	p->bpf = path_bpf__open();
	if (!p->bpf)
		die("open path");
	bpf_map__set_max_entries(p->bpf->maps.draws, draws);
	bpf_map__set_max_entries(p->bpf->maps.outcomes, flows);
	if (path_bpf__load(p->bpf))
		die("load path");
	p->room = draws;
	p->draws = map_memory(p->bpf->maps.draws);
	p->outcomes = map_memory(p->bpf->maps.outcomes);
	if (bare)
		attach_bare(p, netns);
	if (!xdp)
		attach_tc(p, p->inside);
	else
		attach_xdp(p, p->bpf->progs.sink_xdp, p->inside);
	if (p->outside == p->inside)
		return;
	if (!xdp)
		attach_tc(p, p->outside);
	else
		attach_xdp(p, p->bpf->progs.sink_xdp, p->outside);
}

void peer_close(struct peer *p)
{
	for (unsigned int i = 0; i < PEER_LINKS; i++)
		bpf_link__destroy(p->links[i]);
	path_bpf__destroy(p->bpf);
}

/* The addresses that selftests/bench/boxes.py gives. */
void peer_direction(struct peer *p, int inbound)
{
	int outside = inbound && p->outside != p->inside;
	uint8_t mac[6] = { 2, 0, 0, 0, 0, outside ? 3 : 2 };

	memcpy(p->bpf->bss->dst_mac, mac, sizeof(mac));
	mac[5] = outside ? 4 : 1;
	memcpy(p->bpf->bss->src_mac, mac, sizeof(mac));
	p->generator = inbound ? p->outside : p->inside;
}

void peer_range(struct peer *p, uint32_t begin, uint32_t end)
{
	unsigned int cpu = sched_getcpu();

	p->bpf->bss->cursors[cpu].at = begin;
	p->bpf->bss->cursors[cpu].begin = begin;
	p->bpf->bss->cursors[cpu].end = end;
}

static uint64_t delivered(const struct peer *p)
{
	uint64_t sum = 0;

	for (unsigned int cpu = 0; cpu < BENCH_CPUS_MAX; cpu++)
		sum += p->bpf->bss->delivered[cpu].packets;
	return sum;
}

double peer_send(struct peer *p, uint32_t packets, uint64_t *arrived)
{
	uint8_t frame[FRAME_SIZE] = { 0 };
	struct xdp_md ctx = { .data_end = FRAME_SIZE, .ingress_ifindex = p->generator };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = FRAME_SIZE,
		    .ctx_in = &ctx, .ctx_size_in = sizeof(ctx), .repeat = packets,
		    .batch_size = BATCH, .flags = BPF_F_TEST_XDP_LIVE_FRAMES);
	struct cursor *c = &p->bpf->bss->cursors[sched_getcpu()];
	uint64_t before = delivered(p), last;

	c->started = 0;
	c->left = packets;
	if (bpf_prog_test_run_opts(bpf_program__fd(p->bpf->progs.generate), &opts))
		die("%s: live frames", p->name);
	/* the last ones may be with ksoftirqd, which wants this CPU */
	do {
		last = delivered(p);
		usleep(500);
	} while (delivered(p) != last);
	*arrived = last - before;
	if (c->left || c->arrived[1] == c->arrived[0])
		return 0;
	return (double)(c->ended - c->started) / (c->arrived[1] - c->arrived[0]);
}

/* Goes through the flows that have not come through yet. */
static uint32_t prime_again(struct peer *p, const struct tuple *flows, uint32_t count)
{
	uint32_t missing = 0;
	uint64_t arrived;

	for (uint32_t i = 0; i < count; i++) {
		if (!p->outcomes[flows[i].flow].flow)
			p->draws[missing++] = flows[i];
		if (missing == PRIME_BATCH || (missing && i == count - 1)) {
			peer_range(p, 0, missing);
			peer_send(p, missing, &arrived);
			missing = 0;
		}
	}
	for (uint32_t i = 0; i < count; i++)
		missing += !p->outcomes[flows[i].flow].flow;
	return missing;
}

uint32_t peer_prime(struct peer *p, const struct tuple *flows, struct tuple *answers,
		    uint32_t count)
{
	uint32_t missing = count;

	p->bpf->bss->record = 1;
	peer_direction(p, 0);
	for (unsigned int i = 0; missing && i < PRIME_TRIES; i++)
		missing = prime_again(p, flows, count);
	p->bpf->bss->record = 0;
	for (uint32_t i = 0; answers && i < count; i++) {
		const struct tuple *out = &p->outcomes[flows[i].flow];

		answers[i] = (struct tuple){ .saddr = out->daddr,
					     .daddr = out->saddr,
					     .sport = out->dport,
					     .dport = out->sport,
					     .flow = flows[i].flow };
	}
	return missing;
}
