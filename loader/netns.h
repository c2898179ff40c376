/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The network namespace in which a NAT was loaded, for whoever unloads it from another one: its
 * filters at TC, its sysctls and the settings of its NICs are reached from there alone.
 */
#ifndef NATXDP_NETNS_H
#define NATXDP_NETNS_H

#include <stdbool.h>

/* Was what is remembered of this NAT found in another one than that of this process? */
bool netns_is_elsewhere(const char *pin_dir);

/*
 * Goes where the NAT was loaded. *@home is what netns_return() takes. Returns 0, also where there
 * is nowhere to go; or -ENOENT if no name, process or descriptor leads there: it is gone.
 */
int netns_enter(const char *pin_dir, int *home);
void netns_return(int home);

#endif
