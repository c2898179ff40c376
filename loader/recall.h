/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* A recorded `natxdp load`, again: its words over the file of now. In cmd_load.c. */
#ifndef NATXDP_RECALL_H
#define NATXDP_RECALL_H

#include <net/if.h>

struct err;
struct lastload;
struct settings;

/* What it would load. */
int load_recall(const struct lastload *last, struct settings *settings, char iface[IFNAMSIZ],
		struct err *err);

/* Does it, and prints nothing. */
int load_again(const struct lastload *last, struct err *err);

#endif
