/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* One flow or mapping as a line for people, or as a JSON object in an array. */
#ifndef NATXDP_FLOWPRINT_H
#define NATXDP_FLOWPRINT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct flow_view;
struct natxdp_config;
struct natxdp_tunnel;

struct flow_printer {
	FILE *out;
	bool json;
	bool mappings; /* of what: flows or mappings */
	const struct natxdp_config *config;
	const struct natxdp_tunnel *tunnels; /* by index; NULL if there are none */
	uint32_t now;
	uint64_t count; /* printed */
};

void flow_print_begin(struct flow_printer *printer);
void flow_print(struct flow_printer *printer, const struct flow_view *view);
void flow_print_end(struct flow_printer *printer);

/* In ticks, if nothing more comes. */
uint32_t flow_print_expires_in(const struct flow_printer *printer, const struct flow_view *view);

#endif
