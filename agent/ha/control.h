/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Where `natxdp failover` and `natxdpd drain` reach the agent: a unix socket that
 * only root may use, one line of JSON in, one line out.
 */
#ifndef NATXDP_AGENT_HA_CONTROL_H
#define NATXDP_AGENT_HA_CONTROL_H

struct control;
struct err;
struct ha;
struct loop;

/* NULL with @err written on failure. */
struct control *control_open(struct loop *loop, const char *pin_dir, struct ha *ha,
			     struct err *err);
void control_close(struct control *control);

#endif
