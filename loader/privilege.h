/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#ifndef NATXDP_PRIVILEGE_H
#define NATXDP_PRIVILEGE_H

struct err;

/* Refuses unless this process may load BPF programs and set up networking. */
int privilege_check(struct err *err);

#endif
