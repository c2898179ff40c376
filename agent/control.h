/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Where `natxdp failover` and `natxdpd drain` reach the agent: a unix socket that
 * only root may use, one line of JSON in, one line out.
 */
#ifndef NATXDP_AGENT_CONTROL_H
#define NATXDP_AGENT_CONTROL_H

struct cJSON;
struct control;
struct err;
struct loop;

/* What is asked, as it was read (NULL: no JSON); returns the answer, or NULL without memory. */
typedef struct cJSON *(*control_answer)(void *ctx, const struct cJSON *request);

/* NULL with @err written on failure. */
struct control *control_open(struct loop *loop, const char *pin_dir, control_answer answer,
			     void *ctx, struct err *err);
void control_close(struct control *control);

#endif
