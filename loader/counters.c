/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "counters.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <natxdp/record.h>

#include "nat.h"
#include "probe.h"

const char *const verdict_names[VERDICTS] = { "forward", "pass", "drop", "reply" };

const struct counter_name reason_names[NATXDP_REASON_COUNT] = {
#define X(id, verdict, name, text) { VERDICT_##verdict, name, text },
	NATXDP_REASONS(X)
#undef X
};

const struct counter_name event_names[NATXDP_EVENT_COUNT] = {
#define X(id, name, text) { VERDICTS, name, text },
	NATXDP_EVENTS(X)
#undef X
};

/* As counted by NATXDP_PROBE_WAYS. */
static const enum natxdp_reason probe_reasons[NATXDP_PROBE_WAYS] = {
	[NATXDP_PROBE_OUT_FORWARDED] = NATXDP_OUT_FORWARDED,
	[NATXDP_PROBE_OUT_VIA_KERNEL] = NATXDP_OUT_VIA_KERNEL,
	[NATXDP_PROBE_IN_FORWARDED] = NATXDP_IN_FORWARDED,
	[NATXDP_PROBE_IN_VIA_KERNEL] = NATXDP_IN_VIA_KERNEL,
};

static void take_away(__u64 *count, __u64 n)
{
	*count -= n < *count ? n : *count; /* the two are not read at one moment */
}

static int take_probes_away(const struct nat *nat, struct natxdp_counters *sum)
{
	struct natxdp_agent agent;
	__u32 zero = 0;

	if (bpf_map_lookup_elem(nat->map[NAT_MAP_agent], &zero, &agent))
		return -errno;
	for (int i = 0; i < NATXDP_PROBE_WAYS; i++) {
		__u64 packets = agent.probes.packets[i];

		take_away(&sum->packets[probe_reasons[i]], packets);
		take_away(&sum->bytes[probe_reasons[i]], packets * NATXDP_PROBE_BYTES);
	}
	take_away(&sum->events[NATXDP_EVENT_FLOWS_OPENED], agent.probes.flows_opened);
	take_away(&sum->events[NATXDP_EVENT_FLOWS_EXPIRED], agent.probes.flows_expired);
	for (int i = 0; i < NATXDP_PROBE_ENDS; i++) {
		const struct natxdp_probe_end *end = &agent.probes.end[i];

		take_away(&sum->events[NATXDP_EVENT_FLOWS_EXPIRED],
			  end->slot && prove_is_swept(nat, end));
	}
	return 0;
}

int counters_read(const struct nat *nat, struct natxdp_counters *sum)
{
	enum { WORDS = sizeof(*sum) / sizeof(uint64_t) };
	int cpus = libbpf_num_possible_cpus(), ret = 0;
	uint64_t *total = (uint64_t *)sum, *each;
	__u32 zero = 0;

	memset(sum, 0, sizeof(*sum));
	if (cpus < 0)
		return cpus;
	each = calloc(cpus, sizeof(*sum));
	if (!each)
		return -ENOMEM;
	if (bpf_map_lookup_elem(nat->map[NAT_MAP_counters], &zero, each))
		ret = -errno;
	for (int i = 0; !ret && i < cpus * WORDS; i++)
		total[i % WORDS] += each[i];
	free(each);
	return ret ? ret : take_probes_away(nat, sum);
}

uint64_t counters_flows(const struct natxdp_counters *sum)
{
	uint64_t opened = sum->events[NATXDP_EVENT_FLOWS_OPENED] +
			  sum->events[NATXDP_EVENT_FLOWS_INSERTED];
	uint64_t expired = sum->events[NATXDP_EVENT_FLOWS_EXPIRED];

	/* the CPUs are not read at one moment */
	return opened > expired ? opened - expired : 0;
}
