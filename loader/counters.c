/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "counters.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "nat.h"

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
	return ret;
}

uint64_t counters_flows(const struct natxdp_counters *sum)
{
	uint64_t opened = sum->events[NATXDP_EVENT_FLOWS_OPENED] +
			  sum->events[NATXDP_EVENT_FLOWS_INSERTED];
	uint64_t expired = sum->events[NATXDP_EVENT_FLOWS_EXPIRED];

	/* the CPUs are not read at one moment */
	return opened > expired ? opened - expired : 0;
}
