/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Giving up rights: when all is open, the agent needs none. */
#ifndef NATXDP_AGENT_SANDBOX_H
#define NATXDP_AGENT_SANDBOX_H

struct err;

/*
 * Becomes @user ("" stays) without any capability, and lets only those system
 * calls through that the agent makes. 0 or -errno with @err written.
 */
int sandbox_enter(const char *user, struct err *err);

/*
 * For the process that opens pins: keeps the capabilities that this takes, of
 * root's, and lets only those system calls through that it makes. 0 or -errno.
 */
int sandbox_keep_opening(void);

#endif
