/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The agent: what all its parts share. Each part has its own state in a struct of its own. */
#ifndef NATXDP_AGENT_AGENT_H
#define NATXDP_AGENT_AGENT_H

#include "conf.h"
#include "health.h"
#include "interval.h"
#include "loop.h"
#include "proof.h"
#include "scan.h"
#include "softirq.h"
#include "source.h"

struct ha;
struct http;
struct opener;
struct cloud;
struct records;
struct report;
struct solo;
struct watch;

struct agent {
	const char *conf_path;
	struct conf conf;
	struct loop *loop;
	struct opener *opener;
	struct source source;
	struct scan *scan;
	struct talkers *talkers; /* NULL: off */
	struct softirq softirq;
	int ethtool; /* a socket to ask drivers by */

	struct sample now; /* the last one */
	struct interval interval;
	struct interval published; /* the last complete one, for /metrics and /status */
	int64_t published_ms;	   /* wall clock of its end; 0: none yet */
	int64_t wall_seen_ms;	   /* wall clock of the last sample */

	struct health_facts health;
	char linkless[96];   /* what health.linkless says */
	int64_t linkless_ms; /* since when; 0: all interfaces have a link */
	struct proof proof;
	int64_t doubted_ms; /* since when the opener finds it ill, and once is not enough; 0: well */
	uint64_t sweep_passes;
	int64_t sweep_seen_ms, counters_seen_ms, began_ms;
	uint64_t records_lost; /* by the data plane */

	char zone[CONF_TEXT_MAX]; /* as configured, or learned from the IMDS */

	struct http *http;
	struct cloud *cloud;	 /* NULL: nothing goes to AWS */
	struct records *records; /* NULL: off */
	struct report *report;	 /* NULL: no top talkers in Logs */
	struct watch *watch;	 /* NULL: no IMDS */
	struct ha *ha;		 /* NULL: no peers */
	struct solo *solo;	 /* NULL: peers */

	bool drain_asked; /* by somebody here, not by a notice */
	bool leaving;	  /* told to end, and handing over first */
	bool walking;	  /* over the flow table */
	int sample_timer, scan_timer, slice_timer, link_timer, watchdog, look_timer;
	int status; /* of the process */
};

/* Returns 0 or -errno with @err written. The source is open already. */
int agent_start(struct agent *agent, struct err *err);
void agent_stop(struct agent *agent);

/* The NAT as it is now, found by the opener: follows it, or ends if there is none any more. */
void agent_follow(void *agent, struct source_files *files);

/* What is asked here and what notices say make health.draining. */
void agent_ask_drain(struct agent *agent, bool on);
void agent_look_at_notices(struct agent *agent);

/* Reads the configuration again; keeps the old one if that is wrong. */
void agent_reload(struct agent *agent);

#endif
