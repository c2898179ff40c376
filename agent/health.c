/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "health.h"

#include <stddef.h>

const char *health_fault(const struct health_facts *f)
{
	if (f->counters_age_ms > HEALTH_COUNTERS_MAX_MS)
		return "the counters of the data plane cannot be read";
	if (!f->active)
		return "the NAT is not active: it is being loaded or was unloaded";
	if (!f->links || f->attached < f->links)
		return "the program is not on all interfaces: 'natxdp status' shows where";
	if (f->linkless_ms > HEALTH_LINK_MAX_MS)
		return f->linkless;
	if (f->sweep_age_ms > HEALTH_SWEEP_MAX_MS)
		return "the timer that expires flows stands still: 'natxdp load' starts it again";
	return f->unproven;
}

const char *health_unready(const struct health_facts *f)
{
	const char *fault = health_fault(f);

	if (fault)
		return fault;
	return f->draining ? "this node is asked to leave" : NULL;
}
