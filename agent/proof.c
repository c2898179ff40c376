/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "proof.h"

#include "agent.h"
#include "counters.h"
#include "log.h"
#include "opener.h"

static void believe(struct agent *agent, int64_t now)
{
	if (agent->proof.failed)
		log_note("test packets get through again");
	agent->proof.failed = false;
	agent->proof.proved_ms = now;
	agent->health.unproven = NULL;
}

static void ask(struct agent *agent)
{
	if (!opener_ask(agent->opener))
		agent->health.unproven = "the process that sends test packets has ended";
}

void proof_begin(struct agent *agent)
{
	agent->proof.out = agent->proof.in = UINT64_MAX; /* a first sample proves nothing */
	agent->health.unproven = "no test packet has got through yet";
	ask(agent);
}

void proof_sample(struct agent *agent, const struct natxdp_counters *counters, int64_t now)
{
	struct proof *proof = &agent->proof;
	uint64_t out = counters->packets[NATXDP_OUT_FORWARDED] +
		       counters->packets[NATXDP_OUT_VIA_KERNEL];
	uint64_t in = counters->packets[NATXDP_IN_FORWARDED] +
		      counters->packets[NATXDP_IN_VIA_KERNEL];
	bool moved = out > proof->out && in > proof->in;

	proof->out = out;
	proof->in = in;
	if (moved)
		believe(agent, now);
	else if (now - proof->proved_ms >= agent->conf.health_probe)
		ask(agent);
}

void proof_take(struct agent *agent, int64_t now)
{
	const struct source_files *files = &agent->source.files;

	/* on a net where no address is free for it there is nothing to send */
	if (!files->can_probe || !files->proof) {
		believe(agent, now);
		return;
	}
	if (!agent->proof.failed)
		log_error("a test packet did not get through: %s", files->probe.why);
	agent->proof.failed = true;
	agent->health.unproven = files->probe.why;
}
