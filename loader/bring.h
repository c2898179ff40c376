/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Bringing a NAT up, over to a new program, and down. Killed at any moment,
 * these leave either what was before or what comes after, or remains that
 * translate nothing and that the next load or unload clears away.
 */
#ifndef NATXDP_BRING_H
#define NATXDP_BRING_H

#include <stdbool.h>

struct err;
struct instance;
struct plan;

enum { HOOK_WHY_MAX = 256 };

/*
 * Where nothing runs. *@volatile_mount is that of pins_make(). @why is what kept
 * it from native XDP, if it had the choice and is at TC; else empty.
 */
int bring_up(const struct plan *plan, bool *volatile_mount, char why[HOOK_WHY_MAX],
	     struct err *err);

/* New programs and new settings for the NAT that runs; flows stay. */
int bring_over(const struct plan *plan, const struct instance *instance, struct err *err);

/*
 * Attaches a NAT again that has its maps but does not translate: an interface
 * went away, or its link was detached. Flows stay. Returns -ESTALE, with @err
 * not written, if what is there is not a whole NAT of this shape: then
 * bring_down() and bring_up().
 */
int bring_back(const struct plan *plan, const struct instance *instance, struct err *err);

/*
 * Ends whatever is pinned, and takes it away, in whichever network namespace it was loaded. Says
 * so if that is gone.
 */
int bring_down(const char *pin_dir, struct err *err);

#endif
