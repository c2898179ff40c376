/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Flow records from the ring buffer of the data plane to the sinks. */
#ifndef NATXDP_AGENT_RECORDS_H
#define NATXDP_AGENT_RECORDS_H

struct agent;
struct cJSON;
struct err;
struct records;

struct records *records_start(struct agent *agent, struct err *err);

/* The data plane makes no more of them; what it has made already is written. */
void records_stop(struct records *records);

/*
 * The NAT is about to get other maps: what the old ring buffer holds is written, and
 * records_follow() goes on with the new one. Returns 0 or -errno with @err written.
 */
void records_leave(struct records *records);
int records_follow(struct records *records, struct err *err);

void records_status(const struct records *records, struct cJSON *object);

#endif
