/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * A child process that keeps the right to open the NAT by name and to send a
 * packet through it, after the agent has given that up. The agent asks, and gets
 * descriptors and what became of the packet. It takes no other input, and ends
 * with the agent.
 */
#ifndef NATXDP_AGENT_OPENER_H
#define NATXDP_AGENT_OPENER_H

#include "source.h"

struct loop;
struct opener;

/* @files is the callee's from then on; files->ret says whether there is a NAT. */
typedef void (*opener_done)(void *ctx, struct source_files *files);

/* Before rights are given up. NULL with @err written on failure. */
struct opener *opener_start(struct loop *loop, const char *pin_dir, opener_done done, void *ctx,
			    struct err *err);
void opener_stop(struct opener *opener);

/* Asks, unless an answer is on its way already. False if none will ever come. */
bool opener_ask(struct opener *opener);

#endif
