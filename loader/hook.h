/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The two places of the kernel where the NAT can look at packets, and its programs for each. */
#ifndef NATXDP_HOOK_H
#define NATXDP_HOOK_H

#include <netinet/in.h>
#include <stdbool.h>

#include <natxdp/flow.h>

struct bpf_object;

enum hook { HOOK_XDP, HOOK_TC, HOOKS };

extern const char *const hook_names[HOOKS]; /* as people write them */
const char *hook_key(enum hook hook);	    /* as the configuration has them */

/*
 * Programs and maps of that hook, the tables sized, not loaded. @tunnels: those whose inside is
 * behind load balancers. NULL with errno set on failure.
 */
struct bpf_object *hook_open(enum hook hook, bool tunnels, const struct natxdp_geometry *geometry);

#endif
