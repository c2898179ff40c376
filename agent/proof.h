/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Does the data path translate? Packets of hosts that went through both ways are
 * the best proof. Where there were none for `health_probe`, the opener sends a
 * packet through the programs that the interfaces call, as `natxdp verify` does
 * it. /healthz shows what was found last.
 */
#ifndef NATXDP_AGENT_PROOF_H
#define NATXDP_AGENT_PROOF_H

#include <stdbool.h>
#include <stdint.h>

struct agent;
struct natxdp_counters;

struct proof {
	int64_t proved_ms;
	uint64_t out, in; /* packets translated, at the last sample */
	bool failed;	  /* has been said */
};

/* The source was opened just now. */
void proof_begin(struct agent *agent);

/* At each sample. */
void proof_sample(struct agent *agent, const struct natxdp_counters *counters, int64_t now);

/* The opener has sent a packet: the source says what became of it. */
void proof_take(struct agent *agent, int64_t now);

#endif
