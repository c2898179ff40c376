/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * A flow or mapping as a JSON object, for dumps of millions of them: into
 * memory of the caller, without a tree. Nothing in it needs to be escaped.
 */
#ifndef NATXDP_FLOWJSON_H
#define NATXDP_FLOWJSON_H

#include <stddef.h>

struct flow_printer;
struct flow_view;

enum { FLOW_JSON_SIZE = 1024 }; /* 850 at most, with all numbers at their longest */

/* Returns the length. */
size_t flow_json(char text[FLOW_JSON_SIZE], const struct flow_printer *printer,
		 const struct flow_view *view);

#endif
